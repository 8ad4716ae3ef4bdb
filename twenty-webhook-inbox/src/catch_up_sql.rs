//! The statements of catch-up, for both databases. Lists are bound as JSON: `[[id, number], …]`.

use crate::new_job::lane;
use crate::{CatchUpScope, FoundRecord};

/// A scope that was caught up stays known after its last delivery is deleted.
pub(crate) const SCOPES: &str = "SELECT tenant, scope FROM {jobs} WHERE NOT caught_up
    UNION SELECT tenant, scope FROM {catch_up} WHERE scope <> '' AND name <> 'lease' LIMIT 3";

/// The newest delivery of a tenant.
pub(crate) const NEWEST_BODY: &str =
    "SELECT body FROM {jobs} WHERE scope = $1 AND tenant IS NOT NULL AND NOT caught_up AND body IS NOT NULL
    ORDER BY seq DESC LIMIT 1";

/// Moves data from the scope `$3`, under which it was saved before its workspace or tenant was known, unless the scope has progress already.
pub(crate) const ADOPT_JOBS: &str =
    "UPDATE {jobs} SET tenant = $2, scope = $1 WHERE caught_up AND scope = $3 AND tenant IS NULL AND scope <> $1
    AND NOT EXISTS (SELECT 1 FROM {catch_up} WHERE scope = $1 AND name <> 'lease')";

pub(crate) const ADOPT_KNOWN: &str = "UPDATE {known} SET scope = $1 WHERE scope = $2 AND scope <> $1
    AND NOT EXISTS (SELECT 1 FROM {catch_up} WHERE scope = $1 AND name <> 'lease')";

pub(crate) const ADOPT_PROGRESS: &str =
    "UPDATE {catch_up} SET tenant = $2, scope = $1 WHERE scope = $3 AND tenant IS NULL AND scope <> $1 AND name <> 'lease'
    AND NOT EXISTS (SELECT 1 FROM {catch_up} WHERE scope = $1 AND name <> 'lease')";

pub(crate) const ADOPTABLE: &str =
    "SELECT COUNT(*) FROM {catch_up} WHERE scope = $2 AND tenant IS NULL AND scope <> $1 AND name <> 'lease'
    AND NOT EXISTS (SELECT 1 FROM {catch_up} WHERE scope = $1 AND name <> 'lease')";

/// A lease that ends after `$4` more milliseconds is free too, because the clock was set back.
pub(crate) const LEASE: &str = "INSERT INTO {catch_up} AS c (scope, name, value, lease_token, lease_expires_at)
    VALUES ($1, 'lease', '', $2, {now} + $3) ON CONFLICT (scope, name)
    DO UPDATE SET lease_token = excluded.lease_token, lease_expires_at = excluded.lease_expires_at
    WHERE c.lease_token = excluded.lease_token OR c.lease_expires_at < {now} OR c.lease_expires_at > {now} + $4";

pub(crate) const RELEASE: &str =
    "UPDATE {catch_up} SET lease_expires_at = 0 WHERE scope = $1 AND name = 'lease' AND lease_token = $2";

pub(crate) const HOLD: &str = "UPDATE {catch_up} SET lease_expires_at = {now} + $3
    WHERE scope = $1 AND name = 'lease' AND lease_token = $2 AND lease_expires_at >= {now}";

pub(crate) const PROGRESS: &str = "SELECT value FROM {catch_up} WHERE scope = $1 AND name = $2";

pub(crate) const SAVE: &str = "INSERT INTO {catch_up} (scope, name, value, tenant) VALUES ($1, $2, $3, $4)
    ON CONFLICT (scope, name) DO UPDATE SET value = excluded.value";

/// `$1` is the scope, `$2` the object; numbers are lanes. `was_destroyed` is whether catch-up has stored a `destroyed` of the record that was
/// not disproved yet. By the lane: `|| ''` prevents the use of the index `destroyed`, which has every destroyed record.
pub(crate) const KNOWN: &str =
    "SELECT p.id AS id, k.id IS NOT NULL AS is_known, k.updated_at AS updated_at, k.handled AS handled,
    (SELECT max(g.seq) FROM {jobs} g WHERE g.caught_up AND g.lane = p.number AND g.scope = $1 AND g.object = $2
        AND g.record_id = p.id AND g.dated AND g.action || '' = 'destroyed') IS NOT NULL AS was_destroyed,
    (SELECT max(o.order_at) FROM {jobs} o WHERE o.lane = p.number AND o.state <= 2 AND o.scope = $1 AND o.object = $2
        AND o.record_id = p.id AND o.dated) AS open_at,
    (SELECT max(d.order_at) FROM {jobs} d WHERE d.lane = p.number AND d.state = 3 AND d.scope = $1 AND d.object = $2
        AND d.record_id = p.id AND d.dated) AS done_at,
    (SELECT max(x.order_at) FROM {jobs} x WHERE x.lane = p.number AND x.state = 4 AND x.scope = $1 AND x.object = $2
        AND x.record_id = p.id AND x.dated) AS dead_at,
    (SELECT max(x.seq) FROM {jobs} x WHERE x.lane = p.number AND x.state = 4 AND x.scope = $1 AND x.object = $2
        AND x.record_id = p.id AND x.dated) AS dead,
    (SELECT max(l.order_at) FROM {lanes} l JOIN {jobs} b ON b.seq = l.seq WHERE l.lane = p.number AND l.record_id = p.id
        AND b.state <= 3 AND b.scope = $1 AND b.object = $2) AS batch_at
    FROM {pairs} AS p LEFT JOIN {known} k ON k.scope = $1 AND k.object = $2 AND k.id = p.id";

