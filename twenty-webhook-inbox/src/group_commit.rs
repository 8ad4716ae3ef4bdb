use std::time::Duration;

use tokio::sync::{Notify, mpsc, oneshot};
use tokio::time::{Instant, sleep, timeout, timeout_at};

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
/// How soon after a failed commit the loss is noted, if no other delivery arrives.
const NOTE_AFTER: Duration = Duration::from_secs(1);

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
    // Before this process stored anything, deliveries may have met a closed port.
    let (mut was_down, mut has_lost) = (true, false);
    loop {
        let first = tokio::select! {
            first = receiver.recv() => first,
            () = sleep(NOTE_AFTER), if has_lost => {
                has_lost = !note_loss(&store, deadline).await;
                continue;
            }
        };
        let Some(first) = first else { return };
        let mut bytes = first.job.body().len();
        group.push(first);
        while group.len() < GROUP && bytes < GROUP_BYTES {
            let Ok(next) = receiver.try_recv() else { break };
            bytes += next.job.body().len();
            group.push(next);
        }
        if !commit(&store, deadline, &wake, &mut group).await {
            has_lost = true;
        } else if was_down || has_lost {
            let is_noted = note_loss(&store, deadline).await;
            (was_down, has_lost) = (was_down && !is_noted, has_lost && !is_noted);
        }
    }
}

async fn note_loss(store: &impl Store, deadline: Duration) -> bool {
    matches!(timeout(deadline, store.note_loss()).await, Ok(Ok(())))
}

/// One failed commit is no reason to lose a whole group: it is tried again for half of the deadline, and then one by one, so that a
/// delivery that the database refuses costs no other one. Returns whether all were stored.
async fn commit(store: &impl Store, deadline: Duration, wake: &Notify, group: &mut Vec<Waiting>) -> bool {
    let began = Instant::now();
    let jobs: Vec<_> = group.iter().map(|waiting| waiting.job.clone()).collect();
    // Store it even if its caller has left: Twenty does not send it again.
    let mut stored = push(store, jobs.clone(), began + deadline, deadline).await;
    while stored.is_err() && began.elapsed() < deadline / 2 {
        sleep(PAUSE).await;
        stored = push(store, jobs.clone(), began + deadline, deadline).await;
    }
    let one_by_one = stored.is_err() && group.len() > 1;
    let mut are_stored = true;
    for waiting in group.drain(..) {
        let expires_at = waiting.since + deadline;
        let stored = if one_by_one && Instant::now() < expires_at {
            push(store, vec![waiting.job], expires_at, deadline).await
        } else {
            stored.clone()
        };
        if stored.is_ok() {
            wake.notify_one();
        }
        are_stored &= stored.is_ok();
        // Its caller may have given up.
        let _ = waiting.stored.send(stored);
    }
    are_stored
}

async fn push(
    store: &impl Store,
    jobs: Vec<NewJob>,
    expires_at: Instant,
    deadline: Duration,
) -> Result<(), InboxError> {
    let group = jobs.len();
    let pushed = timeout_at(expires_at, store.push(jobs)).await.unwrap_or(Err(InboxError::Deadline(deadline)));
    pushed.inspect(|()| tracing::debug!(group, "stored"))
}
