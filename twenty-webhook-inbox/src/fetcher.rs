use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::sync::{Notify, mpsc};
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::answer::answer;
use crate::attempt::{Attempts, Ended};
use crate::completer::Ending;
use crate::lateness::Time;
use crate::slots::{Slot, Slots};
use crate::{Claim, Claimed, ClaimedJob, Completion, Crashed, InboxError, Store};

/// Claims a job for each free concurrency slot, and starts its handler.
pub(crate) struct Fetcher<S> {
    pub(crate) store: S,
    pub(crate) attempts: Attempts,
    pub(crate) wake: Arc<Notify>,
    pub(crate) slots: Slots,
    pub(crate) endings: mpsc::UnboundedSender<Ending>,
    pub(crate) running: JoinSet<()>,
    /// Claims without an answer: the database may have given their jobs to this worker.
    pub(crate) lost: HashSet<i64>,
    /// How many jobs with a crash this worker has.
    pub(crate) crashed: Arc<AtomicUsize>,
}

/// How long the claim that is under way when the worker is to stop may take.
const LAST_CLAIM: Duration = Duration::from_secs(1);

impl<S: Store> Fetcher<S> {
    pub(crate) async fn run_until(&mut self, stop: impl Future<Output = ()>) {
        let mut stop = std::pin::pin!(stop);
        let mut is_busy = false;
        loop {
            let slots = tokio::select! {
                biased;
                () = &mut stop => return,
                slots = self.slots.free(is_busy) => slots,
            };
            let (claimed, is_stopped) = {
                let mut claim = std::pin::pin!(self.claim(slots));
                tokio::select! {
                    biased;
                    claimed = &mut claim => (claimed, false),
                    // One that hangs is dropped. It is among the `lost` then, and what it got is released.
                    () = &mut stop => {
                        let claimed = timeout(LAST_CLAIM, claim).await;
                        (claimed.unwrap_or(Err(InboxError::Deadline(LAST_CLAIM))), true)
                    }
                }
            };
            let next = claimed.unwrap_or_else(|error| {
                tracing::warn!(%error, "cannot claim jobs");
                Next::Later
            });
            if is_stopped {
                return;
            }
            is_busy = matches!(next, Next::Now);
            while self.running.try_join_next().is_some() {}
            tokio::select! {
                biased;
                () = &mut stop => return,
                () = self.wait(next) => {}
            }
        }
    }

    async fn wait(&self, next: Next) {
        match next {
            Next::Now => {}
            // Stored by this process: at once. Stored by another one, or due again: at the next poll.
            Next::Later => drop(timeout(self.attempts.config.poll, self.wake.notified()).await),
            Next::WhenIdle => {
                while !self.attempts.leases.is_empty() {
                    tokio::time::sleep(Duration::from_millis(5)).await;
                }
            }
        }
    }

    async fn claim(&mut self, slots: Vec<Slot>) -> Result<Next, InboxError> {
        for token in self.lost.clone() {
            answer(self.store.release_claim(token)).await?;
            self.lost.remove(&token);
        }
        let crashed = match self.crashed.load(Ordering::SeqCst) {
            0 if self.attempts.leases.is_empty() => Crashed::Alone,
            0 => Crashed::Once,
            _ => Crashed::No,
        };
        let config = &self.attempts.config;
        let token = getrandom::u64().map_err(InboxError::database)?.cast_signed();
        let claim = Claim { token, limit: slots.len(), lease: config.lease, crashed, order: config.order };
        self.lost.insert(token);
        let mut since = Time::now();
        let Claimed { jobs, more, alone_is_due } = answer(self.store.claim(&claim)).await?;
        let most = config.lease * 2 / 3;
        if Time::now().since(since) > most && !jobs.is_empty() {
            // The leases may run out before a heartbeat can renew them.
            since = Time::now();
            let held: Vec<_> = jobs.iter().flat_map(with_merged).map(|job| (job.id, token)).collect();
            let renewed = answer(self.store.renew(&held, config.lease)).await?;
            if renewed.len() < held.len() || Time::now().since(since) > most {
                // The next claim releases them first.
                return Err(InboxError::Deadline(most));
            }
        }
        self.lost.remove(&token);
        let is_full = jobs.len() >= slots.len();
        let is_alone = jobs.iter().any(|job| job.crashes > 1);
        for (job, slot) in jobs.into_iter().zip(slots) {
            self.start(job, token, since, slot);
        }
        Ok(if alone_is_due || is_alone {
            Next::WhenIdle
        } else if more || is_full {
            Next::Now
        } else {
            Next::Later
        })
    }

    fn start(&mut self, job: ClaimedJob, token: i64, since: Time, slot: Slot) {
        for job in with_merged(&job) {
            self.attempts.leases.insert(job.id, token, since);
        }
        let (attempts, endings, wake) = (self.attempts.clone(), self.endings.clone(), Arc::clone(&self.wake));
        let crashed = (job.crashes > 0).then(|| {
            self.crashed.fetch_add(1, Ordering::SeqCst);
            Crashing(Arc::clone(&self.crashed))
        });
        self.running.spawn(async move {
            let leases = attempts.leases.clone();
            let (ids, ended) = attempts.run(job, token).await;
            let uncompleted = slot.ended();
            match ended {
                Ended::Complete(outcome) => {
                    let completions =
                        ids.into_iter().map(|id| Completion { id, token, outcome: outcome.clone() }).collect();
                    // The completer outlives the handlers.
                    let _ = endings.send(Ending { completions, uncompleted });
                }
                Ended::Completed | Ended::Lost | Ended::StillRunning => {
                    for id in ids {
                        leases.remove(id, token);
                    }
                    // Others of its record may wait for it.
                    wake.notify_one();
                }
            }
            drop(crashed);
        });
    }
}

fn with_merged(job: &ClaimedJob) -> impl Iterator<Item = &ClaimedJob> {
    job.merged.iter().chain([job])
}

/// When to ask again.
#[derive(Clone, Copy, Debug)]
enum Next {
    Now,
    Later,
    WhenIdle,
}

struct Crashing(Arc<AtomicUsize>);

impl Drop for Crashing {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}
