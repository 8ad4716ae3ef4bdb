//! The inbox's metrics.

use std::time::{Duration, Instant};

use metrics::{counter, gauge, histogram};
use tokio::time::sleep;

use crate::answer::answer;
use crate::attempt::Ended;
use crate::{Inbox, Outcome, State, Store};

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

pub(crate) fn attempt(ended: &Ended) {
    let outcome = match ended {
        Ended::Complete(Outcome::Done) | Ended::Completed => "done",
        Ended::Complete(Outcome::Retry(..)) => "retry",
        Ended::Complete(Outcome::Dead(_)) => "dead",
        Ended::Complete(Outcome::Released) => "released",
        Ended::Lost | Ended::StillRunning => "lost",
    };
    counter!("twenty_webhook_inbox_attempts_total", "outcome" => outcome).increment(1);
}

/// A job whose last attempt crashed its process.
pub(crate) fn dead() {
    counter!("twenty_webhook_inbox_attempts_total", "outcome" => "dead").increment(1);
}

/// Sets the gauges for as long as a worker runs.
pub(crate) async fn gauges<S: Store>(inbox: Inbox<S>) {
    loop {
        match answer(inbox.counts()).await {
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
