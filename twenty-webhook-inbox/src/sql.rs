//! The statements that both databases share, and how their rows are read. States are numbers: 0 is due at `run_at`, 1 waits for an earlier
//! job of its record, 2 runs, 3 is done, 4 is dead. The names in braces are the [`Dialect`](crate::dialect::Dialect)'s.
//!
//! Rows that are known by their `seq` are found by it: `state + 0` is in no index, so a planner without statistics cannot read all of a
//! partial index instead. `{any} SELECT … {end}` is `IN (SELECT …)`, of which Postgres would make a join in any order.

use twenty_webhook_core::ReplayKey;

use crate::{JobFilter, JobInfo, State};

/// Whether a caught-up event with the same state as a delivery exists: then the delivery is not inserted. A dead letter does not count.
pub(crate) const HAS_CAUGHT_UP_EVENT: &str = "EXISTS (SELECT 1 FROM {jobs} c WHERE c.caught_up AND c.lane = {new_lane} AND c.order_at = {new_order_at}
    AND c.scope = {new_scope} AND c.object = {new_object} AND c.record_id = {new_record_id} AND c.dated AND c.state <= 3)";

/// The job that this one has to wait for. A job that has been failing since before `$2` holds up no other until it
/// is due again: one claim must not take both. The lanes of a batch are in another table. All jobs have one order, so two batches never wait
/// for each other.
pub(crate) const BLOCKER: &str = "coalesce(
    (SELECT o.seq FROM {jobs} o WHERE o.lane = {this}.lane AND o.scope = {this}.scope AND o.state = 2 LIMIT 1),
    (SELECT o.seq FROM {jobs} o WHERE o.lane = {this}.lane AND o.scope = {this}.scope AND o.state <= 2
        AND (o.order_at, o.event_date, o.seq) < ({this}.order_at, {this}.event_date, {this}.seq)
        AND (o.failing_since IS NULL OR o.failing_since >= $2 OR o.run_at <= {now})
        ORDER BY o.order_at, o.event_date, o.seq LIMIT 1),
    CASE WHEN EXISTS (SELECT 1 FROM {lanes}) THEN coalesce(
        (SELECT o.seq FROM {jobs} o WHERE o.seq {any} SELECT l.seq FROM {lanes} l WHERE l.lane = {this}.lane {end} AND o.scope = {this}.scope AND o.state + 0 <= 2
            AND (o.state = 2 OR ((o.order_at, o.event_date, o.seq) < ({this}.order_at, {this}.event_date, {this}.seq)
                AND (o.failing_since IS NULL OR o.failing_since >= $2 OR o.run_at <= {now}))) LIMIT 1),
        (SELECT o.seq FROM {jobs} o WHERE o.lane {any} SELECT m.lane FROM {lanes} m WHERE m.seq = {this}.seq {end} AND o.scope = {this}.scope AND o.state <= 2
            AND (o.state = 2 OR ((o.order_at, o.event_date, o.seq) < ({this}.order_at, {this}.event_date, {this}.seq)
                AND (o.failing_since IS NULL OR o.failing_since >= $2 OR o.run_at <= {now}))) LIMIT 1),
        (SELECT o.seq FROM {jobs} o WHERE o.seq {any} SELECT l.seq FROM {lanes} m JOIN {lanes} l ON l.lane = m.lane AND l.seq <> m.seq
            WHERE m.seq = {this}.seq {end} AND o.scope = {this}.scope AND o.state + 0 <= 2
            AND (o.state = 2 OR ((o.order_at, o.event_date, o.seq) < ({this}.order_at, {this}.event_date, {this}.seq)
                AND (o.failing_since IS NULL OR o.failing_since >= $2 OR o.run_at <= {now}))) LIMIT 1)
    ) END)";

/// Whether a newer state of the record is done, alone or in a batch. A batch is not stale, because another of its records may be newer.
pub(crate) const STALE: &str = "({this}.dated AND (
    EXISTS (SELECT 1 FROM {jobs} d WHERE d.lane = {this}.lane AND d.scope = {this}.scope AND d.state = 3
        AND d.order_at >= {this}.order_at AND (d.order_at, d.event_date) > ({this}.order_at, {this}.event_date) AND d.dated AND d.seq <> {this}.seq)
    OR EXISTS (SELECT 1 FROM {lanes} l WHERE l.lane = {this}.lane AND l.order_at >= {this}.order_at
        AND (SELECT (l.order_at, d.event_date) > ({this}.order_at, {this}.event_date) FROM {jobs} d
            WHERE d.seq = l.seq AND d.scope = {this}.scope AND d.state + 0 = 3))))";

