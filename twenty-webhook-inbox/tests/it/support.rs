use std::io::Write as _;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tempfile::TempDir;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use twenty_webhook_core::Signer;
use twenty_webhook_inbox::{Counts, Inbox, Secret, SqliteStore, Store, Verifier, WebhookEvent, Worker};

pub(crate) const SECRET: &str = "It's a Secret to Everybody";

pub(crate) fn body(name: &str, number: usize) -> String {
    format!(r#"{{"eventName":"{name}","workspaceId":"b1d6c7a2","record":{{"id":"{number}","note":"\ud83d \u0000"}}}}"#)
}

/// A verified event.
pub(crate) fn event(name: &str, number: usize) -> WebhookEvent {
    verified(body(name, number))
}

/// A verified event with this many bytes of text.
pub(crate) fn large(number: usize, len: usize) -> WebhookEvent {
    verified(body("note.created", number).replace("\\u0000", &"x".repeat(len)))
}

/// An event with the record's state at that second, if it has a date.
pub(crate) fn changed(name: &str, record: &str, updated_at: Option<i64>) -> WebhookEvent {
    verified(changed_body(name, record, updated_at))
}

fn changed_body(name: &str, record: &str, updated_at: Option<i64>) -> String {
    let date = |second| twenty_webhook_core::jiff::Timestamp::from_second(1_700_000_000 + second).unwrap();
    let date = updated_at.map_or_else(String::new, |second| format!(r#","updatedAt":"{}""#, date(second)));
    let salt = getrandom::u64().unwrap();
    format!(r#"{{"eventName":"{name}","workspaceId":"w","salt":{salt},"record":{{"id":"{record}"{date}}}}}"#)
}

pub(crate) fn verified(body: String) -> WebhookEvent {
    let secret = Secret::new(SECRET).unwrap();
    let headers = Signer::new(secret.clone()).sign(body.as_bytes());
    Verifier::from(secret).verify(&headers, body).unwrap().into_event().unwrap()
}

pub(crate) struct Place {
    pub(crate) dir: TempDir,
}

impl Place {
    pub(crate) fn new() -> Self {
        Self { dir: tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap() }
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.dir.path().join("inbox.db")
    }

    pub(crate) async fn open(&self) -> Inbox<SqliteStore> {
        Inbox::sqlite(self.path()).await.unwrap()
    }

    /// Executes a statement on another connection.
    pub(crate) async fn sql(&self, statement: impl Into<String>) -> u64 {
        use sqlx::ConnectOptions;
        let options = sqlx::sqlite::SqliteConnectOptions::new().filename(self.path());
        let mut connection = options.connect().await.unwrap();
        sqlx::query(sqlx::AssertSqlSafe(statement.into())).execute(&mut connection).await.unwrap().rows_affected()
    }
}

/// A running worker.
pub(crate) struct Running {
    stop: oneshot::Sender<()>,
    worker: JoinHandle<()>,
}

impl Running {
    pub(crate) fn start<S: Store>(worker: Worker<S>) -> Self {
        let (stop, stopped) = oneshot::channel();
        Self { stop, worker: tokio::spawn(worker.run_until(stopped)) }
    }

    pub(crate) async fn stop(self) {
        let _ = self.stop.send(());
        tokio::time::timeout(Duration::from_secs(40), self.worker).await.expect("the worker stops").unwrap();
    }
}

/// Polls until the counts match.
pub(crate) async fn until<S: Store>(inbox: &Inbox<S>, wanted: impl Fn(Counts) -> bool) -> Counts {
    let mut counts = Counts::default();
    for _ in 0..600 {
        counts = inbox.counts().await.unwrap();
        if wanted(counts) {
            return counts;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("still {counts:?}");
}

/// The ids of the records that a handler saw.
#[derive(Clone, Debug, Default)]
pub(crate) struct Seen(Arc<Mutex<Vec<String>>>);

impl Seen {
    pub(crate) fn add(&self, event: &WebhookEvent) {
        self.0.lock().unwrap().push(event.record_id().unwrap().to_owned());
    }

    pub(crate) fn sorted(&self) -> Vec<String> {
        let mut seen = self.0.lock().unwrap().clone();
        seen.sort();
        seen
    }

    pub(crate) fn len(&self) -> usize {
        self.0.lock().unwrap().len()
    }
}

#[expect(clippy::unnecessary_wraps, reason = "what handlers return")]
pub(crate) fn ok() -> Result<(), std::io::Error> {
    Ok(())
}

/// What was logged.
#[derive(Clone, Debug, Default)]
pub(crate) struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.0.lock().unwrap()).into_owned()
    }
}

impl std::io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl tracing_subscriber::fmt::MakeWriter<'_> for Log {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        self.clone()
    }
}

/// A free port below those that the system gives to clients, so that no client takes it while its server is down.
pub(crate) fn free_port() -> u16 {
    let random = || 20_000 + u16::try_from(getrandom::u32().unwrap() % 10_000).unwrap();
    let is_free = |port: &u16| std::net::TcpListener::bind(("127.0.0.1", *port)).is_ok();
    std::iter::repeat_with(random).find(is_free).unwrap()
}

/// Prints that a test was skipped, past the test harness, which captures `println!`. It fails the test if `CI_MUST_RUN_ALL` is set.
pub(crate) fn skipped(why: &str) {
    assert!(std::env::var_os("CI_MUST_RUN_ALL").is_none(), "SKIPPED: {why}");
    let _ = writeln!(std::io::stderr(), "SKIPPED: {why}");
}
