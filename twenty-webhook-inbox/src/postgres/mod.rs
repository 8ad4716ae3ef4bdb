mod open;

use std::time::Duration;

use apalis_core::task::Task;
use apalis_core::task::builder::TaskBuilder;
use apalis_core::task::task_id::TaskId;
use apalis_core::worker::context::WorkerContext;
use apalis_postgres::{PgPool, queries};
use bytes::Bytes;
use sqlx::Row as _;
use sqlx::postgres::PgRow;

use crate::job::{Row, statuses};
use crate::{Counts, InboxError, Job, NewJob, QUEUE, Settled, State, Store};

/// Jobs in Postgres 14 or newer, for receivers and workers on several machines.
///
/// A commit is on disk when it returns, as far as the server's `fsync` goes; `synchronous_commit = off` is overridden, for each
/// session: a pooler in transaction mode between the two would undo that, and is not supported. The first one to open it makes the
/// schema `apalis` and the extensions `hstore` and `pgcrypto`, and must be allowed to. It touches nothing else outside
/// that schema, so your own tables may be in the same database.
#[derive(Clone, Debug)]
pub struct PostgresStore {
    pool: PgPool,
    /// For those who look, so that nobody who stores waits for them.
    read: PgPool,
}

impl PostgresStore {
    async fn change(&self, sql: &'static str, ids: &[String]) -> Result<u64, InboxError> {
        let query = sqlx::query(sql).bind(QUEUE).bind(ids);
        Ok(query.execute(&self.pool).await.map_err(InboxError::database)?.rows_affected())
    }
}

fn seconds(duration: Duration) -> f64 {
    duration.as_secs_f64()
}

/// All of a job but its body.
const COLUMNS: &str = "SELECT id, status, metadata -> 'name' AS name, idempotency_key, attempts::bigint AS attempts, \
                       last_result::text AS last_result, extract(epoch FROM run_at)::bigint AS run_at, lock_by, \
                       octet_length(job)::bigint AS len";

