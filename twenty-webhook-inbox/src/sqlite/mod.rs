mod claim;
mod complete;
mod connect;
mod driver;
mod file_identity;
mod insert;
#[cfg(test)]
mod plans;
mod transaction;
mod write_lock;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_util::future::BoxFuture;
use sqlx::pool::PoolConnection;
use sqlx::sqlite::SqlitePool;
use sqlx::{Row as _, Sqlite, Transaction};

pub use connect::SqliteConfig;
pub use transaction::SqliteTransaction;

use crate::catch_up_sql::NOTE_LOSS;
use crate::dialect::Dialect;
use crate::sql::{self, millis};
use crate::sqlite::driver::Driver;
use crate::sqlite::file_identity::FileIdentity;
use crate::sqlite::write_lock::WriteLock;
use crate::{
    Change, Claim, Claimed, Completed, Completion, Counts, InboxError, JobFilter, JobId, JobInfo, Maintenance, NewJob,
    Recovered, State, Store,
};

/// Jobs in one SQLite file, for an inbox on one machine.
///
/// A commit is on disk when it returns: write-ahead log, `synchronous = FULL`. Any number of processes on one machine may share the
/// file; it must not be on a network file system, where SQLite's locks do not hold. A file that the inbox creates is readable and
/// writable for its owner only. One that a [pool](crate::Inbox::on_sqlite_pool) of yours creates has the permissions that your umask leaves.
#[derive(Clone, Debug)]
pub struct SqliteStore {
    /// One connection: SQLite has one writer at a time, and queuing for a connection is fairer and faster than its busy loop.
    write: SqlitePool,
    /// For reads, so that no delivery waits for them.
    read: SqlitePool,
    file: FileIdentity,
    write_lock: WriteLock,
    dialect: Arc<Dialect>,
    driver: Driver,
}

type Tx = Transaction<'static, Sqlite>;

impl SqliteStore {
    /// The path that it was opened at.
    pub fn path(&self) -> PathBuf {
        self.file.path().to_owned()
    }

    /// Runs a transaction on the driver's thread. It ends even if its caller is cancelled.
    async fn transaction<T, F>(&self, work: impl FnOnce(Self, Tx) -> F + Send + 'static) -> Result<T, InboxError>
    where
        T: Send + 'static,
        F: Future<Output = Result<(T, Tx), sqlx::Error>> + Send,
    {
        let this = self.clone();
        let transaction = async move {
            let _guard = this.write_lock.acquire().await;
            let tx = this.write.begin_with("BEGIN IMMEDIATE").await?;
            let (done, tx) = work(this.clone(), tx).await?;
            tx.commit().await?;
            Ok(done)
        };
        self.driver.run(async { transaction.await.map_err(|error: sqlx::Error| InboxError::database(error)) }).await
    }

    async fn reader(&self) -> Result<PoolConnection<Sqlite>, InboxError> {
        self.read.acquire().await.map_err(InboxError::database)
    }

    /// Runs a transaction of catch-up.
    async fn in_transaction<T: Send + 'static>(
        &self,
        work: impl for<'a> FnOnce(&'a Self, &'a mut sqlx::SqliteConnection) -> BoxFuture<'a, Result<T, sqlx::Error>>
        + Send
        + 'static,
    ) -> Result<T, InboxError> {
        self.transaction(|this, mut tx| async move { Ok((work(&this, &mut tx).await?, tx)) }).await
    }
}

const RENEW: &str = "UPDATE {jobs} SET lease_expires_at = {now} + $2, lease_len = $2
    FROM (SELECT value ->> 0 AS seq, value ->> 1 AS token FROM json_each($1)) AS s
    WHERE {this}.seq = s.seq AND {this}.state = 2 AND {this}.lease_token = s.token RETURNING {this}.seq";

impl Store for SqliteStore {
    async fn push(&self, jobs: Vec<NewJob>) -> Result<(), InboxError> {
        let insert = move |this: Self, mut tx| async move {
            for job in &jobs {
                this.insert(&mut tx, job).await?;
            }
            Ok(((), tx))
        };
        self.transaction(insert).await?;
        self.file.check()
    }

    async fn note_loss(&self) -> Result<(), InboxError> {
        self.transaction(|this, mut tx| async move {
            this.dialect.query(NOTE_LOSS).execute(&mut *tx).await?;
            Ok(((), tx))
        })
        .await
    }

    async fn claim(&self, claim: &Claim) -> Result<Claimed, InboxError> {
        let claim = claim.clone();
        self.transaction(|this, mut tx| async move { Ok((this.run_claim(&mut tx, &claim).await?, tx)) }).await
    }

    async fn complete(&self, completions: &[Completion]) -> Result<Completed, InboxError> {
        let completions = completions.to_vec();
        self.transaction(|this, mut tx| async move { Ok((this.run_complete(&mut tx, &completions).await?, tx)) }).await
    }

    async fn release_claim(&self, token: i64) -> Result<(), InboxError> {
        self.transaction(move |this, mut tx| async move {
            let release = this.dialect.query(sql::RELEASE_CLAIM).bind(token);
            let rows = release.fetch_all(&mut *tx).await?;
            this.wake_followers(&mut tx, &rows).await?;
            Ok(((), tx))
        })
        .await
    }

    async fn reconnect(&self) -> Result<Self, InboxError> {
        self.another_connection().await
    }

