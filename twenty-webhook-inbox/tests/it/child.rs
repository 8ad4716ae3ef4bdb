//! Runs the test binary again as a receiver or a worker, in a process that can be killed.

use std::env;
use std::fs::OpenOptions;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use sqlx::sqlite::{SqliteConnectOptions, SqlitePool};
use twenty_webhook_inbox::{Inbox, Job, Secret, SqliteTransaction, Store, WebhookEvent, Worker};

use crate::support::SECRET;

/// A process with a role, killed when it is dropped.
pub(crate) struct Process(Child);

impl Process {
    /// Starts it, and waits until it is ready.
    pub(crate) fn start(role: &str, database: &str, port: u16, log: &str) -> Self {
        let mut child = Command::new(env::current_exe().unwrap())
            .args(["--exact", "child::as_child", "--ignored", "--nocapture", "--test-threads=1"])
            .envs([("ROLE", role), ("DATABASE", database), ("PORT", &port.to_string()), ("HANDLED", log)])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        assert!(stdout.lines().any(|line| line.unwrap().ends_with("ready")), "{role} does not start");
        Self(child)
    }

    pub(crate) fn id(&self) -> u32 {
        self.0.id()
    }
}

/// SIGKILL.
impl Drop for Process {
    fn drop(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

#[test]
#[ignore = "run by the other tests"]
fn as_child() {
    tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        .with_env_filter(env::var("LOG").unwrap_or("off".into()))
        .init();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        let (database, role) = (env::var("DATABASE").unwrap(), env::var("ROLE").unwrap());
        #[cfg(feature = "postgres")]
        if database.starts_with("postgres:") {
            let inbox = Inbox::postgres(&database).await.unwrap();
            return match role.as_str() {
                "audit" => audit_on_postgres(&database).await,
                "holder" => hold(inbox).await,
                "holder on a pool" => {
                    let pool = sqlx::PgPool::connect(&database).await.unwrap();
                    hold(Inbox::on_postgres_pool(&pool).await.unwrap()).await;
                }
                _ => play(inbox, &role).await,
            };
        }
        if role == "audit" {
            return audit_on_sqlite(&database).await;
        }
        // The workers may have their own table in the file.
        let pool = SqlitePool::connect_with(SqliteConnectOptions::new().filename(database).create_if_missing(true));
        play(Inbox::on_sqlite_pool(&pool.await.unwrap()).await.unwrap(), &role).await;
    });
}

async fn play(inbox: Inbox<impl Store>, role: &str) {
    if role == "receiver" {
        let app = axum::Router::new().route("/webhooks/twenty", inbox.receiver(Secret::new(SECRET).unwrap()));
        let address = format!("127.0.0.1:{}", env::var("PORT").unwrap());
        let listener = tokio::net::TcpListener::bind(address).await.unwrap();
        println!("ready");
        axum::serve(listener, app).await.unwrap();
    } else {
        let handled = OpenOptions::new().create(true).append(true).open(env::var("HANDLED").unwrap()).unwrap();
        let handled = Arc::new(handled);
        // Begin and end of the call: two calls of one record must not overlap.
        let handler = move |event: WebhookEvent| {
            let handled = handled.clone();
            async move {
                let (number, process) = (number(&event), std::process::id());
                (&*handled).write_all(format!("begin {number} {process} {}\n", now()).as_bytes())?;
                tokio::time::sleep(Duration::from_millis(4)).await;
                (&*handled).write_all(format!("end {number} {process} {}\n", now()).as_bytes())?;
                Ok::<_, std::io::Error>(())
            }
        };
        run(inbox.worker("child", handler)).await;
    }
}

async fn run(worker: Worker<impl Store>) {
    println!("ready");
    worker.recover_after(Duration::from_secs(5)).run_until(std::future::pending::<()>()).await;
}

fn number(event: &WebhookEvent) -> i64 {
    event.extra().get("number").unwrap().as_str().parse().unwrap()
}

/// Writes a row for each event, in one commit with its completion.
async fn audit_on_sqlite(database: &str) {
    let pool = SqlitePool::connect_with(SqliteConnectOptions::new().filename(database).create_if_missing(true));
    let pool = pool.await.unwrap();
    let inbox = Inbox::on_sqlite_pool(&pool).await.unwrap();
    sqlx::query("CREATE TABLE IF NOT EXISTS audit (number INTEGER)").execute(&pool).await.unwrap();
    let handler = |event: WebhookEvent, _: Job| async move {
        tokio::time::sleep(Duration::from_millis(2)).await;
        Ok::<_, sqlx::Error>(move |tx: &mut SqliteTransaction| {
            tx.execute(sqlx::query("INSERT INTO audit VALUES (?)").bind(number(&event)))?;
            Ok(())
        })
    };
    run(inbox.run_in_transaction("child", handler)).await;
}

#[cfg(feature = "postgres")]
async fn audit_on_postgres(database: &str) {
    let pool = sqlx::PgPool::connect(database).await.unwrap();
    let inbox = Inbox::on_postgres_pool(&pool).await.unwrap();
    let create = "SELECT pg_advisory_xact_lock(1); CREATE TABLE IF NOT EXISTS audit (number bigint)";
    sqlx::raw_sql(create).execute(&pool).await.unwrap();
    let handler = |event: WebhookEvent, _: Job, mut tx: sqlx::postgres::PgTransaction<'static>| async move {
        sqlx::query("INSERT INTO audit VALUES ($1)").bind(number(&event)).execute(&mut *tx).await?;
        tokio::time::sleep(Duration::from_millis(2)).await;
        Ok::<_, sqlx::Error>(tx)
    };
    run(inbox.run_in_transaction("child", handler)).await;
}

/// Keeps a transaction open until it is killed.
#[cfg(feature = "postgres")]
async fn hold(inbox: Inbox<twenty_webhook_inbox::PostgresStore>) {
    let handler = |event: WebhookEvent, _: Job, mut tx: sqlx::postgres::PgTransaction<'static>| async move {
        sqlx::query("INSERT INTO audit VALUES ($1)").bind(number(&event)).execute(&mut *tx).await?;
        std::future::pending::<()>().await;
        Ok::<_, sqlx::Error>(tx)
    };
    run(inbox.run_in_transaction("child", handler)).await;
}

/// Milliseconds since 1970. All processes are on one machine.
pub(crate) fn now() -> u128 {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_millis()
}
