use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

const GATHER: Duration = Duration::from_millis(2);

/// A worker's concurrency slots. Twice as many jobs may be under its leases: those that run, and those that have ended and are not completed
/// yet. If the process is killed, these run again.
#[derive(Debug)]
pub(crate) struct Slots {
    concurrency: u32,
    running: Arc<Semaphore>,
    uncompleted: Arc<Semaphore>,
}

/// A job's slot.
#[derive(Debug)]
pub(crate) struct Slot {
    running: OwnedSemaphorePermit,
    uncompleted: OwnedSemaphorePermit,
}

impl Slots {
    pub(crate) fn new(concurrency: usize) -> Self {
        let semaphore = |permits: usize| Arc::new(Semaphore::new(permits.min(Semaphore::MAX_PERMITS)));
        let all = u32::try_from(concurrency).unwrap_or(u32::MAX);
        Self {
            concurrency: all,
            running: semaphore(concurrency),
            uncompleted: semaphore(concurrency.saturating_mul(2)),
        }
    }

    /// At least one slot. While many jobs wait, one claim fills all slots that become free at about the same time, because each costs a commit.
    pub(crate) async fn free(&self, is_busy: bool) -> Vec<Slot> {
        let (uncompleted, running) = (Arc::clone(&self.uncompleted), Arc::clone(&self.running));
        let (Ok(uncompleted), Ok(running)) = (uncompleted.acquire_owned().await, running.acquire_owned().await) else {
            return std::future::pending().await;
        };
        let mut slots = vec![Slot { running, uncompleted }];
        if is_busy {
            let _ = timeout(GATHER, self.running.acquire_many(self.concurrency - 1)).await;
        }
        while let Ok(uncompleted) = Arc::clone(&self.uncompleted).try_acquire_owned()
            && let Ok(running) = Arc::clone(&self.running).try_acquire_owned()
        {
            slots.push(Slot { running, uncompleted });
        }
        slots
    }
}

impl Slot {
    /// Another job may run. What is left is held until this one is completed.
    pub(crate) fn ended(self) -> OwnedSemaphorePermit {
        let Self { running, uncompleted } = self;
        drop(running);
        uncompleted
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;

    #[tokio::test]
    async fn twice_as_many_jobs_may_be_under_a_lease_as_run() {
        let slots = Slots::new(3);
        let first = slots.free(false).await;
        assert_eq!(first.len(), 3);
        assert!(slots.free(false).now_or_never().is_none(), "three run");
        let uncompleted: Vec<_> = first.into_iter().map(Slot::ended).collect();
        let second = slots.free(true).await;
        assert_eq!(second.len(), 3);
        let _ended: Vec<_> = second.into_iter().map(Slot::ended).collect();
        assert!(slots.free(false).now_or_never().is_none(), "six are not completed");
        drop(uncompleted);
        assert_eq!(slots.free(false).await.len(), 3);
    }
}