    async fn renew(&self, leases: &[(JobId, i64)], lease: Duration) -> Result<Vec<JobId>, InboxError> {
        let leases: serde_json::Value =
            leases.iter().map(|(id, token)| serde_json::json!([id.number(), token])).collect();
        let _guard = self.write_lock.acquire().await;
        let renewed: Vec<i64> = self
            .dialect
            .scalar(RENEW)
            .bind(leases.to_string())
            .bind(millis(lease))
            .fetch_all(&self.write)
            .await
            .map_err(InboxError::database)?;
        self.file.check()?;
        Ok(renewed.into_iter().map(JobId::new).collect())
    }

    async fn recover(&self, late: Duration, max_crashes: u32) -> Result<Recovered, InboxError> {
        let began = Instant::now();
        self.file.check()?;
        let running = self.dialect.scalar("SELECT EXISTS (SELECT 1 FROM {jobs} WHERE state = 2)");
        if !running.fetch_one(&self.read).await.map_err(InboxError::database)? {
            return Ok(Recovered::default());
        }
        self.transaction(move |this, mut tx| async move {
            // It may have waited for the write lock, as long as every heartbeat did.
            let late = late.saturating_add(began.elapsed());
            let recover = this.dialect.query(sql::RECOVER).bind(millis(late)).bind(max_crashes);
            let rows = recover.fetch_all(&mut *tx).await?;
            this.wake_followers(&mut tx, &rows).await?;
            Ok((sql::recovered(&rows)?, tx))
        })
        .await
    }

    async fn maintain(&self, maintenance: &Maintenance) -> Result<bool, InboxError> {
        let maintenance = *maintenance;
        self.transaction(move |this, mut tx| async move { Ok((this.run_maintain(&mut tx, &maintenance).await?, tx)) })
            .await
    }

    async fn health(&self) -> Result<(), InboxError> {
        self.file.check()?;
        let read = self.dialect.query("SELECT 1 FROM {settings} LIMIT 1");
        read.fetch_optional(&self.read).await.map_err(InboxError::database)?;
        // Takes the write lock and changes nothing.
        self.transaction(|_, tx| async { Ok(((), tx)) }).await
    }

    async fn counts(&self) -> Result<Counts, InboxError> {
        let counts = self.dialect.query(sql::COUNTS);
        let row = counts.fetch_one(&self.read).await.map_err(InboxError::database)?;
        sql::counts(&row).map_err(InboxError::database)
    }

    async fn page(&self, filter: &JobFilter, before: Option<JobId>, limit: u32) -> Result<Vec<JobInfo>, InboxError> {
        let rows = self
            .dialect
            .query(sql::page(filter))
            .bind(before.map_or(i64::MAX, JobId::number))
            .bind(i64::from(limit))
            .bind(filter.lane())
            .fetch_all(&self.read)
            .await
            .map_err(InboxError::database)?;
        rows.iter().map(sql::info).collect::<Result<_, _>>().map_err(InboxError::database)
    }

    async fn find(&self, id: JobId) -> Result<Option<(JobInfo, Option<Bytes>)>, InboxError> {
        let find = self.dialect.query(sql::FIND);
        let row = find.bind(id.number()).fetch_optional(&self.read).await.map_err(InboxError::database)?;
        let Some(row) = row else { return Ok(None) };
        let body: Option<Vec<u8>> = row.try_get("body").map_err(InboxError::database)?;
        Ok(Some((sql::info(&row).map_err(InboxError::database)?, body.map(Bytes::from))))
    }

    async fn change(&self, change: Change, ids: &[JobId], state: Option<State>) -> Result<u64, InboxError> {
        let ids = json(&ids.iter().map(|id| id.number()).collect::<Vec<_>>());
        self.transaction(move |this, mut tx| async move {
            let change = this.dialect.query(sql::change(change)).bind(ids).bind(sql::listed(state));
            let changed = change.execute(&mut *tx).await?.rows_affected();
            this.dialect.query(sql::WAKE_ALL).execute(&mut *tx).await?;
            Ok((changed, tx))
        })
        .await
    }

    async fn set_paused(&self, paused: bool) -> Result<(), InboxError> {
        let set = if paused { sql::PAUSE } else { sql::RESUME };
        self.transaction(move |this, mut tx| async move {
            this.dialect.query(set).execute(&mut *tx).await?;
            Ok(((), tx))
        })
        .await
    }

    async fn is_paused(&self) -> Result<bool, InboxError> {
        self.dialect.scalar(sql::IS_PAUSED).fetch_one(&self.read).await.map_err(InboxError::database)
    }
}

impl SqliteStore {
    async fn run_maintain(&self, tx: &mut Tx, maintenance: &Maintenance) -> Result<bool, sqlx::Error> {
        let limit = i64::from(maintenance.limit);
        let mut most = 0;
        for (delete, retention) in
            [(sql::DELETE_DONE, Some(maintenance.retention)), (sql::DELETE_DEAD, maintenance.dead_retention)]
        {
            let Some(retention) = retention else { continue };
            let delete = self.dialect.query(delete).bind(millis(retention)).bind(limit);
            most = most.max(delete.execute(&mut **tx).await?.rows_affected());
        }
        for repair in sql::REPAIR_DUE {
            self.dialect.query(repair).execute(&mut **tx).await?;
        }
        self.dialect.query(sql::REPAIR_LEASES).execute(&mut **tx).await?;
        self.dialect.query(sql::REPAIR_DONE).execute(&mut **tx).await?;
        self.dialect.query(sql::WAKE_ALL).execute(&mut **tx).await?;
        Ok(most >= u64::from(maintenance.limit))
    }
}

crate::catch_up_store::impl_catch_up_store!(SqliteStore, sqlx::SqliteConnection, sqlx::sqlite::SqliteRow);

fn json(numbers: &[i64]) -> String {
    serde_json::Value::from(numbers).to_string()
}
