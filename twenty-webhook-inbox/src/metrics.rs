//! The inbox's metrics.

use std::time::{Duration, Instant};

use metrics::{counter, gauge, histogram};
use tokio::time::sleep;

use crate::answer::answer;
use crate::{State, Store};

const EVERY: Duration = Duration::from_secs(15);

/// Measures the time until a delivery is on disk, or could not be stored.
pub(crate) struct StoreTimer(Instant);

impl StoreTimer {
    pub(crate) fn start() -> Self {
        Self(Instant::now())
    }
}

impl Drop for StoreTimer {
    fn drop(&mut self) {
        histogram!("twenty_webhook_inbox_store_seconds").record(self.0.elapsed());
    }
}

/// An attempt that ended like this.
pub(crate) fn attempt(outcome: &'static str) {
    counter!("twenty_webhook_inbox_attempts_total", "outcome" => outcome).increment(1);
}

/// Sets the gauges for as long as a worker runs.
pub(crate) async fn gauges(store: impl Store) {
    loop {
        match answer(store.counts()).await {
            Ok(counts) => {
                for state in State::ALL {
                    #[expect(clippy::cast_precision_loss, reason = "a gauge")]
                    gauge!("twenty_webhook_inbox_jobs", "state" => state.as_str()).set(counts.of(state) as f64);
                }
                let oldest = counts.oldest_pending.unwrap_or_default();
                gauge!("twenty_webhook_inbox_oldest_pending_seconds").set(oldest.as_secs_f64());
            }
            Err(error) => tracing::warn!(%error, "cannot count the inbox's jobs"),
        }
        sleep(EVERY).await;
    }
}
