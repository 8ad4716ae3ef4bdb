use std::path::{Path, PathBuf};
use std::time::Duration;

use apalis_sqlite::{SqliteConnectOptions, SqlitePool, SqlitePoolOptions, SqliteStorage};
use sqlx::sqlite::{SqliteJournalMode, SqliteSynchronous};
use sqlx::{ConnectOptions, Connection};

use crate::sqlite::file::FileIdentity;
use crate::sqlite::turn::Turns;
use crate::{Inbox, InboxError, SqliteStore};

impl Inbox<SqliteStore> {
    /// Opens the inbox in this file, or makes it.
    ///
    /// # Errors
    /// If it cannot be written to, is no inbox, or stays locked.
    pub async fn sqlite(path: impl AsRef<Path>) -> Result<Self, InboxError> {
        Ok(Self::on(SqliteStore::open(path.as_ref()).await?))
    }
}

/// How long to wait for another process that has the file locked.
const BUSY: Duration = Duration::from_secs(10);

impl SqliteStore {
    /// A connection on which a transaction went wrong is not used again. On a full disk SQLite may roll back by itself; sqlx then counts a
    /// transaction too many, from there on makes savepoints where it should begin, and in the end releases one inside a transaction that
    /// nobody commits: a commit that is none.
    async fn open(path: &Path) -> Result<Self, InboxError> {
        let options = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(true)
            .busy_timeout(BUSY)
            // apalis' own set-up would turn `synchronous` off, so it is not called.
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .pragma("journal_size_limit", "67108864");
        let pool = |connections| {
            SqlitePoolOptions::new()
                .max_connections(connections)
                .acquire_timeout(BUSY)
                .idle_timeout(None)
                .max_lifetime(None)
                .after_release(|connection, _| {
                    Box::pin(async move {
                        // Waits for the rollback of what was dropped.
                        connection.ping().await?;
                        Ok(!connection.is_in_transaction())
                    })
                })
        };
        if is_of_another_program(path).await.map_err(InboxError::database)? {
            return Err(InboxError::database("the file is the database of another program"));
        }
        let write = patiently(|| pool(1).connect_with(options.clone())).await.map_err(InboxError::database)?;
        migrate(&write).await?;
        // From here on a file that is missing was deleted: a new and empty one would be no better.
        let options = options.create_if_missing(false);
        write.set_connect_options(options.clone());
        let read = pool(2).connect_lazy_with(options);
        let turns = Turns::of(path).map_err(InboxError::database)?;
        Ok(Self { write, read, file: FileIdentity::of(path)?, turns })
    }

    /// What the board reads from.
    #[cfg(feature = "board")]
    pub(crate) fn reader(&self) -> SqlitePool {
        self.read.clone()
    }

    /// The path that it was opened at.
    pub fn path(&self) -> PathBuf {
        self.file.path().to_owned()
    }
}

/// To turn a new file to write-ahead logging takes a lock that SQLite does not wait for: of programs that start at once, all but one are
/// told that it is busy.
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

/// `SQLITE_BUSY`, in whatever extended form.
fn is_busy(error: &sqlx::Error) -> bool {
    let code = error.as_database_error().and_then(|error| error.code()?.parse::<u32>().ok());
    code.is_some_and(|code| code & 0xff == 5)
}

/// A path that was mixed up must not put our tables into the database of another program, nor turn it to write-ahead logging.
async fn is_of_another_program(path: &Path) -> Result<bool, sqlx::Error> {
    if path.metadata().map_or(true, |metadata| metadata.len() == 0) {
        return Ok(false);
    }
    let others = "SELECT (SELECT count(*) FROM sqlite_master WHERE name IN ('Jobs', 'Workers')) < 2 AND EXISTS \
                  (SELECT 1 FROM sqlite_master WHERE type = 'table' AND name NOT IN ('_sqlx_migrations', 'Jobs', 'Workers'))";
    let options = SqliteConnectOptions::new().filename(path).busy_timeout(BUSY);
    patiently(|| async {
        let mut connection = options.connect().await?;
        let others = sqlx::query_scalar(others).fetch_one(&mut connection).await?;
        connection.close().await?;
        Ok(others)
    })
    .await
}

/// A newer program may have migrated further; not to start for that would lose deliveries. SQLite has no lock around migrations, so of
/// two programs that start at once one may have to look again.
async fn migrate(pool: &SqlitePool) -> Result<(), InboxError> {
    let mut tries = 0;
    loop {
        let mut migrations = SqliteStorage::<()>::migrations();
        migrations.set_ignore_missing(true);
        match migrations.run(pool).await {
            Ok(()) => return Ok(()),
            Err(_) if tries < 20 => tries += 1,
            Err(error) => return Err(InboxError::database(error)),
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn every_connection_writes_ahead_and_syncs_each_commit() {
        let dir = tempfile::tempdir().unwrap();
        let store = SqliteStore::open(&dir.path().join("inbox.db")).await.unwrap();
        for pool in [&store.write, &store.read] {
            let mut connection = pool.acquire().await.unwrap();
            let mode: String = sqlx::query_scalar("PRAGMA journal_mode").fetch_one(&mut *connection).await.unwrap();
            let synchronous: i64 = sqlx::query_scalar("PRAGMA synchronous").fetch_one(&mut *connection).await.unwrap();
            assert_eq!((mode.as_str(), synchronous), ("wal", 2), "2 is FULL");
        }
    }
}
