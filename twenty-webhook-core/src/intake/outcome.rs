use std::sync::Arc;
use std::time::Duration;

use http::StatusCode;

use crate::{Rejection, UnixMillis, WebhookEvent};

pub(crate) type Observer = Arc<dyn Fn(&Outcome<'_>) + Send + Sync>;

/// How a request ended, as [`WebhookConfig::observe`](crate::WebhookConfig::observe) is told.
#[derive(Debug)]
#[non_exhaustive]
pub struct Outcome<'a> {
    /// What came of it.
    pub kind: OutcomeKind<'a>,
    /// The beginning of the URL's path: at most 103 bytes. It is as it was sent: see [`escaped`](crate::escaped).
    pub path: &'a str,
    /// The tenant whose verifier judged the request. Of a request that was refused, it is the tenant that it *claims* to be for.
    pub tenant: Option<&'a str>,
    /// The event, if the request was verified.
    pub event: Option<&'a WebhookEvent>,
    /// From the head of the request until now, with the time that its body took.
    pub elapsed: Duration,
}

/// What came of a request.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum OutcomeKind<'a> {
    /// It was refused; or it is a [duplicate](Rejection::is_duplicate), which was not handled again.
    Rejected(&'a Rejection),
    /// The handler has answered. A 2xx completes the delivery; after anything else a copy is let in.
    #[non_exhaustive]
    Handled {
        /// The handler's status; 500 if it failed or panicked.
        status: StatusCode,
        /// How long the handler took.
        duration: Duration,
    },
    /// A handler whose answer is not seen was given the event: the actix extractor, without the middleware.
    Extracted,
    /// It was dropped before it came to an end: the sender hung up before its body was whole, or the runtime was shut down.
    Dropped,
}

impl Outcome<'_> {
    /// A stable name: `handled` for a 2xx, `failed` for another status of the handler, `extracted`, `dropped`, or the rejection's
    /// [code](Rejection::code).
    pub fn code(&self) -> &'static str {
        match self.kind {
            OutcomeKind::Rejected(rejection) => rejection.code(),
            OutcomeKind::Handled { status, .. } if status.is_success() => "handled",
            OutcomeKind::Handled { .. } => "failed",
            OutcomeKind::Extracted => "extracted",
            OutcomeKind::Dropped => "dropped",
        }
    }

    /// From the event's date, when Twenty queued it, until Twenty sent it. Zero if its dates say the opposite; `None` if it is not verified
    /// or has no date.
    pub fn delivery_lag(&self) -> Option<Duration> {
        self.lag_since(self.event?.event_date()?)
    }

    /// From the change of the record until Twenty sent the event, by the record's `updatedAt`. As [`delivery_lag`](Self::delivery_lag).
    pub fn change_lag(&self) -> Option<Duration> {
        self.lag_since(self.event?.record_updated_at()?)
    }

    fn lag_since(&self, earlier: jiff::Timestamp) -> Option<Duration> {
        let earlier = u64::try_from(earlier.as_millisecond()).ok()?;
        Some(self.event?.delivery()?.sent_at().saturating_since(UnixMillis::from_millis(earlier)))
    }
}
