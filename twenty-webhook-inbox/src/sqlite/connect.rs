use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, SqliteConnection};

use crate::dialect::Dialect;
use crate::schema::SCHEMA;
use crate::sqlite::driver::Driver;
use crate::sqlite::file_identity::FileIdentity;
use crate::sqlite::write_lock::WriteLock;
use crate::{Inbox, InboxError, SqliteStore};

impl Inbox<SqliteStore> {
    /// Opens the inbox in this file, or creates it: [`SqliteConfig::new`] and [`open`](SqliteConfig::open).
    ///
    /// # Errors
    /// If it cannot be written to, is the database of another program, or stays locked.
    pub async fn sqlite(path: impl AsRef<Path>) -> Result<Self, InboxError> {
        SqliteConfig::new(path).open().await
    }

    /// Opens the inbox in the file of this pool, next to your own tables, or creates it: for
    /// [`run_in_transaction`](Self::run_in_transaction). It uses the pool's options, and separate connections, so a busy pool delays no
    /// delivery. Its tables are called `twenty_webhook_…`.
    ///
    /// The permissions of the file stay as they are. If the pool creates it, every user of the machine can usually read it, with the payloads
    /// in it. So start the program with the umask 077, or create an empty file with the mode 0600 before the pool opens it.
    ///
    /// # Errors
    /// If it cannot be written to, is in memory only, or stays locked.
    pub async fn on_sqlite_pool(pool: &SqlitePool) -> Result<Self, InboxError> {
        let options = SqliteConnectOptions::clone(&pool.connect_options());
        let path = options.get_filename().to_owned();
        if path.to_str().is_some_and(|path| path.starts_with("file:") || path == ":memory:") {
            return Err(InboxError::database("a database in memory keeps nothing"));
        }
        SqliteConfig { path, options, shares: true }.open().await
    }
}

/// The location of an inbox on SQLite.
///
/// ```no_run
/// use twenty_webhook_inbox::SqliteConfig;
///
/// # async fn run() -> Result<(), Box<dyn std::error::Error>> {
/// let inbox = SqliteConfig::new("inbox.db").open_existing().await?; // fails if the file does not exist
/// # Ok(()) }
/// ```
#[derive(Clone)]
#[must_use]
pub struct SqliteConfig {
    path: PathBuf,
    options: SqliteConnectOptions,
    /// Whether the file may hold tables of another program.
    shares: bool,
}

/// Without the options: one of a pool may be the key of an encrypted file.
impl fmt::Debug for SqliteConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqliteConfig").field("path", &self.path).finish_non_exhaustive()
    }
}

/// How long to wait for another process that has the file locked.
const BUSY: Duration = Duration::from_secs(10);

impl SqliteConfig {
    /// In this file.
    pub fn new(path: impl AsRef<Path>) -> Self {
        let path = path.as_ref().to_owned();
        Self { options: SqliteConnectOptions::new().filename(&path), path, shares: false }
    }

    /// Opens the inbox, or creates it. A file that is the database of another program is an error, and the file stays as it is.
    ///
    /// # Errors
    /// If it cannot be written to, is the database of another program, or stays locked for 10 seconds.
    pub async fn open(self) -> Result<Inbox<SqliteStore>, InboxError> {
        if !self.shares && self.is_of_another_program().await.map_err(InboxError::database)? {
            return Err(InboxError::database("the file is the database of another program"));
        }
        create(&self.path).map_err(InboxError::database)?;
        // Switches a new file to write-ahead logging.
        let options = self.options.clone().journal_mode(SqliteJournalMode::Wal);
        let store = self.store(options).await?;
        migrate(&store).await.map_err(InboxError::database)?;
        Ok(Inbox::on(store))
    }

