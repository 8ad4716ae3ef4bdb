mod claim;
mod complete;
mod connect;
mod insert;
mod transaction;

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_util::future::BoxFuture;
use sqlx::postgres::{PgArguments, PgPool, PgRow, PgTransaction};
use sqlx::query::Query;
use sqlx::{Connection as _, PgConnection, Postgres, Row as _};
use tokio::sync::Mutex;

pub use connect::PostgresConfig;

use crate::catch_up_sql::NOTE_LOSS;
use crate::dialect::Dialect;
use crate::sql::{self, millis};
use crate::{
    Change, Claim, Claimed, Completed, Completion, Counts, InboxError, JobFilter, JobId, JobInfo, Maintenance, NewJob,
    Recovered, State, Store,
};

/// Jobs in Postgres 14 or newer, in a database whose encoding is UTF8, for receivers and workers on several machines.
///
/// A commit is on disk when it returns, as far as the server's `fsync` goes; `synchronous_commit = off` is overridden. The first
/// program to open it creates the schema `twenty_webhook`, or the one that [`PostgresConfig::schema`] names, and needs the right to. It
/// touches nothing outside that schema, so your own tables, and other inboxes, may be in the same database.
///
/// It opens up to 13 connections, and one more for each worker. Without a [pool](PostgresConfig::on_pool) of yours, handlers in a
/// transaction open up to 10 more.
///
/// Behind a pooler in transaction mode (`PgBouncer`), say so: [`PostgresConfig::transaction_pooling`].
#[derive(Clone, Debug)]
pub struct PostgresStore {
    pool: PgPool,
    /// For deliveries. They are stored by one statement at a time, and a pool would add round trips to each.
    intake: Arc<Mutex<Option<PgConnection>>>,
    /// For reads, so that no delivery waits for them.
    read: PgPool,
    /// For handlers in a transaction.
    handlers: PgPool,
    /// Whether that is the user's pool, which is the user's to close.
    handlers_are_borrowed: bool,
    /// Whether jobs waited for those that were completed last.
    had_followers: Arc<AtomicBool>,
    dialect: Arc<Dialect>,
    transaction_pooling: bool,
}

impl PostgresStore {
    /// Closes its connections, after what is under way on them.
    pub async fn close(&self) {
        if let Some(connection) = self.intake.lock().await.take() {
            let _ = connection.close().await;
        }
        if !self.handlers_are_borrowed {
            self.handlers.close().await;
        }
        self.read.close().await;
        self.pool.close().await;
    }

    /// Runs a transaction of catch-up.
    async fn in_transaction<T>(
        &self,
        work: impl for<'a> FnOnce(&'a Self, &'a mut PgConnection) -> BoxFuture<'a, Result<T, sqlx::Error>> + Send,
    ) -> Result<T, InboxError> {
        let transaction = async {
            let mut tx = self.begin().await?;
            let done = work(self, &mut tx).await?;
            tx.commit().await?;
            Ok(done)
        };
        transaction.await.map_err(|error: sqlx::Error| InboxError::database(error))
    }

    async fn begin(&self) -> Result<PgTransaction<'static>, sqlx::Error> {
        self.begin_on(&self.pool).await
    }

    /// For statements that only read. Behind a pooler, all parts of one must reach the same session.
    async fn reader(&self) -> Result<PgTransaction<'static>, InboxError> {
        self.begin_on(&self.read).await.map_err(InboxError::database)
    }

    async fn begin_on(&self, pool: &PgPool) -> Result<PgTransaction<'static>, sqlx::Error> {
        if self.transaction_pooling { pool.begin_with(connect::BEGIN).await } else { pool.begin().await }
    }

    /// Runs one statement in a transaction. Returns how many rows it changed.
    async fn execute(&self, query: Query<'_, Postgres, PgArguments>) -> Result<u64, InboxError> {
        let execute = async {
            let mut tx = self.begin().await?;
            let changed = query.execute(&mut *tx).await?.rows_affected();
            tx.commit().await?;
            Ok(changed)
        };
        execute.await.map_err(|error: sqlx::Error| InboxError::database(error))
    }
}

const RENEW: &str = "UPDATE {jobs} SET lease_expires_at = {now} + $3, lease_len = $3
    WHERE seq = ANY($1) AND state + 0 = 2 AND lease_token = ($2::bigint[])[{at}] RETURNING seq";

impl Store for PostgresStore {
    async fn push(&self, jobs: Vec<NewJob>) -> Result<(), InboxError> {
        self.run_push(jobs).await.map_err(InboxError::database)
    }

    async fn note_loss(&self) -> Result<(), InboxError> {
        self.execute(self.dialect.query(NOTE_LOSS)).await.map(drop)
    }

    async fn claim(&self, claim: &Claim) -> Result<Claimed, InboxError> {
        self.run_claim(claim).await.map_err(InboxError::database)
    }

    async fn complete(&self, completions: &[Completion]) -> Result<Completed, InboxError> {
        self.run_complete(completions).await.map_err(InboxError::database)
    }

    async fn release_claim(&self, token: i64) -> Result<(), InboxError> {
        let release = async {
            let mut tx = self.begin().await?;
            let rows = self.dialect.query(sql::RELEASE_CLAIM).bind(token).fetch_all(&mut *tx).await?;
            self.wake_followers(&mut tx, &rows).await?;
            tx.commit().await
        };
        release.await.map_err(InboxError::database)
    }

    async fn reconnect(&self) -> Result<Self, InboxError> {
        self.another_connection().await
    }

