use std::fmt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::Rejection;

/// A time in Unix milliseconds, the unit of `X-Twenty-Webhook-Timestamp`.
///
/// Arithmetic saturates, so no header value overflows it.
///
/// ```
/// use std::time::Duration;
/// use twenty_webhook_core::UnixMillis;
///
/// let sent_at = UnixMillis::from_millis(1_735_066_639_761);
/// let expires_at = sent_at.saturating_add(Duration::from_secs(300));
/// assert_eq!(expires_at.saturating_since(sent_at), Duration::from_secs(300));
/// assert_eq!(sent_at.saturating_since(expires_at), Duration::ZERO);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UnixMillis(u64);

impl UnixMillis {
    /// The time this many milliseconds after 1970-01-01T00:00:00Z.
    pub const fn from_millis(millis: u64) -> Self {
        Self(millis)
    }

    /// Milliseconds since 1970-01-01T00:00:00Z.
    pub const fn as_millis(self) -> u64 {
        self.0
    }

    /// This time plus `duration` in whole milliseconds, or the last representable time.
    #[must_use]
    pub fn saturating_add(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(millis(duration)))
    }

    /// The time from `earlier` to this, or zero if `earlier` is later.
    pub fn saturating_since(self, earlier: Self) -> Duration {
        Duration::from_millis(self.0.saturating_sub(earlier.0))
    }
}

/// The millisecond that `time` falls in; a time before 1970 counts as 1970.
impl From<SystemTime> for UnixMillis {
    fn from(time: SystemTime) -> Self {
        Self(time.duration_since(UNIX_EPOCH).map_or(0, millis))
    }
}

/// Decimal milliseconds, as in the header.
impl fmt::Display for UnixMillis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// How far a delivery's timestamp may be from the receiver's clock, each way. Both edges are inclusive.
///
/// The default is 5 minutes each way, as in other webhook receivers (Stripe, Svix, Standard Webhooks). That tolerates inexact clocks, and a
/// captured request soon becomes useless. The limit on future timestamps matters as well: a request with a future timestamp would be valid
/// for longer than the window.
///
/// With zero, the delivery must be signed and verified in the same millisecond.
///
/// ```
/// use std::time::Duration;
/// use twenty_webhook_core::{Secret, Tolerance, Verifier};
///
/// let tolerance = Tolerance { past: Duration::from_secs(600), future: Duration::from_secs(60) };
/// let verifier = Verifier::new(Secret::new("s3cret")?).tolerance(tolerance);
/// # Ok::<(), twenty_webhook_core::SecretError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tolerance {
    /// How old a delivery may be.
    pub past: Duration,
    /// How far ahead of the receiver's clock the sender's may be.
    pub future: Duration,
}

impl Tolerance {
    /// The same tolerance both ways.
    pub const fn both(tolerance: Duration) -> Self {
        Self { past: tolerance, future: tolerance }
    }

    #[inline]
    pub(crate) fn judge(self, sent_at: UnixMillis, now: UnixMillis) -> Result<(), Rejection> {
        let Self { past, future } = self;
        let age = now.saturating_since(sent_at);
        if age > past {
            return Err(Rejection::StaleTimestamp { age, tolerance: past });
        }
        let ahead = sent_at.saturating_since(now);
        if ahead > future {
            return Err(Rejection::FutureTimestamp { ahead, tolerance: future });
        }
        Ok(())
    }
}

impl Default for Tolerance {
    fn default() -> Self {
        Self::both(Duration::from_secs(5 * 60))
    }
}
