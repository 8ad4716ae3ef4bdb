use anyhow::{Context as _, bail};
use twenty_webhook_inbox::{Inbox, PostgresConfig, PostgresStore, SqliteConfig, SqliteStore};

/// An existing inbox.
pub(crate) enum Database {
    Sqlite(Inbox<SqliteStore>),
    Postgres(Inbox<PostgresStore>),
}

impl Database {
    /// Opens an SQLite file or a Postgres URL. It changes nothing. A URL with `pgbouncer=true` in its query, as Prisma has it, leads to a pooler in
    /// transaction mode.
    pub(crate) async fn open(file_or_url: &str) -> anyhow::Result<Self> {
        if file_or_url.starts_with("postgres://") || file_or_url.starts_with("postgresql://") {
            // Without the URL, which holds a password.
            let (url, has_pooler) = without_pgbouncer(file_or_url)?;
            let inbox = async {
                let config = PostgresConfig::new(&url)?;
                if has_pooler { config.transaction_pooling() } else { config }.open_existing().await
            };
            return inbox.await.map(Self::Postgres).map_err(|error| {
                // PgBouncer's answer to a session's own settings.
                let is_pooler = error.to_string().contains("unsupported startup parameter");
                let hint = if is_pooler {
                    "; if PgBouncer is in front of it, add pgbouncer=true to the URL's query"
                } else {
                    ""
                };
                anyhow::Error::new(error).context(format!("cannot open the inbox on Postgres{hint}"))
            });
        }
        let inbox = SqliteConfig::new(file_or_url).open_existing().await;
        inbox.map(Self::Sqlite).context("cannot open the inbox; --db says where it is")
    }
}

/// The URL without `pgbouncer=true` or `false` in its query, and which it was.
fn without_pgbouncer(url: &str) -> anyhow::Result<(String, bool)> {
    let Some((url, query)) = url.split_once('?') else { return Ok((url.to_owned(), false)) };
    let mut has_pooler = false;
    let mut others = Vec::new();
    for pair in query.split('&') {
        match pair.strip_prefix("pgbouncer=") {
            Some("true") => has_pooler = true,
            Some("false") => has_pooler = false,
            Some(_) => bail!("pgbouncer in the URL of --db is true or false"),
            None => others.push(pair),
        }
    }
    Ok((format!("{url}?{}", others.join("&")), has_pooler))
}

#[cfg(test)]
mod tests {
    use super::without_pgbouncer;

    #[test]
    fn pgbouncer_is_read_from_the_query() {
        for (url, expected, has_pooler) in [
            ("postgres://db/inbox", "postgres://db/inbox", false),
            ("postgres://db/inbox?pgbouncer=true", "postgres://db/inbox?", true),
            (
                "postgres://db/inbox?sslmode=require&pgbouncer=true&port=6432",
                "postgres://db/inbox?sslmode=require&port=6432",
                true,
            ),
            ("postgres://db/inbox?pgbouncer=false", "postgres://db/inbox?", false),
        ] {
            assert_eq!(without_pgbouncer(url).unwrap(), (expected.to_owned(), has_pooler), "{url}");
        }
        assert!(without_pgbouncer("postgres://db/inbox?pgbouncer=yes").is_err());
    }
}