    /// Opens an existing inbox, and does not create or change its tables. For tools that inspect an inbox.
    ///
    /// # Errors
    /// [`InboxError::NotAnInbox`] if there is none, or one of an older version; or if it cannot be opened.
    pub async fn open_existing(self) -> Result<Inbox<SqliteStore>, InboxError> {
        let shown = self.path.display().to_string();
        if !self.path.is_file() {
            return Err(InboxError::NotAnInbox(format!("there is no file at {shown}")));
        }
        // Read-only, so that a file that is no inbox stays as it is.
        let options = self.options.clone().read_only(true).busy_timeout(BUSY);
        let version = patiently(|| async {
            let mut connection = options.connect().await?;
            let version = version(&mut connection).await;
            connection.close().await?;
            version
        });
        match version.await {
            Ok(0) => return Err(InboxError::NotAnInbox(format!("{shown} is a database without an inbox in it"))),
            Ok(version) if version < SCHEMA.len() => {
                return Err(InboxError::NotAnInbox(format!("{shown} is of an older version: start its receiver once")));
            }
            Ok(_) => {}
            Err(error) if error.as_database_error().is_some_and(|error| error.code().as_deref() == Some("26")) => {
                return Err(InboxError::NotAnInbox(format!("{shown} is no SQLite database")));
            }
            Err(error) => return Err(InboxError::database(error)),
        }
        let options = self.options.clone();
        Ok(Inbox::on(self.store(options).await?))
    }

    async fn store(&self, options: SqliteConnectOptions) -> Result<SqliteStore, InboxError> {
        // If the file is missing from here on, it was deleted: do not create an empty one in its place.
        let options = options
            .create_if_missing(false)
            .busy_timeout(BUSY)
            .synchronous(SqliteSynchronous::Full)
            .pragma("journal_size_limit", "67108864");
        // A pool tries again until its deadline, and then reports only that. One connection reports why.
        let try_it = || async {
            let mut connection = options.connect().await?;
            check_is_durable(&mut connection).await?;
            connection.close().await
        };
        patiently(try_it).await.map_err(InboxError::database)?;
        let write = patiently(|| pool(1).connect_with(options.clone())).await.map_err(InboxError::database)?;
        let file = FileIdentity::of(&self.path)?;
        let write_lock = WriteLock::of(file.path()).map_err(InboxError::database)?;
        let dialect = Dialect::new(
            "twenty_webhook_",
            &[
                ("{this}", "twenty_webhook_jobs"),
                ("{index}", "twenty_webhook_"),
                ("{serial}", "INTEGER PRIMARY KEY AUTOINCREMENT"),
                ("{bytes}", "BLOB"),
                ("{another_key}", "randomblob(32)"),
                ("{now}", "CAST(unixepoch('subsec') * 1000 AS INTEGER)"),
                ("{lane_is_locked}", "TRUE"),
                ("{any}", "IN ("),
                ("{end}", ")"),
                ("{ids}", "IN (SELECT value FROM json_each($1))"),
                ("{at_most}", ""),
                ("{length}", "length"),
                ("{new_scope}", "$3"),
                ("{new_object}", "$5"),
                ("{new_record_id}", "$7"),
                ("{new_lane}", "$8"),
                ("{new_order_at}", "$9"),
                ("{pairs}", "(SELECT value ->> 0 AS id, value ->> 1 AS number FROM json_each($3))"),
                ("{skip_locked}", ""),
            ],
        );
        let read = pool(2).connect_lazy_with(options);
        Ok(SqliteStore { write, read, file, write_lock, dialect: Arc::new(dialect), driver: Driver::start()? })
    }

    /// A wrong path must neither add tables to the database of another program nor switch it to write-ahead logging.
    async fn is_of_another_program(&self) -> Result<bool, sqlx::Error> {
        if self.path.metadata().map_or(true, |metadata| metadata.len() == 0) {
            return Ok(false);
        }
        let others = "SELECT NOT EXISTS (SELECT 1 FROM sqlite_master WHERE name = 'twenty_webhook_jobs')
                      AND EXISTS (SELECT 1 FROM sqlite_master WHERE type = 'table')";
        let options = self.options.clone().busy_timeout(BUSY);
        patiently(|| async {
            let mut connection = options.connect().await?;
            let others = sqlx::query_scalar(others).fetch_one(&mut connection).await?;
            connection.close().await?;
            Ok(others)
        })
        .await
    }
}