    async fn renew(&self, leases: &[(JobId, i64)], lease: Duration) -> Result<Vec<JobId>, InboxError> {
        let (ids, tokens): (Vec<_>, Vec<_>) = leases.iter().map(|(id, token)| (id.number(), *token)).unzip();
        let renew = async {
            let mut tx = self.begin().await?;
            let renew = self.dialect.scalar(RENEW).bind(ids).bind(tokens).bind(millis(lease));
            let renewed: Vec<i64> = renew.fetch_all(&mut *tx).await?;
            tx.commit().await?;
            Ok(renewed.into_iter().map(JobId::new).collect())
        };
        renew.await.map_err(|error: sqlx::Error| InboxError::database(error))
    }

    async fn recover(&self, late: Duration, max_crashes: u32) -> Result<Recovered, InboxError> {
        let began = Instant::now();
        let recover = async {
            let mut tx = self.begin().await?;
            // It may have waited for the server, as long as every heartbeat did. What it waits from here on does not count: `now()` is the
            // time of `BEGIN`.
            let late = late.saturating_add(began.elapsed());
            let rows = self
                .dialect
                .query(sql::RECOVER)
                .bind(millis(late))
                .bind(i32::try_from(max_crashes).unwrap_or(i32::MAX))
                .fetch_all(&mut *tx)
                .await?;
            self.wake_followers(&mut tx, &rows).await?;
            tx.commit().await?;
            sql::recovered(&rows)
        };
        recover.await.map_err(|error: sqlx::Error| InboxError::database(error))
    }

    async fn maintain(&self, maintenance: &Maintenance) -> Result<bool, InboxError> {
        let mut most = 0;
        for (delete, retention) in
            [(sql::DELETE_DONE, Some(maintenance.retention)), (sql::DELETE_DEAD, maintenance.dead_retention)]
        {
            let Some(retention) = retention else { continue };
            let delete = self.dialect.query(delete).bind(millis(retention)).bind(i64::from(maintenance.limit));
            most = most.max(self.execute(delete).await?);
        }
        let [due, due_crashed] = sql::REPAIR_DUE;
        for statement in [due, due_crashed, sql::REPAIR_LEASES, sql::REPAIR_DONE, sql::WAKE_ALL] {
            self.execute(self.dialect.query(statement)).await?;
        }
        Ok(most >= u64::from(maintenance.limit))
    }

    async fn health(&self) -> Result<(), InboxError> {
        let read = self.dialect.query("SELECT 1 FROM {settings} LIMIT 1");
        read.fetch_optional(&mut *self.reader().await?).await.map(drop).map_err(InboxError::database)
    }

    async fn counts(&self) -> Result<Counts, InboxError> {
        let mut reader = self.reader().await?;
        let counts = self.dialect.query(sql::COUNTS);
        let row = counts.fetch_one(&mut *reader).await.map_err(InboxError::database)?;
        let mut counts = sql::counts(&row).map_err(InboxError::database)?;
        if counts.done > 100_000 {
            // As of the last vacuum or analyze, which Postgres runs by itself.
            let estimate = "SELECT coalesce(max(reltuples), 0)::bigint FROM pg_class WHERE oid = to_regclass($1)";
            let index = self.dialect.text("{schema}.done");
            let estimate = self.dialect.scalar(estimate).bind(index).fetch_one(&mut *reader);
            let estimate: i64 = estimate.await.map_err(InboxError::database)?;
            counts.done = counts.done.max(estimate.unsigned_abs());
        }
        Ok(counts)
    }

    async fn page(&self, filter: &JobFilter, before: Option<JobId>, limit: u32) -> Result<Vec<JobInfo>, InboxError> {
        let page =
            self.dialect.query(sql::page(filter)).bind(before.map_or(i64::MAX, JobId::number)).bind(i64::from(limit));
        let page = if filter.lane().is_some() { page.bind(filter.lane()) } else { page };
        let rows = page.fetch_all(&mut *self.reader().await?).await.map_err(InboxError::database)?;
        rows.iter().map(sql::info).collect::<Result<_, _>>().map_err(InboxError::database)
    }

    async fn find(&self, id: JobId) -> Result<Option<(JobInfo, Option<Bytes>)>, InboxError> {
        let find = self.dialect.query(sql::FIND).bind(id.number());
        let row = find.fetch_optional(&mut *self.reader().await?).await.map_err(InboxError::database)?;
        let Some(row) = row else { return Ok(None) };
        let body: Option<Vec<u8>> = row.try_get("body").map_err(InboxError::database)?;
        Ok(Some((sql::info(&row).map_err(InboxError::database)?, body.map(Bytes::from))))
    }

    async fn change(&self, change: Change, ids: &[JobId], state: Option<State>) -> Result<u64, InboxError> {
        let ids: Vec<_> = ids.iter().map(|id| id.number()).collect();
        let changed = self.execute(self.dialect.query(sql::change(change)).bind(ids).bind(sql::listed(state))).await?;
        self.execute(self.dialect.query(sql::WAKE_ALL)).await?;
        Ok(changed)
    }

    async fn set_paused(&self, paused: bool) -> Result<(), InboxError> {
        let set = self.dialect.query(if paused { sql::PAUSE } else { sql::RESUME });
        self.execute(set).await.map(drop)
    }

    async fn is_paused(&self) -> Result<bool, InboxError> {
        let is_paused = self.dialect.scalar(sql::IS_PAUSED);
        is_paused.fetch_one(&mut *self.reader().await?).await.map_err(InboxError::database)
    }
}

crate::catch_up_store::impl_catch_up_store!(PostgresStore, PgConnection, PgRow);