/// The records of which catch-up has stored a `destroyed` that was not disproved yet. Until the commit, no job of them is claimed.
pub(crate) const WERE_DESTROYED: &str =
    "SELECT record_id FROM {jobs} WHERE caught_up AND lane {any} SELECT number FROM {pairs} AS p {end} AND action || '' = 'destroyed' AND dated
    AND scope = $1 AND object = $2 AND record_id {any} SELECT id FROM {pairs} AS p {end} AND {lane_is_locked}";

/// Corrects an earlier `destroyed` event of catch-up for a record that exists: it is no longer the newest state, and its key becomes free,
/// because the record may be destroyed later. It has no body any more, so a running one that fails is not tried again.
pub(crate) const DISPROVE: &str = "UPDATE {jobs} SET key = {another_key}, dated = FALSE, order_at = stored_at, body = NULL,
    state = CASE WHEN state = 2 THEN 2 ELSE 3 END, finished_at = coalesce(finished_at, {now})
    WHERE caught_up AND lane {any} SELECT number FROM {pairs} AS p {end} AND action || '' = 'destroyed' AND dated AND scope = $1
    AND object = $2 AND record_id {any} SELECT id FROM {pairs} AS p {end}";

/// Forgets what was handled before a `destroyed` that is disproved: its handler may have deleted the record, so the record's state must be
/// handled again. What is still waiting counts.
pub(crate) const FORGET_HANDLED: &str =
    "UPDATE {jobs} SET dated = FALSE, key = CASE WHEN caught_up THEN {another_key} ELSE key END WHERE seq {any}
        SELECT seq FROM {jobs} WHERE lane {any} SELECT number FROM {pairs} AS p {end} AND state = 2
        UNION ALL SELECT seq FROM {jobs} WHERE lane {any} SELECT number FROM {pairs} AS p {end} AND state = 3
        UNION ALL SELECT seq FROM {jobs} WHERE lane {any} SELECT number FROM {pairs} AS p {end} AND state = 4 {end}
    AND scope = $1 AND object = $2 AND record_id {any} SELECT id FROM {pairs} AS p {end} AND dated AND action || '' <> 'destroyed'";

/// The same for deliveries that hold several records.
pub(crate) const FORGET_HANDLED_IN_BATCHES: &str =
    "UPDATE {lanes} SET order_at = NULL WHERE lane {any} SELECT number FROM {pairs} AS p {end} AND record_id {any} SELECT id FROM {pairs} AS p {end}
    AND seq {any} SELECT b.seq FROM {lanes} l JOIN {jobs} b ON b.seq = l.seq WHERE l.lane {any} SELECT number FROM {pairs} AS p {end}
        AND b.state + 0 >= 2 AND b.scope = $1 AND b.object = $2 AND b.action || '' <> 'destroyed' {end}";

/// Inserts nothing if an equal or newer state is pending, running or done.
pub(crate) const INSERT: &str = "INSERT INTO {jobs} (key, tenant, scope, name, object, action, record_id, lane, order_at, dated, event_date,
        run_at, stored_at, body, caught_up)
    SELECT $1, $2, $3, $4, $5, $6, $7, $8, $9, TRUE, $10, {now}, {now}, $11, TRUE
    WHERE NOT EXISTS (SELECT 1 FROM {jobs} o WHERE o.lane = $8 AND o.state <= 2 AND o.scope = $3 AND o.object = $5 AND o.record_id = $7
            AND o.dated AND o.order_at >= $9)
        AND NOT EXISTS (SELECT 1 FROM {jobs} d WHERE d.lane = $8 AND d.state = 3 AND d.order_at >= $9 AND d.scope = $3 AND d.object = $5
            AND d.record_id = $7 AND d.dated)
        AND NOT EXISTS (SELECT 1 FROM {lanes} l JOIN {jobs} b ON b.seq = l.seq WHERE l.lane = $8 AND l.record_id = $7 AND l.order_at >= $9
            AND b.state <= 3 AND b.scope = $3 AND b.object = $5)
    ON CONFLICT (key) DO NOTHING";

