mod file;
mod open;
mod turn;

use std::io::ErrorKind;
use std::time::Duration;

use apalis_core::backend::WorkerFilter;
use apalis_core::task::Task;
use apalis_core::worker::context::WorkerContext;
use apalis_sqlite::{Config, SqlitePool, queries};
use bytes::Bytes;
use sqlx::sqlite::SqliteRow;
use sqlx::{Row as _, Sqlite, Transaction};

use crate::job::{Row, statuses};
use crate::sqlite::file::FileIdentity;
use crate::sqlite::turn::{Turn, Turns};
use crate::{Counts, InboxError, Job, NewJob, QUEUE, Settled, State, Store};

/// Jobs in one SQLite file, for an inbox on one machine.
///
/// A commit is on disk when it returns: write-ahead log, `synchronous = FULL`. Any number of processes on one machine may share the
/// file; it must not be on a network file system, where SQLite's locks do not hold.
#[derive(Clone, Debug)]
pub struct SqliteStore {
    /// One connection. SQLite has one writer at a time, and a queue in front of it is fairer and faster than its busy loop.
    write: SqlitePool,
    /// For those who look, so that nobody who stores waits for them.
    read: SqlitePool,
    file: FileIdentity,
    turns: Turns,
}

fn config() -> Config {
    Config::default().queue(QUEUE)
}

/// All of a job but its body.
const COLUMNS: &str = "SELECT id, status, metadata ->> '$.name' AS name, idempotency_key, attempts, last_result, run_at, lock_by, \
                       length(job) AS len";

fn job(row: &SqliteRow) -> Result<Job, sqlx::Error> {
    Ok(Row {
        id: row.try_get("id")?,
        status: row.try_get("status")?,
        name: row.try_get("name")?,
        key: row.try_get("idempotency_key")?,
        attempts: row.try_get("attempts")?,
        last_result: row.try_get("last_result")?,
        run_at: row.try_get("run_at")?,
        worker: row.try_get("lock_by")?,
        len: row.try_get("len")?,
    }
    .into())
}

impl Store for SqliteStore {
    async fn push(&self, jobs: Vec<NewJob>) -> Result<u64, InboxError> {
        // apalis' own statement names no columns, and so breaks when a newer program has added one.
        let sql = "INSERT INTO Jobs (id, job_type, job, status, attempts, max_attempts, run_at, priority, metadata, idempotency_key) \
                   VALUES (?1, ?2, ?3, 'Pending', 0, ?4, unixepoch(), 0, ?5, ?6) ON CONFLICT (job_type, idempotency_key) DO NOTHING";
        let mut new = 0;
        let (_turn, mut tx) = self.begin().await?;
        for job in &jobs {
            let insert = sqlx::query(sql)
                .bind(job.id())
                .bind(QUEUE)
                .bind(&job.body()[..])
                .bind(i32::MAX)
                .bind(job.metadata().to_string())
                .bind(job.key());
            new += insert.execute(&mut *tx).await.map_err(InboxError::database)?.rows_affected();
        }
        tx.commit().await.map_err(InboxError::database)?;
        self.file.check()?;
        Ok(new)
    }

    async fn register(&self, worker: &WorkerContext) -> Result<(), InboxError> {
        let _turn = self.turns.take().await;
        queries::register_worker(&self.write, &config(), worker, "twenty-webhook-inbox")
            .await
            .map_err(InboxError::database)
    }

    async fn beat(&self, worker: &WorkerContext, dead_after: Duration) -> Result<bool, InboxError> {
        // Whole seconds, rounded down when they were written, so one more.
        let dead_after = i64::try_from(dead_after.as_secs()).unwrap_or(i64::MAX).saturating_add(1);
        let but_this = WorkerFilter::AllExcept(worker.name().to_owned());
        let (_turn, mut tx) = self.begin().await?;
        match queries::keep_alive(&mut *tx, &config(), worker).await {
            Err(sqlx::Error::Io(error)) if error.kind() == ErrorKind::NotFound => return Ok(false),
            alive => alive.map_err(InboxError::database)?,
        }
        let orphans =
            queries::reenqueue_orphaned(&mut *tx, dead_after, QUEUE, &but_this).await.map_err(InboxError::database)?;
        tx.commit().await.map_err(InboxError::database)?;
        self.file.check()?;
        if orphans > 0 {
            tracing::warn!(orphans, "took back the jobs of workers that are gone");
        }
        Ok(true)
    }

