use std::fmt;
use std::sync::Arc;
use std::time::SystemTime;

use crate::Timestamp;

/// Where "now" comes from: the system's clock, unless a test brings its own.
///
/// ```
/// use twenty_webhook_core::{Clock, Timestamp};
///
/// let noon = Clock::new(|| Timestamp::from_millis(1_735_066_639_761));
/// assert_eq!(noon.now().as_millis(), 1_735_066_639_761);
/// ```
#[derive(Clone, Default)]
pub struct Clock(Option<Arc<dyn Fn() -> Timestamp + Send + Sync>>);

impl Clock {
    /// A clock that asks `now` each time.
    pub fn new(now: impl Fn() -> Timestamp + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(now)))
    }

    /// The system's clock. The only place where this crate reads it.
    pub fn system() -> Self {
        Self(None)
    }

    /// The present instant.
    pub fn now(&self) -> Timestamp {
        match &self.0 {
            Some(now) => now(),
            None => SystemTime::now().into(),
        }
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() { "Clock(custom)" } else { "Clock(system)" })
    }
}
