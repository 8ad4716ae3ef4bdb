use std::time::Duration;

use serde::Deserialize;
use twenty_webhook_core::UnixMillis;

/// So many in a window of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub struct RateLimit {
    /// How many are let through in a window.
    pub calls: u32,
    /// How long a window is, by the clock that was injected. In JSON: `{"secs": 60, "nanos": 0}`.
    pub window: Duration,
}

impl RateLimit {
    /// `calls` a minute.
    pub fn per_minute(calls: u32) -> Self {
        Self { calls, window: Duration::from_secs(60) }
    }
}

/// Counts against a [`RateLimit`], in fixed windows.
#[derive(Debug, Default)]
pub(super) struct RateWindow {
    began: Option<UnixMillis>,
    calls: u32,
}

impl RateWindow {
    /// Counts a call.
    ///
    /// # Errors
    /// With the time until the next window, if this one is full.
    pub(super) fn count(&mut self, limit: RateLimit, now: UnixMillis) -> Result<(), Duration> {
        let began = match self.began {
            Some(began) if now >= began && now.saturating_since(began) < limit.window => began,
            _ => {
                self.calls = 0;
                *self.began.insert(now)
            }
        };
        if self.calls >= limit.calls {
            return Err(limit.window.saturating_sub(now.saturating_since(began)));
        }
        self.calls += 1;
        Ok(())
    }
}
