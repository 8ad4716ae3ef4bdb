use std::error::Error;
use std::fmt;
use std::time::Duration;

type BoxError = Box<dyn Error + Send + Sync>;

/// A handler's error that decides what happens to the job. After any other error the job is tried again, after the back-off.
///
/// ```
/// use std::time::Duration;
/// use twenty_webhook_inbox::{HandlerError, WebhookEvent};
///
/// async fn sync(event: WebhookEvent) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
///     if event.record_id().is_none() {
///         return Err(HandlerError::permanent("an event without a record").into()); // a dead letter now
///     }
///     if is_rate_limited() {
///         return Err(HandlerError::retry_after(Duration::from_secs(30), "rate limit").into());
///     }
///     std::fs::write("/tmp/last", event.name().as_str())?; // fails: again, after the back-off
///     Ok(())
/// }
/// # fn is_rate_limited() -> bool { true }
/// ```
///
/// It may be anywhere in the chain of sources, so you can wrap it.
#[derive(Debug)]
pub struct HandlerError {
    pub(crate) kind: Kind,
    error: BoxError,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Kind {
    Permanent,
    RetryAfter(Duration),
}

impl HandlerError {
    /// The job becomes a dead letter now, because another attempt would fail too.
    pub fn permanent(error: impl Into<BoxError>) -> Self {
        Self { kind: Kind::Permanent, error: error.into() }
    }

    /// The job is tried again after this long, at most a day, in place of the back-off. The attempt counts.
    pub fn retry_after(wait: Duration, error: impl Into<BoxError>) -> Self {
        Self { kind: Kind::RetryAfter(wait.min(Duration::from_hours(24))), error: error.into() }
    }

    /// The first one in the chain of sources.
    pub(crate) fn find<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a Self> {
        let mut next = Some(error);
        while let Some(error) = next {
            if let Some(found) = error.downcast_ref() {
                return Some(found);
            }
            // `io::Error::source` skips the error that it wraps.
            let wrapped = error.downcast_ref().and_then(std::io::Error::get_ref);
            next = wrapped.map(|error| error as _).or_else(|| error.source());
        }
        None
    }
}

impl fmt::Display for HandlerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.error.fmt(f)
    }
}

impl Error for HandlerError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.error.source()
    }
}
