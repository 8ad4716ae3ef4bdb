//! What both databases do alike for catch-up. Lists are bound as JSON: `[[id, number], …]`.

use crate::new_job::lane;
use crate::{CatchUpScope, Found};

/// Those that were caught up are known when their last delivery is deleted.
pub(crate) const SCOPES: &str = "SELECT tenant, scope FROM {jobs} WHERE NOT caught_up
    UNION SELECT tenant, scope FROM {catch_up} WHERE scope <> '' AND name <> 'lease' LIMIT 2";

/// What was saved before any delivery said which workspace it is of; unless that has something of its own.
pub(crate) const ADOPT_JOBS: &str =
    "UPDATE {jobs} SET tenant = $2, scope = $1 WHERE caught_up AND scope = '' AND scope <> $1
    AND NOT EXISTS (SELECT 1 FROM {catch_up} WHERE scope = $1 AND name <> 'lease')";

pub(crate) const ADOPT_KNOWN: &str = "UPDATE {known} SET scope = $1 WHERE scope = '' AND scope <> $1
    AND NOT EXISTS (SELECT 1 FROM {catch_up} WHERE scope = $1 AND name <> 'lease')";

pub(crate) const ADOPT_PROGRESS: &str =
    "UPDATE {catch_up} SET tenant = $2, scope = $1 WHERE scope = '' AND scope <> $1 AND name <> 'lease'
    AND NOT EXISTS (SELECT 1 FROM {catch_up} WHERE scope = $1 AND name <> 'lease')";

/// A clock that was set back must not leave a lease for ever.
pub(crate) const LEASE: &str = "INSERT INTO {catch_up} AS c (scope, name, value, lease_token, lease_until)
    VALUES ($1, 'lease', '', $2, {now} + $3) ON CONFLICT (scope, name)
    DO UPDATE SET lease_token = excluded.lease_token, lease_until = excluded.lease_until
    WHERE c.lease_token = excluded.lease_token OR c.lease_until < {now} OR c.lease_until > {now} + 10 * $3";

pub(crate) const RELEASE: &str =
    "UPDATE {catch_up} SET lease_until = 0 WHERE scope = $1 AND name = 'lease' AND lease_token = $2";

pub(crate) const HOLD: &str = "UPDATE {catch_up} SET lease_until = {now} + $3
    WHERE scope = $1 AND name = 'lease' AND lease_token = $2 AND lease_until >= {now}";

pub(crate) const PROGRESS: &str = "SELECT value FROM {catch_up} WHERE scope = $1 AND name = $2";

pub(crate) const SAVE: &str = "INSERT INTO {catch_up} (scope, name, value, tenant) VALUES ($1, $2, $3, $4)
    ON CONFLICT (scope, name) DO UPDATE SET value = excluded.value";

/// `$1` is the scope, `$2` the object; numbers are lanes.
pub(crate) const KNOWN: &str =
    "SELECT p.id AS id, k.id IS NOT NULL AS is_known, k.updated_at AS updated_at, k.handled AS handled,
    (SELECT max(o.order_at) FROM {jobs} o WHERE o.lane = p.number AND o.state <= 2 AND o.scope = $1 AND o.object = $2
        AND o.record_id = p.id AND o.dated) AS open_at,
    (SELECT max(d.order_at) FROM {jobs} d WHERE d.lane = p.number AND d.state = 3 AND d.scope = $1 AND d.object = $2
        AND d.record_id = p.id AND d.dated AND NOT (d.caught_up AND d.action = 'destroyed')) AS done_at,
    (SELECT max(x.order_at) FROM {jobs} x WHERE x.lane = p.number AND x.state = 4 AND x.scope = $1 AND x.object = $2
        AND x.record_id = p.id AND x.dated) AS dead_at,
    (SELECT max(x.seq) FROM {jobs} x WHERE x.lane = p.number AND x.state = 4 AND x.scope = $1 AND x.object = $2
        AND x.record_id = p.id AND x.dated) AS dead
    FROM {pairs} AS p LEFT JOIN {known} k ON k.scope = $1 AND k.object = $2 AND k.id = p.id";