/// Of the jobs that waited for one of `{ids}`, the next of each lane. It must wake the one after it, so it has followers.
pub(crate) const WOKEN: &str = "
    SELECT (SELECT w.seq FROM {jobs} w WHERE w.lane = x.lane AND w.scope = x.scope AND w.state = 1
        ORDER BY w.order_at, w.event_date, w.seq LIMIT 1) FROM {jobs} x WHERE x.seq {ids}
    UNION ALL SELECT (SELECT w.seq FROM {jobs} w WHERE w.lane = m.lane AND w.scope = x.scope AND w.state = 1
        ORDER BY w.order_at, w.event_date, w.seq LIMIT 1) FROM {lanes} m JOIN {jobs} x ON x.seq = m.seq WHERE m.seq {ids} AND x.seq {ids}
    UNION ALL SELECT l.seq FROM {jobs} x JOIN {lanes} l ON l.lane = x.lane WHERE x.seq {ids}
    UNION ALL SELECT l.seq FROM {lanes} m JOIN {lanes} l ON l.lane = m.lane WHERE m.seq {ids}";

/// All of a job but its body.
pub(crate) const INFO: &str = "seq, key, tenant, scope, name, object, record_id, state, attempts, crashes, last_error, run_at, stored_at, finished_at, \
                    {length}(body) AS len";

pub(crate) const FIND: &str = "SELECT {info}, body FROM {jobs} WHERE seq = $1";

pub(crate) const WAKE: &str =
    "UPDATE {jobs} SET state = 0, has_followers = TRUE WHERE state + 0 = 1 AND seq {any} {woken} {end}";

/// Wakes jobs that wait although no job of their lane that is before them or running will wake them, and all waiting batches. Runs after a
/// deletion, and as a safeguard.
pub(crate) const WAKE_ALL: &str = "UPDATE {jobs} SET state = 0, has_followers = TRUE WHERE state + 0 = 1 AND seq {any}
    SELECT w.seq FROM {jobs} w WHERE w.state = 1 AND w.lane IS NOT NULL AND NOT EXISTS (
        SELECT 1 FROM {jobs} o WHERE o.lane = w.lane AND o.scope = w.scope AND o.state <= 2 AND o.seq <> w.seq
        AND (o.state = 2 OR (o.order_at, o.event_date, o.seq) < (w.order_at, w.event_date, w.seq)) AND (o.has_followers OR o.state = 1))
    UNION ALL SELECT seq FROM {jobs} WHERE state = 1 AND lane IS NULL {end}";

/// `updated` jobs of one record that may be merged, in order. None while a batch with the record in it is open.
pub(crate) const BURST: &str =
    "SELECT j.seq, j.stored_at, j.action, j.object, j.record_id, j.crashes, {now} AS now FROM {jobs} j
    WHERE j.lane = $1 AND j.scope = $2 AND j.state < 2 AND j.state <= 2 AND NOT EXISTS (
        SELECT 1 FROM {lanes} l JOIN {jobs} b ON b.seq = l.seq WHERE l.lane = $1 AND b.scope = $2 AND b.state + 0 <= 2)
    ORDER BY j.order_at, j.event_date, j.seq LIMIT 1000";

pub(crate) const POSTPONE: &str = "UPDATE {jobs} SET run_at = $2 WHERE seq = $1 AND state + 0 = 0";

/// Recovers jobs whose process ended. `$1` is how long ago a lease must have run out, `$2` how many crashes make a job dead. One that was
/// erased meanwhile is not tried again.
pub(crate) const RECOVER: &str = "UPDATE {jobs} SET
    state = CASE WHEN body IS NULL THEN 3 WHEN crashes + 1 >= $2 THEN 4 ELSE 0 END, crashes = crashes + 1,
    run_at = {now} + 1000 * (1 << CASE WHEN crashes < 9 THEN crashes ELSE 9 END), lease_token = NULL, lease_expires_at = NULL,
    finished_at = {now}, last_error = CASE WHEN body IS NOT NULL THEN 'its process ended while it was handled' END
    WHERE seq IN (SELECT seq FROM {jobs} WHERE state = 2 AND lease_expires_at < {now} - $1 {skip_locked})
    RETURNING seq, has_followers, state, last_error";