impl SqliteStore {
    pub(super) async fn another_connection(&self) -> Result<Self, InboxError> {
        self.file.check()?;
        let options = SqliteConnectOptions::clone(&self.write.connect_options());
        let write = pool(1).connect_with(options).await.map_err(InboxError::database)?;
        let write_lock = WriteLock::of(self.file.path()).map_err(InboxError::database)?;
        Ok(Self { read: write.clone(), write, write_lock, ..self.clone() })
    }
}

/// A connection is not used again after a transaction failed on it. On a full disk SQLite may roll back by itself. Then sqlx counts one
/// transaction too many, makes savepoints where it should begin, and in the end releases one inside a transaction that is never committed.
fn pool(connections: u32) -> SqlitePoolOptions {
    SqlitePoolOptions::new()
        .max_connections(connections)
        .acquire_timeout(BUSY)
        .test_before_acquire(false)
        .idle_timeout(None)
        .max_lifetime(None)
        .after_connect(|connection, _| Box::pin(check_is_durable(connection)))
        .after_release(|connection, _| {
            Box::pin(async move {
                // Waits for the rollback of what was dropped.
                connection.ping().await?;
                Ok(!connection.is_in_transaction())
            })
        })
}

/// Options that were brought along may be weaker.
async fn check_is_durable(connection: &mut SqliteConnection) -> Result<(), sqlx::Error> {
    let mode: String = sqlx::query_scalar("PRAGMA journal_mode").fetch_one(&mut *connection).await?;
    let synchronous: i64 = sqlx::query_scalar("PRAGMA synchronous").fetch_one(&mut *connection).await?;
    // 2 is FULL, 3 is EXTRA.
    if mode == "wal" && synchronous >= 2 {
        return Ok(());
    }
    Err(sqlx::Error::Configuration(
        format!("a commit would not be on disk: journal_mode = {mode}, synchronous = {synchronous}").into(),
    ))
}

/// Creates the file, readable for its owner only. SQLite gives its other two files the same mode.
fn create(path: &Path) -> std::io::Result<()> {
    let mut options = std::fs::File::options();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    match options.open(path) {
        Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => Err(error),
        _ => Ok(()),
    }
}