    async fn take(&self, worker: &WorkerContext, limit: usize) -> Result<Vec<Task<Vec<u8>>>, InboxError> {
        let (_turn, mut tx) = self.begin().await?;
        let tasks =
            queries::fetch_next(&mut *tx, &config().batch_size(limit), worker).await.map_err(InboxError::database)?;
        tx.commit().await.map_err(InboxError::database)?;
        Ok(tasks)
    }

    async fn settle(&self, worker: &str, settled: Vec<Settled>) -> Result<(), InboxError> {
        // apalis' own statement looks at all that the worker has ever done, for each that it settles; and leaves what failed due at once.
        let sql = "UPDATE Jobs SET status = ?1, attempts = ?2, last_result = ?3, done_at = unixepoch(), \
                   run_at = coalesce(unixepoch() + ?4, run_at) WHERE id = ?5 AND +lock_by = ?6";
        let (_turn, mut tx) = self.begin().await?;
        for settled in settled {
            let result = settled.to_task_result();
            sqlx::query(sql)
                .bind(result.status.to_string())
                .bind(i64::try_from(result.attempt).unwrap_or(i64::MAX))
                .bind(serde_json::to_string(&result.result).map_err(InboxError::database)?)
                .bind(settled.due_in().map(|seconds| i64::try_from(seconds).unwrap_or(i64::MAX / 2)))
                .bind(result.task_id.to_string())
                .bind(worker)
                .execute(&mut *tx)
                .await
                .map_err(InboxError::database)?;
        }
        tx.commit().await.map_err(InboxError::database)
    }

    async fn hand_back(&self, worker: &str, but: &[String]) -> Result<u64, InboxError> {
        let sql = "UPDATE Jobs SET status = 'Pending', lock_by = NULL, lock_at = NULL \
                   WHERE job_type = ?3 AND status IN ('Queued', 'Running') AND +lock_by = ?1 AND id NOT IN (SELECT value FROM json_each(?2))";
        let _turn = self.turns.take().await;
        let done = sqlx::query(sql)
            .bind(worker)
            .bind(json(but))
            .bind(QUEUE)
            .execute(&self.write)
            .await
            .map_err(InboxError::database)?;
        Ok(done.rows_affected())
    }

    async fn tidy(&self, retention: Duration, longest_wait: Duration, limit: u32) -> Result<u64, InboxError> {
        let (_turn, mut tx) = self.begin().await?;
        let statements = [
            "DELETE FROM Jobs WHERE rowid IN (SELECT rowid FROM Jobs WHERE job_type = ?1 AND status = 'Done' \
             AND run_at < unixepoch() - ?2 AND done_at < unixepoch() - ?2 LIMIT ?4)",
            "UPDATE Jobs SET run_at = unixepoch() WHERE job_type = ?1 AND status = 'Failed' AND run_at > unixepoch() + ?3",
            "UPDATE Jobs SET run_at = unixepoch() WHERE job_type = ?1 AND status = 'Pending' AND run_at > unixepoch() + 1",
            "UPDATE Workers SET last_seen = unixepoch() WHERE worker_type = ?1 AND last_seen > unixepoch() + 1",
            "DELETE FROM Workers WHERE worker_type = ?1 AND last_seen < unixepoch() - ?2 \
             AND NOT EXISTS (SELECT 1 FROM Jobs WHERE lock_by = Workers.id)",
        ];
        let mut deleted = None;
        for statement in statements {
            let done = sqlx::query(statement)
                .bind(QUEUE)
                .bind(retention.as_secs().cast_signed())
                .bind(longest_wait.as_secs().cast_signed())
                .bind(limit)
                .execute(&mut *tx)
                .await
                .map_err(InboxError::database)?;
            deleted.get_or_insert(done.rows_affected());
        }
        tx.commit().await.map_err(InboxError::database)?;
        Ok(deleted.unwrap_or(0))
    }