/// A record that was found disproves the `destroyed` that catch-up said before: that is no longer the newest there is.
pub(crate) const DISPROVE: &str = "UPDATE {jobs} SET dated = FALSE, order_at = stored_at,
    state = CASE WHEN state <= 1 THEN 3 ELSE state END, finished_at = coalesce(finished_at, {now})
    WHERE caught_up AND lane IN (SELECT number FROM {pairs} AS p) AND action = 'destroyed' AND dated AND scope = $1 AND object = $2
    AND record_id IN (SELECT id FROM {pairs} AS p)";

/// Left out where a state that is as new, or newer, is pending, running or done.
pub(crate) const INSERT: &str = "INSERT INTO {jobs} (key, tenant, scope, name, object, action, record_id, lane, order_at, dated, event_date,
        run_at, stored_at, body, caught_up)
    SELECT $1, $2, $3, $4, $5, $6, $7, $8, $9, TRUE, $10, {now}, {now}, $11, TRUE
    WHERE NOT EXISTS (SELECT 1 FROM {jobs} o WHERE o.lane = $8 AND o.state <= 2 AND o.scope = $3 AND o.object = $5 AND o.record_id = $7
            AND o.dated AND o.order_at >= $9)
        AND NOT EXISTS (SELECT 1 FROM {jobs} d WHERE d.lane = $8 AND d.state = 3 AND d.order_at >= $9 AND d.scope = $3 AND d.object = $5
            AND d.record_id = $7 AND d.dated)
    ON CONFLICT (key) DO NOTHING";

/// `$1` is the scope, `$2` the object, `$4` the pass, `$5` the key's tag, `$6` whether states are handled. A state never goes back.
pub(crate) const FIND: &str = "INSERT INTO {known} AS k (scope, object, id, updated_at, pass, key_tag, handled)
    SELECT $1, $2, p.id, p.number, $4, $5, $6 FROM {pairs} AS p WHERE TRUE ON CONFLICT (scope, object, id)
    DO UPDATE SET pass = excluded.pass, key_tag = excluded.key_tag,
        handled = CASE WHEN excluded.updated_at > k.updated_at THEN excluded.handled
            WHEN excluded.updated_at = k.updated_at THEN excluded.handled OR k.handled ELSE k.handled END,
        updated_at = CASE WHEN excluded.updated_at > k.updated_at THEN excluded.updated_at ELSE k.updated_at END";

pub(crate) const FORGET: &str =
    "DELETE FROM {known} WHERE scope = $1 AND object = $2 AND id IN (SELECT id FROM {pairs} AS p)";

/// Once before a pass: it reads all jobs.
pub(crate) const LEARN: &str = "INSERT INTO {known} (scope, object, id, updated_at, pass, key_tag, handled)
    SELECT DISTINCT scope, object, record_id, -1, 0, '', FALSE FROM {jobs}
    WHERE scope = $1 AND object = $2 AND record_id IS NOT NULL AND action <> 'destroyed' AND NOT caught_up
    ON CONFLICT (scope, object, id) DO NOTHING";

pub(crate) const LEARN_DESTROYED: &str = "DELETE FROM {known} WHERE scope = $1 AND object = $2 AND id IN (
    SELECT record_id FROM {jobs} WHERE scope = $1 AND object = $2 AND action = 'destroyed' AND dated AND state <= 3)";

pub(crate) const CENSUS: &str = "SELECT count(*) AS known,
    coalesce(sum(CASE WHEN pass <> $3 AND key_tag = $4 THEN 1 ELSE 0 END), 0) AS missing,
    coalesce(sum(CASE WHEN pass <> $3 AND key_tag <> $4 THEN 1 ELSE 0 END), 0) AS unproven
    FROM {known} WHERE scope = $1 AND object = $2";

pub(crate) const MISSING: &str =
    "SELECT id, updated_at FROM {known} WHERE scope = $1 AND object = $2 AND pass <> $3 AND id > $4
    AND (key_tag = $5 OR $6) ORDER BY id LIMIT $7";

pub(crate) const DELIVERIES: &str =
    "SELECT count(*) FROM (SELECT scope, stored_at, caught_up FROM {jobs} ORDER BY seq DESC LIMIT 1000) AS last
    WHERE scope = $1 AND NOT caught_up AND stored_at > {now} - $2";

