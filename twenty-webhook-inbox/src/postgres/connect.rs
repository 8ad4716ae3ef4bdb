use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use sqlx::error::DatabaseError;
use sqlx::postgres::{PgConnectOptions, PgPool, PgPoolOptions};
use sqlx::{AssertSqlSafe, Connection as _, Executor as _, PgConnection, Row as _};
use tokio::time::{Instant, sleep};

use crate::dialect::Dialect;
use crate::new_job::lane;
use crate::postgres::{claim, insert};
use crate::schema::SCHEMA;
use crate::{Inbox, InboxError, PostgresStore};

impl Inbox<PostgresStore> {
    /// Opens the inbox in this database, or creates it: [`PostgresConfig::new`] and [`open`](PostgresConfig::open). `url` is
    /// `postgres://user:password@host:port/database`.
    ///
    /// # Errors
    /// If `url` is not a URL of a Postgres database, the database cannot be reached or its encoding is not UTF8, or the schema cannot be
    /// created.
    pub async fn postgres(url: &str) -> Result<Self, InboxError> {
        PostgresConfig::new(url)?.open().await
    }

    /// Opens the inbox in the database of this pool, or creates it, in the schema `twenty_webhook`: for
    /// [`run_in_transaction`](Self::run_in_transaction), whose transactions come from the pool. Everything else has separate connections, so
    /// a busy pool delays no delivery.
    ///
    /// # Errors
    /// If the database cannot be reached, its encoding is not UTF8, or the schema cannot be created.
    pub async fn on_postgres_pool(pool: &PgPool) -> Result<Self, InboxError> {
        PostgresConfig::on_pool(pool).open().await
    }
}

/// The location of an inbox on Postgres, and how to connect to it.
///
/// ```no_run
/// use twenty_webhook_inbox::PostgresConfig;
///
/// # async fn run() -> Result<(), Box<dyn std::error::Error>> {
/// let inbox = PostgresConfig::new("postgres://user:password@localhost/crm")?.schema("webhooks").open().await?;
/// # Ok(()) }
/// ```
#[derive(Clone)]
#[must_use]
pub struct PostgresConfig {
    options: PgConnectOptions,
    schema: String,
    handlers: Option<PgPool>,
    transaction_pooling: bool,
}

/// Without the password, which sqlx would print.
impl fmt::Debug for PostgresConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PostgresConfig")
            .field("host", &self.options.get_host())
            .field("port", &self.options.get_port())
            .field("database", &self.options.get_database())
            .field("schema", &self.schema)
            .field("transaction_pooling", &self.transaction_pooling)
            .finish_non_exhaustive()
    }
}

/// Longer than a server that works takes to answer.
const ANSWER: Duration = Duration::from_secs(5);

/// Runs on every new connection. It changes `synchronous_commit` only if that is `off`, because all other values wait for the disk. If a
/// client vanishes or is stopped in the middle of a transaction, its locks are free within half a minute. A claim takes locks, and then must
/// see what others committed until then.
const SESSION: &str =
    "SELECT set_config('default_transaction_isolation', 'read committed', false), set_config('synchronous_commit', CASE current_setting('synchronous_commit') WHEN 'off' THEN 'on'
        ELSE current_setting('synchronous_commit') END, false),
    set_config('idle_in_transaction_session_timeout', '15s', false), set_config('lock_timeout', '10s', false),
    set_config('tcp_keepalives_idle', '10', false), set_config('tcp_keepalives_interval', '5', false),
    set_config('tcp_keepalives_count', '3', false), set_config('tcp_user_timeout', '25000', false)";

/// For claims, completions and inserts. To plan one takes as long as to run it, so that is done once for each connection, perhaps while the
/// table is empty: an index is right at any size. To compile one takes a hundred times as long.
const PLAN_ONCE: &str = "SELECT set_config('plan_cache_mode', 'force_generic_plan', false), set_config('jit', 'off', false),
    set_config('enable_seqscan', 'off', false), set_config('enable_bitmapscan', 'off', false), set_config('enable_sort', 'off', false),
    set_config('enable_hashjoin', 'off', false), set_config('enable_mergejoin', 'off', false)";

/// For reads, which are planned once, too, if they have no parameter.
const READ: &str = "SELECT set_config('enable_seqscan', 'off', false)";

