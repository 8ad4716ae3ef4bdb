//! What operators rely on: permissions, opening without changes, upgrades, backups, query plans, clients that vanish.

use std::time::Duration;

use twenty_webhook_inbox::{CatchUpStore as _, Inbox, InboxError, JobFilter, SqliteConfig, WebhookEvent};

use crate::support::{Place, Running, event, ok, skipped, until};

#[cfg(unix)]
#[tokio::test]
async fn the_file_is_its_owners() {
    use std::os::unix::fs::MetadataExt;
    let place = Place::new();
    let inbox = place.open().await;
    inbox.store(&event("person.created", 1)).await.unwrap();
    for file in std::fs::read_dir(place.dir.path()).unwrap() {
        let file = file.unwrap();
        assert_eq!(file.metadata().unwrap().mode() & 0o777, 0o600, "{:?}", file.path());
    }
}

/// As the docs advise for a pool of the user.
#[cfg(unix)]
#[tokio::test]
async fn a_file_that_was_created_first_keeps_its_mode_under_a_pool() {
    use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
    let place = Place::new();
    std::fs::File::options().write(true).create_new(true).mode(0o600).open(place.path()).unwrap();
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(place.path());
    let pool = sqlx::SqlitePool::connect_with(options).await.unwrap();
    let inbox = Inbox::on_sqlite_pool(&pool).await.unwrap();
    inbox.store(&event("person.created", 1)).await.unwrap();
    for file in std::fs::read_dir(place.dir.path()).unwrap() {
        let file = file.unwrap();
        assert_eq!(file.metadata().unwrap().mode() & 0o777, 0o600, "{:?}", file.path());
    }
}

#[tokio::test]
async fn an_operator_opens_what_is_there_and_makes_nothing() {
    let place = Place::new();
    let opened = SqliteConfig::new(place.path()).open_existing().await;
    assert!(matches!(opened, Err(InboxError::NotAnInbox(_))));
    assert!(!place.path().exists());

    std::fs::write(place.path(), "text, and more than a hundred bytes of it ".repeat(100)).unwrap();
    let opened = SqliteConfig::new(place.path()).open_existing().await.unwrap_err();
    assert!(matches!(&opened, InboxError::NotAnInbox(why) if why.contains("no SQLite database")), "{opened}");
    std::fs::remove_file(place.path()).unwrap();

    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(place.path()).create_if_missing(true);
    let pool = sqlx::SqlitePool::connect_with(options).await.unwrap();
    sqlx::query("CREATE TABLE invoices (id INTEGER)").execute(&pool).await.unwrap();
    pool.close().await;
    let before = std::fs::read(place.path()).unwrap();
    let opened = SqliteConfig::new(place.path()).open_existing().await.unwrap_err();
    assert!(matches!(&opened, InboxError::NotAnInbox(why) if why.contains("without an inbox")), "{opened}");
    assert_eq!(std::fs::read(place.path()).unwrap(), before);
    std::fs::remove_file(place.path()).unwrap();

    place.open().await.store(&event("person.created", 1)).await.unwrap();
    let existing = SqliteConfig::new(place.path()).open_existing().await.unwrap();
    assert_eq!(existing.counts().await.unwrap().pending, 1);
    existing.health().await.unwrap();
    std::fs::remove_file(place.path()).unwrap();
    assert!(matches!(existing.health().await, Err(InboxError::FileGone(_))));
}

/// An inbox of the first version keeps its jobs. `open` upgrades it, and `open_existing` does not.
#[tokio::test]
async fn an_older_inbox_is_brought_up_to_date() {
    let place = Place::new();
    place.open().await.store(&event("person.created", 1)).await.unwrap();
    for statement in FIRST_VERSION {
        place.sql(statement.replace("{prefix}", "twenty_webhook_").replace("{index}", "twenty_webhook_")).await;
    }
    let opened = SqliteConfig::new(place.path()).open_existing().await.unwrap_err();
    assert!(matches!(&opened, InboxError::NotAnInbox(why) if why.contains("older version")), "{opened}");
    let inbox = place.open().await;
    inbox.store(&event("person.created", 1)).await.unwrap();
    assert_eq!(inbox.counts().await.unwrap().pending, 1);
    assert_eq!(inbox.progress("w", "watermark").await.unwrap(), None);
}

/// Undoes the second step and those after it.
const FIRST_VERSION: [&str; 9] = [
    "DROP INDEX {index}destroyed",
    "ALTER TABLE {prefix}jobs DROP COLUMN lease_len",
    "ALTER TABLE {prefix}lanes DROP COLUMN record_id",
    "ALTER TABLE {prefix}lanes DROP COLUMN order_at",
    "DROP INDEX {index}caught_up",
    "ALTER TABLE {prefix}jobs DROP COLUMN caught_up",
    "DROP TABLE {prefix}known",
    "DROP TABLE {prefix}catch_up",
    "UPDATE {prefix}settings SET value = '1' WHERE name = 'version'",
];

