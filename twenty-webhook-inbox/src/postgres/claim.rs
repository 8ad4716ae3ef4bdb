use std::collections::{HashMap, HashSet};

use sqlx::postgres::PgRow;
use sqlx::{PgConnection, Row as _};

use crate::claiming::{Burst, Candidate, Choice, assemble, burst, choose};
use crate::postgres::PostgresStore;
use crate::sql::{self, key, millis, time};
use crate::{Claim, Claimed, ClaimedJob, JobId, Order};

/// Due jobs, and of those that crashed once or more often one each; their lanes locked until the commit. Only claims make a job run, so a
/// lane whose lock is held here gets no other running job. Does not wait for a lock that another claim holds.
const CANDIDATES: &str = "WITH never_crashed AS MATERIALIZED (
        SELECT seq, lane FROM {jobs} WHERE state = 0 AND crashes = 0 AND run_at <= {now} ORDER BY run_at, seq
        LIMIT $1 FOR UPDATE SKIP LOCKED
    ), once AS MATERIALIZED (
        SELECT seq, lane FROM {jobs} WHERE state = 0 AND crashes > 0 AND crashes = 1 AND run_at <= {now} ORDER BY run_at, seq
        LIMIT 1 FOR UPDATE SKIP LOCKED
    ), alone AS MATERIALIZED (
        SELECT seq, lane FROM {jobs} WHERE state = 0 AND crashes > 0 AND crashes > 1 AND run_at <= {now} ORDER BY run_at, seq
        LIMIT 1 FOR UPDATE SKIP LOCKED
    ), due AS (SELECT *, FALSE AS crashed FROM never_crashed UNION ALL SELECT *, TRUE FROM once UNION ALL SELECT *, TRUE FROM alone)
    SELECT seq, crashed FROM due WHERE NOT EXISTS (SELECT 1 FROM {settings} WHERE name = 'paused') AND (NOT $2 OR CASE
        WHEN lane IS NOT NULL THEN pg_try_advisory_xact_lock(lane # {salt})
        ELSE (SELECT coalesce(bool_and(pg_try_advisory_xact_lock(l.lane # {salt})), TRUE) FROM {lanes} l WHERE l.seq = due.seq) END)";

/// Claims those of the candidates that wait for no other job and are not known. A statement after the one that took the locks, so it sees what
/// others committed until then.
const CLAIM_FREE: &str = "UPDATE {jobs} SET state = 2, lease_token = $4, lease_expires_at = {now} + $5, lease_len = $5
    WHERE seq = ANY($1) AND state + 0 = 0 AND body IS NOT NULL AND NOT {is_known} AND (NOT $3 OR {blocker} IS NULL)
    RETURNING seq, key, tenant, body, attempts, crashes, stored_at, {stale} AS stale";

/// What the other candidates wait for. A later statement, too.
const JUDGE: &str =
    "SELECT seq, crashes, action, lane, scope, CASE WHEN $3 THEN {blocker} END AS blocker, {is_known} AS is_known
    FROM {jobs} WHERE seq = ANY($1) ORDER BY crashes, run_at, seq";

/// `{is_known}` in other statements: whether it is the state of a delivery that catch-up stored in the same instant, and the other one of the two
/// was handled; unless there was an attempt, because then an operator may have asked for another one.
pub(super) const KNOWN: &str = "(dated AND finished_at IS NULL AND EXISTS (SELECT 1 FROM {jobs} c WHERE c.caught_up)
    AND EXISTS (SELECT 1 FROM {jobs} d WHERE d.lane = {this}.lane
        AND d.order_at = {this}.order_at AND d.state = 3 AND d.scope = {this}.scope AND d.object = {this}.object
        AND d.record_id = {this}.record_id AND d.dated AND d.caught_up <> {this}.caught_up))";

/// Without a date, so that it is handled if an operator has it run again.
const COMPLETE_KNOWN: &str =
    "UPDATE {jobs} SET state = 3, finished_at = {now}, dated = FALSE WHERE seq = ANY($1) AND state + 0 = 0
    RETURNING seq, has_followers";

const CLAIM: &str = "UPDATE {jobs} SET state = 2, lease_token = $2, lease_expires_at = {now} + $3, lease_len = $3
    WHERE seq = ANY($1) AND state + 0 < 2 AND body IS NOT NULL
    RETURNING seq, key, tenant, body, attempts, crashes, stored_at, {stale} AS stale";

impl PostgresStore {
    pub(super) async fn run_claim(&self, claim: &Claim) -> Result<Claimed, sqlx::Error> {
        let order = claim.order.unwrap_or_default();
        let mut tx = self.begin().await?;
        let due: Vec<(i64, bool)> = self
            .dialect
            .query_as(CANDIDATES)
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
        let is_full = due.len() >= claim.limit;
        let (mut due, crashed): (Vec<i64>, Vec<bool>) = due.into_iter().unzip();
        let (mut claimed, mut ids) = (Vec::new(), Vec::new());
        // A job that crashed may have to run alone, and a burst in one call.
        if order.coalesce.is_none() && !crashed.contains(&true) {
            let claim_free =
                self.dialect.query(CLAIM_FREE).bind(&due).bind(gives_up_before).bind(claim.order.is_some());
            claimed = claim_free.bind(claim.token).bind(millis(claim.lease)).fetch_all(&mut *tx).await?;
            let free = claimed.iter().map(|row| row.try_get("seq")).collect::<Result<HashSet<i64>, _>>()?;
            (ids, due) = due.into_iter().partition(|seq| free.contains(seq));
        }
        let (mut candidates, mut known) = (Vec::new(), Vec::new());
        if !due.is_empty() {
            let judge = self.dialect.query(JUDGE).bind(&due).bind(gives_up_before).bind(claim.order.is_some());
            for row in &judge.fetch_all(&mut *tx).await? {
                let candidate = candidate(row)?;
                if candidate.blocker.is_none() && row.try_get("is_known")? {
                    known.push(candidate.seq);
                } else {
                    candidates.push(candidate);
                }
            }
        }
        if !known.is_empty() {
            let complete = self.dialect.query(COMPLETE_KNOWN).bind(&known);
            let rows = complete.fetch_all(&mut *tx).await?;
            self.wake_followers(&mut tx, &rows).await?;
        }
        let Choice { claim: chosen, park, alone_is_due } = choose(candidates, claim.crashed, claim.limit - ids.len());
        let (mut others, mut groups, mut postponed) = (Vec::new(), HashMap::new(), 0);
        for candidate in chosen {
            match self.burst(&mut tx, &candidate, order).await? {
                Burst::One => others.push(candidate.seq),
                Burst::NotYet(at) => {
                    let postpone = self.dialect.query(sql::POSTPONE).bind(candidate.seq).bind(at);
                    postponed += postpone.execute(&mut *tx).await?.rows_affected();
                }
                Burst::Merged(seqs) => {
                    groups.extend(seqs.iter().map(|seq| (*seq, candidate.seq)));
                    others.extend(seqs);
                }
            }
        }
        if !others.is_empty() {
            let update = self.dialect.query(CLAIM).bind(&others).bind(claim.token).bind(millis(claim.lease));
            claimed.extend(update.fetch_all(&mut *tx).await?);
            ids.extend(others);
        }
        let parked = self.park(&mut tx, &park, order).await?;
        // Only where they take the places of others.
        if parked < park.len() as u64 && (is_full || crashed.contains(&true)) {
            postponed += self.pass_over(&mut tx, &park).await?;
        }
        tx.commit().await?;
        let jobs = claimed.iter().map(claimed_job).collect::<Result<Vec<_>, _>>()?;
        let more = !known.is_empty() || is_full && parked + postponed > 0;
        Ok(Claimed { jobs: assemble(jobs, &ids, &groups), more, alone_is_due })
    }

    async fn burst(&self, tx: &mut PgConnection, candidate: &Candidate, order: Order) -> Result<Burst, sqlx::Error> {
        let (Some(quiet), Some((lane, scope))) = (order.coalesce, &candidate.burst) else { return Ok(Burst::One) };
        let rows = self.dialect.query(sql::BURST).bind(lane).bind(scope).fetch_all(&mut *tx).await?;
        let mut seqs = match burst(candidate.seq, &rows, quiet)? {
            Burst::Merged(seqs) => seqs,
            other => return Ok(other),
        };
        // Another claim may have locked some of them as its candidates, and wait for one of this claim's.
        let lock = self.dialect.scalar("SELECT seq FROM {jobs} WHERE seq = ANY($1) FOR UPDATE SKIP LOCKED").bind(&seqs);
        let locked: HashSet<i64> = lock.fetch_all(tx).await?.into_iter().collect();
        let free = seqs.iter().take_while(|seq| locked.contains(seq)).count();
        seqs.truncate(free);
        Ok(if free > 1 { Burst::Merged(seqs) } else { Burst::One })
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
             WHERE {this}.seq = p.seq AND {this}.state + 0 = 0 AND b.state + 0 <= 2 AND p.blocker = ANY($3)
                AND {this}.seq = ANY($1) AND b.seq = ANY($2)",
        );
        let parked =
            park.bind(seqs).bind(blockers).bind(held).bind(order.gives_up_after.map(millis)).execute(tx).await?;
        Ok(parked.rows_affected())
    }

    /// Moves jobs behind the others that are due. The job that they wait for is locked, so they could not be parked: perhaps its worker's host
    /// has vanished in the middle of a transaction. Every claim would find these jobs again, and no others.
    async fn pass_over(&self, tx: &mut PgConnection, park: &[(i64, i64)]) -> Result<u64, sqlx::Error> {
        let (seqs, blockers): (Vec<_>, Vec<_>) = park.iter().copied().unzip();
        let pass_over = self.dialect.query(
            "UPDATE {jobs} SET run_at = {now} + 250 FROM unnest($1::bigint[], $2::bigint[]) AS p (seq, blocker) JOIN {jobs} b ON b.seq = p.blocker
             WHERE {this}.seq = p.seq AND {this}.state + 0 = 0 AND {this}.run_at <= {now} AND b.state + 0 <= 2
                AND {this}.seq = ANY($1) AND b.seq = ANY($2)",
        );
        Ok(pass_over.bind(seqs).bind(blockers).execute(tx).await?.rows_affected())
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
