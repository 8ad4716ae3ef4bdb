use anyhow::Context;
use sqlx::SqlitePool;
use sqlx::sqlite::SqliteConnectOptions;
use twenty_webhook_axum::{Secret, SourceError, Target, Verifier, VerifierSource};

/// The workspaces and their secrets.
#[derive(Clone)]
pub(crate) struct Tenants(SqlitePool);

impl Tenants {
    /// Opens the database at `path`. A new one gets three workspaces with random secrets.
    pub(crate) async fn open(path: &str) -> anyhow::Result<Self> {
        let options = SqliteConnectOptions::new().filename(path).create_if_missing(true);
        let tenants = Self(SqlitePool::connect_with(options).await.with_context(|| format!("cannot open {path}"))?);
        sqlx::query("CREATE TABLE IF NOT EXISTS tenants (name TEXT PRIMARY KEY, secret TEXT NOT NULL, previous TEXT)")
            .execute(&tenants.0)
            .await?;
        for name in ["acme", "globex", "initech"] {
            sqlx::query(
                "INSERT INTO tenants (name, secret) VALUES (?, lower(hex(randomblob(32)))) ON CONFLICT DO NOTHING",
            )
            .bind(name)
            .execute(&tenants.0)
            .await?;
        }
        Ok(tenants)
    }

    pub(crate) async fn names(&self) -> anyhow::Result<Vec<String>> {
        Ok(sqlx::query_scalar("SELECT name FROM tenants ORDER BY name").fetch_all(&self.0).await?)
    }

    /// Sets a new secret, and still accepts the previous one.
    #[cfg_attr(not(test), expect(dead_code, reason = "an operator does this in SQL; the test shows how"))]
    pub(crate) async fn rotate(&self, name: &str, secret: &str) -> anyhow::Result<()> {
        let rotate = "UPDATE tenants SET previous = secret, secret = ? WHERE name = ?";
        sqlx::query(rotate).bind(secret).bind(name).execute(&self.0).await?;
        Ok(())
    }

    /// No longer accepts the previous secret.
    #[cfg_attr(not(test), expect(dead_code, reason = "an operator does this in SQL; the test shows how"))]
    pub(crate) async fn forget_previous(&self, name: &str) -> anyhow::Result<()> {
        sqlx::query("UPDATE tenants SET previous = NULL WHERE name = ?").bind(name).execute(&self.0).await?;
        Ok(())
    }
}

impl VerifierSource for Tenants {
    async fn verifier(&self, target: &Target<'_>) -> Result<Option<Verifier>, SourceError> {
        let Some(name) = target.path.strip_prefix("/webhooks/") else { return Ok(None) };
        let found: Option<(String, Option<String>)> =
            sqlx::query_as("SELECT secret, previous FROM tenants WHERE name = ?")
                .bind(name)
                .fetch_optional(&self.0)
                .await?;
        let Some((secret, previous)) = found else { return Ok(None) };
        // With the same tenant name after a rotation, a delivery that Twenty sends again is still a duplicate.
        let verifier = Verifier::new(Secret::new(secret)?).tenant(name);
        Ok(Some(match previous {
            Some(previous) => verifier.also_accept(Secret::new(previous)?),
            None => verifier,
        }))
    }
}
