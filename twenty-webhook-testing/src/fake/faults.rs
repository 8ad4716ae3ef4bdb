use std::time::Duration;

use serde::Deserialize;

use super::RateLimit;

/// What goes wrong. The defaults are what a healthy Twenty does, which is not always right: it sends one `destroyed` for many records.
///
/// Durations go by the injected clock, unless they say otherwise.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of its own")]
pub struct Faults {
    /// Drops the webhook calls that are over it, as Twenty's limit of about 60 in 60 seconds for a workspace does.
    pub rate_limit: Option<RateLimit>,
    /// How long a job waits in the queue. An event waits twice: for the fan-out, which sets its `eventDate`, and for the sending.
    pub lag: Duration,
    /// Takes one of so many waiting jobs, at random, in place of the first. 0 and 1 keep the order.
    pub reorder: usize,
    /// Runs every so-manieth call again: the same body with a new timestamp, nonce and signature. 0 is never.
    pub rerun_every: u32,
    /// Runs every so-manieth fan-out again: the same changes with a new `eventDate`. 0 is never.
    pub rerun_fan_out_every: u32,
    /// Sends one `destroyed` where many records are destroyed in one call. On by default.
    pub one_destroyed_for_many: bool,
    /// Sends no `deleted` for a soft delete.
    pub no_deleted: bool,
    /// Sends nothing for a restore.
    pub no_restored: bool,
    /// Answers each call as if the receiver's port were closed.
    pub receiver_down: bool,
    /// Refuses targets that resolve to a private or loopback address, as Twenty does by default. Off by default, because tests receive on
    /// loopback.
    pub refuse_private_addresses: bool,
    /// How long a webhook that was changed still signs with its old secret. Twenty caches its settings for up to 10 seconds.
    pub settings_cache: Duration,
    /// Sends `pageInfo` and `totalCount` inside `data`, as some versions do.
    pub page_info_in_data: bool,
    /// Gives out the cursor that was sent, so that a client that does not look reads one page for ever.
    pub repeat_cursor: bool,
    /// Limits the requests to the REST API, for each API key.
    pub api_rate_limit: Option<RateLimit>,
    /// Sends no `Retry-After` with 429, as old versions do.
    pub no_retry_after: bool,
    /// Answers 402 to all requests to the REST API: the allowance is spent.
    pub allowance_spent: bool,
    /// Shows no secrets of webhooks in the REST API.
    pub hide_secrets: bool,
    /// Makes no secret for a webhook that is made without one, so that its deliveries are unsigned, as some versions do.
    pub no_generated_secret: bool,
    /// How far the server's clock is ahead of the injected one, in milliseconds: for `Date`, the dates of records and events, and
    /// timestamps.
    pub clock_skew_millis: i64,
    /// How long the REST API takes to answer, in real time.
    pub api_delay: Duration,
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
        }
    }
}

/// How one request to the REST API fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ApiFailure {
    /// It is answered with this status. 429 comes with a `Retry-After` of one second, unless [`Faults::no_retry_after`].
    Status(u16),
    /// It is never answered.
    Hang,
    /// The connection is closed in the middle of the answer.
    CutOff,
    /// It is answered with 200 and a page of HTML, as a proxy might.
    NotJson,
    /// It is answered with 200 and a body without end.
    Endless,
}
