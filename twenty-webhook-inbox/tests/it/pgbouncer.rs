//! An inbox behind `PgBouncer` in transaction mode.

use std::io;
use std::net::TcpStream;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use sqlx::postgres::{PgConnectOptions, PgPool, PgTransaction};
use sqlx::{ConnectOptions as _, Executor as _, Row as _};
use tempfile::TempDir;
use twenty_webhook_inbox::{Backoff, Job, JobFilter, PostgresConfig, State, WebhookEvent};

use crate::postgres::{Server, hand_over, new_schema, on_path, shared, unprivileged};
use crate::support::{Running, Seen, changed, event, free_port, ok, skipped, until};

/// `PgBouncer` in front of a server. It uses its sessions in turn, so two transactions of a client are seldom in the same session.
struct PgBouncer {
    process: Child,
    port: u16,
    _dir: TempDir,
}

impl PgBouncer {
    fn start(server: &Server) -> Option<Self> {
        // On Debian it is on root's `PATH` only.
        let program = on_path("pgbouncer").unwrap_or_else(|| "/usr/sbin/pgbouncer".into());
        if !program.is_file() {
            skipped("pgbouncer is not installed");
            return None;
        }
        let (dir, port) = (tempfile::tempdir().unwrap(), free_port());
        let config = dir.path().join("pgbouncer.ini");
        let text = format!(
            "[databases]\n* = host=127.0.0.1 port={} user=postgres\n\
             [pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =\nauth_type = any\n\
             pool_mode = transaction\ndefault_pool_size = 5\nmin_pool_size = 5\nserver_round_robin = 1\n",
            server.port
        );
        std::fs::write(&config, text).unwrap();
        hand_over(dir.path());
        let process = unprivileged(&program).arg("--quiet").arg(config).stderr(Stdio::null()).spawn().unwrap();
        let began = Instant::now();
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(began.elapsed() < Duration::from_secs(20), "it does not start");
            std::thread::sleep(Duration::from_millis(10));
        }
        Some(Self { process, port, _dir: dir })
    }

    fn url(&self) -> String {
        format!("postgres://postgres@127.0.0.1:{}/postgres", self.port)
    }

    fn config(&self) -> PostgresConfig {
        PostgresConfig::new(&self.url()).unwrap().schema(new_schema()).transaction_pooling()
    }

    /// The options of another program's connection.
    fn options(&self) -> PgConnectOptions {
        self.url().parse::<PgConnectOptions>().unwrap().extra_float_digits(None)
    }
}

