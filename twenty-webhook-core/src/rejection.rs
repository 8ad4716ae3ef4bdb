use std::error::Error;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use http::StatusCode;

use crate::event::NotAnEvent;
use crate::{GuardError, SourceError};

/// Why a request was refused. `Display` is for the operator's log, [`code`](Self::code) for metrics and alerts, and the caller
/// learns no more than the [`status`](Self::status).
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Rejection {
    /// It is no `POST`, so it is no delivery.
    #[error("not a POST: Twenty sends nothing else")]
    MethodNotAllowed,
    /// It is no `POST`, but has Twenty's headers: a redirect in front of this receiver has turned a delivery into a `GET` without a body.
    /// The delivery is lost.
    #[error(
        "a redirect has turned a delivery into a {method}, and its body is lost: register the final URL in Twenty (https, and with or \
         without the trailing slash)"
    )]
    #[non_exhaustive]
    Redirected {
        /// The method that arrived: `GET`, or another of at most 20 characters.
        method: Box<str>,
    },
    /// Neither a signature nor a timestamp: Twenty sends none when the webhook has no secret.
    #[error("unsigned delivery: does this webhook have a secret in Twenty's settings?")]
    Unsigned,
    /// One of the headers is missing.
    #[error("the header {0} is missing")]
    MissingHeader(&'static str),
    /// One of the headers is there more than once.
    #[error("the header {0} is there more than once")]
    RepeatedHeader(&'static str),
    /// The signature is not exactly 64 hex digits.
    #[error("malformed signature: expected exactly 64 hex digits, got {len} bytes that are not")]
    #[non_exhaustive]
    MalformedSignature {
        /// The value's length in bytes.
        len: usize,
    },
    /// The timestamp is not a decimal number of milliseconds that fits 64 bits.
    #[error("malformed timestamp: expected Unix milliseconds in digits, got {len} bytes that are not")]
    #[non_exhaustive]
    MalformedTimestamp {
        /// The value's length in bytes.
        len: usize,
    },
    /// It was sent too long ago, or its timestamp is not in milliseconds.
    #[error("stale timestamp: sent {age:?} ago, and the tolerance is {tolerance:?}{}", seconds_hint(*age))]
    #[non_exhaustive]
    StaleTimestamp {
        /// How old it is.
        age: Duration,
        /// How old it may be.
        tolerance: Duration,
    },
    /// Its timestamp is ahead of this receiver's clock.
    #[error(
        "timestamp in the future: {ahead:?} ahead, and the tolerance is {tolerance:?}; is this machine's clock right?"
    )]
    #[non_exhaustive]
    FutureTimestamp {
        /// How far ahead it is.
        ahead: Duration,
        /// How far ahead it may be.
        tolerance: Duration,
    },
    /// None of the secrets signed this timestamp and body.
    #[error("signature mismatch: signed with another secret, or changed on the way")]
    SignatureMismatch,
    /// The body is over the limit, or was announced to be.
    #[error("the body is over the limit of {limit} bytes")]
    #[non_exhaustive]
    BodyTooLarge {
        /// The limit in bytes.
        limit: usize,
    },
    /// The memory for bodies that are not verified yet is used up, by other bodies too.
    #[error(
        "the memory for unverified bodies is used up, and this one has {received} bytes so far: are large bodies being sent by many at \
         once? See `WebhookConfig::body_budget`"
    )]
    #[non_exhaustive]
    BodyBudgetExhausted {
        /// How many bytes of this body had arrived.
        received: usize,
    },
    /// The body was not there by the deadline.
    #[error("the body was not finished within {deadline:?}")]
    #[non_exhaustive]
    BodyTimeout {
        /// The deadline.
        deadline: Duration,
    },
    /// The body broke off before its end.
    #[error("the body broke off before its end: {0}")]
    BodyIncomplete(BodyError),
    /// Signed by Twenty, but not an event.
    #[error("signed, but not an event: {0}")]
    NotAnEvent(NotAnEvent),
    /// A copy of it was handled. It was delivered, so the answer says so.
    #[error("duplicate: already completed")]
    AlreadyCompleted,
    /// A copy of it is being handled.
    #[error("duplicate: in progress, for up to {retry_after:?} more")]
    #[non_exhaustive]
    InProgress {
        /// When the lease on it runs out.
        retry_after: Duration,
    },
    /// It was fresh when it began to arrive, and is no longer; so it cannot be told from a replay.
    #[error(
        "no longer fresh when it was claimed: was its body slow, a clock set back, or is the replay guard's clock ahead?"
    )]
    Expired,
    /// The verifier for it cannot be looked up.
    #[error("no verifier: {0}")]
    VerifierUnavailable(SourceError),
    /// Whether it is a duplicate cannot be known.
    #[error("{0}")]
    GuardUnavailable(GuardError),
}

