//! The tables of both databases.

/// Additive steps only: a program of an older version goes on with a newer schema.
pub(crate) const SCHEMA: [&str; 4] = [
    "
CREATE TABLE {jobs} (
    seq {serial},
    key {bytes} NOT NULL,
    tenant TEXT,
    scope TEXT NOT NULL,
    name TEXT NOT NULL,
    object TEXT NOT NULL,
    action TEXT NOT NULL,
    record_id TEXT,
    lane BIGINT,
    order_at BIGINT NOT NULL,
    dated BOOLEAN NOT NULL,
    event_date BIGINT NOT NULL,
    state SMALLINT NOT NULL DEFAULT 0,
    attempts INTEGER NOT NULL DEFAULT 0,
    crashes INTEGER NOT NULL DEFAULT 0,
    has_followers BOOLEAN NOT NULL DEFAULT FALSE,
    run_at BIGINT NOT NULL,
    lease_expires_at BIGINT,
    lease_token BIGINT,
    failing_since BIGINT,
    stored_at BIGINT NOT NULL,
    finished_at BIGINT,
    last_error TEXT,
    body {bytes}
);
CREATE UNIQUE INDEX {index}key ON {jobs} (key);
CREATE INDEX {index}due ON {jobs} (run_at, seq) WHERE state = 0 AND crashes = 0;
CREATE INDEX {index}due_crashed ON {jobs} (run_at, seq) WHERE state = 0 AND crashes > 0;
CREATE INDEX {index}open_lane ON {jobs} (lane, order_at, event_date, seq) WHERE state <= 2;
CREATE INDEX {index}waiting_lane ON {jobs} (lane, order_at, event_date, seq) WHERE state = 1;
CREATE INDEX {index}running_lane ON {jobs} (lane) WHERE state = 2;
CREATE INDEX {index}done_lane ON {jobs} (lane, order_at) WHERE state = 3;
CREATE INDEX {index}dead_lane ON {jobs} (lane) WHERE state = 4;
CREATE INDEX {index}pending ON {jobs} (seq) WHERE state <= 1 AND attempts = 0;
CREATE INDEX {index}retrying ON {jobs} (seq) WHERE state <= 1 AND attempts > 0;
CREATE INDEX {index}done ON {jobs} (finished_at) WHERE state = 3 AND finished_at IS NOT NULL;
CREATE INDEX {index}dead ON {jobs} (seq) WHERE state = 4;
CREATE INDEX {index}dead_since ON {jobs} (finished_at) WHERE state = 4 AND finished_at IS NOT NULL;
CREATE TABLE {lanes} (
    lane BIGINT NOT NULL,
    seq BIGINT NOT NULL REFERENCES {jobs} (seq) ON DELETE CASCADE,
    PRIMARY KEY (lane, seq)
);
CREATE INDEX {index}lanes_of ON {lanes} (seq);
CREATE TABLE {settings} (name TEXT PRIMARY KEY, value TEXT NOT NULL);
",
    "
ALTER TABLE {jobs} ADD COLUMN caught_up BOOLEAN NOT NULL DEFAULT FALSE;
CREATE INDEX {index}caught_up ON {jobs} (lane, order_at) WHERE caught_up;
CREATE TABLE {known} (
    scope TEXT NOT NULL,
    object TEXT NOT NULL,
    id TEXT NOT NULL,
    updated_at BIGINT NOT NULL,
    handled BOOLEAN NOT NULL,
    pass BIGINT NOT NULL,
    key_tag TEXT NOT NULL,
    PRIMARY KEY (scope, object, id)
);
CREATE TABLE {catch_up} (
    tenant TEXT,
    scope TEXT NOT NULL,
    name TEXT NOT NULL,
    value TEXT NOT NULL,
    lease_token BIGINT,
    lease_expires_at BIGINT,
    PRIMARY KEY (scope, name)
);
",
    "
ALTER TABLE {lanes} ADD COLUMN record_id TEXT;
ALTER TABLE {lanes} ADD COLUMN order_at BIGINT;
",
    "
ALTER TABLE {jobs} ADD COLUMN lease_len BIGINT;
CREATE INDEX {index}destroyed ON {jobs} (scope, object) WHERE action = 'destroyed';
",
];
