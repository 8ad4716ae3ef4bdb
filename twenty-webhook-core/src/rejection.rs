use std::error::Error;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use http::StatusCode;

use crate::event::NotAnEvent;
use crate::{GuardError, SourceError};

/// Why a request was rejected. `Display` is for the operator's log, [`code`](Self::code) for metrics and alerts. Send the caller only the
/// [`status`](Self::status).
///
/// ```
/// use twenty_webhook_core::{Rejection, Secret, Verifier, http::HeaderMap};
///
/// let verifier = Verifier::new(Secret::new("s3cret")?);
/// let rejection = verifier.verify(&HeaderMap::new(), "{}").unwrap_err();
/// assert_eq!(rejection, Rejection::Unsigned);
/// assert_eq!((rejection.status().as_u16(), rejection.code()), (401, "unsigned"));
/// # Ok::<(), twenty_webhook_core::SecretError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Rejection {
    /// The request is not a `POST`, so it is not a delivery.
    #[error("not a POST: Twenty sends nothing else")]
    MethodNotAllowed,
    /// The request is not a `POST`, but has Twenty's headers: a redirect in front of this receiver turned a delivery into a `GET` without a
    /// body. The delivery is lost.
    #[error(
        "a redirect turned a delivery into a {method}, and its body is lost: register the final URL in Twenty (https, and with or \
         without the trailing slash)"
    )]
    #[non_exhaustive]
    Redirected {
        /// The method that arrived: `GET`, or another of at most 20 characters.
        method: Box<str>,
    },
    /// The request has neither a signature nor a timestamp. Twenty sends none when the webhook has no secret.
    #[error("unsigned delivery: does this webhook have a secret in Twenty's settings?")]
    Unsigned,
    /// One of the headers is missing.
    #[error("the header {0} is missing")]
    MissingHeader(&'static str),
    /// One of the headers is repeated.
    #[error("the header {0} is repeated")]
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
    /// The request was sent too long ago, or its timestamp is not in milliseconds.
    #[error("stale timestamp: sent {age:?} ago, and the tolerance is {tolerance:?}; {}", stale_hint(*age))]
    #[non_exhaustive]
    StaleTimestamp {
        /// Its age.
        age: Duration,
        /// The largest accepted age.
        tolerance: Duration,
    },
    /// The timestamp is ahead of this receiver's clock.
    #[error(
        "timestamp in the future: {ahead:?} ahead, and the tolerance is {tolerance:?}; is this machine's clock right?"
    )]
    #[non_exhaustive]
    FutureTimestamp {
        /// How far the timestamp is ahead.
        ahead: Duration,
        /// How far it may be ahead.
        tolerance: Duration,
    },
    /// None of the secrets gives this signature for this timestamp and body.
    #[error("signature mismatch: signed with another secret, or changed in transit")]
    SignatureMismatch,
    /// The body, or its `Content-Length`, exceeds the limit.
    #[error("the body exceeds the limit of {limit} bytes")]
    #[non_exhaustive]
    BodyTooLarge {
        /// The limit in bytes.
        limit: usize,
    },
    /// Unverified bodies use all the memory they may use.
    #[error(
        "the memory for unverified bodies is exhausted, with {received} bytes of this body received: are many large bodies in transit? See \
         `WebhookConfig::body_budget`"
    )]
    #[non_exhaustive]
    BodyBudgetExhausted {
        /// How many bytes of this body were received.
        received: usize,
    },
    /// The body did not arrive within the deadline.
    #[error("the body did not arrive within {deadline:?}")]
    #[non_exhaustive]
    BodyTimeout {
        /// The deadline.
        deadline: Duration,
    },
    /// The connection ended, or failed, before the end of the body.
    #[error("the body is incomplete: {0}")]
    BodyIncomplete(BodyError),
    /// The body is signed, but is not an event.
    #[error("signed, but not an event: {0}")]
    NotAnEvent(NotAnEvent),
    /// A copy of this delivery was handled. The answer is 200, because it was delivered.
    #[error("duplicate: already completed")]
    AlreadyCompleted,
    /// A copy of this delivery is being handled.
    #[error("duplicate: in progress, for up to {retry_after:?} more")]
    #[non_exhaustive]
    InProgress {
        /// The time until the copy's lease expires.
        retry_after: Duration,
    },
    /// The timestamp was within the tolerance when the request began, and is not now. The guard can no longer tell it from a replay.
    #[error(
        "expired before it was claimed: was its body slow, a clock set back, or is the replay guard's clock ahead?"
    )]
    Expired,
    /// The look-up of the verifier failed.
    #[error("no verifier: {0}")]
    VerifierUnavailable(SourceError),
    /// The replay guard failed, so this may be a duplicate.
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

    /// The status for the response.
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

    /// For the `Retry-After` header: the seconds until a copy may be accepted, rounded up.
    pub fn retry_after(&self) -> Option<u64> {
        match self {
            Self::InProgress { retry_after } => Some(retry_after.as_secs() + u64::from(retry_after.subsec_nanos() > 0)),
            _ => None,
        }
    }

    /// Whether this rejection may have lost a genuine delivery, so that an operator should react at once. An attacker can cause some of
    /// these: well-formed headers and a current timestamp need no secret.
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

    /// Whether this is a copy of a delivery that was accepted before. An operator need not react.
    pub fn is_duplicate(&self) -> bool {
        matches!(self, Self::AlreadyCompleted | Self::InProgress { .. })
    }
}

/// What to check. Seconds read as milliseconds fall in January 1970.
fn stale_hint(age: Duration) -> &'static str {
    const FORTY_YEARS: Duration = Duration::from_secs(40 * 365 * 24 * 60 * 60);
    if age > FORTY_YEARS {
        "is it in seconds? Twenty sends milliseconds"
    } else {
        "was it replayed, did a proxy or a queue delay it, or is this machine's clock wrong?"
    }
}

/// Why a body is incomplete, in the framework's words. For the log.
#[derive(Clone, Debug)]
pub struct BodyError(Arc<str>);

impl BodyError {
    /// `error` is the error of the framework's body. Its text is escaped, and cut to 200 characters.
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
