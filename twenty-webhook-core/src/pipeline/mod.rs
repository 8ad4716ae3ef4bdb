//! The pipeline from a request to a handled delivery, which each adapter drives.
//!
//! [`receive`](crate::WebhookConfig::receive) checks the head, chooses the verifier, reads the body and verifies it. A [`VerifiedRequest`] has
//! the event; claiming it gives a [`ClaimedDelivery`], the right to handle it. A [`RejectedRequest`] is already logged and observed.

mod body;
mod claimed_delivery;
mod deadline;
mod log;
mod log_limit;
#[cfg(feature = "metrics")]
mod metrics;
mod outcome;
mod path_prefix;
mod receive;
#[cfg(feature = "diagnose")]
mod recorded_request;
mod rejected_request;
mod request_context;

pub use claimed_delivery::{ClaimedDelivery, VerifiedRequest};
pub(crate) use deadline::within;
pub(crate) use log::ReceiverLog;
pub(crate) use outcome::Observer;
pub use outcome::{Outcome, OutcomeKind};
#[cfg(feature = "diagnose")]
pub use recorded_request::RecordedRequest;
pub use rejected_request::RejectedRequest;
pub(crate) use rejected_request::RejectionResponse;
