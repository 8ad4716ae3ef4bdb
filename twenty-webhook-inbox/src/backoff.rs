use std::time::Duration;

use crate::longest::LONGEST;

/// How long to wait before the next attempt: 1 s, 2 s, 4 s and so on up to 6 hours, each up to a quarter shorter or longer.
///
/// With the 27 attempts of [`Worker`](crate::Worker), the last comes about three days after the first: your database
/// may be down over a weekend, and no event is lost. The random part spreads the retries of that weekend's events over time.
///
/// ```
/// use std::time::Duration;
/// use twenty_webhook_inbox::{Backoff, Inbox, Store, WebhookEvent};
///
/// async fn sync(event: WebhookEvent) -> Result<(), std::io::Error> { Ok(()) }
///
/// fn worker(inbox: &Inbox<impl Store>) {
///     let worker = inbox.worker("sync", sync).backoff(Backoff::new(Duration::from_secs(10), Duration::from_secs(600)));
/// }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Backoff {
    first: Duration,
    longest: Duration,
}

impl Default for Backoff {
    fn default() -> Self {
        Self::new(Duration::from_secs(1), Duration::from_hours(6))
    }
}

impl Backoff {
    /// Waits `first` after the first attempt, twice as long after each further one, up to `longest`. The random part comes on top, so a
    /// wait may be a quarter longer than `longest`.
    pub const fn new(first: Duration, longest: Duration) -> Self {
        Self { first, longest }
    }

    /// The wait after this attempt, counted from 1.
    pub(crate) fn after(&self, attempt: u32) -> Duration {
        let jitter = getrandom::u32().map_or(0.5, |random| f64::from(random) / f64::from(u32::MAX));
        self.nominal(attempt).min(LONGEST).mul_f64(0.75 + jitter / 2.0)
    }

    fn nominal(&self, attempt: u32) -> Duration {
        let factor = 1_u32.checked_shl(attempt.saturating_sub(1)).unwrap_or(u32::MAX);
        self.first.saturating_mul(factor).min(self.longest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::WorkerConfig;

    #[test]
    fn an_outage_of_a_weekend_costs_no_event() {
        let WorkerConfig { backoff, attempts, .. } = WorkerConfig::default();
        let nominal: Duration = (1..attempts).map(|attempt| backoff.nominal(attempt)).sum();
        assert!(nominal > Duration::from_hours(72) && nominal < Duration::from_hours(80), "{nominal:?}");
    }

    #[test]
    fn waits_double_up_to_the_longest_and_vary_by_a_quarter() {
        let backoff = Backoff::new(Duration::from_secs(1), Duration::from_mins(1));
        for (attempt, nominal) in [(1, 1), (2, 2), (6, 32), (7, 60), (33, 60), (u32::MAX, 60)] {
            let nominal = Duration::from_secs(nominal);
            assert_eq!(backoff.nominal(attempt), nominal);
            for _ in 0..100 {
                let wait = backoff.after(attempt);
                assert!(wait >= nominal.mul_f64(0.749) && wait <= nominal.mul_f64(1.251), "{attempt}: {wait:?}");
            }
        }
    }
}