    async fn counts(&self) -> Result<Counts, InboxError> {
        let rows: Vec<(String, i64)> =
            sqlx::query_as("SELECT status, COUNT(*) FROM Jobs WHERE job_type = ?1 GROUP BY status")
                .bind(QUEUE)
                .fetch_all(&self.read)
                .await
                .map_err(InboxError::database)?;
        Ok(Counts::of_statuses(rows.iter().map(|(status, count)| (status.as_str(), count.cast_unsigned()))))
    }

    async fn page(&self, states: &[State], before: Option<&str>, limit: u32) -> Result<Vec<Job>, InboxError> {
        let sql = format!(
            "{COLUMNS} FROM Jobs WHERE job_type = ?1 AND status IN (SELECT value FROM json_each(?2)) \
             AND id < coalesce(?3, '~') ORDER BY id DESC LIMIT ?4"
        );
        let rows = sqlx::query(sqlx::AssertSqlSafe(sql))
            .bind(QUEUE)
            .bind(json(&statuses(states)))
            .bind(before)
            .bind(limit)
            .fetch_all(&self.read)
            .await
            .map_err(InboxError::database)?;
        rows.iter().map(job).collect::<Result<_, _>>().map_err(InboxError::database)
    }

    async fn find(&self, id: &str) -> Result<Option<(Job, Bytes)>, InboxError> {
        let sql = format!("{COLUMNS}, job FROM Jobs WHERE job_type = ?1 AND id = ?2");
        let row = sqlx::query(sqlx::AssertSqlSafe(sql))
            .bind(QUEUE)
            .bind(id)
            .fetch_optional(&self.read)
            .await
            .map_err(InboxError::database)?;
        let Some(row) = row else { return Ok(None) };
        let body: Vec<u8> = row.try_get("job").map_err(InboxError::database)?;
        Ok(Some((job(&row).map_err(InboxError::database)?, body.into())))
    }

    async fn retry(&self, ids: &[String]) -> Result<u64, InboxError> {
        let sql = "UPDATE Jobs SET status = 'Pending', attempts = 0, run_at = unixepoch(), lock_by = NULL, lock_at = NULL, done_at = NULL \
                   WHERE job_type = ?1 AND id IN (SELECT value FROM json_each(?2)) AND status IN ('Killed', 'Failed')";
        self.change(sql, ids).await
    }

    async fn remove(&self, ids: &[String]) -> Result<u64, InboxError> {
        let sql = "DELETE FROM Jobs WHERE job_type = ?1 AND id IN (SELECT value FROM json_each(?2)) \
                   AND status NOT IN ('Queued', 'Running')";
        self.change(sql, ids).await
    }
}

impl SqliteStore {
    /// Commit, and then drop the turn.
    async fn begin(&self) -> Result<(Option<Turn>, Transaction<'static, Sqlite>), InboxError> {
        let turn = self.turns.take().await;
        Ok((turn, self.write.begin().await.map_err(InboxError::database)?))
    }

    async fn change(&self, sql: &'static str, ids: &[String]) -> Result<u64, InboxError> {
        let _turn = self.turns.take().await;
        let query = sqlx::query(sql).bind(QUEUE).bind(json(ids));
        Ok(query.execute(&self.write).await.map_err(InboxError::database)?.rows_affected())
    }
}

fn json<T: AsRef<str>>(texts: &[T]) -> String {
    texts.iter().map(AsRef::as_ref).collect::<serde_json::Value>().to_string()
}