pub(crate) const RELEASE_CLAIM: &str =
    "UPDATE {jobs} SET state = CASE WHEN body IS NULL THEN 3 ELSE 0 END, lease_token = NULL, lease_expires_at = NULL
    WHERE state = 2 AND lease_token = $1 RETURNING seq, has_followers";

pub(crate) const DELETE_DONE: &str = "DELETE FROM {jobs} WHERE seq IN (SELECT seq FROM {jobs} WHERE state = 3
    AND finished_at < {now} - $1 ORDER BY finished_at LIMIT $2 {skip_locked})";

pub(crate) const DELETE_DEAD: &str = "DELETE FROM {jobs} WHERE seq IN (SELECT seq FROM {jobs} WHERE state = 4
    AND finished_at < {now} - $1 ORDER BY finished_at LIMIT $2 {skip_locked})";

/// After the clock was set back: an attempt or a delivery was in the future.
pub(crate) const REPAIR_DUE: [&str; 2] = [
    "UPDATE {jobs} SET run_at = {now}, stored_at = CASE WHEN stored_at > {now} THEN {now} ELSE stored_at END,
        finished_at = CASE WHEN finished_at > {now} THEN {now} ELSE finished_at END
        WHERE state = 0 AND crashes = 0 AND run_at > {now} + 5000 AND (stored_at > {now} + 5000 OR finished_at > {now} + 5000)",
    "UPDATE {jobs} SET run_at = {now}, finished_at = {now}
        WHERE state = 0 AND crashes > 0 AND run_at > {now} + 5000 AND finished_at > {now} + 5000",
];

/// A lease that ends later than its own length from now. Other workers may have longer leases than this one.
pub(crate) const REPAIR_LEASES: &str = "UPDATE {jobs} SET lease_expires_at = {now} + lease_len WHERE state = 2 AND lease_expires_at > {now} + lease_len + 5000";

pub(crate) const REPAIR_DONE: &str =
    "UPDATE {jobs} SET finished_at = {now} WHERE state = 3 AND finished_at > {now} + 5000";

/// One statement, so that no job is counted twice when it ends meanwhile.
pub(crate) const COUNTS: &str = "SELECT
    (SELECT count(*) FROM {jobs} WHERE state <= 1 AND attempts = 0) AS pending,
    (SELECT count(*) FROM {jobs} WHERE state <= 1 AND attempts > 0) AS retrying,
    (SELECT count(*) FROM {jobs} WHERE state = 2) AS running,
    (SELECT count(*) FROM {jobs} WHERE state = 4) AS dead,
    (SELECT count(*) FROM (SELECT 1 FROM {jobs} WHERE state = 3 {at_most}) AS done) AS done,
    (SELECT {now} - stored_at FROM {jobs} WHERE state <= 1 AND attempts = 0 ORDER BY seq LIMIT 1) AS oldest_pending,
    (SELECT {now} - stored_at FROM {jobs} WHERE state <= 1 AND attempts > 0 ORDER BY seq LIMIT 1) AS oldest_retrying,
    (SELECT {now} - stored_at FROM {jobs} WHERE state = 4 ORDER BY seq LIMIT 1) AS oldest_dead";

pub(crate) const PAUSE: &str =
    "INSERT INTO {settings} (name, value) VALUES ('paused', '1') ON CONFLICT (name) DO NOTHING";
pub(crate) const RESUME: &str = "DELETE FROM {settings} WHERE name = 'paused'";
pub(crate) const IS_PAUSED: &str = "SELECT EXISTS (SELECT 1 FROM {settings} WHERE name = 'paused')";

/// `{is_listed}` in the changes by operators: whether the job is still in the public state `$2`, if that is not -1. See [`listed`].
pub(crate) const IS_LISTED: &str =
    "($2 = -1 OR $2 = CASE WHEN state > 1 THEN state + 0 WHEN attempts > 0 THEN 1 ELSE 0 END)";

pub(crate) const RETRY: &str =
    "UPDATE {jobs} SET state = 0, attempts = 0, crashes = 0, failing_since = NULL, run_at = {now}
    WHERE seq {ids} AND (state = 4 OR state <= 1 AND (attempts > 0 OR crashes > 0)) AND body IS NOT NULL AND {is_listed}";
