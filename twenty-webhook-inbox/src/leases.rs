use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::task::AbortHandle;
use tokio::time::Instant;

use crate::JobId;

/// The leases that a worker holds: what its heartbeat renews.
#[derive(Clone, Debug, Default)]
pub(crate) struct Leases(Arc<Mutex<HashMap<JobId, Lease>>>);

#[derive(Debug)]
struct Lease {
    token: i64,
    /// No renewal after this time: a handler that blocks its thread cannot be cancelled.
    renewal_deadline: Option<Instant>,
    handler: Option<AbortHandle>,
}

impl Leases {
    fn held(&self) -> MutexGuard<'_, HashMap<JobId, Lease>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn insert(&self, id: JobId, token: i64) {
        self.held().insert(id, Lease { token, renewal_deadline: None, handler: None });
    }

    /// Records that the handler of these jobs has begun. Returns `false` if a lease was lost already.
    pub(crate) fn begin(&self, ids: &[JobId], token: i64, handler: &AbortHandle, renewal_deadline: Instant) -> bool {
        let mut held = self.held();
        ids.iter().all(|id| match held.get_mut(id).filter(|held| held.token == token) {
            Some(held) => {
                (held.handler, held.renewal_deadline) = (Some(handler.clone()), Some(renewal_deadline));
                true
            }
            None => false,
        })
    }

    /// Records that the attempt has ended. Its lease is renewed until the job is completed. Returns `false` if it was lost.
    pub(crate) fn end(&self, ids: &[JobId], token: i64) -> bool {
        let mut held = self.held();
        ids.iter().all(|id| match held.get_mut(id).filter(|held| held.token == token) {
            Some(held) => {
                (held.handler, held.renewal_deadline) = (None, None);
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

    /// The leases to renew, and the jobs past their limit. Forgets the latter and cancels their handlers.
    pub(crate) fn to_renew(&self, now: Instant) -> (Vec<(JobId, i64)>, Vec<JobId>) {
        let mut held = self.held();
        let overdue = |lease: &Lease| lease.renewal_deadline.is_some_and(|deadline| deadline < now);
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

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    /// After the deadline the job may run twice at the same time.
    #[tokio::test(start_paused = true)]
    async fn a_handler_that_blocks_is_not_renewed_for_ever() {
        let (leases, id) = (Leases::default(), JobId::new(1));
        leases.insert(id, 7);
        let handler = tokio::spawn(std::future::pending::<()>());
        let limit = Instant::now() + Duration::from_mins(1);
        assert!(leases.begin(&[id], 7, &handler.abort_handle(), limit));
        assert_eq!(leases.to_renew(limit), (vec![(id, 7)], vec![]));
        assert_eq!(leases.to_renew(limit + Duration::from_millis(1)), (vec![], vec![id]));
        assert!(handler.await.unwrap_err().is_cancelled());
        assert!(!leases.end(&[id], 7), "another worker completes it");
    }

    #[tokio::test]
    async fn a_lease_is_identified_by_its_token() {
        let (leases, id) = (Leases::default(), JobId::new(1));
        leases.insert(id, 8);
        let handler = tokio::spawn(std::future::pending::<()>());
        assert!(!leases.begin(&[id], 7, &handler.abort_handle(), Instant::now()));
        leases.lose(id, 7);
        leases.remove(id, 7);
        assert!(leases.end(&[id], 8));
        leases.lose(id, 8);
        assert!(leases.is_empty());
    }
}