/// The same as [`SESSION`], for a session that other programs use between two transactions. The connection to the server is the pooler's.
pub(super) const BEGIN: &str =
    "BEGIN ISOLATION LEVEL READ COMMITTED; SELECT set_config('synchronous_commit', CASE current_setting('synchronous_commit') WHEN 'off' THEN 'on'
        ELSE current_setting('synchronous_commit') END, true),
    set_config('idle_in_transaction_session_timeout', '15s', true), set_config('lock_timeout', '10s', true)";

/// Without it, one of two programs that start at once would fail. The number is arbitrary.
const ONE_AT_A_TIME: &str = "SELECT pg_advisory_xact_lock(8020250712)";

/// Longer than `deadlock_timeout` (a second by default): then a session that waits cancels an automatic vacuum.
const LOCK_BRIEFLY: &str = "SET LOCAL lock_timeout = '1500ms'";
/// How long a migration tries to get its locks.
const MIGRATION_DEADLINE: Duration = Duration::from_secs(10);
/// Between two tries, so that waiting deliveries are stored.
const RETRY_PAUSE: Duration = Duration::from_millis(500);

impl PostgresConfig {
    /// In the database at this URL, in the schema `twenty_webhook`.
    ///
    /// # Errors
    /// If it is not a URL of a Postgres database.
    pub fn new(url: &str) -> Result<Self, InboxError> {
        let options = url.parse().map_err(InboxError::database)?;
        Ok(Self { options, schema: "twenty_webhook".to_owned(), handlers: None, transaction_pooling: false })
    }

    /// In the database of this pool: see [`Inbox::on_postgres_pool`].
    pub fn on_pool(pool: &PgPool) -> Self {
        let options = PgConnectOptions::clone(&pool.connect_options());
        Self { options, schema: "twenty_webhook".to_owned(), handlers: Some(pool.clone()), transaction_pooling: false }
    }

    /// Sets the schema. The default is `twenty_webhook`. Two inboxes in one database need two.
    pub fn schema(mut self, schema: impl Into<String>) -> Self {
        self.schema = schema.into();
        self
    }

    /// For a server behind a pooler that hands out its sessions one transaction at a time: `PgBouncer` with `pool_mode = transaction`, of any
    /// version. Without this, an inbox needs its sessions for itself.
    ///
    /// Each statement is then run in a transaction, which makes its own settings, and is prepared each time: that costs a few round trips to
    /// the pooler. For [`run_in_transaction`](Inbox::run_in_transaction), a handler's own queries need
    /// [`persistent(false)`](sqlx::query::Query::persistent), unless the pooler keeps prepared statements (`PgBouncer` 1.21 or newer with
    /// `max_prepared_statements`); and `synchronous_commit` and `default_transaction_isolation` are the pooler's or the role's.
    pub fn transaction_pooling(mut self) -> Self {
        self.transaction_pooling = true;
        // PgBouncer refuses a setting at the start of a session that it does not know.
        self.options = self.options.extra_float_digits(None);
        self
    }

    /// Opens the inbox, or creates it.
    ///
    /// # Errors
    /// If the database cannot be reached, its encoding is not UTF8, or the schema cannot be created.
    pub async fn open(self) -> Result<Inbox<PostgresStore>, InboxError> {
        let store = self.connect().await?;
        self.migrate(&store).await.map_err(InboxError::database)?;
        Ok(Inbox::on(store))
    }

    /// Opens an existing inbox, and does not create or change its tables. For tools that inspect an inbox.
    ///
    /// # Errors
    /// [`InboxError::NotAnInbox`] if there is none, or one of an older version; or if it cannot be reached within 5 seconds.
    pub async fn open_existing(self) -> Result<Inbox<PostgresStore>, InboxError> {
        // A pool tries again until its deadline, and then reports only that. One connection reports why.
        let connecting = tokio::time::timeout(ANSWER, PgConnection::connect_with(&self.options)).await;
        let connection = connecting.map_err(|_| InboxError::database("no answer from the server within 5 seconds"))?;
        let _ = connection.map_err(InboxError::database)?.close().await;
        let store = self.connect().await?;
        let version = self.version(&store, &mut *store.reader().await?).await.map_err(InboxError::database)?;
        match version {
            0 => {
                Err(InboxError::NotAnInbox(format!("the database has no schema {:?} with an inbox in it", self.schema)))
            }
            version if version < SCHEMA.len() => {
                Err(InboxError::NotAnInbox("it is of an older version: start its receiver once".to_owned()))
            }
            _ => Ok(Inbox::on(store)),
        }
    }

