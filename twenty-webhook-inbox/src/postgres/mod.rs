mod claim;
mod complete;
mod connect;
mod insert;
mod transaction;

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use sqlx::postgres::{PgPool, PgRow};
use sqlx::{Connection as _, PgConnection, Row as _};
use tokio::sync::Mutex;

pub use connect::PostgresConfig;

use crate::sql::{self, Dialect, millis};
use crate::{
    Change, Claim, Claimed, Completion, Counts, InboxError, JobFilter, JobId, JobInfo, Maintenance, NewJob, Store,
};

/// Jobs in Postgres 14 or newer, for receivers and workers on several machines.
///
/// A commit is on disk when it returns, as far as the server's `fsync` goes; `synchronous_commit = off` is overridden. The first one to
/// open it makes the schema `twenty_webhook`, or the one that [`PostgresConfig::schema`] names, and must be allowed to. It touches nothing
/// outside that schema, so your own tables, and other inboxes, may be in the same database.
///
/// Settings are made for each session. Behind a pooler in transaction mode (`PgBouncer`) they are not kept: there, set
/// `synchronous_commit`, `idle_in_transaction_session_timeout` and `lock_timeout` for the role (`ALTER ROLE … SET`), and let the pooler
/// keep prepared statements (`max_prepared_statements`). All else works: no lock, listener or temporary table outlives a transaction.
#[derive(Clone, Debug)]
pub struct PostgresStore {
    pool: PgPool,
    /// For deliveries: they are stored by one statement after the other, and a pool would ask four times for each.
    intake: Arc<Mutex<Option<PgConnection>>>,
    /// For those who look, so that nobody who stores waits for them.
    read: PgPool,
    /// What the user brought, for handlers in a transaction.
    handlers: PgPool,
    /// Whether jobs waited for those that were completed last.
    had_followers: Arc<AtomicBool>,
    dialect: Arc<Dialect>,
}

impl PostgresStore {
    /// Closes its connections. What is under way on them ends first.
    pub async fn close(&self) {
        if let Some(connection) = self.intake.lock().await.take() {
            let _ = connection.close().await;
        }
        self.read.close().await;
        self.pool.close().await;
    }

    /// One transaction of catch-up.
    async fn in_transaction<T>(
        &self,
        work: impl for<'a> FnOnce(&'a Self, &'a mut PgConnection) -> BoxFuture<'a, Result<T, sqlx::Error>> + Send,
    ) -> Result<T, InboxError> {
        let transaction = async {
            let mut tx = self.pool.begin().await?;
            let done = work(self, &mut tx).await?;
            tx.commit().await?;
            Ok(done)
        };
        transaction.await.map_err(|error: sqlx::Error| InboxError::database(error))
    }

    async fn execute(&self, template: &'static str) -> Result<(), InboxError> {
        sqlx::query(self.dialect.sql(template)).execute(&self.pool).await.map_err(InboxError::database)?;
        Ok(())
    }
}

impl Store for PostgresStore {
    async fn push(&self, jobs: Vec<NewJob>) -> Result<(), InboxError> {
        self.run_push(jobs).await.map_err(InboxError::database)
    }

    async fn claim(&self, claim: &Claim) -> Result<Claimed, InboxError> {
        self.run_claim(claim).await.map_err(InboxError::database)
    }

    async fn complete(&self, completions: &[Completion]) -> Result<bool, InboxError> {
        self.run_complete(completions).await.map_err(InboxError::database)
    }

    async fn release_claim(&self, token: i64) -> Result<(), InboxError> {
        let release = async {
            let mut tx = self.pool.begin().await?;
            let rows = sqlx::query(self.dialect.sql(sql::RELEASE_CLAIM)).bind(token).fetch_all(&mut *tx).await?;
            self.wake_followers(&mut tx, &rows).await?;
            tx.commit().await
        };
        release.await.map_err(InboxError::database)
    }

    async fn reconnect(&self) -> Result<Self, InboxError> {
        self.another_connection().await
    }

    async fn renew(&self, leases: &[(JobId, i64)], lease: Duration) -> Result<Vec<JobId>, InboxError> {
        let renew = self.dialect.sql(
            "UPDATE {jobs} SET lease_until = {now} + $3 FROM unnest($1::bigint[], $2::bigint[]) AS s (seq, token)
             WHERE {this}.seq = s.seq AND {this}.state + 0 = 2 AND {this}.lease_token = s.token RETURNING {this}.seq",
        );
        let (ids, tokens): (Vec<_>, Vec<_>) = leases.iter().map(|(id, token)| (id.number(), *token)).unzip();
        let renewed: Vec<i64> = sqlx::query_scalar(renew)
            .bind(ids)
            .bind(tokens)
            .bind(millis(lease))
            .fetch_all(&self.pool)
            .await
            .map_err(InboxError::database)?;
        Ok(renewed.into_iter().map(JobId::new).collect())
    }

