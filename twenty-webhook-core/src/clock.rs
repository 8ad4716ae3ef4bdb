use std::fmt;
use std::sync::Arc;
use std::time::SystemTime;

use crate::UnixMillis;

/// A source of the current time: the system clock, or a test's own.
///
/// ```
/// use twenty_webhook_core::{Clock, UnixMillis};
///
/// let noon = Clock::new(|| UnixMillis::from_millis(1_735_066_639_761));
/// assert_eq!(noon.now().as_millis(), 1_735_066_639_761);
/// ```
#[derive(Clone, Default)]
pub struct Clock(Option<Arc<dyn Fn() -> UnixMillis + Send + Sync>>);

impl Clock {
    /// A clock that calls `now` for each reading.
    pub fn new(now: impl Fn() -> UnixMillis + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(now)))
    }

    /// The system clock. This crate reads it nowhere else.
    pub fn system() -> Self {
        Self(None)
    }

    /// The current time.
    pub fn now(&self) -> UnixMillis {
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
