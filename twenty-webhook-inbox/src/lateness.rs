use std::time::{Duration, SystemTime};

use tokio::time::Instant;

/// How late a worker's own heartbeats are.
///
/// A worker that was late itself cannot tell which others are dead: a machine that was suspended, a clock that was set ahead, a database
/// that was down make all leases run out. So it waits longer for the others by as much as its own last two heartbeats were late. That
/// gives each of them time for one heartbeat.
#[derive(Debug)]
pub(crate) struct Lateness {
    every: Duration,
    /// `None`: it does not know how long the others were kept from theirs before it came.
    before_last: Option<Time>,
    last: Time,
}

impl Lateness {
    pub(crate) fn new(every: Duration, now: Time) -> Self {
        Self { every, before_last: None, last: now }
    }

    /// How long after a lease ran out its worker counts as dead, at this time.
    pub(crate) fn allowance(&self, now: Time) -> Option<Duration> {
        let elapsed = now.since(self.before_last?);
        Some(elapsed.saturating_sub(2 * self.every))
    }

    /// Records that a heartbeat that began at `now` reached the database.
    pub(crate) fn record(&mut self, now: Time) {
        (self.before_last, self.last) = (Some(self.last), now);
    }
}

/// The time on two clocks: the steady one stops while the machine is suspended, and the wall clock can be set.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Time {
    pub(crate) steady: Instant,
    pub(crate) wall: SystemTime,
}

impl Time {
    pub(crate) fn now() -> Self {
        Self { steady: Instant::now(), wall: SystemTime::now() }
    }

    /// The longer of the two clocks' answers.
    pub(crate) fn since(self, earlier: Self) -> Duration {
        let wall = self.wall.duration_since(earlier.wall).unwrap_or_default();
        self.steady.saturating_duration_since(earlier.steady).max(wall)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EVERY: Duration = Duration::from_secs(5);

    fn after(start: Time, seconds: u64) -> Time {
        let seconds = Duration::from_secs(seconds);
        Time { steady: start.steady + seconds, wall: start.wall + seconds }
    }

    #[tokio::test]
    async fn a_worker_in_time_allows_nothing_and_a_new_one_recovers_nothing() {
        let start = Time::now();
        let mut lateness = Lateness::new(EVERY, start);
        assert_eq!(lateness.allowance(after(start, 5)), None);
        lateness.record(after(start, 5));
        assert_eq!(lateness.allowance(after(start, 10)), Some(Duration::ZERO));
    }

    #[tokio::test]
    async fn the_clock_that_advanced_further_counts() {
        let start = Time::now();
        let mut lateness = Lateness::new(EVERY, start);
        lateness.record(after(start, 5));
        let hour = Duration::from_hours(1);
        let set_ahead = Time { wall: start.wall + hour, ..after(start, 10) };
        assert_eq!(lateness.allowance(set_ahead), Some(hour.saturating_sub(2 * EVERY)));
        let suspended = Time { steady: start.steady + hour, wall: start.wall };
        assert_eq!(lateness.allowance(suspended), Some(hour.saturating_sub(2 * EVERY)));
    }

    /// Four workers with a lease of three heartbeats, out of step with each other, and a database that is down for a while. None of them
    /// counts as dead, whichever comes back first. The numbers are seconds.
    #[tokio::test]
    async fn after_an_outage_no_worker_counts_as_dead() {
        let start = Time::now();
        for down_for in [1, 9, 10, 14, 20, 60, 3_600] {
            for offset in 0..5 {
                let mut workers: Vec<_> =
                    [0, 1, 3, 4].map(|at| (at, Lateness::new(EVERY, after(start, at)), at + 15)).into();
                let (down, up) = (30 + offset, 30 + offset + down_for);
                for now in 1..up + 60 {
                    for worker in 0..workers.len() {
                        let (at, lateness, _) = &workers[worker];
                        let is_down = (down..up).contains(&now);
                        if now <= *at || (now - at) % 5 != 0 || is_down {
                            continue;
                        }
                        if let Some(allowance) = lateness.allowance(after(start, now)) {
                            let dead = workers.iter().filter(|(_, _, lease)| lease + allowance.as_secs() < now).count();
                            assert_eq!(dead, 0, "at {now}, down from {down} to {up}: {allowance:?}");
                        }
                        workers[worker].1.record(after(start, now));
                        workers[worker].2 = now + 15;
                    }
                }
            }
        }
    }
}