/// `$1` is the scope, `$2` the object, `$4` the pass, `$5` the key's tag, `$6` whether states are handled. A state never goes back.
pub(crate) const FIND: &str = "INSERT INTO {known} AS k (scope, object, id, updated_at, pass, key_tag, handled)
    SELECT $1, $2, p.id, p.number, $4, $5, $6 FROM {pairs} AS p WHERE TRUE ON CONFLICT (scope, object, id)
    DO UPDATE SET pass = excluded.pass, key_tag = excluded.key_tag,
        handled = CASE WHEN excluded.updated_at > k.updated_at THEN excluded.handled
            WHEN excluded.updated_at = k.updated_at THEN excluded.handled OR k.handled ELSE k.handled END,
        updated_at = CASE WHEN excluded.updated_at > k.updated_at THEN excluded.updated_at ELSE k.updated_at END";

pub(crate) const FORGET: &str =
    "DELETE FROM {known} WHERE scope = $1 AND object = $2 AND id {any} SELECT id FROM {pairs} AS p {end}";

/// How many rows of the table [`DELIVERED`] reads at a time.
pub(crate) const DELIVERED_AT_A_TIME: i64 = 10_000;

pub(crate) const FIRST_AND_LAST: &str = "SELECT min(seq) AS first, max(seq) AS last FROM {jobs}";

/// The ids that these rows have, without those of `destroyed`. A pass reads the whole table once, in parts and outside of any transaction
/// that writes, because deliveries are stored meanwhile.
pub(crate) const DELIVERED: &str =
    "SELECT record_id FROM {jobs} WHERE seq > $3 AND seq <= $4 AND scope = $1 AND object = $2 AND action <> 'destroyed'
        AND NOT caught_up AND record_id IS NOT NULL
    UNION SELECT l.record_id FROM {jobs} b JOIN {lanes} l ON l.seq = b.seq WHERE b.seq > $3 AND b.seq <= $4 AND b.scope = $1
        AND b.object = $2 AND b.action <> 'destroyed' AND l.record_id IS NOT NULL";

pub(crate) const ADD_DELIVERED: &str = "INSERT INTO {known} (scope, object, id, updated_at, pass, key_tag, handled)
    SELECT $1, $2, p.id, -1, 0, '', FALSE FROM {pairs} AS p WHERE TRUE ON CONFLICT (scope, object, id) DO NOTHING";

pub(crate) const REMOVE_DESTROYED: &str = "DELETE FROM {known} WHERE scope = $1 AND object = $2 AND id {any}
    SELECT record_id FROM {jobs} WHERE scope = $1 AND object = $2 AND action = 'destroyed' AND dated AND state <= 3
    UNION ALL SELECT l.record_id FROM {jobs} b JOIN {lanes} l ON l.seq = b.seq
        WHERE b.scope = $1 AND b.object = $2 AND b.action = 'destroyed' AND b.dated AND b.state <= 3 {end}";

pub(crate) const COUNT_IDS: &str = "SELECT count(*) AS known,
    coalesce(sum(CASE WHEN pass <> $3 AND key_tag = $4 THEN 1 ELSE 0 END), 0) AS missing,
    coalesce(sum(CASE WHEN pass <> $3 AND key_tag <> $4 THEN 1 ELSE 0 END), 0) AS unproven
    FROM {known} WHERE scope = $1 AND object = $2";

pub(crate) const MISSING: &str =
    "SELECT id, updated_at FROM {known} WHERE scope = $1 AND object = $2 AND pass <> $3 AND id > $4
    AND (key_tag = $5 OR $6) ORDER BY id LIMIT $7";

pub(crate) const DELIVERIES: &str =
    "SELECT count(*) FROM (SELECT scope, stored_at, caught_up FROM {jobs} ORDER BY seq DESC LIMIT 1000) AS last
    WHERE scope = $1 AND NOT caught_up AND stored_at > {now} - $2";

/// How often deliveries may have been lost.
pub(crate) const LOSSES: &str = "SELECT coalesce(max(CAST(value AS BIGINT)), 0) FROM {settings} WHERE name = 'losses'";

pub(crate) const NOTE_LOSS: &str = "INSERT INTO {settings} AS s (name, value) VALUES ('losses', '1')
    ON CONFLICT (name) DO UPDATE SET value = CAST(CAST(s.value AS BIGINT) + 1 AS TEXT)";

pub(crate) fn lanes(object: &str, ids: &[String]) -> String {
    let pairs: serde_json::Value = ids.iter().map(|id| serde_json::json!([id, lane(object, id)])).collect();
    pairs.to_string()
}

/// -1 means no state: any state is newer.
pub(crate) fn states(found: &[FoundRecord]) -> String {
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