#[tokio::test]
async fn a_pause_survives_a_restart() {
    let place = Place::new();
    place.open().await.pause().await.unwrap();
    let inbox = place.open().await;
    assert!(inbox.is_paused().await.unwrap());
    inbox.store(&event("person.created", 1)).await.unwrap();
    let running = Running::start(inbox.worker("test", |_: WebhookEvent| async { ok() }));
    place.open().await.resume().await.unwrap();
    until(&inbox, |counts| counts.done == 1).await;
    running.stop().await;
}

/// In the copy, handled deliveries are known, and the others are handled.
#[tokio::test(flavor = "multi_thread")]
async fn a_backup_of_a_file_is_an_inbox() {
    let place = Place::new();
    let inbox = place.open().await;
    inbox.store(&event("person.created", 1)).await.unwrap();
    let running = Running::start(inbox.worker("test", |_: WebhookEvent| async { ok() }));
    until(&inbox, |counts| counts.done == 1).await;
    running.stop().await;
    inbox.store(&event("person.created", 2)).await.unwrap();
    let vacuumed = place.dir.path().join("vacuumed.db");
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(place.path());
    let pool = sqlx::SqlitePool::connect_with(options).await.unwrap();
    sqlx::query("VACUUM INTO ?").bind(vacuumed.to_str().unwrap()).execute(&pool).await.unwrap();
    is_an_inbox_with_one_job_done_and_one_pending(&vacuumed).await;

    let copied = place.dir.path().join("copied.db");
    let backup = format!(".backup '{}'", copied.display());
    let Ok(status) = std::process::Command::new("sqlite3").arg(place.path()).arg(backup).status() else {
        return skipped("sqlite3 is not installed");
    };
    assert!(status.success());
    is_an_inbox_with_one_job_done_and_one_pending(&copied).await;
}

async fn is_an_inbox_with_one_job_done_and_one_pending(copy: &std::path::Path) {
    let restored = Inbox::sqlite(copy).await.unwrap();
    restored.store(&event("person.created", 1)).await.unwrap();
    let counts = restored.counts().await.unwrap();
    assert_eq!((counts.pending, counts.done), (1, 1));
    let running = Running::start(restored.worker("test", |_: WebhookEvent| async { ok() }));
    until(&restored, |counts| counts.done == 2).await;
    running.stop().await;
}

#[cfg(feature = "postgres")]
mod postgres {
    use std::time::Instant;

    use sqlx::{ConnectOptions as _, Connection as _, Row as _};
    use twenty_webhook_inbox::{
        Change, Claim, Completion, JobId, Maintenance, Outcome, PostgresConfig, PostgresStore, State, Store,
    };

    use super::*;
    use crate::child::Process;
    use crate::postgres::Server;

    #[tokio::test]
    async fn an_older_inbox_is_brought_up_to_date() {
        let Some(server) = Server::start() else { return };
        Inbox::postgres(&server.url()).await.unwrap().store(&event("person.created", 1)).await.unwrap();
        let mut connection = server.connect().await;
        for statement in FIRST_VERSION {
            let statement = statement.replace("{prefix}", "twenty_webhook.").replace("{index}", "twenty_webhook.");
            sqlx::query(sqlx::AssertSqlSafe(statement)).execute(&mut connection).await.unwrap();
        }
        let opened = PostgresConfig::new(&server.url()).unwrap().open_existing().await.unwrap_err();
        assert!(matches!(&opened, InboxError::NotAnInbox(why) if why.contains("older version")), "{opened}");
        let inbox = Inbox::postgres(&server.url()).await.unwrap();
        inbox.store(&event("person.created", 1)).await.unwrap();
        assert_eq!(inbox.counts().await.unwrap().pending, 1);
        assert_eq!(inbox.progress("w", "watermark").await.unwrap(), None);
        // A trigger that notifies would serialise all commits.
        let triggers = "SELECT count(*) FROM pg_trigger WHERE NOT tgisinternal";
        assert_eq!(sqlx::query_scalar::<_, i64>(triggers).fetch_one(&mut connection).await.unwrap(), 0);
    }