    async fn connect(&self) -> Result<PostgresStore, InboxError> {
        // What operators ask is not tried again, so its connections are tested first.
        let read = pool(2, &[SESSION, READ], self.transaction_pooling).test_before_acquire(true);
        let read = read.connect_lazy_with(self.options.clone());
        let handlers = || pool(10, &[SESSION], self.transaction_pooling).connect_lazy_with(self.options.clone());
        let handlers = self.handlers.clone().unwrap_or_else(handlers);
        let pool = pool(10, &[SESSION, PLAN_ONCE], self.transaction_pooling);
        let pool = pool.connect_with(self.options.clone()).await.map_err(InboxError::database)?;
        check_encoding(&pool).await?;
        let schema = format!("\"{}\"", self.schema.replace('"', "\"\""));
        // Advisory locks belong to the whole database, and another inbox in it may have lanes of the same records.
        let salt = format!("({})::bigint", lane(&self.schema, ""));
        let dialect = Dialect::new(
            &format!("{schema}."),
            &[
                ("{insert}", insert::ROWS),
                ("{is_known}", claim::KNOWN),
                ("{this}", "jobs"),
                ("{at}", "array_position($1::bigint[], seq)"),
                ("{index}", ""),
                ("{schema}", &schema),
                ("{salt}", &salt),
                ("{at_most}", "LIMIT 100001"),
                ("{serial}", "BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY"),
                ("{bytes}", "BYTEA"),
                ("{another_key}", "sha256(key || int8send(seq))"),
                ("{now}", "(extract(epoch FROM now()) * 1000)::bigint"),
                ("{lane_is_locked}", &format!("pg_advisory_xact_lock(lane # {salt}) IS NOT NULL")),
                ("{any}", "= ANY(ARRAY("),
                ("{end}", "))"),
                ("{ids}", "= ANY($1)"),
                ("{length}", "octet_length"),
                ("{new_scope}", "job.scope"),
                ("{new_object}", "job.object"),
                ("{new_record_id}", "job.record_id"),
                ("{new_lane}", "job.lane"),
                ("{new_order_at}", "job.order_at"),
                (
                    "{pairs}",
                    "(SELECT e ->> 0 AS id, (e ->> 1)::bigint AS number FROM json_array_elements($3::json) AS e)",
                ),
                ("{skip_locked}", "FOR UPDATE SKIP LOCKED"),
            ],
        );
        let dialect = if self.transaction_pooling { dialect.without_prepared() } else { dialect };
        let transaction_pooling = self.transaction_pooling;
        Ok(PostgresStore {
            pool,
            intake: Arc::default(),
            read,
            handlers,
            handlers_are_borrowed: self.handlers.is_some(),
            had_followers: Arc::default(),
            dialect: Arc::new(dialect),
            transaction_pooling,
        })
    }

    /// How many steps of the schema exist. 0: there is no inbox.
    async fn version(&self, store: &PostgresStore, connection: &mut PgConnection) -> Result<usize, sqlx::Error> {
        let is_there = "SELECT EXISTS (SELECT 1 FROM pg_tables WHERE schemaname = $1 AND tablename = 'settings')";
        if !store.dialect.scalar(is_there).bind(&self.schema).fetch_one(&mut *connection).await? {
            return Ok(0);
        }
        let version = store.dialect.scalar("SELECT value FROM {settings} WHERE name = 'version'");
        let version: Option<String> = version.fetch_optional(connection).await?;
        Ok(version.and_then(|version| version.parse().ok()).unwrap_or(0))
    }

    /// Adds what the schema lacks. All deliveries queue behind a statement that changes a table and waits for its lock. So it waits only
    /// briefly, and tries again while another session, such as a backup, reads the table.
    async fn migrate(&self, store: &PostgresStore) -> Result<(), sqlx::Error> {
        let began = Instant::now();
        loop {
            match self.try_migrate(store).await {
                Err(error) if is_lock_timeout(&error) && began.elapsed() < MIGRATION_DEADLINE => {
                    sleep(RETRY_PAUSE).await;
                }
                migrated => return migrated,
            }
        }
    }

