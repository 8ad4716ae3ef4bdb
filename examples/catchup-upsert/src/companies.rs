use sqlx::sqlite::{SqliteConnectOptions, SqlitePool, SqlitePoolOptions, SqliteRow};
use sqlx::{Row, SqliteConnection};
use twenty_webhook_catchup::{
    CatchUpCommit, CatchUpStore, IdCounts, InboxError, KnownRecord, MissingRecord, WebhookEvent,
};
use twenty_webhook_core::records::Company;
use twenty_webhook_core::{Action, jiff};

const SCHEMA: &str = "
CREATE TABLE IF NOT EXISTS companies (id TEXT PRIMARY KEY, name TEXT, updated_at INTEGER NOT NULL, is_deleted INTEGER NOT NULL,
    pass INTEGER NOT NULL, key_tag TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS progress (name TEXT PRIMARY KEY, value TEXT NOT NULL);
";

/// Keeps the newer state, so writing an event twice changes nothing.
const UPSERT: &str = "INSERT INTO companies (id, name, updated_at, is_deleted, pass, key_tag) VALUES ($1, $2, $3, $4, $5, $6)
    ON CONFLICT (id) DO UPDATE SET name = excluded.name, updated_at = excluded.updated_at, is_deleted = excluded.is_deleted
    WHERE excluded.updated_at >= companies.updated_at";

/// The table of companies, and the progress of catch-up. It ignores scope and object, because there is one of each.
#[derive(Clone, Debug)]
pub(crate) struct Companies(pub(crate) SqlitePool);

impl Companies {
    pub(crate) async fn open(path: impl AsRef<std::path::Path>) -> anyhow::Result<Self> {
        let options = SqliteConnectOptions::new().filename(path).create_if_missing(true);
        let pool = SqlitePoolOptions::new().max_connections(1).connect_with(options).await?;
        sqlx::raw_sql(SCHEMA).execute(&pool).await?;
        Ok(Self(pool))
    }

    async fn write(&self, tx: &mut SqliteConnection, commit: &CatchUpCommit) -> anyhow::Result<()> {
        for event in &commit.events {
            handle(tx, event, commit).await?;
        }
        for found in &commit.found {
            let seen = sqlx::query("UPDATE companies SET pass = $2, key_tag = $3 WHERE id = $1");
            seen.bind(&found.id).bind(commit.pass).bind(&commit.key_tag).execute(&mut *tx).await?;
        }
        for (name, value) in &commit.progress {
            let save = sqlx::query("INSERT OR REPLACE INTO progress (name, value) VALUES ($1, $2)");
            save.bind(name).bind(value).execute(&mut *tx).await?;
        }
        Ok(())
    }
}

async fn handle(tx: &mut SqliteConnection, event: &WebhookEvent, commit: &CatchUpCommit) -> anyhow::Result<()> {
    let id = event.record_id().unwrap_or_default();
    if *event.action() == Action::Destroyed {
        sqlx::query("DELETE FROM companies WHERE id = $1").bind(id).execute(tx).await?;
        return Ok(());
    }
    let company: Company = event.record()?;
    let upsert = sqlx::query(UPSERT)
        .bind(id)
        .bind(company.name)
        .bind(event.record_updated_at().map(jiff::Timestamp::as_millisecond))
        .bind(*event.action() == Action::Deleted)
        .bind(commit.pass)
        .bind(&commit.key_tag);
    upsert.execute(tx).await?;
    Ok(())
}

impl CatchUpStore for Companies {
    async fn progress(&self, _: &str, name: &str) -> Result<Option<String>, InboxError> {
        let value = sqlx::query_scalar("SELECT value FROM progress WHERE name = $1").bind(name);
        value.fetch_optional(&self.0).await.map_err(InboxError::database)
    }

    async fn known(&self, _: &str, _: &str, ids: &[String]) -> Result<Vec<KnownRecord>, InboxError> {
        let mut all = Vec::new();
        for id in ids {
            let state = sqlx::query_scalar("SELECT updated_at FROM companies WHERE id = $1").bind(id);
            let state: Option<i64> = state.fetch_optional(&self.0).await.map_err(InboxError::database)?;
            all.push(KnownRecord {
                state,
                is_handled: state.is_some(),
                is_seen: state.is_some(),
                ..KnownRecord::default()
            });
        }
        Ok(all)
    }

    async fn commit(&self, commit: CatchUpCommit) -> Result<u64, InboxError> {
        let mut tx = self.0.begin().await.map_err(InboxError::database)?;
        self.write(&mut tx, &commit).await.map_err(InboxError::database)?;
        tx.commit().await.map_err(InboxError::database)?;
        Ok(commit.events.len() as u64)
    }

    async fn count_ids(&self, _: &str, _: &str, pass: i64, key_tag: &str) -> Result<IdCounts, InboxError> {
        let count = "SELECT count(*) AS known, coalesce(sum(pass <> $1 AND key_tag = $2), 0) AS missing,
            coalesce(sum(pass <> $1 AND key_tag <> $2), 0) AS unproven FROM companies";
        let row = sqlx::query(count).bind(pass).bind(key_tag).fetch_one(&self.0).await.map_err(InboxError::database)?;
        let count = |name| row.get::<i64, _>(name).unsigned_abs();
        Ok(IdCounts { known: count("known"), missing: count("missing"), unproven: count("unproven") })
    }

    async fn missing(
        &self,
        _: &str,
        _: &str,
        pass: i64,
        key_tag: Option<&str>,
        after: &str,
        limit: u32,
    ) -> Result<Vec<MissingRecord>, InboxError> {
        let missing = sqlx::query(
            "SELECT id, updated_at FROM companies WHERE pass <> $1 AND id > $2 AND ($3 IS NULL OR key_tag = $3) ORDER BY id LIMIT $4",
        );
        let rows = missing.bind(pass).bind(after).bind(key_tag).bind(limit).fetch_all(&self.0).await;
        let read = |row: &SqliteRow| MissingRecord { id: row.get("id"), state: Some(row.get("updated_at")) };
        Ok(rows.map_err(InboxError::database)?.iter().map(read).collect())
    }
}
