use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Notify, OwnedSemaphorePermit, mpsc};
use tokio::task::JoinSet;
use tokio::time::sleep;
use twenty_webhook_core::escaped;

use crate::answer::answer;
use crate::attempt::panic_message;
use crate::leases::Leases;
use crate::rethrow::rethrow;
use crate::{Completed, Completion, JobId, Outcome, State, Store};

type Alert = dyn Fn(JobId, &str) + Send + Sync;

/// Called for each dead letter, with the job and the error.
#[derive(Clone, Default)]
pub(crate) struct OnDead(Option<Arc<Alert>>);

impl OnDead {
    pub(crate) fn new(alert: impl Fn(JobId, &str) + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(alert)))
    }

    /// If it panics, later jobs are completed all the same.
    fn call(&self, job: JobId, error: &str) {
        let Some(alert) = &self.0 else { return };
        if let Err(panic) = catch_unwind(AssertUnwindSafe(|| alert(job, error))) {
            let panic = panic_message(&*panic);
            tracing::error!(%job, panic = %escaped(&panic), "what is called for dead letters panicked");
        }
    }
}

/// Reports the jobs that are dead because their processes ended: the heartbeat has a thread and a runtime that are no place for others' code.
pub(crate) async fn report_crashed(on_dead: OnDead, mut dead: mpsc::UnboundedReceiver<(JobId, String)>) {
    while let Some((job, error)) = dead.recv().await {
        #[cfg(feature = "metrics")]
        crate::metrics::attempt("dead");
        tracing::error!(%job, %error, "failed for good: a dead letter");
        on_dead.call(job, &error);
    }
}

/// A job whose attempt has ended.
pub(crate) struct Ending {
    pub(crate) completions: Vec<Completion>,
    pub(crate) uncompleted: OwnedSemaphorePermit,
}

/// How often a group is tried. The database may refuse one of its jobs for good.
const TRIES: u32 = 4;
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// Takes the place of an error that the database refuses, for a character that it does not have for example.
const REFUSED: &str = "the database refuses the text of the error: see the log";

/// Records how attempts have ended.
#[derive(Clone)]
pub(crate) struct Completer<S> {
    pub(crate) store: S,
    pub(crate) leases: Leases,
    pub(crate) on_dead: OnDead,
    pub(crate) wake: Arc<Notify>,
}

impl<S: Store> Completer<S> {
    /// Completes jobs in groups: while one commit waits for the disk, the next ones gather. The jobs of a group that fails are completed one
    /// by one, and hold up no others. It never gives up, because a job that is not completed runs again. If another worker has the job by
    /// now, this has no effect.
    pub(crate) async fn run(self, mut endings: mpsc::UnboundedReceiver<Ending>) {
        let (mut group, mut alone) = (Vec::new(), JoinSet::new());
        loop {
            tokio::select! {
                received = endings.recv_many(&mut group, usize::MAX) => if received == 0 { break },
                Some(ended) = alone.join_next() => {
                    ended.unwrap_or_else(rethrow);
                    continue;
                }
            }
            // Others that end at about the same time go into the same commit.
            let mut gathered = 0;
            while gathered < group.len() {
                gathered = group.len();
                tokio::task::yield_now().await;
                group.extend(std::iter::from_fn(|| endings.try_recv().ok()));
            }
            let completions: Vec<_> = group.iter().flat_map(|ending| ending.completions.clone()).collect();
            if self.complete_together(&completions).await {
                drop(group.drain(..).map(|ending| ending.uncompleted).reduce(merged));
            } else {
                for ending in group.drain(..) {
                    alone.spawn(self.clone().complete_alone(ending));
                }
            }
        }
        while let Some(ended) = alone.join_next().await {
            ended.unwrap_or_else(rethrow);
        }
    }

    /// Returns whether a few tries were enough.
    async fn complete_together(&self, completions: &[Completion]) -> bool {
        let mut pause = FIRST_PAUSE;
        for tried in 0..TRIES {
            if let Some(completed) = self.complete(completions).await {
                self.report(completions, completed, tried > 0).await;
                return true;
            }
            sleep(pause).await;
            pause *= 2;
        }
        false
    }

    async fn complete_alone(self, ending: Ending) {
        let refused = |outcome| match outcome {
            Outcome::Retry(after, _) => Outcome::Retry(after, REFUSED.to_owned()),
            Outcome::Dead(_) => Outcome::Dead(REFUSED.to_owned()),
            other => other,
        };
        let without_error = |completion: Completion| Completion { outcome: refused(completion.outcome), ..completion };
        let without_errors: Vec<_> = ending.completions.iter().cloned().map(without_error).collect();
        let mut pause = FIRST_PAUSE;
        loop {
            let completed = match self.complete(&ending.completions).await {
                Some(completed) => Some(completed),
                None => self.complete(&without_errors).await,
            };
            if let Some(completed) = completed {
                return self.report(&ending.completions, completed, true).await;
            }
            sleep(pause).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    async fn complete(&self, completions: &[Completion]) -> Option<Completed> {
        let completed = answer(self.store.complete(completions)).await;
        completed.inspect_err(|error| tracing::warn!(%error, jobs = completions.len(), "cannot complete jobs yet")).ok()
    }

    /// `is_repeated` says that there was an earlier try: it may have been committed although its answer was lost.
    async fn report(&self, completions: &[Completion], completed: Completed, is_repeated: bool) {
        for Completion { id, token, .. } in completions {
            self.leases.remove(*id, *token);
        }
        if completed.woke_others || is_repeated {
            self.wake.notify_one();
        }
        for Completion { id, outcome, .. } in completions {
            if let Outcome::Dead(error) = outcome
                && (completed.jobs.contains(id) || is_repeated && self.is_dead(*id).await)
            {
                self.on_dead.call(*id, error);
            }
        }
    }

    async fn is_dead(&self, id: JobId) -> bool {
        let found = answer(self.store.find(id)).await.ok().flatten();
        found.is_some_and(|(job, _)| job.state == State::Dead)
    }
}

/// Permits that are released together: then one claim gets them all.
fn merged(mut all: OwnedSemaphorePermit, permit: OwnedSemaphorePermit) -> OwnedSemaphorePermit {
    all.merge(permit);
    all
}
