use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use twenty_webhook_core::{Clock, UnixMillis};

/// A clock that a test sets. Clones show the same time.
///
/// ```
/// use std::time::Duration;
/// use twenty_webhook_core::{Secret, Verifier};
/// use twenty_webhook_testing::{TestClock, event};
///
/// let (clock, secret) = (TestClock::default(), Secret::new("s3cret")?);
/// let verifier = Verifier::new(secret.clone()).clock(clock.clock());
/// let delivery = event("person.created").signed_with(&secret).sent_at(clock.now());
///
/// clock.advance(Duration::from_secs(10 * 60));
/// let rejected = verifier.verify(&delivery.headers(), delivery.body()).unwrap_err();
/// assert_eq!(rejected.code(), "stale_timestamp");
/// # Ok::<(), twenty_webhook_core::SecretError>(())
/// ```
#[derive(Clone, Debug)]
pub struct TestClock(Arc<AtomicU64>);

impl TestClock {
    /// A clock that shows `now`.
    pub fn at(now: UnixMillis) -> Self {
        Self(Arc::new(now.as_millis().into()))
    }

    /// The time that it shows.
    pub fn now(&self) -> UnixMillis {
        UnixMillis::from_millis(self.0.load(Ordering::SeqCst))
    }

    /// Sets the time, forward or back.
    pub fn set(&self, now: UnixMillis) {
        self.0.store(now.as_millis(), Ordering::SeqCst);
    }

    /// Advances the time, in whole milliseconds.
    pub fn advance(&self, duration: Duration) {
        let millis = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
        self.0.fetch_add(millis, Ordering::SeqCst);
    }

    /// The same clock, for a [`Verifier`](twenty_webhook_core::Verifier) or a `FakeTwenty`.
    pub fn clock(&self) -> Clock {
        let this = self.clone();
        Clock::new(move || this.now())
    }
}

/// Shows 2026-09-14T09:02:12.004Z, the date of sample events.
impl Default for TestClock {
    fn default() -> Self {
        Self::at(crate::sample::DEFAULT_DATE)
    }
}
