use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::task::AbortHandle;
use tokio::time::Instant;

use crate::JobId;

/// The leases that a worker holds: what its heartbeat renews.
#[derive(Clone, Debug, Default)]
pub(crate) struct Leases(Arc<Mutex<HashMap<JobId, Held>>>);

#[derive(Debug)]
struct Held {
    token: i64,
    /// A handler that blocks its thread cannot be cancelled, so its lease is not renewed for ever.
    renew_until: Option<Instant>,
    handler: Option<AbortHandle>,
}

impl Leases {
    fn held(&self) -> MutexGuard<'_, HashMap<JobId, Held>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn insert(&self, id: JobId, token: i64) {
        self.held().insert(id, Held { token, renew_until: None, handler: None });
    }

    /// The handler of this job, and of those merged into it, has begun. `false` if the lease is lost already.
    pub(crate) fn begin(&self, ids: &[JobId], token: i64, handler: &AbortHandle, renew_until: Instant) -> bool {
        let mut held = self.held();
        ids.iter().all(|id| match held.get_mut(id).filter(|held| held.token == token) {
            Some(held) => {
                (held.handler, held.renew_until) = (Some(handler.clone()), Some(renew_until));
                true
            }
            None => false,
        })
    }

    /// The attempt is over, and waits to be settled: its lease is renewed until then.
    pub(crate) fn end(&self, ids: &[JobId], token: i64) -> bool {
        let mut held = self.held();
        ids.iter().all(|id| match held.get_mut(id).filter(|held| held.token == token) {
            Some(held) => {
                (held.handler, held.renew_until) = (None, None);
                true
            }
            None => false,
        })
    }

    pub(crate) fn remove(&self, id: JobId, token: i64) {
        let mut held = self.held();
        if held.get(&id).is_some_and(|held| held.token == token) {
            held.remove(&id);
        }
    }

    /// Those to renew, and those that have gone past their limit since they were last asked for, which are forgotten.
    pub(crate) fn to_renew(&self, now: Instant) -> (Vec<(JobId, i64)>, Vec<JobId>) {
        let mut held = self.held();
        let overdue = |held: &Held| held.renew_until.is_some_and(|until| until < now);
        let blocked: Vec<_> = held.iter().filter(|(_, held)| overdue(held)).map(|(id, _)| *id).collect();
        for id in &blocked {
            if let Some(handler) = held.remove(id).and_then(|held| held.handler) {
                handler.abort();
            }
        }
        (held.iter().map(|(id, held)| (*id, held.token)).collect(), blocked)
    }

    /// Forgets a lease that another worker may have by now, and cancels the handler at its next await.
    pub(crate) fn lose(&self, id: JobId, token: i64) {
        let mut held = self.held();
        if held.get(&id).is_some_and(|held| held.token == token)
            && let Some(handler) = held.remove(&id).and_then(|held| held.handler)
        {
            handler.abort();
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.held().is_empty()
    }
}
