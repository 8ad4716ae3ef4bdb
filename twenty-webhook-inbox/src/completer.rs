use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Notify, OwnedSemaphorePermit, mpsc};
use tokio::time::{sleep, timeout};
use twenty_webhook_core::escaped;

use crate::attempt::panic_message;
use crate::leases::Leases;
use crate::{Completion, InboxError, JobId, Outcome, Store};

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
        crate::metrics::dead();
        tracing::error!(%job, %error, "failed for good: a dead letter");
        on_dead.call(job, &error);
    }
}

/// A job whose attempt has ended.
pub(crate) struct Ending {
    pub(crate) completions: Vec<Completion>,
    pub(crate) uncompleted: OwnedSemaphorePermit,
}

/// Longer than a database that works takes to answer.
pub(crate) const ANSWER: Duration = Duration::from_secs(25);

/// Completes jobs in groups: while one commit waits for the disk, the next ones gather. It never gives up, because a job that is not
/// completed runs again. If another worker has the job by now, this has no effect.
pub(crate) async fn complete<S: Store>(
    store: S,
    leases: Leases,
    on_dead: OnDead,
    wake: Arc<Notify>,
    mut endings: mpsc::UnboundedReceiver<Ending>,
) {
    let mut group = Vec::new();
    while endings.recv_many(&mut group, usize::MAX).await > 0 {
        // Others that end at about the same time go into the same commit.
        let mut gathered = 0;
        while gathered < group.len() {
            gathered = group.len();
            tokio::task::yield_now().await;
            group.extend(std::iter::from_fn(|| endings.try_recv().ok()));
        }
        let (completions, uncompleted): (Vec<_>, Vec<_>) =
            group.drain(..).map(|Ending { completions, uncompleted }| (completions, uncompleted)).unzip();
        let completions: Vec<_> = completions.into_iter().flatten().collect();
        let mut pause = Duration::from_millis(100);
        loop {
            match timeout(ANSWER, store.complete(&completions)).await.unwrap_or(Err(InboxError::Deadline(ANSWER))) {
                Ok(true) => break wake.notify_one(),
                Ok(false) => break,
                Err(error) => {
                    tracing::warn!(%error, "cannot complete jobs yet");
                }
            }
            sleep(pause).await;
            pause = (pause * 2).min(Duration::from_secs(5));
        }
        for Completion { id, token, outcome } in completions {
            leases.remove(id, token);
            if let Outcome::Dead(error) = &outcome {
                on_dead.call(id, error);
            }
        }
        drop(uncompleted.into_iter().reduce(merged));
    }
}

/// Permits that are released together: then one claim gets them all.
fn merged(mut all: OwnedSemaphorePermit, permit: OwnedSemaphorePermit) -> OwnedSemaphorePermit {
    all.merge(permit);
    all
}