pub(crate) const RERUN: &str =
    "UPDATE {jobs} SET state = 0, attempts = 0, crashes = 0, failing_since = NULL, last_error = NULL,
    run_at = {now} WHERE seq {ids} AND state + 0 = 3 AND body IS NOT NULL AND {is_listed}";
pub(crate) const DELETE: &str = "DELETE FROM {jobs} WHERE seq {ids} AND state <> 2 AND {is_listed}";
pub(crate) const ERASE: &str =
    "UPDATE {jobs} SET body = NULL, last_error = NULL, state = CASE WHEN state < 2 THEN 3 ELSE state END,
    finished_at = coalesce(finished_at, {now}) WHERE seq {ids} AND body IS NOT NULL AND {is_listed}";

/// Reads a page, by an index where there is one.
pub(crate) fn page(filter: &JobFilter) -> &'static str {
    match (filter.lane().is_some(), filter.only_state()) {
        (true, _) => {
            "SELECT {info} FROM {jobs} j WHERE seq < $1 AND seq IN (
                SELECT seq FROM {jobs} WHERE lane = $3 AND state <= 2 UNION ALL SELECT seq FROM {jobs} WHERE lane = $3 AND state = 3
                UNION ALL SELECT seq FROM {jobs} WHERE lane = $3 AND state = 4 UNION ALL SELECT seq FROM {lanes} WHERE lane = $3)
             ORDER BY seq DESC LIMIT $2"
        }
        (_, Some(State::Pending)) => {
            "SELECT {info} FROM {jobs} WHERE state <= 1 AND attempts = 0 AND seq < $1 ORDER BY seq DESC LIMIT $2"
        }
        (_, Some(State::Retrying)) => {
            "SELECT {info} FROM {jobs} WHERE state <= 1 AND attempts > 0 AND seq < $1 ORDER BY seq DESC LIMIT $2"
        }
        (_, Some(State::Running)) => "SELECT {info} FROM {jobs} WHERE state = 2 AND seq < $1 ORDER BY seq DESC LIMIT $2",
        (_, Some(State::Dead)) => "SELECT {info} FROM {jobs} WHERE state = 4 AND seq < $1 ORDER BY seq DESC LIMIT $2",
        _ => "SELECT {info} FROM {jobs} WHERE seq < $1 ORDER BY seq DESC LIMIT $2",
    }
}

/// A job's public state.
pub(crate) fn state(number: i16, attempts: u32) -> State {
    match number {
        0 | 1 if attempts > 0 => State::Retrying,
        0 | 1 => State::Pending,
        2 => State::Running,
        3 => State::Done,
        _ => State::Dead,
    }
}

/// The public state in [`IS_LISTED`].
pub(crate) fn listed(state: Option<State>) -> i32 {
    match state {
        None => -1,
        Some(State::Pending) => 0,
        Some(State::Retrying) => 1,
        Some(State::Running) => 2,
        Some(State::Done) => 3,
        Some(State::Dead) => 4,
    }
}

/// Milliseconds since 1970.
pub(crate) fn time(millis: i64) -> std::time::SystemTime {
    std::time::UNIX_EPOCH + std::time::Duration::from_millis(millis.try_into().unwrap_or(0))
}

pub(crate) fn millis(duration: std::time::Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX / 4).min(i64::MAX / 4)
}

pub(crate) fn age(millis: Option<i64>) -> Option<std::time::Duration> {
    millis.map(|millis| std::time::Duration::from_millis(millis.try_into().unwrap_or(0)))
}

/// Reads a job's row of either database.
pub(crate) fn info<'r, R>(row: &'r R) -> Result<JobInfo, sqlx::Error>
where
    R: sqlx::Row,
    &'static str: sqlx::ColumnIndex<R>,
    i64: sqlx::Decode<'r, R::Database> + sqlx::Type<R::Database>,
    i32: sqlx::Decode<'r, R::Database> + sqlx::Type<R::Database>,
    i16: sqlx::Decode<'r, R::Database> + sqlx::Type<R::Database>,
    String: sqlx::Decode<'r, R::Database> + sqlx::Type<R::Database>,
    Vec<u8>: sqlx::Decode<'r, R::Database> + sqlx::Type<R::Database>,
{
    let attempts = row.try_get::<i32, _>("attempts")?.try_into().unwrap_or(0);
    let state = state(row.try_get("state")?, attempts);
    let due_at =
        matches!(state, State::Pending | State::Retrying).then(|| row.try_get("run_at").map(time)).transpose()?;
    Ok(JobInfo {
        id: crate::JobId::new(row.try_get("seq")?),
        state,
        key: key(row.try_get("key")?),
        tenant: row.try_get("tenant")?,
        scope: row.try_get("scope")?,
        name: row.try_get("name")?,
        object: row.try_get("object")?,
        record_id: row.try_get("record_id")?,
        attempts,
        crashes: row.try_get::<i32, _>("crashes")?.try_into().unwrap_or(0),
        last_error: row.try_get("last_error")?,
        due_at,
        stored_at: time(row.try_get("stored_at")?),
        finished_at: row.try_get::<Option<i64>, _>("finished_at")?.map(time),
        len: row.try_get::<Option<i32>, _>("len")?.and_then(|len| len.try_into().ok()),
    })
}

