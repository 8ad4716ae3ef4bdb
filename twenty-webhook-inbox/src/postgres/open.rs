use std::time::Duration;

#[cfg(feature = "board")]
use apalis_postgres::PgPool;
use apalis_postgres::{PgConnectOptions, PostgresStorage};
use sqlx::Connection as _;
use sqlx::postgres::PgPoolOptions;

use crate::{Inbox, InboxError, PostgresStore};

impl Inbox<PostgresStore> {
    /// Opens the inbox in this database, or makes it. `url` is `postgres://user:password@host:port/database`.
    ///
    /// # Errors
    /// If it cannot be reached, or its schema cannot be set up.
    pub async fn postgres(url: &str) -> Result<Self, InboxError> {
        let options = url.parse::<PgConnectOptions>().map_err(InboxError::database)?;
        Ok(Self::on(PostgresStore::open(options).await?))
    }
}

/// Longer than a server takes that is there.
const ANSWER: Duration = Duration::from_secs(5);

/// On every new connection, whatever the setting is now: the session's own outlasts a reload of the server's. Only `off` is changed.
const DURABLE: &str = "SELECT set_config('synchronous_commit', \
                       CASE current_setting('synchronous_commit') WHEN 'off' THEN 'on' \
                       ELSE current_setting('synchronous_commit') END, false)";

/// What apalis has no index for, and would read the whole table: for tidying, and with each sign of life for the jobs of dead workers.
const INDEXES: [(&str, &str); 2] = [
    ("apalis.twenty_webhook_done", "CREATE INDEX twenty_webhook_done ON apalis.jobs (done_at) WHERE status = 'Done'"),
    (
        "apalis.twenty_webhook_held",
        "CREATE INDEX twenty_webhook_held ON apalis.jobs (lock_by) WHERE status = 'Running' OR status = 'Queued'",
    ),
];

/// Of two programs that start at once, one would fail. The number is any that nobody else takes.
const ONE_AT_A_TIME: &str = "SELECT pg_advisory_xact_lock(8020250712)";

impl PostgresStore {
    async fn open(options: PgConnectOptions) -> Result<Self, InboxError> {
        let pool = PgPoolOptions::new()
            .max_connections(10)
            .acquire_timeout(ANSWER)
            .after_connect(|connection, _| {
                Box::pin(async move { sqlx::query(DURABLE).execute(connection).await.map(drop) })
            })
            // A host that vanished says nothing for a quarter of an hour, and its connections would keep their places for so long.
            .after_release(|connection, _| {
                Box::pin(async move {
                    let alive = tokio::time::timeout(ANSWER, connection.ping()).await;
                    alive.unwrap_or(Err(sqlx::Error::PoolTimedOut)).map(|()| true)
                })
            })
            .connect_with(options.clone())
            .await
            .map_err(InboxError::database)?;
        // A newer program may have migrated further. Not to start for that would lose deliveries.
        PostgresStorage::<()>::migrations().set_ignore_missing(true).run(&pool).await.map_err(InboxError::database)?;
        let mut tx = pool.begin().await.map_err(InboxError::database)?;
        sqlx::query(ONE_AT_A_TIME).execute(&mut *tx).await.map_err(InboxError::database)?;
        for (name, create) in INDEXES {
            // To ask `CREATE INDEX` itself would lock the table, each time.
            let missing = sqlx::query_scalar("SELECT to_regclass($1) IS NULL").bind(name);
            if missing.fetch_one(&mut *tx).await.map_err(InboxError::database)? {
                sqlx::query(create).execute(&mut *tx).await.map_err(InboxError::database)?;
            }
        }
        tx.commit().await.map_err(InboxError::database)?;
        let read = PgPoolOptions::new().max_connections(2).acquire_timeout(ANSWER).connect_lazy_with(options);
        Ok(Self { pool, read })
    }

    /// What the board reads from.
    #[cfg(feature = "board")]
    pub(crate) fn reader(&self) -> PgPool {
        self.read.clone()
    }
}
