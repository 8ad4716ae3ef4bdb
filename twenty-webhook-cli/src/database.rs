use anyhow::Context as _;
use twenty_webhook_inbox::{Inbox, PostgresConfig, PostgresStore, SqliteConfig, SqliteStore};

/// An existing inbox.
pub(crate) enum Database {
    Sqlite(Inbox<SqliteStore>),
    Postgres(Inbox<PostgresStore>),
}

impl Database {
    /// Opens an SQLite file or a Postgres URL. It changes nothing.
    pub(crate) async fn open(file_or_url: &str) -> anyhow::Result<Self> {
        if file_or_url.starts_with("postgres://") || file_or_url.starts_with("postgresql://") {
            // Without the URL, which holds a password.
            let inbox = async { PostgresConfig::new(file_or_url)?.open_existing().await };
            return inbox.await.map(Self::Postgres).context("cannot open the inbox on Postgres");
        }
        let inbox = SqliteConfig::new(file_or_url).open_existing().await;
        inbox.map(Self::Sqlite).context("cannot open the inbox; --db says where it is")
    }
}