    async fn try_migrate(&self, store: &PostgresStore) -> Result<(), sqlx::Error> {
        let mut tx = store.begin().await?;
        // Take no lock if nothing is missing.
        if self.version(store, &mut tx).await? >= SCHEMA.len() {
            return tx.rollback().await;
        }
        store.dialect.query(LOCK_BRIEFLY).execute(&mut *tx).await?;
        store.dialect.query(ONE_AT_A_TIME).execute(&mut *tx).await?;
        let version = self.version(store, &mut tx).await?;
        if version == 0 {
            store.dialect.query("CREATE SCHEMA IF NOT EXISTS {schema}").execute(&mut *tx).await?;
        }
        for (number, step) in SCHEMA.iter().enumerate().skip(version) {
            // An index is created in the schema of its table, so its name has none.
            sqlx::raw_sql(AssertSqlSafe(store.dialect.text(step))).execute(&mut *tx).await?;
            if number == 0 {
                // A queue changes all the time, so keep its statistics up to date.
                let tune = "ALTER TABLE {jobs} SET (autovacuum_vacuum_scale_factor = 0.02, autovacuum_analyze_scale_factor = 0.02)";
                store.dialect.query(tune).execute(&mut *tx).await?;
            }
        }
        let set = "INSERT INTO {settings} (name, value) VALUES ('version', $1)
                   ON CONFLICT (name) DO UPDATE SET value = excluded.value";
        store.dialect.query(set).bind(SCHEMA.len().to_string()).execute(&mut *tx).await?;
        tx.commit().await
    }
}

fn is_lock_timeout(error: &sqlx::Error) -> bool {
    // lock_not_available
    error.as_database_error().and_then(DatabaseError::code).is_some_and(|code| code == "55P03")
}

impl PostgresStore {
    /// For deliveries. Not from the pool: if the server's host has vanished, each of those in it would hang, one after the other.
    pub(super) async fn intake_connection(&self) -> Result<PgConnection, sqlx::Error> {
        let mut connection = PgConnection::connect_with(&self.pool.connect_options()).await?;
        set(&mut connection, &[SESSION, PLAN_ONCE], self.transaction_pooling).await?;
        Ok(connection)
    }

    pub(super) async fn another_connection(&self) -> Result<Self, InboxError> {
        let options = PgConnectOptions::clone(&self.pool.connect_options());
        let pool = pool(1, &[SESSION, PLAN_ONCE], self.transaction_pooling);
        let pool = pool.connect_with(options).await.map_err(InboxError::database)?;
        Ok(Self { read: pool.clone(), pool, intake: Arc::default(), ..self.clone() })
    }
}

/// Twenty's texts have all characters. Another encoding lacks most of them.
async fn check_encoding(pool: &PgPool) -> Result<(), InboxError> {
    let row = pool.fetch_one(sqlx::raw_sql("SELECT current_setting('server_encoding')")).await;
    let encoding: String = row.and_then(|row| row.try_get(0)).map_err(InboxError::database)?;
    if encoding == "UTF8" {
        return Ok(());
    }
    Err(InboxError::database(format!(
        "the encoding of the database is {encoding}: an inbox needs one in UTF8 (CREATE DATABASE … ENCODING 'UTF8' TEMPLATE template0)"
    )))
}

/// Makes the settings of a new connection. Behind a pooler they are made for each transaction.
async fn set(
    connection: &mut PgConnection,
    settings: &[&'static str],
    transaction_pooling: bool,
) -> Result<(), sqlx::Error> {
    for set in settings.iter().filter(|_| !transaction_pooling) {
        sqlx::query(*set).execute(&mut *connection).await?;
    }
    Ok(())
}

fn pool(connections: u32, settings: &'static [&'static str], transaction_pooling: bool) -> PgPoolOptions {
    PgPoolOptions::new()
        .max_connections(connections)
        .acquire_timeout(ANSWER)
        // They are tested on release. If one dies in between, one statement fails, and is repeated.
        .test_before_acquire(false)
        .after_connect(move |connection, _| Box::pin(set(connection, settings, transaction_pooling)))
        // Connections to a host that vanished would stay in the pool for a quarter of an hour.
        .after_release(|connection, _| {
            Box::pin(async move {
                let alive = tokio::time::timeout(ANSWER, connection.ping()).await;
                alive.unwrap_or(Err(sqlx::Error::PoolTimedOut)).map(|()| true)
            })
        })
}
