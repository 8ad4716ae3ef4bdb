//! The file: a full disk, locks, deletion, other programs.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use twenty_webhook_inbox::{Claim, Inbox, InboxError, Store as _, WebhookEvent};

use crate::support::{Log, Place, Running, event, ok, skipped, until};

/// A file system of 32 MiB. Mounting one needs root.
struct SmallDisk<'a>(&'a Path);

impl<'a> SmallDisk<'a> {
    fn mount(path: &'a Path) -> Option<Self> {
        let disk = mount(&["-t", "tmpfs", "-o", "size=32m", "tmpfs"], path).then_some(Self(path));
        if disk.is_none() {
            skipped("no file system can be mounted: not root?");
        }
        disk
    }

    /// Waits for the connections of a dropped inbox: they are closed in the background, and until then the disk is busy.
    async fn make_read_only(&self) {
        let remounted = async {
            while !mount(&["-o", "remount,ro"], self.0) {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(30), remounted).await.expect("nothing writes to the disk");
    }
}

fn mount(args: &[&str], path: &Path) -> bool {
    Command::new("mount").args(args).arg(path).status().is_ok_and(|status| status.success())
}

impl Drop for SmallDisk<'_> {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("--lazy").arg(self.0).status();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_refuses_and_recovers() {
    let place = Place::new();
    let Some(_disk) = SmallDisk::mount(place.dir.path()) else { return };
    let inbox = place.open().await;
    let filler = place.dir.path().join("filler");
    std::fs::write(&filler, vec![0; 26 << 20]).unwrap();
    let (mut stored, mut refused) = (0, 0);
    for number in 0..40_000 {
        match inbox.store(&event("person.created", number)).await {
            Ok(()) => stored += 1,
            Err(InboxError::Database(_)) => {
                refused += 1;
                if refused == 10 {
                    break;
                }
            }
            Err(error) => panic!("{error}"),
        }
    }
    assert_eq!(refused, 10, "the disk is full after {stored}");
    std::fs::remove_file(filler).unwrap();
    inbox.store(&event("person.created", 50_000)).await.unwrap();
    let running = Running::start(inbox.worker("test", |_: WebhookEvent| async { ok() }));
    // What was reported as stored is committed, so another process sees it.
    let committed = place.open().await.counts().await.unwrap();
    assert_eq!(committed.open() + committed.done, stored + 1);
    until(&inbox, |counts| counts.done == stored + 1).await;
    running.stop().await;
    assert_eq!(place.open().await.counts().await.unwrap().done, stored + 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_locked_file_refuses_in_time_and_recovers() {
    use sqlx::ConnectOptions;
    let place = Place::new();
    let inbox = place.open().await.deadline(Duration::from_secs(1));
    let mut other = sqlx::sqlite::SqliteConnectOptions::new().filename(place.path()).connect().await.unwrap();
    let running = Running::start(inbox.worker("test", |_: WebhookEvent| async { ok() }));
    inbox.store(&event("person.created", 1)).await.unwrap();
    until(&inbox, |counts| counts.done == 1).await;

    sqlx::query("BEGIN EXCLUSIVE").execute(&mut other).await.unwrap();
    let began = Instant::now();
    let stores = (2..40).map(|number| {
        let inbox = inbox.clone();
        async move { inbox.store(&event("person.created", number)).await }
    });
    for refused in futures_util::future::join_all(stores).await {
        assert!(matches!(refused, Err(InboxError::Deadline(_))), "{refused:?}");
    }
    assert!(began.elapsed() < Duration::from_millis(1_500), "{:?}", began.elapsed());
    sqlx::query("ROLLBACK").execute(&mut other).await.unwrap();

    let began = Instant::now();
    while inbox.store(&event("person.created", 100)).await.is_err() {
        assert!(began.elapsed() < Duration::from_secs(12), "it does not recover");
    }
    let counts = until(&inbox, |counts| counts.open() == 0).await;
    assert!(counts.done >= 2 && counts.dead == 0);
    running.stop().await;
}

/// While a disk stalls, leases run out because no heartbeat reaches the database. Their handlers still run.
#[tokio::test(flavor = "multi_thread")]
async fn a_recovery_that_waited_takes_nothing_that_ran_out_meanwhile() {
    use sqlx::ConnectOptions;
    let place = Place::new();
    let inbox = place.open().await;
    let store = inbox.database().clone();
    inbox.store(&event("person.created", 1)).await.unwrap();
    let lease = Duration::from_secs(2);
    assert_eq!(store.claim(&Claim::new(1, 1, lease)).await.unwrap().jobs.len(), 1);
    let claimed = Instant::now();
    let mut other = sqlx::sqlite::SqliteConnectOptions::new().filename(place.path()).connect().await.unwrap();
    sqlx::query("BEGIN IMMEDIATE").execute(&mut other).await.unwrap();
    let waiting = tokio::spawn({
        let store = store.clone();
        async move { store.recover(Duration::ZERO, 5).await }
    });
    while claimed.elapsed() <= lease {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert!(!waiting.is_finished(), "it waits for the lock");
    sqlx::query("ROLLBACK").execute(&mut other).await.unwrap();
    assert_eq!(waiting.await.unwrap().unwrap().jobs, 0);
    assert_eq!(store.recover(Duration::ZERO, 5).await.unwrap().jobs, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_read_only_file_is_refused_at_the_start() {
    let place = Place::new();
    let Some(disk) = SmallDisk::mount(place.dir.path()) else { return };
    place.open().await.store(&event("person.created", 1)).await.unwrap();
    disk.make_read_only().await;
    let opened = Inbox::sqlite(place.path()).await;
    assert!(matches!(opened, Err(InboxError::Database(_))), "{opened:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_a_database_is_refused_at_the_start() {
    let place = Place::new();
    assert!(matches!(Inbox::sqlite("/proc/inbox.db").await, Err(InboxError::Database(_))));
    assert!(matches!(Inbox::sqlite(place.dir.path()).await, Err(InboxError::Database(_))), "a folder");
    let text = place.dir.path().join("text");
    std::fs::write(&text, "not a database, and long enough to be looked at".repeat(100)).unwrap();
    assert!(matches!(Inbox::sqlite(&text).await, Err(InboxError::Database(_))));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deleted_file_takes_no_more() {
    let place = Place::new();
    let inbox = place.open().await;
    inbox.store(&event("person.created", 1)).await.unwrap();
    std::fs::remove_file(place.path()).unwrap();
    let refused = inbox.store(&event("person.created", 2)).await;
    assert!(matches!(refused, Err(InboxError::FileGone(_))), "SQLite itself takes it: {refused:?}");
    // What was stored before the deletion is still handled.
    let seen = crate::support::Seen::default();
    let worker = {
        let seen = seen.clone();
        inbox.worker("test", move |event: WebhookEvent| {
            seen.add(&event);
            async { ok() }
        })
    };
    let running = Running::start(worker);
    let handled = async {
        while !seen.sorted().contains(&"1".to_owned()) {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), handled).await.expect("it is handled");
    running.stop().await;
    // Another file in its place is not accepted.
    let new = place.open().await;
    new.store(&event("person.created", 3)).await.unwrap();
    assert!(inbox.store(&event("person.created", 4)).await.is_err());
}

/// A worker answers no request, so it must log the error.
#[tokio::test]
async fn a_worker_on_a_deleted_file_says_so() {
    let place = Place::new();
    let inbox = place.open().await;
    let log = Log::default();
    let _logging =
        tracing::subscriber::set_default(tracing_subscriber::fmt().with_ansi(false).with_writer(log.clone()).finish());
    let worker = inbox.worker("test", |_: WebhookEvent| async { ok() }).recover_after(Duration::from_secs(3));
    let running = Running::start(worker);
    std::fs::remove_file(place.path()).unwrap();
    let said = async {
        while !log.text().contains("was deleted or replaced while it was open") {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), said).await.unwrap_or_else(|_| panic!("{}", log.text()));
    running.stop().await;
    assert!(!place.path().exists(), "no new and empty file is made in its place");
}

#[tokio::test]
async fn the_database_of_another_program_is_left_alone() {
    use sqlx::ConnectOptions;
    let place = Place::new();
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(place.path()).create_if_missing(true);
    let mut other = options.connect().await.unwrap();
    sqlx::query("CREATE TABLE invoices (id INTEGER)").execute(&mut other).await.unwrap();
    let before = std::fs::read(place.path()).unwrap();
    let refused = Inbox::sqlite(place.path()).await.unwrap_err();
    assert!(refused.to_string().contains("another program"), "{refused}");
    assert_eq!(std::fs::read(place.path()).unwrap(), before);
}

/// A process that was stopped while it wrote keeps the lock.
#[test]
fn a_write_lock_that_is_never_released_delays_nothing_for_long() {
    let place = Place::new();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let inbox = runtime.block_on(place.open());
    let lock = std::fs::File::open(place.dir.path().join("inbox.db-write-lock")).unwrap();
    lock.lock().unwrap();
    for number in 0..2 {
        runtime.block_on(inbox.store(&event("person.created", number))).unwrap();
    }
    assert_eq!(runtime.block_on(inbox.counts()).unwrap().pending, 2);
    // The lock does not keep the program from ending.
    let (ended, end) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        drop(runtime);
        ended.send(()).unwrap();
    });
    end.recv_timeout(Duration::from_secs(10)).expect("the runtime ends");
}
