//! From a request to a handled delivery: what every adapter drives.
//!
//! [`receive`](crate::WebhookConfig::receive) judges the head, chooses the verifier, reads the body and verifies it. [`VerifiedRequest`] is a
//! verified event, which is claimed; [`ClaimedDelivery`] is the right to handle it. Whatever ends early is a [`RejectedRequest`], logged and observed.

mod admission;
mod body;
mod deadline;
#[cfg(feature = "diagnose")]
mod evidence;
mod exchange;
mod log;
mod log_limit;
#[cfg(feature = "metrics")]
mod metrics;
mod outcome;
mod path_start;
mod receive;
mod refusal;

pub use admission::{ClaimedDelivery, VerifiedRequest};
#[cfg(feature = "diagnose")]
pub use evidence::RecordedRequest;
pub(crate) use log::ReceiverLog;
pub(crate) use outcome::Observer;
pub use outcome::{Outcome, OutcomeKind};
pub use refusal::RejectedRequest;
pub(crate) use refusal::RejectionResponse;
