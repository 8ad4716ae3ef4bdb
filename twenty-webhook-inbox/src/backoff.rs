use std::time::Duration;

/// How long to wait before the next attempt: 1 s, 2 s, 4 s and so on up to 10 minutes, each up to a quarter shorter or longer.
///
/// With the 20 attempts of [`Worker`](crate::Worker), the last comes about 1 h 45 min after the first, and never less than 1 h 20 min:
/// a database of yours that is down for an hour costs no event. The jitter keeps the events of such an hour from all coming back in
/// the same second.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Backoff {
    pub(crate) first: Duration,
    pub(crate) longest: Duration,
}

impl Default for Backoff {
    fn default() -> Self {
        Self::new(Duration::from_secs(1), Duration::from_mins(10))
    }
}

impl Backoff {
    /// Waits `first` after the first attempt, twice as long after each further one, and never longer than `longest`. Databases keep
    /// whole seconds, so each wait is rounded up to them.
    pub const fn new(first: Duration, longest: Duration) -> Self {
        Self { first, longest }
    }

    /// The wait after this attempt, counted from 1.
    pub(crate) fn after(&self, attempt: usize) -> Duration {
        let jitter = getrandom::u32().map_or(0.5, |random| f64::from(random) / f64::from(u32::MAX));
        self.nominal(attempt).mul_f64(0.75 + jitter / 2.0)
    }

    /// No wait is longer.
    pub(crate) fn longest_with_jitter(&self) -> Duration {
        self.longest.mul_f64(1.25) + Duration::from_secs(1)
    }

    fn nominal(&self, attempt: usize) -> Duration {
        let doublings = u32::try_from(attempt.saturating_sub(1)).unwrap_or(u32::MAX);
        let factor = 1_u32.checked_shl(doublings).filter(|factor| *factor > 0).unwrap_or(u32::MAX);
        self.first.saturating_mul(factor).min(self.longest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_outage_of_an_hour_is_survived() {
        let shortest: Duration = (1..20).map(|attempt| Backoff::default().nominal(attempt).mul_f64(0.75)).sum();
        assert!(shortest > Duration::from_mins(80), "{shortest:?}");
    }

    #[test]
    fn waits_double_up_to_the_longest_and_vary_by_a_quarter() {
        let backoff = Backoff::new(Duration::from_secs(1), Duration::from_mins(1));
        for (attempt, nominal) in [(1, 1), (2, 2), (6, 32), (7, 60), (33, 60), (usize::MAX, 60)] {
            let nominal = Duration::from_secs(nominal);
            assert_eq!(backoff.nominal(attempt), nominal);
            for _ in 0..100 {
                let wait = backoff.after(attempt);
                assert!(wait >= nominal.mul_f64(0.749) && wait <= nominal.mul_f64(1.251), "{attempt}: {wait:?}");
                assert!(wait <= backoff.longest_with_jitter());
            }
        }
    }
}