fn job(row: &PgRow) -> Result<Job, sqlx::Error> {
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

fn task(row: &PgRow) -> Result<Task<Vec<u8>>, sqlx::Error> {
    let attempts = row.try_get::<i32, _>("attempts")?.try_into().unwrap_or(0);
    let id = TaskId::from_string(row.try_get::<String, _>("id")?);
    Ok(TaskBuilder::new(row.try_get("job")?).task_id(id).attempt(attempts).build())
}

impl Store for PostgresStore {
    async fn push(&self, mut jobs: Vec<NewJob>) -> Result<u64, InboxError> {
        // In one order everywhere, or two receivers that insert the same two keys wait for each other.
        jobs.sort_by_cached_key(NewJob::key);
        let column = |of: fn(&NewJob) -> String| jobs.iter().map(of).collect::<Vec<_>>();
        // apalis' own statement fails, with all the group, when one of them is a duplicate.
        let sql = "INSERT INTO apalis.jobs \
                   (id, job_type, job, status, attempts, max_attempts, run_at, priority, metadata, idempotency_key) \
                   SELECT id, $1, job, 'Pending', 0, $2, now(), 0, \
                   (SELECT hstore(array_agg(key), array_agg(value)) FROM jsonb_each_text(metadata::jsonb)), key \
                   FROM unnest($3::text[], $4::bytea[], $5::text[], $6::text[]) AS new (id, job, metadata, key) \
                   ON CONFLICT (job_type, idempotency_key) DO NOTHING";
        let inserted = sqlx::query(sql)
            .bind(QUEUE)
            .bind(i32::MAX)
            .bind(column(NewJob::id))
            .bind(jobs.iter().map(|job| &job.body()[..]).collect::<Vec<_>>())
            .bind(column(|job| job.metadata().to_string()))
            .bind(column(NewJob::key))
            .execute(&self.pool)
            .await
            .map_err(InboxError::database)?;
        Ok(inserted.rows_affected())
    }

    async fn register(&self, worker: &WorkerContext) -> Result<(), InboxError> {
        let mut tx = self.pool.begin().await.map_err(InboxError::database)?;
        // By the clock of this machine; by the server's at once, for that is the one that tells who is dead.
        queries::register_worker(&mut *tx, QUEUE, worker, &0.into(), "twenty-webhook-inbox")
            .await
            .map_err(InboxError::database)?;
        queries::keep_alive(&mut *tx, QUEUE, worker).await.map_err(InboxError::database)?;
        tx.commit().await.map_err(InboxError::database)
    }

    async fn beat(&self, worker: &WorkerContext, dead_after: Duration) -> Result<bool, InboxError> {
        let mut tx = self.pool.begin().await.map_err(InboxError::database)?;
        match queries::keep_alive(&mut *tx, QUEUE, worker).await {
            Err(apalis_postgres::Error::WorkerOutOfSync) => return Ok(false),
            alive => alive.map_err(InboxError::database)?,
        }
        let orphans =
            queries::reenqueue_orphaned(&mut *tx, QUEUE, dead_after.as_secs()).await.map_err(InboxError::database)?;
        tx.commit().await.map_err(InboxError::database)?;
        if orphans > 0 {
            tracing::warn!(orphans, "took back the jobs of workers that are gone");
        }
        Ok(true)
    }

    async fn take(&self, worker: &WorkerContext, limit: usize) -> Result<Vec<Task<Vec<u8>>>, InboxError> {
        // apalis asks a function, in which the limit is unknown to the planner: with a million jobs waiting it reads all of them for each few.
        let sql = format!(
            "WITH due AS (SELECT id FROM apalis.jobs WHERE (status = 'Pending' OR (status = 'Failed' AND attempts < max_attempts)) \
             AND run_at <= now() AND job_type = $2 ORDER BY priority DESC, run_at LIMIT {limit} FOR UPDATE SKIP LOCKED) \
             UPDATE apalis.jobs SET status = 'Queued', lock_by = $1, lock_at = now() \
             WHERE id = ANY(ARRAY(SELECT id FROM due)) RETURNING id, job, attempts"
        );
        let rows = sqlx::query(sqlx::AssertSqlSafe(sql))
            .bind(worker.name())
            .bind(QUEUE)
            .fetch_all(&self.pool)
            .await
            .map_err(InboxError::database)?;
        rows.iter().map(task).collect::<Result<_, _>>().map_err(InboxError::database)
    }

    async fn settle(&self, worker: &str, settled: Vec<Settled>) -> Result<(), InboxError> {
        let results: Vec<_> = settled.iter().map(Settled::to_task_result).collect();
        let mut tx = self.pool.begin().await.map_err(InboxError::database)?;
        queries::handle_results(&mut *tx, &results.iter().collect::<Vec<_>>(), worker)
            .await
            .map_err(InboxError::database)?;
        for settled in settled {
            // apalis would try again at once.
            let Some(due_in) = settled.due_in() else { continue };
            sqlx::query(
                "UPDATE apalis.jobs SET run_at = now() + make_interval(secs => $1) WHERE id = $2 AND lock_by = $3",
            )
            .bind(seconds(Duration::from_secs(due_in)))
            .bind(settled.id.to_string())
            .bind(worker)
            .execute(&mut *tx)
            .await
            .map_err(InboxError::database)?;
        }
        tx.commit().await.map_err(InboxError::database)
    }

    async fn hand_back(&self, worker: &str, but: &[String]) -> Result<u64, InboxError> {
        let sql = "UPDATE apalis.jobs SET status = 'Pending', lock_by = NULL, lock_at = NULL \
                   WHERE lock_by = $1 AND status IN ('Queued', 'Running') AND id <> ALL($2)";
        let done = sqlx::query(sql).bind(worker).bind(but).execute(&self.pool).await.map_err(InboxError::database)?;
        Ok(done.rows_affected())
    }

    async fn tidy(&self, retention: Duration, longest_wait: Duration, limit: u32) -> Result<u64, InboxError> {
        let done = "DELETE FROM apalis.jobs WHERE id IN (SELECT id FROM apalis.jobs WHERE job_type = $1 AND status = 'Done' \
                    AND done_at < now() - make_interval(secs => $2) LIMIT $3 FOR UPDATE SKIP LOCKED)";
        let far_off = "UPDATE apalis.jobs SET run_at = now() \
                       WHERE job_type = $1 AND status = 'Failed' AND attempts < max_attempts AND run_at > now() + make_interval(secs => $2)";
        let early = "UPDATE apalis.jobs SET run_at = now() \
                     WHERE job_type = $1 AND status = 'Pending' AND run_at > now() + make_interval(secs => $2)";
        let future = "UPDATE apalis.workers SET last_seen = now() \
                      WHERE worker_type = $1 AND last_seen > now() + make_interval(secs => $2)";
        let gone = "DELETE FROM apalis.workers WHERE worker_type = $1 AND last_seen < now() - make_interval(secs => $2) \
                    AND NOT EXISTS (SELECT 1 FROM apalis.jobs WHERE lock_by = workers.id)";
        let deleted = sqlx::query(done)
            .bind(QUEUE)
            .bind(seconds(retention))
            .bind(i64::from(limit))
            .execute(&self.pool)
            .await
            .map_err(InboxError::database)?;
        let second = Duration::from_secs(1);
        for (statement, span) in [(far_off, longest_wait), (early, second), (future, second), (gone, retention)] {
            let query = sqlx::query(statement).bind(QUEUE).bind(seconds(span));
            query.execute(&self.pool).await.map_err(InboxError::database)?;
        }
        Ok(deleted.rows_affected())
    }

    async fn counts(&self) -> Result<Counts, InboxError> {
        let sql = "SELECT status, count(*) FROM apalis.jobs WHERE job_type = $1 GROUP BY status";
        let rows: Vec<(String, i64)> =
            sqlx::query_as(sql).bind(QUEUE).fetch_all(&self.read).await.map_err(InboxError::database)?;
        Ok(Counts::of_statuses(rows.iter().map(|(status, count)| (status.as_str(), count.cast_unsigned()))))
    }

    async fn page(&self, states: &[State], before: Option<&str>, limit: u32) -> Result<Vec<Job>, InboxError> {
        let sql = format!(
            "{COLUMNS} FROM apalis.jobs WHERE job_type = $1 AND status = ANY($2) AND ($3::text IS NULL OR id < $3) \
             ORDER BY id DESC LIMIT $4"
        );
        let rows = sqlx::query(sqlx::AssertSqlSafe(sql))
            .bind(QUEUE)
            .bind(statuses(states))
            .bind(before)
            .bind(i64::from(limit))
            .fetch_all(&self.read)
            .await
            .map_err(InboxError::database)?;
        rows.iter().map(job).collect::<Result<_, _>>().map_err(InboxError::database)
    }

    async fn find(&self, id: &str) -> Result<Option<(Job, Bytes)>, InboxError> {
        let sql = format!("{COLUMNS}, job FROM apalis.jobs WHERE job_type = $1 AND id = $2");
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
        let sql = "UPDATE apalis.jobs SET status = 'Pending', attempts = 0, run_at = now(), lock_by = NULL, \
                   lock_at = NULL, done_at = NULL \
                   WHERE job_type = $1 AND id = ANY($2) AND status IN ('Killed', 'Failed')";
        self.change(sql, ids).await
    }

    async fn remove(&self, ids: &[String]) -> Result<u64, InboxError> {
        let sql =
            "DELETE FROM apalis.jobs WHERE job_type = $1 AND id = ANY($2) AND status NOT IN ('Queued', 'Running')";
        self.change(sql, ids).await
    }
}
