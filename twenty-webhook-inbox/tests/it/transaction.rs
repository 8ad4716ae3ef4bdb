//! The handler's writes and the job's completion in one commit.

use std::time::{Duration, Instant};

use sqlx::Row as _;
use sqlx::sqlite::{SqliteConnectOptions, SqlitePool};
use twenty_webhook_inbox::{Backoff, Inbox, Job, JobFilter, SqliteStore, SqliteTransaction, State, WebhookEvent};

use crate::support::{Place, Running, event, until};

const QUICK: Backoff = Backoff::new(Duration::from_millis(1), Duration::from_millis(1));

/// A file with a table of the user and an inbox.
async fn shared_file(place: &Place) -> (SqlitePool, Inbox<SqliteStore>) {
    let options = SqliteConnectOptions::new().filename(place.path()).create_if_missing(true);
    let pool = SqlitePool::connect_with(options).await.unwrap();
    sqlx::query("CREATE TABLE IF NOT EXISTS audit (record TEXT)").execute(&pool).await.unwrap();
    let inbox = Inbox::on_sqlite_pool(&pool).await.unwrap();
    (pool, inbox)
}

async fn written(pool: &SqlitePool) -> i64 {
    sqlx::query_scalar("SELECT count(*) FROM audit").fetch_one(pool).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_attempt_on_sqlite_leaves_nothing_behind() {
    let place = Place::new();
    let (pool, inbox) = shared_file(&place).await;
    for number in 0..20 {
        inbox.store(&event("person.created", number)).await.unwrap();
    }
    let handler = |event: WebhookEvent, job: Job| async move {
        let record = event.record_id().unwrap().to_owned();
        Ok::<_, sqlx::Error>(move |tx: &mut SqliteTransaction| {
            tx.execute(sqlx::query("INSERT INTO audit VALUES (?)").bind(&record))?;
            let count = tx.fetch_optional(sqlx::query("SELECT count(*) FROM audit WHERE record = ?").bind(&record))?;
            assert_eq!(
                count.unwrap().get::<i64, _>(0),
                1,
                "it sees what it wrote, and nothing of attempts that failed"
            );
            match job.attempt() {
                1 => Err(sqlx::Error::RowNotFound),
                2 => panic!("in the closure"),
                _ => Ok(()),
            }
        })
    };
    let worker = inbox.run_in_transaction("test", handler).backoff(QUICK).poll_every(Duration::from_millis(10));
    let running = Running::start(worker);
    until(&inbox, |counts| counts.done == 20).await;
    running.stop().await;
    assert_eq!(written(&pool).await, 20);
}

/// A closure that sleeps, and one whose statement never ends.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_long_transaction_on_sqlite_is_rolled_back_and_intake_goes_on() {
    let place = Place::new();
    let (pool, inbox) = shared_file(&place).await;
    inbox.store(&event("person.created", 1)).await.unwrap();
    inbox.store(&event("person.created", 2)).await.unwrap();
    let handler = |event: WebhookEvent, _: Job| async move {
        let sleeps = event.record_id() == Some("1");
        Ok::<_, sqlx::Error>(move |tx: &mut SqliteTransaction| {
            tx.execute(sqlx::query("INSERT INTO audit VALUES ('x')"))?;
            if sleeps {
                std::thread::sleep(Duration::from_secs(2));
            } else {
                let endless = "WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n) SELECT count(*) FROM n";
                tx.fetch_all(sqlx::query(endless))?;
            }
            tx.execute(sqlx::query("INSERT INTO audit VALUES ('x')"))?;
            Ok(())
        })
    };
    let running = Running::start(inbox.run_in_transaction("test", handler).attempts(1));
    let mut longest = Duration::ZERO;
    let mut number = 10;
    while inbox.counts().await.unwrap().dead < 2 {
        let began = Instant::now();
        inbox.store(&event("company.created", number)).await.unwrap();
        longest = longest.max(began.elapsed());
        number += 1;
        inbox.delete(&JobFilter::all().named("company.*".parse().unwrap())).await.unwrap();
    }
    running.stop().await;
    assert!(longest < Duration::from_secs(3), "{longest:?}");
    assert_eq!(written(&pool).await, 0);
    for job in inbox.jobs(&JobFilter::in_state(State::Dead)).await.unwrap() {
        let error = job.last_error.unwrap();
        assert!(error.contains("longer than 500ms") || error.contains("interrupted"), "{error}");
    }
}