    async fn recover(&self, late: Duration, max_crashes: u32) -> Result<u64, InboxError> {
        let recover = async {
            let mut tx = self.pool.begin().await?;
            let rows = sqlx::query(self.dialect.sql(sql::RECOVER))
                .bind(millis(late))
                .bind(i32::try_from(max_crashes).unwrap_or(i32::MAX))
                .fetch_all(&mut *tx)
                .await?;
            self.wake_followers(&mut tx, &rows).await?;
            tx.commit().await?;
            Ok(rows.len() as u64)
        };
        recover.await.map_err(|error: sqlx::Error| InboxError::database(error))
    }

    async fn maintain(&self, maintenance: &Maintenance) -> Result<bool, InboxError> {
        let mut most = 0;
        for (delete, retention) in
            [(sql::DELETE_DONE, Some(maintenance.retention)), (sql::DELETE_DEAD, maintenance.dead_retention)]
        {
            let Some(retention) = retention else { continue };
            let delete =
                sqlx::query(self.dialect.sql(delete)).bind(millis(retention)).bind(i64::from(maintenance.limit));
            most = most.max(delete.execute(&self.pool).await.map_err(InboxError::database)?.rows_affected());
        }
        for repair in sql::REPAIR_DUE {
            self.execute(repair).await?;
        }
        let leases = sqlx::query(self.dialect.sql(sql::REPAIR_LEASES)).bind(millis(maintenance.lease));
        leases.execute(&self.pool).await.map_err(InboxError::database)?;
        self.execute(sql::REPAIR_DONE).await?;
        self.execute(sql::WAKE_ALL).await?;
        Ok(most >= u64::from(maintenance.limit))
    }

    async fn health(&self) -> Result<(), InboxError> {
        let read = self.dialect.sql("SELECT 1 FROM {settings} LIMIT 1");
        sqlx::query(read).fetch_optional(&self.read).await.map(drop).map_err(InboxError::database)
    }

    async fn counts(&self) -> Result<Counts, InboxError> {
        let counts = sqlx::query(self.dialect.sql(sql::COUNTS));
        let row = counts.fetch_one(&self.read).await.map_err(InboxError::database)?;
        let mut counts = sql::counts(&row).map_err(InboxError::database)?;
        if counts.done > 100_000 {
            // As of the last vacuum or analyze, which come by themselves.
            let estimate = "SELECT coalesce(max(reltuples), 0)::bigint FROM pg_class WHERE oid = to_regclass($1)";
            let index = self.dialect.text("{schema}.done");
            let estimate = sqlx::query_scalar(estimate).bind(index).fetch_one(&self.read);
            let estimate: i64 = estimate.await.map_err(InboxError::database)?;
            counts.done = counts.done.max(estimate.unsigned_abs());
        }
        Ok(counts)
    }

    async fn page(&self, filter: &JobFilter, before: Option<JobId>, limit: u32) -> Result<Vec<JobInfo>, InboxError> {
        let page = sqlx::query(self.dialect.sql(sql::page(filter)))
            .bind(before.map_or(i64::MAX, JobId::number))
            .bind(i64::from(limit));
        let page = if filter.lane().is_some() { page.bind(filter.lane()) } else { page };
        let rows = page.fetch_all(&self.read).await.map_err(InboxError::database)?;
        rows.iter().map(sql::info).collect::<Result<_, _>>().map_err(InboxError::database)
    }

    async fn find(&self, id: JobId) -> Result<Option<(JobInfo, Option<Bytes>)>, InboxError> {
        let find = self.dialect.sql("SELECT {info}, body FROM {jobs} WHERE seq = $1");
        let row = sqlx::query(find).bind(id.number()).fetch_optional(&self.read).await.map_err(InboxError::database)?;
        let Some(row) = row else { return Ok(None) };
        let body: Option<Vec<u8>> = row.try_get("body").map_err(InboxError::database)?;
        Ok(Some((sql::info(&row).map_err(InboxError::database)?, body.map(Bytes::from))))
    }

    async fn change(&self, change: Change, ids: &[JobId]) -> Result<u64, InboxError> {
        let ids: Vec<_> = ids.iter().map(|id| id.number()).collect();
        let change = sqlx::query(self.dialect.sql(sql::change(change))).bind(ids);
        let changed = change.execute(&self.pool).await.map_err(InboxError::database)?.rows_affected();
        self.execute(sql::WAKE_ALL).await?;
        Ok(changed)
    }

    async fn set_paused(&self, paused: bool) -> Result<(), InboxError> {
        self.execute(if paused { sql::PAUSE } else { sql::RESUME }).await
    }

    async fn is_paused(&self) -> Result<bool, InboxError> {
        sqlx::query_scalar(self.dialect.sql(sql::IS_PAUSED)).fetch_one(&self.read).await.map_err(InboxError::database)
    }
}

crate::catch_up_store::impl_catch_up_store!(PostgresStore, PgConnection, PgRow);