/// Repeats an attempt while the file is busy. To switch a new file to write-ahead logging, SQLite takes a lock that it does not wait for: of
/// programs that start at once, all but one get `SQLITE_BUSY`.
async fn patiently<T, F>(attempt: impl Fn() -> F) -> Result<T, sqlx::Error>
where
    F: Future<Output = Result<T, sqlx::Error>>,
{
    let began = tokio::time::Instant::now();
    loop {
        match attempt().await {
            Err(error) if is_busy(&error) && began.elapsed() < BUSY => {}
            done => return done,
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// `SQLITE_BUSY`, also in its extended forms.
fn is_busy(error: &sqlx::Error) -> bool {
    let code = error.as_database_error().and_then(|error| error.code()?.parse::<u32>().ok());
    code.is_some_and(|code| code & 0xff == 5)
}

/// How many steps of the schema exist. 0: there is no inbox.
async fn version(connection: &mut SqliteConnection) -> Result<usize, sqlx::Error> {
    let is_there = "SELECT EXISTS (SELECT 1 FROM sqlite_master WHERE name = 'twenty_webhook_settings')";
    if !sqlx::query_scalar(is_there).fetch_one(&mut *connection).await? {
        return Ok(0);
    }
    let version = "SELECT value FROM twenty_webhook_settings WHERE name = 'version'";
    let version: Option<String> = sqlx::query_scalar(version).fetch_optional(connection).await?;
    Ok(version.and_then(|version| version.parse().ok()).unwrap_or(0))
}

async fn migrate(store: &SqliteStore) -> Result<(), sqlx::Error> {
    let mut tx = store.write.begin_with("BEGIN IMMEDIATE").await?;
    let version = version(&mut tx).await?;
    for step in SCHEMA.iter().skip(version) {
        sqlx::raw_sql(AssertSqlSafe(store.dialect.text(step))).execute(&mut *tx).await?;
    }
    if version < SCHEMA.len() {
        let set = "INSERT INTO twenty_webhook_settings (name, value) VALUES ('version', $1)
                   ON CONFLICT (name) DO UPDATE SET value = excluded.value";
        sqlx::query(set).bind(SCHEMA.len().to_string()).execute(&mut *tx).await?;
    }
    tx.commit().await
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Store as _;

    #[tokio::test]
    async fn every_connection_writes_ahead_and_syncs_each_commit() {
        let dir = tempfile::tempdir().unwrap();
        let inbox = Inbox::sqlite(dir.path().join("inbox.db")).await.unwrap();
        let heartbeat = inbox.store.another_connection().await.unwrap();
        for pool in [&inbox.store.write, &inbox.store.read, &heartbeat.write] {
            let mut connection = pool.acquire().await.unwrap();
            check_is_durable(&mut connection).await.unwrap();
            sqlx::query("PRAGMA synchronous = NORMAL").execute(&mut *connection).await.unwrap();
            assert!(check_is_durable(&mut connection).await.is_err());
        }
    }

    /// A heartbeat goes on while all other connections are busy.
    #[tokio::test]
    async fn a_heartbeat_has_its_own_connection() {
        let dir = tempfile::tempdir().unwrap();
        let inbox = Inbox::sqlite(dir.path().join("inbox.db")).await.unwrap();
        let heartbeat = inbox.store.reconnect().await.unwrap();
        let (write, read) = (&inbox.store.write, &inbox.store.read);
        let _busy = (write.acquire().await.unwrap(), read.acquire().await.unwrap(), read.acquire().await.unwrap());
        let beat = async {
            heartbeat.renew(&[], Duration::from_secs(1)).await.unwrap();
            heartbeat.recover(Duration::ZERO, 5).await.unwrap();
        };
        tokio::time::timeout(BUSY / 2, beat).await.unwrap();
    }

    #[test]
    fn the_key_of_an_encrypted_file_is_not_in_debug() {
        let options = SqliteConnectOptions::new().pragma("key", "canary");
        let text = format!("{:?}", SqliteConfig { options, ..SqliteConfig::new("app.db") });
        assert!(text.contains("app.db") && !text.contains("canary"), "{text}");
    }

    #[tokio::test]
    async fn weaker_options_are_replaced_or_an_error() {
        let dir = tempfile::tempdir().unwrap();
        let options = SqliteConnectOptions::new().filename(dir.path().join("app.db")).create_if_missing(true);
        let memory = options.clone().pragma("journal_mode", "MEMORY");
        let inbox = Inbox::on_sqlite_pool(&SqlitePool::connect_with(memory).await.unwrap()).await.unwrap();
        inbox.health().await.unwrap();
        // By its other name, which runs after the inbox's own.
        let weak = options.pragma("main.synchronous", "OFF");
        let error = Inbox::on_sqlite_pool(&SqlitePool::connect_with(weak.clone()).await.unwrap()).await.unwrap_err();
        assert!(error.to_string().contains("a commit would not be on disk"), "{error}");
        let later = pool(1).acquire_timeout(Duration::from_millis(100)).connect_with(weak).await;
        assert!(later.is_err(), "nor does a connection that is opened later");
        let memory = SqlitePool::connect("sqlite::memory:").await.unwrap();
        assert!(Inbox::on_sqlite_pool(&memory).await.is_err());
    }
}