/// Each closure ignores the error after which SQLite has rolled back.
#[tokio::test(flavor = "multi_thread")]
async fn a_job_whose_transaction_sqlite_rolled_back_is_not_done() {
    let place = Place::new();
    let (pool, inbox) = shared_file(&place).await;
    sqlx::query("CREATE TABLE once (number INTEGER PRIMARY KEY)").execute(&pool).await.unwrap();
    sqlx::query("INSERT INTO once VALUES (1)").execute(&pool).await.unwrap();
    let statements = [
        "INSERT OR ROLLBACK INTO once VALUES (1)",
        "INSERT INTO audit WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n) SELECT count(*) FROM n",
        "ROLLBACK",
    ];
    for number in 0..statements.len() {
        inbox.store(&event("person.created", number)).await.unwrap();
    }
    let handler = move |event: WebhookEvent, _: Job| async move {
        let number: usize = event.record_id().unwrap().parse().unwrap();
        Ok::<_, sqlx::Error>(move |tx: &mut SqliteTransaction| {
            tx.execute(sqlx::query("INSERT INTO audit VALUES ('x')"))?;
            let ended = tx.execute(sqlx::query(statements[number]));
            if ended.is_err() {
                let refused = tx.execute(sqlx::query("INSERT INTO audit VALUES ('on its own')"));
                assert!(refused.is_err(), "it would be committed");
            }
            Ok(())
        })
    };
    let running = Running::start(inbox.run_in_transaction("test", handler).attempts(1));
    let counts = until(&inbox, |counts| counts.open() == 0).await;
    running.stop().await;
    assert_eq!((counts.done, counts.dead, written(&pool).await), (0, 3, 0));
    for job in inbox.jobs(&JobFilter::in_state(State::Dead)).await.unwrap() {
        let error = job.last_error.unwrap();
        assert!(error.contains("rolled back the transaction") || error.contains("longer than 500ms"), "{error}");
    }
}

/// An error after which the transaction goes on, inside a savepoint of the closure.
#[tokio::test(flavor = "multi_thread")]
async fn an_error_that_a_closure_handles_does_no_harm() {
    let place = Place::new();
    let (pool, inbox) = shared_file(&place).await;
    sqlx::query("CREATE TABLE once (number INTEGER PRIMARY KEY)").execute(&pool).await.unwrap();
    inbox.store(&event("person.created", 1)).await.unwrap();
    let handler = |_: WebhookEvent, _: Job| async move {
        Ok::<_, sqlx::Error>(|tx: &mut SqliteTransaction| {
            tx.execute(sqlx::query("INSERT INTO once VALUES (1)"))?;
            tx.execute(sqlx::query("SAVEPOINT mine"))?;
            tx.execute(sqlx::query("INSERT INTO once VALUES (2)"))?;
            assert!(tx.execute(sqlx::query("INSERT INTO once VALUES (1)")).is_err());
            tx.execute(sqlx::query("ROLLBACK TO mine"))?;
            tx.execute(sqlx::query("INSERT INTO once VALUES (3)"))?;
            Ok(())
        })
    };
    let running = Running::start(inbox.run_in_transaction("test", handler).attempts(1));
    let counts = until(&inbox, |counts| counts.open() == 0).await;
    running.stop().await;
    let written: Vec<i64> = sqlx::query_scalar("SELECT number FROM once").fetch_all(&pool).await.unwrap();
    assert_eq!((counts.done, written), (1, vec![1, 3]));
}

#[cfg(feature = "postgres")]
mod postgres {
    use sqlx::postgres::{PgPool, PgPoolOptions, PgTransaction};

    use super::*;
    use crate::postgres::Server;

    #[tokio::test(flavor = "multi_thread")]
    async fn a_failed_attempt_leaves_nothing_behind_and_a_weak_commit_is_refused() {
        let Some(server) = Server::start() else { return };
        let pool = PgPool::connect(&server.url()).await.unwrap();
        sqlx::query("CREATE TABLE audit (record text)").execute(&pool).await.unwrap();
        let inbox = Inbox::on_postgres_pool(&pool).await.unwrap();
        for number in 0..20 {
            inbox.store(&event("person.created", number)).await.unwrap();
        }
        let handler = |event: WebhookEvent, job: Job, mut tx: PgTransaction<'static>| async move {
            let insert = sqlx::query("INSERT INTO audit VALUES ($1)").bind(event.record_id().unwrap().to_owned());
            insert.execute(&mut *tx).await?;
            if job.attempt() == 1 { Err(sqlx::Error::RowNotFound) } else { Ok(tx) }
        };
        let weak = PgPoolOptions::new().after_connect(|connection, _| {
            Box::pin(async move { sqlx::query("SET synchronous_commit = off").execute(connection).await.map(drop) })
        });
        let weak = weak.connect(&server.url()).await.unwrap();
        let on_weak = Inbox::on_postgres_pool(&weak).await.unwrap();
        let running = Running::start(on_weak.run_in_transaction("weak", handler).attempts(1));
        until(&inbox, |counts| counts.dead == 20).await;
        running.stop().await;
        let dead = inbox.jobs(&JobFilter::in_state(State::Dead).limit(1)).await.unwrap();
        assert!(dead[0].last_error.as_ref().unwrap().contains("synchronous_commit is off"), "{dead:?}");
        assert_eq!(inbox.retry(&JobFilter::all()).await.unwrap(), 20);

        let worker = inbox.run_in_transaction("test", handler).backoff(QUICK).poll_every(Duration::from_millis(10));
        let running = Running::start(worker);
        until(&inbox, |counts| counts.done == 20).await;
        running.stop().await;
        let written: i64 = sqlx::query_scalar("SELECT count(*) FROM audit").fetch_one(&pool).await.unwrap();
        assert_eq!(written, 20);
    }
}
