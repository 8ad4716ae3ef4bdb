use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Notify, OwnedSemaphorePermit, mpsc};
use tokio::time::{sleep, timeout};

use crate::leases::Leases;
use crate::{Completion, InboxError, JobId, Outcome, Store};

/// Called for each dead letter, with the job and the error.
pub(crate) type OnDead = Arc<dyn Fn(JobId, &str) + Send + Sync>;

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
    on_dead: Option<OnDead>,
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
            if let (Some(on_dead), Outcome::Dead(error)) = (&on_dead, &outcome) {
                on_dead(id, error);
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