impl Drop for PgBouncer {
    fn drop(&mut self) {
        // `runuser` forwards SIGTERM, and cannot forward SIGKILL.
        let _ = std::process::Command::new("kill").arg(self.process.id().to_string()).status();
        let _ = self.process.wait();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn jobs_are_stored_handled_retried_and_changed() {
    let Some(server) = shared() else { return };
    let Some(pooler) = PgBouncer::start(&server) else { return };
    let config = pooler.config();
    let inbox = config.clone().open().await.unwrap().deadline(Duration::from_mins(1));
    let events: Vec<_> = (0..200)
        .map(|number| changed(["person.updated", "company.updated"][number % 2], &format!("{}", number / 4), None))
        .collect();
    for stored in futures_util::future::join_all(events.iter().chain(&events).map(|event| inbox.store(event))).await {
        stored.unwrap();
    }
    assert_eq!(inbox.counts().await.unwrap().pending, 200);
    let seen = Seen::default();
    let handler = {
        let seen = seen.clone();
        move |event: WebhookEvent| {
            seen.add(&event);
            async move { if event.object() == "company" { Err(io::Error::other("no")) } else { Ok(()) } }
        }
    };
    let backoff = Backoff::new(Duration::from_millis(10), Duration::from_millis(10));
    let workers = [0, 1].map(|_| Running::start(inbox.worker("test", handler.clone()).attempts(2).backoff(backoff)));
    let counts = until(&inbox, |counts| counts.open() == 0).await;
    assert_eq!((counts.done, counts.dead, seen.len()), (100, 100, 300));
    for worker in workers {
        worker.stop().await;
    }

    // The calls of operators and of the dashboard.
    let operator = config.open_existing().await.unwrap();
    operator.health().await.unwrap();
    let dead = operator.jobs(&JobFilter::in_state(State::Dead)).await.unwrap();
    assert_eq!((dead.len(), dead[0].attempts), (100, 2));
    assert!(operator.job(dead[0].id).await.unwrap().unwrap().1.is_some());
    assert_eq!(operator.delete(&JobFilter::id(dead[0].id)).await.unwrap(), 1);
    operator.pause().await.unwrap();
    assert!(inbox.is_paused().await.unwrap());
    assert_eq!(operator.retry(&JobFilter::in_state(State::Dead)).await.unwrap(), 99);
    operator.resume().await.unwrap();
    let running = Running::start(inbox.worker("test", |_: WebhookEvent| async { ok() }));
    until(&inbox, |counts| counts.done == 199).await;
    running.stop().await;
}

/// A handler that takes longer than its lease: without a heartbeat another worker would take its job.
#[tokio::test(flavor = "multi_thread")]
async fn leases_are_renewed() {
    let Some(server) = shared() else { return };
    let Some(pooler) = PgBouncer::start(&server) else { return };
    let inbox = pooler.config().open().await.unwrap();
    inbox.store(&event("person.created", 1)).await.unwrap();
    let seen = Seen::default();
    let handler = {
        let seen = seen.clone();
        move |event: WebhookEvent| {
            seen.add(&event);
            async {
                tokio::time::sleep(Duration::from_secs(6)).await;
                ok()
            }
        }
    };
    let workers =
        [0, 1].map(|_| Running::start(inbox.worker("test", handler.clone()).recover_after(Duration::from_secs(3))));
    until(&inbox, |counts| counts.done == 1).await;
    for worker in workers {
        worker.stop().await;
    }
    assert_eq!(seen.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_handlers_writes_and_its_completion_are_one_commit() {
    let Some(server) = shared() else { return };
    let Some(pooler) = PgBouncer::start(&server) else { return };
    let table: &'static str = format!("audit_{}", new_schema()).leak();
    let pool = PgPool::connect_lazy_with(pooler.options());
    pool.execute(sqlx::AssertSqlSafe(format!("CREATE TABLE {table} (record text)"))).await.unwrap();
    let config = PostgresConfig::on_pool(&pool).schema(new_schema()).transaction_pooling();
    let inbox = config.open().await.unwrap();
    for number in 0..50 {
        inbox.store(&event("person.created", number)).await.unwrap();
    }
    let handler = move |event: WebhookEvent, job: Job, mut tx: PgTransaction<'static>| async move {
        let insert = sqlx::query(sqlx::AssertSqlSafe(format!("INSERT INTO {table} VALUES ($1)"))).persistent(false);
        insert.bind(event.record_id().unwrap().to_owned()).execute(&mut *tx).await?;
        if job.attempt() == 1 { Err(sqlx::Error::RowNotFound) } else { Ok(tx) }
    };
    let backoff = Backoff::new(Duration::from_millis(1), Duration::from_millis(1));
    let worker = inbox.run_in_transaction("test", handler).backoff(backoff).poll_every(Duration::from_millis(10));
    let running = Running::start(worker);
    until(&inbox, |counts| counts.done == 50).await;
    running.stop().await;
    let rows = pool.fetch_one(sqlx::AssertSqlSafe(format!("SELECT count(*) FROM {table}"))).await.unwrap();
    assert_eq!(rows.get::<i64, _>(0), 50);
}

#[tokio::test(flavor = "multi_thread")]
async fn catch_up_keeps_its_lease_and_progress() {
    let Some(server) = shared() else { return };
    let Some(pooler) = PgBouncer::start(&server) else { return };
    crate::catch_up::contract(&pooler.config().open().await.unwrap()).await;
    crate::catch_up::adoption(&pooler.config().open().await.unwrap()).await;
}

/// The next transaction of a session may be another program's.
#[tokio::test(flavor = "multi_thread")]
async fn no_setting_is_left_in_a_session() {
    let Some(server) = shared() else { return };
    let Some(pooler) = PgBouncer::start(&server) else { return };
    let inbox = pooler.config().open().await.unwrap();
    let events: Vec<_> = (0..50).map(|number| event("person.created", number)).collect();
    let running = Running::start(inbox.worker("test", |_: WebhookEvent| async { ok() }));
    for stored in futures_util::future::join_all(events.iter().map(|event| inbox.store(event))).await {
        stored.unwrap();
    }
    until(&inbox, |counts| counts.done == 50).await;
    running.stop().await;
    let mut other = pooler.options().connect().await.unwrap();
    let settings = "SELECT current_setting('lock_timeout') || current_setting('idle_in_transaction_session_timeout')";
    for _ in 0..20 {
        let row = other.fetch_one(sqlx::raw_sql(settings)).await.unwrap();
        assert_eq!(row.get::<String, _>(0), "00");
    }
}
