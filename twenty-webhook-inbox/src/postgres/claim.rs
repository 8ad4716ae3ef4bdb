use std::collections::HashMap;

use sqlx::postgres::PgRow;
use sqlx::{PgConnection, Row as _};

use crate::claiming::{Burst, Candidate, Choice, assemble, burst, choose};
use crate::postgres::PostgresStore;
use crate::sql::{self, key, millis, time};
use crate::{Claim, Claimed, ClaimedJob, JobId, Order};

/// Due jobs, and of those that crashed once or more often one each; their lanes locked until the commit. Only claims make a job run, so a
/// lane whose lock is held here gets no other running job. Does not wait for a lock that another claim holds.
const CANDIDATES: &str = "WITH fresh AS MATERIALIZED (
        SELECT seq, lane FROM {jobs} WHERE state = 0 AND crashes = 0 AND run_at <= {now} ORDER BY run_at, seq
        LIMIT $1 FOR UPDATE SKIP LOCKED
    ), once AS MATERIALIZED (
        SELECT seq, lane FROM {jobs} WHERE state = 0 AND crashes > 0 AND crashes = 1 AND run_at <= {now} ORDER BY run_at, seq
        LIMIT 1 FOR UPDATE SKIP LOCKED
    ), alone AS MATERIALIZED (
        SELECT seq, lane FROM {jobs} WHERE state = 0 AND crashes > 0 AND crashes > 1 AND run_at <= {now} ORDER BY run_at, seq
        LIMIT 1 FOR UPDATE SKIP LOCKED
    ), due AS (SELECT * FROM fresh UNION ALL SELECT * FROM once UNION ALL SELECT * FROM alone)
    SELECT seq FROM due WHERE NOT EXISTS (SELECT 1 FROM {settings} WHERE name = 'paused') AND (NOT $2 OR CASE
        WHEN lane IS NOT NULL THEN pg_try_advisory_xact_lock(lane # {salt})
        ELSE (SELECT coalesce(bool_and(pg_try_advisory_xact_lock(l.lane # {salt})), TRUE) FROM {lanes} l WHERE l.seq = due.seq) END)";

/// A statement after the one that took the locks, so it sees what others committed until then. Known is the state of a delivery that catch-up
/// stored in the same instant, and the other one of the two was handled; unless there was an attempt, because then an operator may have asked
/// for another one.
const JUDGE: &str = "SELECT j.seq, j.crashes, j.action, j.lane, j.scope, CASE WHEN $3 THEN {blocker} END AS blocker,
    j.dated AND j.finished_at IS NULL AND EXISTS (SELECT 1 FROM {jobs} d WHERE d.lane = j.lane
        AND d.order_at = j.order_at AND d.state = 3 AND d.scope = j.scope AND d.object = j.object AND d.record_id = j.record_id
        AND d.dated AND d.caught_up <> j.caught_up) AS is_known
    FROM {jobs} j WHERE j.seq = ANY($1) ORDER BY j.crashes, j.run_at, j.seq";

/// Without a date, so that it is handled if an operator has it run again.
const COMPLETE_KNOWN: &str =
    "UPDATE {jobs} SET state = 3, finished_at = {now}, dated = FALSE WHERE seq = ANY($1) AND state + 0 = 0
    RETURNING seq, has_followers";

const CLAIM: &str = "UPDATE {jobs} SET state = 2, lease_token = $2, lease_until = {now} + $3
    WHERE seq = ANY($1) AND state + 0 < 2 AND body IS NOT NULL
    RETURNING seq, key, tenant, body, attempts, crashes, stored_at, {stale} AS stale";

impl PostgresStore {
    pub(super) async fn run_claim(&self, claim: &Claim) -> Result<Claimed, sqlx::Error> {
        let order = claim.order.unwrap_or_default();
        let mut tx = self.begin().await?;
        let due: Vec<i64> = self
            .dialect
            .scalar(CANDIDATES)
            .bind(i64::try_from(claim.limit).unwrap_or(i64::MAX))
            .bind(claim.order.is_some())
            .fetch_all(&mut *tx)
            .await?;
        if due.is_empty() {
            tx.rollback().await?;
            return Ok(Claimed::default());
        }
        let gives_up_before = match order.gives_up_after {
            Some(after) => {
                let now: i64 = self.dialect.scalar("SELECT {now}").fetch_one(&mut *tx).await?;
                now - millis(after)
            }
            None => i64::MIN,
        };
        let judged = self
            .dialect
            .query(JUDGE)
            .bind(&due)
            .bind(gives_up_before)
            .bind(claim.order.is_some())
            .fetch_all(&mut *tx)
            .await?;
        let (mut candidates, mut known) = (Vec::new(), Vec::new());
        for row in &judged {
            let candidate = candidate(row)?;
            if candidate.blocker.is_none() && row.try_get("is_known")? {
                known.push(candidate.seq);
            } else {
                candidates.push(candidate);
            }
        }
        if !known.is_empty() {
            let complete = self.dialect.query(COMPLETE_KNOWN).bind(&known);
            let rows = complete.fetch_all(&mut *tx).await?;
            self.wake_followers(&mut tx, &rows).await?;
        }
        let Choice { claim: chosen, park, alone_is_due } = choose(candidates, claim.crashed, claim.limit);
        let (mut ids, mut groups, mut postponed) = (Vec::new(), HashMap::new(), 0);
        for candidate in chosen {
            match self.burst(&mut tx, &candidate, order).await? {
                Burst::One => ids.push(candidate.seq),
                Burst::NotYet(at) => {
                    let postpone = self.dialect.query(sql::POSTPONE).bind(candidate.seq).bind(at);
                    postponed += postpone.execute(&mut *tx).await?.rows_affected();
                }
                Burst::Merged(seqs) => {
                    groups.extend(seqs.iter().map(|seq| (*seq, candidate.seq)));
                    ids.extend(seqs);
                }
            }
        }
        let claimed = if ids.is_empty() {
            Vec::new()
        } else {
            let update = self.dialect.query(CLAIM).bind(&ids).bind(claim.token).bind(millis(claim.lease));
            update.fetch_all(&mut *tx).await?
        };
        let parked = self.park(&mut tx, &park, order).await?;
        tx.commit().await?;
        let jobs = claimed.iter().map(claimed_job).collect::<Result<Vec<_>, _>>()?;
        let more = !known.is_empty() || due.len() >= claim.limit && parked + postponed > 0;
        Ok(Claimed { jobs: assemble(jobs, &ids, &groups), more, alone_is_due })
    }

    async fn burst(&self, tx: &mut PgConnection, candidate: &Candidate, order: Order) -> Result<Burst, sqlx::Error> {
        let (Some(quiet), Some((lane, scope))) = (order.coalesce, &candidate.burst) else { return Ok(Burst::One) };
        let rows = self.dialect.query(sql::BURST).bind(lane).bind(scope).fetch_all(tx).await?;
        burst(candidate.seq, &rows, quiet)
    }

    /// Parks jobs that wait for another one: no claim looks at them until that one ends and wakes them. Its row is locked meanwhile: either
    /// it ends after this commit, and sees that it has followers, or it has ended already, and nothing is parked.
    async fn park(&self, tx: &mut PgConnection, park: &[(i64, i64)], order: Order) -> Result<u64, sqlx::Error> {
        if park.is_empty() {
            return Ok(0);
        }
        let (seqs, blockers): (Vec<_>, Vec<_>) = park.iter().copied().unzip();
        let follow = self.dialect.scalar(
            "UPDATE {jobs} SET has_followers = TRUE WHERE seq {any}
                SELECT seq FROM {jobs} WHERE seq = ANY($1) AND state + 0 <= 2 ORDER BY seq FOR UPDATE SKIP LOCKED {end} RETURNING seq",
        );
        let held: Vec<i64> = follow.bind(&blockers).fetch_all(&mut *tx).await?;
        let park = self.dialect.query(
            "UPDATE {jobs} SET
                state = CASE WHEN $4 IS NOT NULL AND b.state < 2 AND b.failing_since IS NOT NULL THEN 0 ELSE 1 END,
                run_at = CASE WHEN $4 IS NOT NULL AND b.state < 2 AND b.failing_since IS NOT NULL
                    THEN greatest(least(b.run_at, b.failing_since + $4 + 1), {now} + 10) ELSE {this}.run_at END
             FROM unnest($1::bigint[], $2::bigint[]) AS p (seq, blocker) JOIN {jobs} b ON b.seq = p.blocker
             WHERE {this}.seq = p.seq AND {this}.state + 0 = 0 AND b.state + 0 <= 2 AND p.blocker = ANY($3)",
        );
        let parked =
            park.bind(seqs).bind(blockers).bind(held).bind(order.gives_up_after.map(millis)).execute(tx).await?;
        Ok(parked.rows_affected())
    }
}

fn candidate(row: &PgRow) -> Result<Candidate, sqlx::Error> {
    let lane: Option<i64> = row.try_get("lane")?;
    let is_updated = row.try_get::<&str, _>("action")? == "updated";
    let scope = row.try_get("scope")?;
    Ok(Candidate {
        seq: row.try_get("seq")?,
        crashes: row.try_get("crashes")?,
        blocker: row.try_get("blocker")?,
        burst: lane.filter(|_| is_updated).map(|lane| (lane, scope)),
    })
}

fn claimed_job(row: &PgRow) -> Result<ClaimedJob, sqlx::Error> {
    Ok(ClaimedJob {
        id: JobId::new(row.try_get("seq")?),
        key: key(row.try_get("key")?),
        tenant: row.try_get("tenant")?,
        body: row.try_get::<Vec<u8>, _>("body")?.into(),
        attempts: row.try_get::<i32, _>("attempts")?.try_into().unwrap_or(0),
        crashes: row.try_get::<i32, _>("crashes")?.try_into().unwrap_or(0),
        stored_at: time(row.try_get("stored_at")?),
        stale: row.try_get("stale")?,
        merged: Vec::new(),
    })
}
