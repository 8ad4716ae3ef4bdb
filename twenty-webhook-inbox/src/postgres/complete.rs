use std::collections::HashSet;
use std::sync::atomic::Ordering;

use sqlx::PgConnection;
use sqlx::postgres::PgRow;

use crate::postgres::PostgresStore;
use crate::{Completed, Completion, Outcome, sql};

/// `$7` is whether jobs that others wait for are completed, too. The lists are not joined: if the table was empty when it was last analysed, a
/// planner would read all jobs, and look up each in the lists.
///
/// A job that was erased meanwhile is not tried again, and its error is not kept.
const COMPLETE: &str = "UPDATE {jobs} SET lease_token = NULL, lease_expires_at = NULL,
    state = CASE WHEN ($3::smallint[])[{at}] = 0 AND body IS NULL THEN 3 ELSE ($3::smallint[])[{at}] END,
    attempts = attempts + ($6::boolean[])[{at}]::int,
    run_at = CASE WHEN ($3::smallint[])[{at}] = 0 THEN {now} + ($4::bigint[])[{at}] ELSE run_at END,
    finished_at = CASE WHEN ($6::boolean[])[{at}] THEN {now} ELSE finished_at END,
    failing_since = CASE WHEN NOT ($6::boolean[])[{at}] THEN failing_since WHEN ($3::smallint[])[{at}] = 3 THEN NULL
        ELSE coalesce(failing_since, {now}) END,
    last_error = CASE WHEN body IS NULL THEN NULL WHEN ($6::boolean[])[{at}] THEN ($5::text[])[{at}] ELSE last_error END
    WHERE seq = ANY($1) AND state + 0 = 2 AND lease_token = ($2::bigint[])[{at}] AND ($7 OR NOT has_followers)
    RETURNING seq, has_followers";

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

    /// Most jobs have no followers: they are completed by one statement, without a transaction around it.
    pub(super) async fn run_complete(&self, completions: &[Completion]) -> Result<Completed, sqlx::Error> {
        let (mut left, mut jobs) = (completions.to_vec(), Vec::new());
        // Where the last ones had followers, these probably have, too.
        if !self.transaction_pooling && !self.had_followers.load(Ordering::Relaxed) {
            let mut connection = self.pool.acquire().await?;
            let completed = self.update(&mut connection, completions, false).await?;
            jobs = sql::ids(&completed)?;
            let completed: HashSet<_> = jobs.iter().collect();
            left.retain(|completion| !completed.contains(&completion.id));
        }
        if left.is_empty() {
            return Ok(Completed { jobs, woke_others: false });
        }
        let mut tx = self.begin().await?;
        let Completed { jobs: others, woke_others } = self.complete_in(&mut tx, &left).await?;
        tx.commit().await?;
        self.had_followers.store(woke_others, Ordering::Relaxed);
        jobs.extend(others);
        Ok(Completed { jobs, woke_others })
    }

    pub(super) async fn complete_in(
        &self,
        tx: &mut PgConnection,
        completions: &[Completion],
    ) -> Result<Completed, sqlx::Error> {
        let rows = self.update(tx, completions, true).await?;
        Ok(Completed { jobs: sql::ids(&rows)?, woke_others: self.wake_followers(tx, &rows).await? })
    }

    async fn update(
        &self,
        connection: &mut PgConnection,
        completions: &[Completion],
        with_followers: bool,
    ) -> Result<Vec<PgRow>, sqlx::Error> {
        let columns: Vec<_> = completions.iter().map(|completion| sql::outcome(&completion.outcome)).collect();
        let update = self
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
            .bind(with_followers);
        update.fetch_all(connection).await
    }
}