    /// `pg_dump` locks the tables in this way while it runs.
    #[tokio::test(flavor = "multi_thread")]
    async fn an_update_during_a_backup_holds_up_no_delivery() {
        let Some(server) = Server::start() else { return };
        let inbox = Inbox::postgres(&server.url()).await.unwrap().deadline(Duration::from_secs(2));
        inbox.store(&event("person.created", 0)).await.unwrap();
        let mut backup = server.connect().await;
        for statement in &FIRST_VERSION[..2] {
            let statement = statement.replace("{prefix}", "twenty_webhook.").replace("{index}", "twenty_webhook.");
            sqlx::query(sqlx::AssertSqlSafe(statement)).execute(&mut backup).await.unwrap();
        }
        for statement in [
            "UPDATE twenty_webhook.settings SET value = '3' WHERE name = 'version'",
            "BEGIN",
            "LOCK TABLE twenty_webhook.jobs IN ACCESS SHARE MODE",
        ] {
            sqlx::query(statement).execute(&mut backup).await.unwrap();
        }
        let url = server.url();
        let opening = tokio::spawn(async move { Inbox::postgres(&url).await });
        let began = Instant::now();
        for number in 1.. {
            inbox.store(&event("person.created", number)).await.unwrap();
            if began.elapsed() > Duration::from_secs(4) {
                break;
            }
        }
        assert!(!opening.is_finished(), "it tries again");
        sqlx::raw_sql("COMMIT").execute(&mut backup).await.unwrap();
        opening.await.unwrap().unwrap().store(&event("company.created", 0)).await.unwrap();
    }

    /// A program that was stopped while it created the tables keeps the lock.
    #[tokio::test(flavor = "multi_thread")]
    async fn a_lock_that_is_never_released_fails_the_start() {
        let Some(server) = Server::start() else { return };
        let mut other = server.connect().await;
        sqlx::query("SELECT pg_advisory_lock(8020250712)").execute(&mut other).await.unwrap();
        let url = server.url();
        let opened = tokio::time::timeout(Duration::from_secs(30), Inbox::postgres(&url)).await;
        let opened = opened.expect("it gives up").unwrap_err();
        assert!(opened.to_string().contains("lock timeout"), "{opened}");
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_dump_is_an_inbox() {
        let Some(server) = Server::start() else { return };
        if !server.has("pg_dump") {
            return skipped("these programs of Postgres come without pg_dump");
        }
        let inbox = Inbox::postgres(&server.url()).await.unwrap();
        inbox.store(&event("person.created", 1)).await.unwrap();
        let running = Running::start(inbox.worker("test", |_: WebhookEvent| async { ok() }));
        until(&inbox, |counts| counts.done == 1).await;
        running.stop().await;
        inbox.store(&event("person.created", 2)).await.unwrap();
        let dump = server.output("pg_dump", &["--schema=twenty_webhook", &server.url()]);
        let mut connection = server.connect().await;
        sqlx::query("CREATE DATABASE restored").execute(&mut connection).await.unwrap();
        let url = server.database("restored");
        server.input("psql", &["--quiet", "--set=ON_ERROR_STOP=1", &url], &dump);
        let restored = Inbox::postgres(&url).await.unwrap();
        restored.store(&event("person.created", 1)).await.unwrap();
        let counts = restored.counts().await.unwrap();
        assert_eq!((counts.pending, counts.done), (1, 1));
        restored.store(&event("person.created", 3)).await.unwrap();
        let running = Running::start(restored.worker("test", |_: WebhookEvent| async { ok() }));
        until(&restored, |counts| counts.done == 3).await;
        running.stop().await;
    }

    /// With 100,000 rows, by Postgres' own count of scans.
    #[tokio::test(flavor = "multi_thread")]
    async fn no_statement_scans_the_table() {
        let Some(server) = Server::start() else { return };
        Inbox::postgres(&server.url()).await.unwrap().database().close().await;
        let mut connection = server.connect().await;
        // Nine of ten jobs are done.
        let fill = "INSERT INTO twenty_webhook.jobs (key, scope, name, object, action, record_id, lane, order_at, dated, event_date,
                state, attempts, crashes, run_at, stored_at, finished_at, lease_expires_at, lease_token, body)
            SELECT decode(lpad(to_hex(n), 64, '0'), 'hex'), 'w', 'person.updated', 'person', 'updated', n::text, n / 3, n, true, 0,
                CASE n % 50 WHEN 0 THEN 0 WHEN 1 THEN 0 WHEN 2 THEN 4 WHEN 3 THEN 1 WHEN 4 THEN CASE n % 1000 WHEN 4 THEN 2 ELSE 3 END ELSE 3 END,
                CASE n % 50 WHEN 0 THEN 0 WHEN 3 THEN 0 ELSE 1 END, 0, n, n, n, n, n, repeat('x', 1500)::bytea
            FROM generate_series(1, 100000) n";
        sqlx::query(fill).execute(&mut connection).await.unwrap();
        sqlx::query("VACUUM ANALYZE").execute(&mut connection).await.unwrap();
        // A session reports its counts when it ends, also those of creating the indexes.
        let mut scans = async || -> i64 {
            let others = "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()";
            let began = Instant::now();
            while sqlx::query_scalar::<_, i64>(others).fetch_one(&mut connection).await.unwrap() > 0 {
                assert!(began.elapsed() < Duration::from_secs(10), "the inbox's connections are still there");
            }
            let mut new = server.connect().await;
            let count = "SELECT seq_scan FROM pg_stat_all_tables WHERE relid = 'twenty_webhook.jobs'::regclass";
            let count = sqlx::query(count).fetch_one(&mut new).await.unwrap().get(0);
            new.close().await.unwrap();
            count
        };
        let before = scans().await;
        use_everything(Inbox::postgres(&server.url()).await.unwrap()).await;
        assert_eq!(scans().await - before, 0);
    }

