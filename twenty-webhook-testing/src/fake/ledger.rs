use std::collections::HashSet;
use std::fmt;

use bytes::Bytes;
use twenty_webhook_core::{DeliveryId, UnixMillis};

/// What changed, what was sent, and what was dropped: for a test to compare with what was handled.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Ledger {
    /// Each change of a record or of the data model, in order.
    pub changes: Vec<Change>,
    /// Each call of a webhook, in the order in which they ended.
    pub calls: Vec<Call>,
}

/// A change.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Change {
    /// The name of its event, whether or not that was sent.
    pub name: String,
    /// The object, or `metadata.…`.
    pub object: String,
    /// The record's id.
    pub record_id: String,
    /// The record's `updatedAt` after the change.
    pub updated_at: String,
    /// Whether Twenty made an event of it.
    pub fate: Fate,
}

/// Whether Twenty made an event of a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fate {
    /// It did. Whether that arrived is told by the [`Call`]s.
    Announced,
    /// It was one of many that were destroyed in one call, and not the first.
    OneForMany,
    /// This version, or a fault, makes no event of a delete or restore.
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
    /// The webhook.
    pub webhook_id: String,
    /// The change, as its index in [`Ledger::changes`].
    pub change: usize,
    /// What was signed.
    pub body: Bytes,
    /// The timestamp that was signed.
    pub sent_at: UnixMillis,
    /// Whether it was a job that ran again.
    pub is_rerun: bool,
    /// What came of it.
    pub outcome: Outcome,
}

/// What came of a call. Twenty never repeats it, whatever that was.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Outcome {
    /// It was answered with this status, after redirects.
    Answered(u16),
    /// No answer in time. It may have been handled.
    TimedOut,
    /// The connection failed, or broke off: why.
    Failed(String),
    /// Over the rate limit: it was not sent.
    RateLimited,
    /// The target is a private address: it was not sent.
    PrivateAddress,
}

impl Call {
    /// The id of what was signed.
    pub fn delivery_id(&self) -> DeliveryId {
        DeliveryId::of(&self.body)
    }

    /// Whether the receiver said that it has it.
    pub fn was_accepted(&self) -> bool {
        matches!(self.outcome, Outcome::Answered(200..300))
    }

    /// Whether the receiver may have got it. Otherwise it was dropped before a connection was made.
    pub fn was_sent(&self) -> bool {
        !matches!(self.outcome, Outcome::RateLimited | Outcome::PrivateAddress)
    }
}

/// The body's length only.
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

    /// The ids of the deliveries that this webhook's receiver accepted, each once however often it was sent.
    pub fn accepted(&self, webhook_id: &str) -> HashSet<DeliveryId> {
        self.calls_to(webhook_id).filter(|call| call.was_accepted()).map(Call::delivery_id).collect()
    }

    /// The changes that this webhook's receiver has not accepted an event of: those that Twenty made none of, that were dropped, that failed,
    /// or that it did not subscribe to.
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
