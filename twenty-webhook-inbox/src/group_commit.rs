use std::time::Duration;

use tokio::sync::{Notify, mpsc, oneshot};
use tokio::time::{Instant, sleep, timeout_at};

use std::sync::Arc;

use crate::{InboxError, NewJob, Store};

/// Commits in groups: while one commit waits for the disk the next deliveries gather, and go in together. A request is answered only
/// after the commit that contains its delivery.
#[derive(Clone, Debug)]
pub(crate) struct GroupCommit(mpsc::Sender<Waiting>);

#[derive(Debug)]
struct Waiting {
    job: NewJob,
    since: Instant,
    stored: oneshot::Sender<Result<(), InboxError>>,
}

/// A group has at most this many deliveries, and few bytes more than this, because a database may receive it in one message. The bodies
/// are in memory anyway, with their requests.
const GROUP: usize = 256;
const GROUP_BYTES: usize = 8 << 20;
const PAUSE: Duration = Duration::from_millis(50);

impl GroupCommit {
    /// Notifies `wake` of each stored delivery.
    pub(crate) fn spawn(store: impl Store, deadline: Duration, wake: Arc<Notify>) -> Self {
        let (sender, receiver) = mpsc::channel(GROUP);
        tokio::spawn(run(store, deadline, wake, receiver));
        Self(sender)
    }

    pub(crate) async fn store(&self, job: NewJob) -> Result<(), InboxError> {
        let (stored, answer) = oneshot::channel();
        let waiting = Waiting { job, since: Instant::now(), stored };
        self.0.send(waiting).await.map_err(|_| InboxError::Closed)?;
        answer.await.map_err(|_| InboxError::Closed)?
    }
}

async fn run(store: impl Store, deadline: Duration, wake: Arc<Notify>, mut receiver: mpsc::Receiver<Waiting>) {
    let mut group = Vec::with_capacity(GROUP);
    while let Some(first) = receiver.recv().await {
        let mut bytes = first.job.body().len();
        group.push(first);
        while group.len() < GROUP && bytes < GROUP_BYTES {
            let Ok(next) = receiver.try_recv() else { break };
            bytes += next.job.body().len();
            group.push(next);
        }
        commit(&store, deadline, &wake, &mut group).await;
    }
}

/// One failed commit is no reason to lose a whole group: it is tried again for half of the deadline, and then one by one, so that a
/// delivery that the database refuses costs no other one.
async fn commit(store: &impl Store, deadline: Duration, wake: &Notify, group: &mut Vec<Waiting>) {
    let began = Instant::now();
    let jobs: Vec<_> = group.iter().map(|waiting| waiting.job.clone()).collect();
    // Store it even if its caller has left: Twenty does not send it again.
    let mut stored = push(store, jobs.clone(), began + deadline, deadline).await;
    while stored.is_err() && began.elapsed() < deadline / 2 {
        sleep(PAUSE).await;
        stored = push(store, jobs.clone(), began + deadline, deadline).await;
    }
    let one_by_one = stored.is_err() && group.len() > 1;
    for waiting in group.drain(..) {
        let until = waiting.since + deadline;
        let stored = if one_by_one && Instant::now() < until {
            push(store, vec![waiting.job], until, deadline).await
        } else {
            stored.clone()
        };
        if stored.is_ok() {
            wake.notify_one();
        }
        // Its caller may have given up.
        let _ = waiting.stored.send(stored);
    }
}

async fn push(store: &impl Store, jobs: Vec<NewJob>, until: Instant, deadline: Duration) -> Result<(), InboxError> {
    let group = jobs.len();
    let pushed = timeout_at(until, store.push(jobs)).await.unwrap_or(Err(InboxError::Deadline(deadline)));
    pushed.inspect(|()| tracing::debug!(group, "stored"))
}
