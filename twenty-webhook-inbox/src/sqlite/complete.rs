use sqlx::sqlite::SqliteRow;

use crate::sqlite::{SqliteStore, Tx, json};
use crate::{Completed, Completion, Outcome, sql};

/// A job that was erased meanwhile is not tried again, and its error is not kept.
pub(super) const COMPLETE: &str = "UPDATE {jobs} SET state = CASE WHEN s.state = 0 AND {this}.body IS NULL THEN 3 ELSE s.state END,
    lease_token = NULL, lease_expires_at = NULL,
    attempts = {this}.attempts + s.counts,
    run_at = CASE WHEN s.state = 0 THEN {now} + s.delay ELSE {this}.run_at END,
    finished_at = CASE WHEN s.counts THEN {now} ELSE {this}.finished_at END,
    failing_since = CASE WHEN NOT s.counts THEN {this}.failing_since WHEN s.state = 3 THEN NULL ELSE coalesce({this}.failing_since, {now}) END,
    last_error = CASE WHEN {this}.body IS NULL THEN NULL WHEN s.counts THEN s.error ELSE {this}.last_error END
    FROM (SELECT value ->> 0 AS seq, value ->> 1 AS token, value ->> 2 AS state, value ->> 3 AS delay, value ->> 4 AS error,
        value ->> 5 AS counts FROM json_each($1)) AS s
    WHERE {this}.seq = s.seq AND {this}.state = 2 AND {this}.lease_token = s.token RETURNING {this}.seq, {this}.has_followers";

impl SqliteStore {
    /// Makes jobs due that waited for those in `rows`. Returns whether there were any.
    pub(super) async fn wake_followers(&self, tx: &mut Tx, rows: &[SqliteRow]) -> Result<bool, sqlx::Error> {
        let followed = sql::followed(rows)?;
        if followed.is_empty() {
            return Ok(false);
        }
        let woken = self.dialect.query(sql::WAKE).bind(json(&followed)).execute(&mut **tx).await?;
        Ok(woken.rows_affected() > 0)
    }

    pub(super) async fn run_complete(&self, tx: &mut Tx, completions: &[Completion]) -> Result<Completed, sqlx::Error> {
        let rows: serde_json::Value = completions
            .iter()
            .map(|Completion { id, token, outcome }| {
                let (state, delay, error) = sql::outcome(outcome);
                serde_json::json!([id.number(), token, state, delay, error, !matches!(outcome, Outcome::Released)])
            })
            .collect();
        let rows = self.dialect.query(COMPLETE).bind(rows.to_string()).fetch_all(&mut **tx).await?;
        Ok(Completed { jobs: sql::ids(&rows)?, woke_others: self.wake_followers(tx, &rows).await? })
    }
}
