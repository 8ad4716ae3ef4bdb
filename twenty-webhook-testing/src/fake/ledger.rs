use std::collections::HashSet;
use std::fmt;

use bytes::Bytes;
use twenty_webhook_core::{DeliveryId, UnixMillis};

/// Everything that changed, was sent and was dropped, for a test to compare with what was handled.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Ledger {
    /// The changes of records and of the data model, in order.
    pub changes: Vec<Change>,
    /// The calls of webhooks, in the order in which they ended.
    pub calls: Vec<Call>,
}

/// A change of a record or of the data model.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Change {
    /// The name of its event, even if none was emitted.
    pub name: String,
    /// The object's singular name, or `metadata.…`.
    pub object: String,
    /// The record's id.
    pub record_id: String,
    /// The record's `updatedAt` after the change.
    pub updated_at: String,
    /// Whether Twenty emitted an event for it.
    pub emission: Emission,
}

/// Whether Twenty emitted an event for a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Emission {
    /// It emitted one. The [`Call`]s show whether it arrived.
    Emitted,
    /// Many records were destroyed in one call, and Twenty emitted an event for the first one only.
    OnlyFirstOfMany,
    /// This version or a fault emits no event for a delete or restore.
    NoSuchEvent,
    /// No field changed.
    NothingChanged,
    /// The record is private, or of an object that is never sent.
    Private,
}

/// A call of a webhook.
#[derive(Clone)]
#[non_exhaustive]
pub struct Call {
    /// The webhook's id.
    pub webhook_id: String,
    /// The index of the change in [`Ledger::changes`].
    pub change: usize,
    /// The signed body.
    pub body: Bytes,
    /// The signed timestamp.
    pub sent_at: UnixMillis,
    /// Whether a repeated job made the call.
    pub is_rerun: bool,
    /// The result.
    pub outcome: Outcome,
}

/// The result of a call. Twenty never retries a call.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Outcome {
    /// The final status, after redirects.
    Answered(u16),
    /// No answer in time. The delivery may have been handled.
    TimedOut,
    /// The connection failed, for this reason.
    Failed(String),
    /// Not sent, because it was over the rate limit.
    RateLimited,
    /// Not sent, because the target is a private address.
    PrivateAddress,
}

impl Call {
    /// The id of the signed body.
    pub fn delivery_id(&self) -> DeliveryId {
        DeliveryId::of(&self.body)
    }

    /// Whether the receiver answered 2xx.
    pub fn was_accepted(&self) -> bool {
        matches!(self.outcome, Outcome::Answered(200..300))
    }

    /// Whether Twenty made the call. Otherwise it dropped the call before connecting.
    pub fn was_sent(&self) -> bool {
        !matches!(self.outcome, Outcome::RateLimited | Outcome::PrivateAddress)
    }
}

/// Shows only the length of the body.
impl fmt::Debug for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Call")
            .field("webhook_id", &self.webhook_id)
            .field("change", &self.change)
            .field("body", &self.body.len())
            .field("sent_at", &self.sent_at)
            .field("is_rerun", &self.is_rerun)
            .field("outcome", &self.outcome)
            .finish()
    }
}

impl Ledger {
    /// The calls of one webhook.
    pub fn calls_to<'a>(&'a self, webhook_id: &'a str) -> impl Iterator<Item = &'a Call> {
        self.calls.iter().filter(move |call| call.webhook_id == webhook_id)
    }

    /// The ids of the deliveries that this webhook's receiver accepted. Repeated deliveries count once.
    pub fn accepted(&self, webhook_id: &str) -> HashSet<DeliveryId> {
        self.calls_to(webhook_id).filter(|call| call.was_accepted()).map(Call::delivery_id).collect()
    }

    /// The changes for which this webhook's receiver accepted no event: none was emitted, the webhook does not subscribe to it, or the call
    /// was dropped or failed.
    pub fn missed(&self, webhook_id: &str) -> Vec<&Change> {
        let accepted: HashSet<_> =
            self.calls_to(webhook_id).filter(|call| call.was_accepted()).map(|call| call.change).collect();
        self.changes
            .iter()
            .enumerate()
            .filter(|(index, _)| !accepted.contains(index))
            .map(|(_, change)| change)
            .collect()
    }
}
