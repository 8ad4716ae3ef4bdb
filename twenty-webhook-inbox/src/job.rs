use std::time::SystemTime;

use twenty_webhook_core::ReplayKey;

use crate::JobId;
#[cfg(any(feature = "sqlite", feature = "postgres"))]
use crate::{Completion, Outcome};

/// The job that a handler was called for. Take it as the second argument:
///
/// ```
/// use twenty_webhook_inbox::{Job, WebhookEvent};
///
/// async fn sync(event: WebhookEvent, job: Job) -> Result<(), std::io::Error> {
///     if job.attempt() > 1 {
///         eprintln!("{} again: attempt {}", event.name(), job.attempt());
///     }
///     Ok(())
/// }
/// ```
#[derive(Clone, Debug)]
pub struct Job {
    pub(crate) id: JobId,
    pub(crate) key: ReplayKey,
    pub(crate) tenant: Option<String>,
    pub(crate) attempt: u32,
    pub(crate) stored_at: SystemTime,
    pub(crate) stale: bool,
    pub(crate) merged: Vec<JobId>,
}

impl Job {
    /// Its number, the same for each attempt.
    pub fn id(&self) -> JobId {
        self.id
    }

    /// The idempotency key, the same for each attempt.
    pub fn key(&self) -> ReplayKey {
        self.key
    }

    /// The [tenant](twenty_webhook_core::Verifier::tenant) whose secret signed the delivery. `None` without tenants.
    pub fn tenant(&self) -> Option<&str> {
        self.tenant.as_deref()
    }

    /// The number of this attempt, from 1. An attempt does not count if its process was killed, or if the job was released. A job that was
    /// [retried](crate::Inbox::retry) or [rerun](crate::Inbox::rerun) starts at 1 again.
    pub fn attempt(&self) -> u32 {
        self.attempt
    }

    /// When the delivery was stored, by the database's clock.
    pub fn stored_at(&self) -> SystemTime {
        self.stored_at
    }

    /// Whether a newer state of its record was handled before, because this event arrived late. It is handled all the same, because it may be
    /// the only one of its kind, unless the worker has [`skip_stale`](crate::Worker::skip_stale).
    pub fn is_stale(&self) -> bool {
        self.stale
    }

    /// Completions of this job and the jobs merged into it.
    #[cfg(any(feature = "sqlite", feature = "postgres"))]
    pub(crate) fn completions(&self, token: i64, outcome: &Outcome) -> Vec<Completion> {
        let ids = self.merged.iter().chain([&self.id]);
        ids.map(|id| Completion { id: *id, token, outcome: outcome.clone() }).collect()
    }

    /// The older jobs that were merged into this one by [`coalesce`](crate::Worker::coalesce), the oldest first. They end as this one ends.
    pub fn merged(&self) -> &[JobId] {
        &self.merged
    }
}
