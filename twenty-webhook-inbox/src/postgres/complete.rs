use sqlx::PgConnection;
use sqlx::postgres::PgRow;

use crate::postgres::PostgresStore;
use crate::{Completion, Outcome, sql};

const COMPLETE: &str = "UPDATE {jobs} SET state = s.state, lease_token = NULL, lease_until = NULL,
    attempts = {this}.attempts + s.counts::int,
    run_at = CASE WHEN s.state = 0 THEN {now} + s.delay ELSE {this}.run_at END,
    finished_at = CASE WHEN s.counts THEN {now} ELSE {this}.finished_at END,
    failing_since = CASE WHEN NOT s.counts THEN {this}.failing_since WHEN s.state = 3 THEN NULL ELSE coalesce({this}.failing_since, {now}) END,
    last_error = CASE WHEN s.counts THEN s.error ELSE {this}.last_error END
    FROM unnest($1::bigint[], $2::bigint[], $3::smallint[], $4::bigint[], $5::text[], $6::boolean[])
        AS s (seq, token, state, delay, error, counts)
    WHERE {this}.seq = s.seq AND {this}.state = 2 AND {this}.lease_token = s.token RETURNING {this}.seq, {this}.has_followers";

impl PostgresStore {
    /// Makes the jobs due that waited for those in `rows`. Returns whether there were any.
    pub(super) async fn wake_followers(&self, tx: &mut PgConnection, rows: &[PgRow]) -> Result<bool, sqlx::Error> {
        let followed = sql::followed(rows)?;
        if followed.is_empty() {
            return Ok(false);
        }
        // A separate statement: it sees what was parked until the one before it had its locks.
        let woken = self.dialect.query(sql::WAKE).bind(followed).execute(tx).await?;
        Ok(woken.rows_affected() > 0)
    }

    /// Returns how many of them were still under their lease, and whether others were woken.
    pub(super) async fn run_complete(
        &self,
        tx: &mut PgConnection,
        completions: &[Completion],
    ) -> Result<(u64, bool), sqlx::Error> {
        let columns: Vec<_> = completions.iter().map(|completion| sql::outcome(&completion.outcome)).collect();
        let rows = self
            .dialect
            .query(COMPLETE)
            .bind(completions.iter().map(|completion| completion.id.number()).collect::<Vec<_>>())
            .bind(completions.iter().map(|completion| completion.token).collect::<Vec<_>>())
            .bind(columns.iter().map(|(state, ..)| *state).collect::<Vec<_>>())
            .bind(columns.iter().map(|(_, delay, _)| *delay).collect::<Vec<_>>())
            .bind(columns.iter().map(|(.., error)| error.map(ToOwned::to_owned)).collect::<Vec<_>>())
            .bind(
                completions
                    .iter()
                    .map(|completion| !matches!(completion.outcome, Outcome::Released))
                    .collect::<Vec<_>>(),
            )
            .fetch_all(&mut *tx)
            .await?;
        Ok((rows.len() as u64, self.wake_followers(tx, &rows).await?))
    }
}
