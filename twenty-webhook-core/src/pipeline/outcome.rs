use std::sync::Arc;
use std::time::Duration;

use http::StatusCode;

use crate::{Rejection, UnixMillis, WebhookEvent};

pub(crate) type Observer = Arc<dyn Fn(&Outcome<'_>) + Send + Sync>;

/// How a request ended, for [`WebhookConfig::observe`](crate::WebhookConfig::observe).
#[derive(Debug)]
#[non_exhaustive]
pub struct Outcome<'a> {
    /// The kind of outcome.
    pub kind: OutcomeKind<'a>,
    /// The first 103 bytes of the URL's path, not escaped: see [`escaped`](crate::escaped).
    pub path: &'a str,
    /// The tenant whose verifier checked the request. A rejected request only *claims* to be for this tenant.
    pub tenant: Option<&'a str>,
    /// The event, if the request was verified.
    pub event: Option<&'a WebhookEvent>,
    /// The time since the request's head arrived. It includes the arrival of the body.
    pub elapsed: Duration,
}

/// The kind of [`Outcome`].
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum OutcomeKind<'a> {
    /// The request was rejected, or is a [duplicate](Rejection::is_duplicate) and was not handled again.
    Rejected(&'a Rejection),
    /// The handler returned a response. A 2xx completes the delivery; after any other status, a copy is accepted.
    #[non_exhaustive]
    Handled {
        /// The handler's status; 500 if it failed or panicked.
        status: StatusCode,
        /// The handler's run time.
        duration: Duration,
    },
    /// The event was extracted, and the handler's response is unknown: the actix extractor without the middleware.
    Extracted,
    /// The request was dropped before it was verified or handled: the sender disconnected, a timeout around the layer passed, or the server
    /// stopped.
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

    /// The time from the event's date, when Twenty queued it, until Twenty sent it. Zero if the dates are in the wrong order. `None` if the
    /// request is not verified or the event has no date.
    pub fn delivery_lag(&self) -> Option<Duration> {
        self.lag_since(self.event?.event_date()?)
    }

    /// The time from the record's `updatedAt` until Twenty sent the event. Otherwise like [`delivery_lag`](Self::delivery_lag).
    pub fn change_lag(&self) -> Option<Duration> {
        self.lag_since(self.event?.record_updated_at()?)
    }

    fn lag_since(&self, earlier: jiff::Timestamp) -> Option<Duration> {
        let earlier = u64::try_from(earlier.as_millisecond()).ok()?;
        Some(self.event?.delivery()?.sent_at().saturating_since(UnixMillis::from_millis(earlier)))
    }
}
