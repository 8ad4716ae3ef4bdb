use std::time::Duration;

use tokio::sync::{Notify, mpsc, oneshot};
use tokio::time::{Instant, sleep, timeout, timeout_at};

use std::sync::Arc;

use crate::{InboxError, NewJob, Store};

/// Commits in groups: while one commit waits for the disk the next deliveries gather, and go in together. A request is answered only
/// after the commit that contains its delivery.
#[derive(Clone, Debug)]
pub(crate) struct GroupCommit {
    queue: mpsc::Sender<Waiting>,
    losses: Arc<Notify>,
}

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
const NOTE_AGAIN_AFTER: Duration = Duration::from_secs(1);

impl GroupCommit {
    /// Notifies `wake` of each stored delivery.
    pub(crate) fn spawn(store: impl Store, deadline: Duration, wake: Arc<Notify>) -> Self {
        let (queue, receiver) = mpsc::channel(GROUP);
        let losses = Arc::<Notify>::default();
        let lost = Arc::clone(&losses);
        tokio::spawn(async move {
            // So that no delivery waits until a loss is noted.
            tokio::select! {
                () = run(&store, deadline, &wake, receiver, &lost) => {}
                () = note_losses(&store, deadline, &lost) => {}
            }
        });
        Self { queue, losses }
    }

    pub(crate) async fn store(&self, job: NewJob) -> Result<(), InboxError> {
        let (stored, answer) = oneshot::channel();
        let waiting = Waiting { job, since: Instant::now(), stored };
        let mut not_queued = NotQueued(Some(&self.losses));
        self.queue.send(waiting).await.map_err(|_| InboxError::Closed)?;
        not_queued.0 = None;
        answer.await.map_err(|_| InboxError::Closed)?
    }
}

/// A delivery that waits for a place in the queue. If its caller gives up meanwhile, that is a loss.
struct NotQueued<'a>(Option<&'a Notify>);

impl Drop for NotQueued<'_> {
    fn drop(&mut self) {
        if let Some(losses) = self.0 {
            losses.notify_one();
        }
    }
}

async fn run(
    store: &impl Store,
    deadline: Duration,
    wake: &Notify,
    mut receiver: mpsc::Receiver<Waiting>,
    losses: &Notify,
) {
    let mut group = Vec::with_capacity(GROUP);
    // Before that, deliveries may have met a closed port.
    let mut is_first = true;
    while let Some(first) = receiver.recv().await {
        let mut bytes = first.job.body().len();
        group.push(first);
        while group.len() < GROUP && bytes < GROUP_BYTES {
            let Ok(next) = receiver.try_recv() else { break };
            bytes += next.job.body().len();
            group.push(next);
        }
        if !commit(store, deadline, wake, &mut group).await || is_first {
            losses.notify_one();
        }
        is_first = false;
    }
}

/// Notes each loss in the database, as soon as that answers. Losses that meet one that is being noted are noted as one.
async fn note_losses(store: &impl Store, deadline: Duration, losses: &Notify) {
    loop {
        losses.notified().await;
        while !matches!(timeout(deadline, store.note_loss()).await, Ok(Ok(()))) {
            sleep(NOTE_AGAIN_AFTER).await;
        }
    }
}

/// One failed commit is no reason to lose a whole group: it is tried again for half of the deadline, and then one by one, so that a
/// delivery that the database rejects costs no other one. No try takes more than two thirds of the deadline: one that hangs, because the
/// database's host has vanished, leaves time for others, and a slow disk has as much time as can be. One by one, each has its part of the
/// time that is left, and a sixth of the deadline at least. Returns whether all were stored.
async fn commit(store: &impl Store, deadline: Duration, wake: &Notify, group: &mut Vec<Waiting>) -> bool {
    let (began, longest) = (Instant::now(), deadline * 2 / 3);
    let jobs: Vec<_> = group.iter().map(|waiting| waiting.job.clone()).collect();
    let push_all = || push(store, jobs.clone(), (began + deadline).min(Instant::now() + longest), deadline);
    // Store it even if its caller has left: Twenty does not send it again.
    let mut stored = push_all().await;
    while stored.is_err() && began.elapsed() < deadline / 2 {
        sleep(PAUSE).await;
        stored = push_all().await;
    }
    let one_by_one = stored.is_err();
    let mut are_stored = true;
    for (left, waiting) in (1..=u32::try_from(jobs.len()).unwrap_or(u32::MAX)).rev().zip(group.drain(..)) {
        let (now, expires_at) = (Instant::now(), waiting.since + deadline);
        let stored = if one_by_one && now < expires_at {
            let part = ((expires_at - now) / left).clamp(deadline / 6, longest);
            push(store, vec![waiting.job], expires_at.min(now + part), deadline).await
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
