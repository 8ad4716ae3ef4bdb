use std::time::Duration;

use serde::Deserialize;

use super::RateLimit;

/// The faults of a [`FakeTwenty`](crate::FakeTwenty). The defaults are those of a healthy Twenty, which also sends only one `destroyed` for
/// many records.
///
/// Durations are measured with the injected clock unless the field says otherwise.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
#[expect(clippy::struct_excessive_bools, reason = "each is a separate switch")]
pub struct Faults {
    /// Drops webhook calls over this limit. The real limit of a workspace is about 60 calls in 60 seconds.
    pub rate_limit: Option<RateLimit>,
    /// How long a job waits in the queue. An event waits twice: before the fan-out, which sets its `eventDate`, and before the call.
    pub lag: Duration,
    /// Runs a random one of the first `reorder` jobs instead of the first. 0 and 1 keep the order.
    pub reorder: usize,
    /// Repeats every nth call: the same body with a new timestamp, nonce and signature. 0 repeats none.
    pub rerun_every: u32,
    /// Repeats every nth fan-out: the same changes with a new `eventDate`. 0 repeats none.
    pub rerun_fan_out_every: u32,
    /// Emits one `destroyed` event if many records are destroyed in one call. On by default.
    pub one_destroyed_for_many: bool,
    /// Emits no `deleted` for a soft delete.
    pub no_deleted: bool,
    /// Emits no `restored` for a restore.
    pub no_restored: bool,
    /// Fails each call as if the receiver's port were closed.
    pub receiver_down: bool,
    /// Refuses targets that resolve to a private or loopback address, as Twenty does by default. Off by default, because tests receive on
    /// loopback.
    pub refuse_private_addresses: bool,
    /// How long a changed webhook still signs with its old secret. Twenty caches its settings for up to 10 seconds.
    pub settings_cache: Duration,
    /// Sends `pageInfo` and `totalCount` inside `data`, as some versions do.
    pub page_info_in_data: bool,
    /// Returns the cursor that the client sent, so that a client without a check reads one page without end.
    pub repeat_cursor: bool,
    /// Limits the requests to the REST API, for each API key.
    pub api_rate_limit: Option<RateLimit>,
    /// Sends 429 without `Retry-After`, as old versions do.
    pub no_retry_after: bool,
    /// Answers 402 to all requests to the REST API, as if the workspace's allowance were used up.
    pub allowance_spent: bool,
    /// Hides the secrets of webhooks in the REST API.
    pub hide_secrets: bool,
    /// Generates no secret for a webhook that is created without one, so its deliveries are unsigned, as in some versions.
    pub no_generated_secret: bool,
    /// How far the server's clock is ahead of the injected one, in milliseconds. Applies to `Date`, timestamps, and the dates of records and
    /// events.
    pub clock_skew_millis: i64,
    /// The delay of each REST API answer, in real time.
    pub api_delay: Duration,
    /// Answers 500 to each list of the records of these objects, by their plural names. The other objects work.
    pub failing_objects: Vec<String>,
}

impl Default for Faults {
    fn default() -> Self {
        Self {
            rate_limit: None,
            lag: Duration::ZERO,
            reorder: 0,
            rerun_every: 0,
            rerun_fan_out_every: 0,
            one_destroyed_for_many: true,
            no_deleted: false,
            no_restored: false,
            receiver_down: false,
            refuse_private_addresses: false,
            settings_cache: Duration::ZERO,
            page_info_in_data: false,
            repeat_cursor: false,
            api_rate_limit: None,
            no_retry_after: false,
            allowance_spent: false,
            hide_secrets: false,
            no_generated_secret: false,
            clock_skew_millis: 0,
            api_delay: Duration::ZERO,
            failing_objects: Vec::new(),
        }
    }
}

/// How one request to the REST API fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ApiFailure {
    /// Answers with this status. A 429 has a `Retry-After` of one second unless [`Faults::no_retry_after`] is on.
    Status(u16),
    /// Never answers.
    Hang,
    /// Closes the connection in the middle of the answer.
    CutOff,
    /// Answers 200 with an HTML page, as a proxy may do.
    NotJson,
    /// Answers 200 with an endless body.
    Endless,
}