pub(crate) fn lanes(object: &str, ids: &[String]) -> String {
    let pairs: serde_json::Value = ids.iter().map(|id| serde_json::json!([id, lane(object, id)])).collect();
    pairs.to_string()
}

/// No state is -1: any that counts is newer.
pub(crate) fn states(found: &[Found]) -> String {
    let pairs: serde_json::Value =
        found.iter().map(|found| serde_json::json!([found.id, found.state.unwrap_or(-1)])).collect();
    pairs.to_string()
}

pub(crate) fn state(number: Option<i64>) -> Option<i64> {
    number.filter(|number| *number >= 0)
}

pub(crate) fn scope(tenant: Option<String>, scope: String) -> CatchUpScope {
    if tenant.is_some() {
        CatchUpScope { tenant, workspace_id: None }
    } else {
        CatchUpScope { tenant: None, workspace_id: Some(scope).filter(|scope| !scope.is_empty()) }
    }
}

/// `CatchUpStore` for a store: its statements are the same on both databases, and sqlx's types are not.
macro_rules! statements {
    ($store:ty, $connection:ty) => {
        impl $store {
            async fn run_commit(
                &self,
                tx: &mut $connection,
                commit: &$crate::CatchUpCommit,
                jobs: &[$crate::NewJob],
            ) -> Result<Option<u64>, sqlx::Error> {
                use $crate::catch_up_sql as sql;
                let (scope, object) = (commit.scope.key(), commit.object.as_str());
                let hold = sqlx::query(self.dialect.sql(sql::HOLD)).bind(scope).bind(commit.token);
                if hold.bind($crate::sql::millis(commit.lease)).execute(&mut *tx).await?.rows_affected() == 0 {
                    return Ok(None);
                }
                let ids: Vec<_> = commit.found.iter().map(|found| found.id.clone()).collect();
                if !ids.is_empty() {
                    let disprove = sqlx::query(self.dialect.sql(sql::DISPROVE)).bind(scope).bind(object);
                    disprove.bind(sql::lanes(object, &ids)).execute(&mut *tx).await?;
                    let find = sqlx::query(self.dialect.sql(sql::FIND)).bind(scope).bind(object);
                    let find = find.bind(sql::states(&commit.found)).bind(commit.pass).bind(&commit.key_tag);
                    let find = find.bind(commit.are_handled);
                    find.execute(&mut *tx).await?;
                }
                if !commit.gone.is_empty() {
                    let forget = sqlx::query(self.dialect.sql(sql::FORGET)).bind(scope).bind(object);
                    forget.bind(sql::lanes(object, &commit.gone)).execute(&mut *tx).await?;
                }
                let mut new = 0;
                for job in jobs {
                    let id = job.record_ids().first().map(String::as_str).unwrap_or_default();
                    let insert = sqlx::query(self.dialect.sql(sql::INSERT))
                        .bind(&job.key().as_bytes()[..])
                        .bind(job.tenant())
                        .bind(job.scope())
                        .bind(job.name())
                        .bind(job.object())
                        .bind(job.action())
                        .bind(id)
                        .bind($crate::new_job::lane(job.object(), id))
                        .bind(job.updated_at())
                        .bind(job.event_date().unwrap_or(0))
                        .bind(&job.body()[..]);
                    new += insert.execute(&mut *tx).await?.rows_affected();
                }
                for (name, value) in &commit.progress {
                    let save = sqlx::query(self.dialect.sql(sql::SAVE)).bind(scope).bind(name).bind(value);
                    let save = save.bind(commit.scope.tenant.as_deref());
                    save.execute(&mut *tx).await?;
                }
                Ok(Some(new))
            }

            async fn run_lease(
                &self,
                tx: &mut $connection,
                scope: &str,
                token: i64,
                lease: std::time::Duration,
            ) -> Result<bool, sqlx::Error> {
                use $crate::catch_up_sql as sql;
                let statement = if lease.is_zero() { sql::RELEASE } else { sql::LEASE };
                let statement = sqlx::query(self.dialect.sql(statement)).bind(scope).bind(token);
                let statement = if lease.is_zero() { statement } else { statement.bind($crate::sql::millis(lease)) };
                Ok(statement.execute(&mut *tx).await?.rows_affected() > 0)
            }

            async fn run_adopt(&self, tx: &mut $connection, scope: &$crate::CatchUpScope) -> Result<(), sqlx::Error> {
                use $crate::catch_up_sql as sql;
                let (key, tenant) = (scope.key(), scope.tenant.as_deref());
                let jobs = sqlx::query(self.dialect.sql(sql::ADOPT_JOBS)).bind(key).bind(tenant);
                jobs.execute(&mut *tx).await?;
                sqlx::query(self.dialect.sql(sql::ADOPT_KNOWN)).bind(key).execute(&mut *tx).await?;
                // Last: the others look at it.
                let progress = sqlx::query(self.dialect.sql(sql::ADOPT_PROGRESS)).bind(key).bind(tenant);
                progress.execute(&mut *tx).await?;
                Ok(())
            }

            async fn run_learn(&self, tx: &mut $connection, scope: &str, object: &str) -> Result<(), sqlx::Error> {
                use $crate::catch_up_sql as sql;
                for statement in [sql::LEARN, sql::LEARN_DESTROYED] {
                    sqlx::query(self.dialect.sql(statement)).bind(scope).bind(object).execute(&mut *tx).await?;
                }
                Ok(())
            }

            async fn run_census(
                &self,
                tx: &mut $connection,
                (scope, object): (&str, &str),
                pass: i64,
                key_tag: &str,
            ) -> Result<$crate::Census, sqlx::Error> {
                use sqlx::Row as _;
                use $crate::catch_up_sql as sql;
                let forget = sqlx::query(self.dialect.sql(sql::LEARN_DESTROYED)).bind(scope).bind(object);
                forget.execute(&mut *tx).await?;
                let census = sqlx::query(self.dialect.sql(sql::CENSUS)).bind(scope).bind(object);
                let row = census.bind(pass).bind(key_tag).fetch_one(&mut *tx).await?;
                let count = |name| row.try_get::<i64, _>(name).map(i64::unsigned_abs);
                Ok($crate::Census { known: count("known")?, missing: count("missing")?, unproven: count("unproven")? })
            }
        }

        impl $crate::CatchUpStore for $store {
            async fn scopes(&self) -> Result<Vec<$crate::CatchUpScope>, InboxError> {
                use sqlx::Row as _;
                let scopes = sqlx::query(self.dialect.sql($crate::catch_up_sql::SCOPES));
                let rows = scopes.fetch_all(&self.read).await.map_err(InboxError::database)?;
                let scope = |row: &_| {
                    let row: &<$store as $crate::catch_up_sql::Rows>::Row = row;
                    Ok($crate::catch_up_sql::scope(row.try_get("tenant")?, row.try_get("scope")?))
                };
                rows.iter().map(scope).collect::<Result<_, sqlx::Error>>().map_err(InboxError::database)
            }

            async fn adopt(&self, scope: &$crate::CatchUpScope) -> Result<(), InboxError> {
                let scope = scope.clone();
                self.in_transaction(move |this, tx| Box::pin(async move { this.run_adopt(tx, &scope).await })).await
            }

            async fn lease(&self, scope: &str, token: i64, lease: std::time::Duration) -> Result<bool, InboxError> {
                let scope = scope.to_owned();
                self.in_transaction(move |this, tx| {
                    Box::pin(async move { this.run_lease(tx, &scope, token, lease).await })
                })
                .await
            }

            async fn progress(&self, scope: &str, name: &str) -> Result<Option<String>, InboxError> {
                let progress = sqlx::query_scalar(self.dialect.sql($crate::catch_up_sql::PROGRESS));
                progress.bind(scope).bind(name).fetch_optional(&self.read).await.map_err(InboxError::database)
            }

            async fn known(&self, scope: &str, object: &str, ids: &[String]) -> Result<Vec<$crate::Known>, InboxError> {
                use sqlx::Row as _;
                let known = sqlx::query(self.dialect.sql($crate::catch_up_sql::KNOWN));
                let known = known.bind(scope).bind(object).bind($crate::catch_up_sql::lanes(object, ids));
                let rows = known.fetch_all(&self.read).await.map_err(InboxError::database)?;
                let mut found = std::collections::HashMap::new();
                let read = |row: &_| {
                    let row: &<$store as $crate::catch_up_sql::Rows>::Row = row;
                    let handled: Option<i64> = row.try_get("open_at")?;
                    let handled = handled.max(row.try_get("done_at")?);
                    let dead: Option<i64> = row.try_get("dead")?;
                    let dead = dead.map($crate::JobId::new).zip(row.try_get("dead_at")?);
                    let is_seen = row.try_get("is_known")?;
                    let state = $crate::catch_up_sql::state(row.try_get("updated_at")?);
                    let is_handled = row.try_get::<Option<bool>, _>("handled")?.unwrap_or(false);
                    Ok((row.try_get("id")?, $crate::Known { state, is_handled, is_seen, handled, dead }))
                };
                for row in &rows {
                    let (id, known): (String, _) =
                        read(row).map_err(|error: sqlx::Error| InboxError::database(error))?;
                    found.insert(id, known);
                }
                Ok(ids.iter().map(|id| found.get(id).cloned().unwrap_or_default()).collect())
            }

            async fn commit(&self, commit: $crate::CatchUpCommit) -> Result<u64, InboxError> {
                let jobs = commit.events.iter().map(|event| $crate::NewJob::caught_up(event, &commit.scope));
                let jobs = jobs.collect::<Result<Vec<_>, _>>()?;
                let new = self
                    .in_transaction(move |this, tx| Box::pin(async move { this.run_commit(tx, &commit, &jobs).await }))
                    .await?;
                new.ok_or(InboxError::CatchUpLeaseLost)
            }

            async fn learn(&self, scope: &str, object: &str) -> Result<(), InboxError> {
                let (scope, object) = (scope.to_owned(), object.to_owned());
                self.in_transaction(move |this, tx| Box::pin(async move { this.run_learn(tx, &scope, &object).await }))
                    .await
            }

            async fn census(
                &self,
                scope: &str,
                object: &str,
                pass: i64,
                key_tag: &str,
            ) -> Result<$crate::Census, InboxError> {
                let (scope, object, key_tag) = (scope.to_owned(), object.to_owned(), key_tag.to_owned());
                self.in_transaction(move |this, tx| {
                    Box::pin(async move { this.run_census(tx, (&scope, &object), pass, &key_tag).await })
                })
                .await
            }

            async fn missing(
                &self,
                scope: &str,
                object: &str,
                pass: i64,
                key_tag: Option<&str>,
                after: &str,
                limit: u32,
            ) -> Result<Vec<$crate::Missing>, InboxError> {
                use sqlx::Row as _;
                let missing = sqlx::query(self.dialect.sql($crate::catch_up_sql::MISSING))
                    .bind(scope)
                    .bind(object)
                    .bind(pass)
                    .bind(after)
                    .bind(key_tag.unwrap_or_default())
                    .bind(key_tag.is_none())
                    .bind(i64::from(limit));
                let rows = missing.fetch_all(&self.read).await.map_err(InboxError::database)?;
                let read = |row: &_| {
                    let row: &<$store as $crate::catch_up_sql::Rows>::Row = row;
                    let state = $crate::catch_up_sql::state(row.try_get("updated_at")?);
                    Ok($crate::Missing { id: row.try_get("id")?, state })
                };
                rows.iter().map(read).collect::<Result<_, sqlx::Error>>().map_err(InboxError::database)
            }

            async fn deliveries_within(&self, scope: &str, time: std::time::Duration) -> Result<u64, InboxError> {
                let count = sqlx::query_scalar(self.dialect.sql($crate::catch_up_sql::DELIVERIES));
                let count = count.bind(scope).bind($crate::sql::millis(time)).fetch_one(&self.read).await;
                count.map(i64::unsigned_abs).map_err(InboxError::database)
            }
        }
    };
}
pub(crate) use statements;

/// The rows of a store's database.
pub(crate) trait Rows {
    type Row;
}
