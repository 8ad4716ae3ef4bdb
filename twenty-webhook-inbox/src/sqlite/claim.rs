use std::collections::HashMap;

use sqlx::Row as _;
use sqlx::sqlite::SqliteRow;

use crate::claiming::{Burst, Candidate, Choice, assemble, burst, choose};
use crate::sql::{self, millis, time};
use crate::sqlite::{SqliteStore, Tx, json};
use crate::{Claim, Claimed, ClaimedJob, JobId, Order};

/// Due jobs, each with the job that it has to wait for, and of those that crashed once or more often one each. SQLite's write lock is held,
/// so nothing changes until the commit.
pub(super) const CANDIDATES: &str = "SELECT {this}.seq, crashes, action, lane, scope, CASE WHEN $3 THEN {blocker} END AS blocker FROM (
        SELECT * FROM (SELECT seq FROM {jobs} WHERE state = 0 AND crashes = 0 AND run_at <= {now} ORDER BY run_at, seq LIMIT $1)
        UNION ALL SELECT * FROM (SELECT seq FROM {jobs} WHERE state = 0 AND crashes > 0 AND crashes = 1 AND run_at <= {now}
            ORDER BY run_at, seq LIMIT 1)
        UNION ALL SELECT * FROM (SELECT seq FROM {jobs} WHERE state = 0 AND crashes > 0 AND crashes > 1 AND run_at <= {now}
            ORDER BY run_at, seq LIMIT 1)
    ) d JOIN {jobs} ON {this}.seq = d.seq WHERE NOT EXISTS (SELECT 1 FROM {settings} WHERE name = 'paused')";

pub(super) const CLAIM: &str =
    "UPDATE {jobs} SET state = 2, lease_token = $2, lease_expires_at = {now} + $3, lease_len = $3
    WHERE seq IN (SELECT value FROM json_each($1)) AND state < 2 AND body IS NOT NULL
    RETURNING seq, key, tenant, body, attempts, crashes, stored_at, {stale} AS stale";

pub(super) const FOLLOW: &str = "UPDATE {jobs} SET has_followers = TRUE WHERE seq {ids} AND NOT has_followers";

/// With `$2`, a job behind a failing one stays due, and is looked at again when order gives up.
pub(super) const PARK: &str = "UPDATE {jobs} SET
    state = CASE WHEN $2 IS NOT NULL AND b.state < 2 AND b.failing_since IS NOT NULL THEN 0 ELSE 1 END,
    run_at = CASE WHEN $2 IS NOT NULL AND b.state < 2 AND b.failing_since IS NOT NULL
        THEN max(min(b.run_at, b.failing_since + $2 + 1), {now} + 10) ELSE {this}.run_at END
    FROM (SELECT value ->> 0 AS seq, value ->> 1 AS blocker FROM json_each($1)) AS p JOIN {jobs} b ON b.seq = p.blocker
    WHERE {this}.seq = p.seq AND {this}.state = 0 AND b.state <= 2";

impl SqliteStore {
    pub(super) async fn run_claim(&self, tx: &mut Tx, claim: &Claim) -> Result<Claimed, sqlx::Error> {
        let order = claim.order.unwrap_or_default();
        let gives_up_before = match order.gives_up_after {
            Some(after) => {
                let now: i64 = self.dialect.scalar("SELECT {now}").fetch_one(&mut **tx).await?;
                now - millis(after)
            }
            None => i64::MIN,
        };
        let rows = self
            .dialect
            .query(CANDIDATES)
            .bind(i64::try_from(claim.limit).unwrap_or(i64::MAX))
            .bind(gives_up_before)
            .bind(claim.order.is_some())
            .fetch_all(&mut **tx)
            .await?;
        let found = rows.len();
        let candidates = rows.iter().map(candidate).collect::<Result<Vec<_>, _>>()?;
        let Choice { claim: chosen, park, alone_is_due } = choose(candidates, claim.crashed, claim.limit);
        let (mut ids, mut groups, mut postponed) = (Vec::new(), HashMap::new(), 0);
        for candidate in chosen {
            match self.burst(tx, &candidate, order).await? {
                Burst::One => ids.push(candidate.seq),
                Burst::NotYet(at) => {
                    let postpone = self.dialect.query(sql::POSTPONE).bind(candidate.seq).bind(at);
                    postponed += postpone.execute(&mut **tx).await?.rows_affected();
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
            let update = self.dialect.query(CLAIM).bind(json(&ids)).bind(claim.token).bind(millis(claim.lease));
            update.fetch_all(&mut **tx).await?
        };
        let parked = self.park(tx, &park, order).await?;
        let jobs = claimed.iter().map(claimed_job).collect::<Result<Vec<_>, _>>()?;
        let more = found >= claim.limit && parked + postponed > 0;
        Ok(Claimed { jobs: assemble(jobs, &ids, &groups), more, alone_is_due })
    }

    async fn burst(&self, tx: &mut Tx, candidate: &Candidate, order: Order) -> Result<Burst, sqlx::Error> {
        let (Some(quiet), Some((lane, scope))) = (order.coalesce, &candidate.burst) else { return Ok(Burst::One) };
        let rows = self.dialect.query(sql::BURST).bind(lane).bind(scope).fetch_all(&mut **tx).await?;
        burst(candidate.seq, &rows, quiet)
    }

    /// Parks jobs that wait for another one: no claim looks at them until that one ends and wakes them.
    async fn park(&self, tx: &mut Tx, park: &[(i64, i64)], order: Order) -> Result<u64, sqlx::Error> {
        if park.is_empty() {
            return Ok(0);
        }
        let pairs: serde_json::Value = park.iter().map(|(seq, blocker)| serde_json::json!([seq, blocker])).collect();
        let blockers: Vec<_> = park.iter().map(|(_, blocker)| *blocker).collect();
        self.dialect.query(FOLLOW).bind(json(&blockers)).execute(&mut **tx).await?;
        let gives_up_after = order.gives_up_after.map(millis);
        let park = self.dialect.query(PARK).bind(pairs.to_string()).bind(gives_up_after);
        let parked = park.execute(&mut **tx).await?;
        Ok(parked.rows_affected())
    }
}

fn candidate(row: &SqliteRow) -> Result<Candidate, sqlx::Error> {
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

fn claimed_job(row: &SqliteRow) -> Result<ClaimedJob, sqlx::Error> {
    Ok(ClaimedJob {
        id: JobId::new(row.try_get("seq")?),
        key: sql::key(row.try_get("key")?),
        tenant: row.try_get("tenant")?,
        body: row.try_get::<Vec<u8>, _>("body")?.into(),
        attempts: row.try_get::<i32, _>("attempts")?.try_into().unwrap_or(0),
        crashes: row.try_get::<i32, _>("crashes")?.try_into().unwrap_or(0),
        stored_at: time(row.try_get("stored_at")?),
        stale: row.try_get("stale")?,
        merged: Vec::new(),
    })
}