/// The jobs in these rows.
pub(crate) fn ids<'r, R>(rows: &'r [R]) -> Result<Vec<crate::JobId>, sqlx::Error>
where
    R: sqlx::Row,
    &'static str: sqlx::ColumnIndex<R>,
    i64: sqlx::Decode<'r, R::Database> + sqlx::Type<R::Database>,
{
    rows.iter().map(|row| row.try_get("seq").map(crate::JobId::new)).collect()
}

/// The jobs in these rows that others wait for.
pub(crate) fn followed<'r, R>(rows: &'r [R]) -> Result<Vec<i64>, sqlx::Error>
where
    R: sqlx::Row,
    &'static str: sqlx::ColumnIndex<R>,
    i64: sqlx::Decode<'r, R::Database> + sqlx::Type<R::Database>,
    bool: sqlx::Decode<'r, R::Database> + sqlx::Type<R::Database>,
{
    let mut followed = Vec::new();
    for row in rows {
        if row.try_get("has_followers")? {
            followed.push(row.try_get("seq")?);
        }
    }
    Ok(followed)
}

/// What [`RECOVER`] did.
pub(crate) fn recovered<'r, R>(rows: &'r [R]) -> Result<crate::Recovered, sqlx::Error>
where
    R: sqlx::Row,
    &'static str: sqlx::ColumnIndex<R>,
    i64: sqlx::Decode<'r, R::Database> + sqlx::Type<R::Database>,
    i16: sqlx::Decode<'r, R::Database> + sqlx::Type<R::Database>,
    String: sqlx::Decode<'r, R::Database> + sqlx::Type<R::Database>,
{
    let mut dead = Vec::new();
    for row in rows {
        if row.try_get::<i16, _>("state")? == 4 {
            dead.push((crate::JobId::new(row.try_get("seq")?), row.try_get("last_error")?));
        }
    }
    Ok(crate::Recovered { jobs: rows.len() as u64, dead })
}

pub(crate) fn key(bytes: Vec<u8>) -> ReplayKey {
    ReplayKey::from_bytes(bytes.try_into().unwrap_or_default())
}

pub(crate) fn change(change: crate::Change) -> &'static str {
    match change {
        crate::Change::Retry => RETRY,
        crate::Change::Rerun => RERUN,
        crate::Change::Delete => DELETE,
        crate::Change::Erase => ERASE,
    }
}

pub(crate) fn counts<'r, R>(row: &'r R) -> Result<crate::Counts, sqlx::Error>
where
    R: sqlx::Row,
    &'static str: sqlx::ColumnIndex<R>,
    i64: sqlx::Decode<'r, R::Database> + sqlx::Type<R::Database>,
{
    let count = |name| row.try_get::<i64, _>(name).map(i64::unsigned_abs);
    Ok(crate::Counts {
        pending: count("pending")?,
        running: count("running")?,
        retrying: count("retrying")?,
        done: count("done")?,
        dead: count("dead")?,
        oldest_pending: age(row.try_get("oldest_pending")?),
        oldest_retrying: age(row.try_get("oldest_retrying")?),
        oldest_dead: age(row.try_get("oldest_dead")?),
    })
}

/// (state, delay, error)
pub(crate) fn outcome(outcome: &crate::Outcome) -> (i16, i64, Option<&str>) {
    match outcome {
        crate::Outcome::Done => (3, 0, None),
        crate::Outcome::Retry(after, error) => (0, millis(*after), Some(error)),
        crate::Outcome::Dead(error) => (4, 0, Some(error)),
        crate::Outcome::Released => (0, 0, None),
    }
}
