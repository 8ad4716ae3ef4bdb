use std::time::Duration;

use serde::Deserialize;
use twenty_webhook_core::UnixMillis;

/// A number of calls in a window of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub struct RateLimit {
    /// How many calls a window allows.
    pub calls: u32,
    /// The length of a window, by the injected clock. In JSON: `{"secs": 60, "nanos": 0}`.
    pub window: Duration,
}

impl RateLimit {
    /// A limit of `calls` per minute.
    pub fn per_minute(calls: u32) -> Self {
        Self { calls, window: Duration::from_secs(60) }
    }
}

/// Counts calls for a [`RateLimit`], in fixed windows.
#[derive(Debug, Default)]
pub(super) struct RateWindow {
    started: Option<UnixMillis>,
    calls: u32,
}

impl RateWindow {
    /// Counts a call.
    ///
    /// # Errors
    /// With the time until the next window, if this one is full.
    pub(super) fn count(&mut self, limit: RateLimit, now: UnixMillis) -> Result<(), Duration> {
        let started = match self.started {
            Some(started) if now >= started && now.saturating_since(started) < limit.window => started,
            _ => {
                self.calls = 0;
                *self.started.insert(now)
            }
        };
        if self.calls >= limit.calls {
            return Err(limit.window.saturating_sub(now.saturating_since(started)));
        }
        self.calls += 1;
        Ok(())
    }
}
