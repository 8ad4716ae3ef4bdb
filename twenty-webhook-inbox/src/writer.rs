use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Notify, mpsc, oneshot};

use crate::{InboxError, NewJob, Store};

/// Commits in groups: while one commit waits for the disk the next deliveries gather, and go in together. Nobody is told that a
/// delivery is stored before the commit that holds it is done.
#[derive(Clone, Debug)]
pub(crate) struct Writer(mpsc::Sender<Waiting>);

#[derive(Debug)]
struct Waiting {
    job: NewJob,
    stored: oneshot::Sender<Result<(), InboxError>>,
}

/// A group is at most this many, and not many bytes more than this: a database may take it in one message. They wait in memory anyhow, as
/// the requests that they came with.
const GROUP: usize = 256;
const GROUP_BYTES: usize = 8 << 20;

impl Writer {
    /// `wake` is told of what is stored.
    pub(crate) fn spawn(store: impl Store, deadline: Duration, wake: Arc<Notify>) -> Self {
        let (sender, receiver) = mpsc::channel(GROUP);
        tokio::spawn(write(store, deadline, wake, receiver));
        Self(sender)
    }

    pub(crate) async fn store(&self, job: NewJob) -> Result<(), InboxError> {
        let (stored, answer) = oneshot::channel();
        self.0.send(Waiting { job, stored }).await.map_err(|_| InboxError::Closed)?;
        answer.await.map_err(|_| InboxError::Closed)?
    }
}

async fn write(store: impl Store, deadline: Duration, wake: Arc<Notify>, mut receiver: mpsc::Receiver<Waiting>) {
    let mut group = Vec::with_capacity(GROUP);
    while let Some(first) = receiver.recv().await {
        let mut bytes = first.job.body().len();
        group.push(first);
        while group.len() < GROUP && bytes < GROUP_BYTES {
            let Ok(next) = receiver.try_recv() else { break };
            bytes += next.job.body().len();
            group.push(next);
        }
        // Also for callers who have given up: Twenty does not send it again.
        let jobs = group.iter().map(|waiting| waiting.job.clone()).collect();
        let pushed = tokio::time::timeout(deadline, store.push(jobs)).await;
        let pushed = pushed.unwrap_or(Err(InboxError::Deadline(deadline)));
        if let Ok(new) = pushed {
            tracing::debug!(group = group.len(), new, "stored");
            wake.notify_one();
        }
        let pushed = pushed.map(drop);
        for waiting in group.drain(..) {
            // Its caller may have given up.
            let _ = waiting.stored.send(pushed.clone());
        }
    }
}