impl Rejection {
    /// A stable name for metrics and alerts.
    pub fn code(&self) -> &'static str {
        match self {
            Self::MethodNotAllowed => "method_not_allowed",
            Self::Redirected { .. } => "redirected",
            Self::Unsigned => "unsigned",
            Self::MissingHeader(_) => "missing_header",
            Self::RepeatedHeader(_) => "repeated_header",
            Self::MalformedSignature { .. } => "malformed_signature",
            Self::MalformedTimestamp { .. } => "malformed_timestamp",
            Self::StaleTimestamp { .. } => "stale_timestamp",
            Self::FutureTimestamp { .. } => "future_timestamp",
            Self::SignatureMismatch => "signature_mismatch",
            Self::BodyTooLarge { .. } => "body_too_large",
            Self::BodyBudgetExhausted { .. } => "body_budget_exhausted",
            Self::BodyTimeout { .. } => "body_timeout",
            Self::BodyIncomplete(_) => "body_incomplete",
            Self::NotAnEvent(_) => "not_an_event",
            Self::AlreadyCompleted => "already_completed",
            Self::InProgress { .. } => "in_progress",
            Self::Expired => "expired",
            Self::VerifierUnavailable(_) => "verifier_unavailable",
            Self::GuardUnavailable(_) => "guard_unavailable",
        }
    }

    /// The answer to the caller.
    pub fn status(&self) -> StatusCode {
        match self {
            Self::MethodNotAllowed | Self::Redirected { .. } => StatusCode::METHOD_NOT_ALLOWED,
            Self::Unsigned
            | Self::MissingHeader(_)
            | Self::RepeatedHeader(_)
            | Self::MalformedSignature { .. }
            | Self::MalformedTimestamp { .. }
            | Self::StaleTimestamp { .. }
            | Self::FutureTimestamp { .. }
            | Self::SignatureMismatch
            | Self::Expired => StatusCode::UNAUTHORIZED,
            Self::BodyTooLarge { .. } => StatusCode::PAYLOAD_TOO_LARGE,
            Self::BodyTimeout { .. } => StatusCode::REQUEST_TIMEOUT,
            Self::BodyIncomplete(_) => StatusCode::BAD_REQUEST,
            Self::NotAnEvent(_) => StatusCode::UNPROCESSABLE_ENTITY,
            Self::AlreadyCompleted => StatusCode::OK,
            Self::InProgress { .. } => StatusCode::CONFLICT,
            Self::BodyBudgetExhausted { .. } | Self::VerifierUnavailable(_) | Self::GuardUnavailable(_) => {
                StatusCode::SERVICE_UNAVAILABLE
            }
        }
    }

    /// For the `Retry-After` header: in how many seconds a copy may be let in, rounded up.
    pub fn retry_after(&self) -> Option<u64> {
        match self {
            Self::InProgress { retry_after } => Some(retry_after.as_secs() + u64::from(retry_after.subsec_nanos() > 0)),
            _ => None,
        }
    }

    /// Whether a genuine delivery may be lost by this, so that the operator must look into it at once. Anybody can cause some of these: a
    /// request with fresh well-formed headers need not be genuine.
    pub fn may_lose_delivery(&self) -> bool {
        matches!(
            self,
            Self::Redirected { .. }
                | Self::BodyTooLarge { .. }
                | Self::BodyBudgetExhausted { .. }
                | Self::BodyTimeout { .. }
                | Self::NotAnEvent(_)
                | Self::Expired
                | Self::VerifierUnavailable(_)
                | Self::GuardUnavailable(_)
        )
    }

    /// Whether it is a genuine delivery that is, or was, let in before: nothing that an operator must look into.
    pub fn is_duplicate(&self) -> bool {
        matches!(self, Self::AlreadyCompleted | Self::InProgress { .. })
    }
}

/// Seconds read as milliseconds fall in January 1970.
fn seconds_hint(age: Duration) -> &'static str {
    const FORTY_YEARS: Duration = Duration::from_secs(40 * 365 * 24 * 60 * 60);
    if age > FORTY_YEARS { "; is it in seconds? Twenty sends milliseconds" } else { "" }
}

/// Why a body broke off, in the words of the framework that read it. For the log.
#[derive(Clone, Debug)]
pub struct BodyError(Arc<str>);

impl BodyError {
    /// `error` is what the framework's body ended with.
    pub fn new(error: &dyn Error) -> Self {
        let mut text = error.to_string();
        let mut source = error.source();
        while let Some(cause) = source {
            let cause_text = cause.to_string();
            // Many errors repeat their source.
            if !text.contains(&cause_text) {
                text = format!("{text}: {cause_text}");
            }
            source = cause.source();
        }
        Self(crate::escaped(&text).max_chars(200).to_string().into())
    }
}

impl fmt::Display for BodyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Error for BodyError {}

/// Equality ignores the framework's wording.
impl PartialEq for BodyError {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for BodyError {}