    async fn use_everything(inbox: Inbox<PostgresStore>) {
        let store = inbox.database().clone();
        let hour = Duration::from_hours(1);
        for token in 1..8 {
            let claimed = store.claim(&Claim::new(token, 8, hour)).await.unwrap().jobs;
            let leases: Vec<_> = claimed.iter().map(|job| (job.id, token)).collect();
            store.renew(&leases, hour).await.unwrap();
            let outcomes =
                [Outcome::Done, Outcome::Retry(hour, "no".into()), Outcome::Dead("no".into()), Outcome::Released];
            let completions = leases.iter().zip(outcomes.iter().cycle());
            let completions: Vec<_> =
                completions.map(|((id, token), outcome)| Completion::new(*id, *token, outcome.clone())).collect();
            store.complete(&completions).await.unwrap();
            store.release_claim(token).await.unwrap();
            inbox.store(&event("person.created", usize::try_from(token).unwrap())).await.unwrap();
        }
        store.recover(Duration::ZERO, 5).await.unwrap();
        store.maintain(&Maintenance::new(hour)).await.unwrap();
        inbox.counts().await.unwrap();
        inbox.health().await.unwrap();
        for state in [State::Pending, State::Retrying, State::Running, State::Dead] {
            store.page(&JobFilter::in_state(state), None, 50).await.unwrap();
            store.page(&JobFilter::in_state(state), Some(JobId::new(50_000)), 50).await.unwrap();
        }
        store.page(&JobFilter::all(), None, 50).await.unwrap();
        store.page(&JobFilter::all().record("person", "1"), None, 50).await.unwrap();
        for change in [Change::Retry, Change::Rerun, Change::Erase, Change::Delete] {
            store.change(change, &[JobId::new(1), JobId::new(2), JobId::new(3)], None).await.unwrap();
        }
        store.close().await;
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_client_that_vanishes_frees_its_locks() {
        a_stopped_process_frees_its_locks("holder").await;
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_client_that_vanishes_frees_its_locks_also_on_the_users_pool() {
        a_stopped_process_frees_its_locks("holder on a pool").await;
    }

    /// It was stopped in the middle of a transaction.
    async fn a_stopped_process_frees_its_locks(role: &str) {
        let Some(server) = Server::start() else { return };
        let mut connection = server.connect().await;
        sqlx::query("CREATE TABLE audit (number bigint)").execute(&mut connection).await.unwrap();
        let inbox = Inbox::postgres(&server.url()).await.unwrap();
        inbox.store(&crate::support::verified(r#"{"eventName":"a.created","number":1}"#.to_owned())).await.unwrap();
        let holder = Process::start(role, &server.url(), 0, "");
        let held = "SELECT count(*) FROM pg_locks WHERE relation = 'audit'::regclass";
        let began = Instant::now();
        while sqlx::query_scalar::<_, i64>(held).fetch_one(&mut connection).await.unwrap() == 0 {
            assert!(began.elapsed() < Duration::from_secs(20), "it holds nothing");
        }
        let stop = std::process::Command::new("kill").args(["-STOP", &holder.id().to_string()]).status();
        assert!(stop.unwrap().success());
        let began = Instant::now();
        let mut other = server.url().parse::<sqlx::postgres::PgConnectOptions>().unwrap().connect().await.unwrap();
        sqlx::raw_sql("SET lock_timeout = '35s'; BEGIN; LOCK TABLE audit; COMMIT").execute(&mut other).await.unwrap();
        assert!(began.elapsed() < Duration::from_secs(30), "{:?}", began.elapsed());
    }
}
