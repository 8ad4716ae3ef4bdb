use std::time::{Duration, SystemTime};

use apalis_core::worker::context::WorkerContext;
use tokio::time::{Instant, sleep_until};

use crate::Store;
use crate::source::Persist;
use crate::worker::Terms;

/// Gives a worker's signs of life, and takes back the jobs of workers that give none. Returns when the database does not know this
/// worker any more.
///
/// A worker that was late itself cannot tell who else was: a machine that was suspended, a clock that was set ahead, a database that was
/// down make all of them look dead. So it waits longer for the others by as much as its own last two signs were late, which gives each
/// time for one of its own.
pub(crate) async fn beat<S: Store>(persist: &Persist<S>, context: &WorkerContext, terms: &Terms) {
    let every = terms.heartbeat();
    // In a line of its own: while a taking hangs the worker lives, as far as the store has a connection left.
    let line = persist.another_line(every);
    // It cannot tell either how long the others were kept from it before it came.
    let long_ago = Moment { wall: SystemTime::UNIX_EPOCH, ..Moment::now() };
    let (mut before_last, mut last, mut now) = (long_ago, Moment::now(), Moment::now());
    loop {
        sleep_until(now.steady + every).await;
        let late = before_last.elapsed().saturating_sub(2 * every);
        let (worker, dead_after) = (context.clone(), terms.silence + late);
        now = Moment::now();
        match line.talk(move |store| async move { store.beat(&worker, dead_after).await }).await {
            Ok(true) => (before_last, last) = (last, now),
            Ok(false) => return,
            Err(error) => tracing::warn!(%error, worker = context.name(), "cannot give a sign of life"),
        }
    }
}

/// By two clocks: the steady one stands still while the machine is suspended, and the wall's can be set.
#[derive(Clone, Copy, Debug)]
struct Moment {
    steady: Instant,
    wall: SystemTime,
}

impl Moment {
    fn now() -> Self {
        Self { steady: Instant::now(), wall: SystemTime::now() }
    }

    /// By the clock that went further.
    fn elapsed(&self) -> Duration {
        self.steady.elapsed().max(self.wall.elapsed().unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn the_clock_that_went_further_counts() {
        let hour = Duration::from_hours(1);
        let set_ahead = Moment { wall: SystemTime::now() - hour, ..Moment::now() };
        assert!(set_ahead.elapsed() >= hour);
        let set_back = Moment { wall: SystemTime::now() + hour, ..Moment::now() };
        assert!(set_back.elapsed() < hour);
        tokio::time::advance(hour).await;
        assert!(set_back.elapsed() >= hour);
    }
}
