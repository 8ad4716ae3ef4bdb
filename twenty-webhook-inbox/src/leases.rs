use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::task::AbortHandle;
use tokio::time::Instant;

use crate::JobId;
use crate::lateness::Time;

/// The leases that a worker holds: what its heartbeat renews.
#[derive(Clone, Debug)]
pub(crate) struct Leases {
    held: Arc<Mutex<HashMap<JobId, Lease>>>,
    length: Duration,
}

#[derive(Debug)]
struct Lease {
    token: i64,
    /// Just before the database was asked for it, or for its last renewal: it lasts at least until its length after this.
    since: Time,
    /// No renewal after this time: a handler that blocks its thread cannot be cancelled.
    renewal_deadline: Option<Instant>,
    handler: Option<AbortHandle>,
}

impl Leases {
    /// Leases of this length.
    pub(crate) fn new(length: Duration) -> Self {
        Self { held: Arc::default(), length }
    }

    fn held(&self) -> MutexGuard<'_, HashMap<JobId, Lease>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn insert(&self, id: JobId, token: i64, since: Time) {
        self.held().insert(id, Lease { token, since, renewal_deadline: None, handler: None });
    }

    /// Records that the handler of these jobs begins. Returns `false` if a lease was lost or may have run out, and then it must not.
    pub(crate) fn begin(&self, ids: &[JobId], token: i64, handler: &AbortHandle, now: Time, limit: Duration) -> bool {
        let renewal_deadline = now.steady + limit;
        let is_held = |held: &&mut Lease| held.token == token && now.since(held.since) < self.length;
        let mut held = self.held();
        ids.iter().all(|id| match held.get_mut(id).filter(is_held) {
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

    /// Records that these were renewed by a call that began at `since`.
    pub(crate) fn renewed(&self, ids: &[JobId], since: Time) {
        let mut held = self.held();
        for id in ids {
            // It may have been claimed again meanwhile.
            if let Some(held) = held.get_mut(id).filter(|held| held.since.steady < since.steady) {
                held.since = since;
            }
        }
    }

    /// Cancels the handlers of jobs whose lease may have run out, because another worker may take them now. Returns these jobs, and the time
    /// until the next lease of a handler runs out. The leases are kept: once its handler has ended, a job is released, unless another worker
    /// has it.
    pub(crate) fn cancel_expired(&self, now: Time) -> (Vec<JobId>, Option<Duration>) {
        let (mut cancelled, mut next) = (Vec::new(), None::<Duration>);
        for (id, held) in self.held().iter_mut().filter(|(_, held)| held.handler.is_some()) {
            let left = self.length.saturating_sub(now.since(held.since));
            if !left.is_zero() {
                next = Some(next.map_or(left, |next| next.min(left)));
            } else if let Some(handler) = held.handler.take() {
                handler.abort();
                cancelled.push(*id);
            }
        }
        (cancelled, next)
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
    use super::*;

    /// After the deadline the job may run twice at the same time.
    #[tokio::test(start_paused = true)]
    async fn a_handler_that_blocks_is_not_renewed_for_ever() {
        let (leases, id, now) = (Leases::new(Duration::from_secs(15)), JobId::new(1), Time::now());
        leases.insert(id, 7, now);
        let handler = tokio::spawn(std::future::pending::<()>());
        assert!(leases.begin(&[id], 7, &handler.abort_handle(), now, Duration::from_mins(1)));
        let limit = now.steady + Duration::from_mins(1);
        assert_eq!(leases.to_renew(limit), (vec![(id, 7)], vec![]));
        assert_eq!(leases.to_renew(limit + Duration::from_millis(1)), (vec![], vec![id]));
        assert!(handler.await.unwrap_err().is_cancelled());
        assert!(!leases.end(&[id], 7), "another worker completes it");
    }

    #[tokio::test]
    async fn a_lease_is_identified_by_its_token() {
        let (leases, id, now) = (Leases::new(Duration::from_secs(15)), JobId::new(1), Time::now());
        leases.insert(id, 8, now);
        let handler = tokio::spawn(std::future::pending::<()>());
        assert!(!leases.begin(&[id], 7, &handler.abort_handle(), now, Duration::ZERO));
        leases.lose(id, 7);
        leases.remove(id, 7);
        assert!(leases.end(&[id], 8));
        leases.lose(id, 8);
        assert!(leases.is_empty());
    }

    #[tokio::test]
    async fn a_handler_is_cancelled_when_its_lease_runs_out() {
        let seconds = Duration::from_secs;
        let (leases, id, start) = (Leases::new(seconds(15)), JobId::new(1), Time::now());
        let after = |by| Time { steady: start.steady + seconds(by), wall: start.wall + seconds(by) };
        leases.insert(id, 7, start);
        let handler = tokio::spawn(std::future::pending::<()>());
        assert!(leases.begin(&[id], 7, &handler.abort_handle(), start, Duration::from_hours(1)));
        assert_eq!(leases.cancel_expired(after(14)), (vec![], Some(seconds(1))));
        leases.renewed(&[id], after(14));
        leases.renewed(&[id], start);
        assert_eq!(leases.cancel_expired(after(15)), (vec![], Some(seconds(14))), "it was renewed");
        assert_eq!(leases.cancel_expired(after(29)), (vec![id], None));
        assert!(handler.await.unwrap_err().is_cancelled());
        assert_eq!(leases.cancel_expired(after(45)), (vec![], None), "once");
        assert!(leases.end(&[id], 7), "this worker releases it");
    }

    /// The steady clock stopped meanwhile.
    #[tokio::test]
    async fn no_handler_begins_or_goes_on_after_the_machine_was_suspended() {
        let (leases, [one, two], start) = (Leases::new(Duration::from_secs(15)), [1, 2].map(JobId::new), Time::now());
        let handler = tokio::spawn(std::future::pending::<()>());
        leases.insert(one, 7, start);
        leases.insert(two, 7, start);
        assert!(leases.begin(&[one], 7, &handler.abort_handle(), start, Duration::from_mins(1)));
        let resumed = Time { steady: start.steady, wall: start.wall + Duration::from_hours(1) };
        assert!(!leases.begin(&[two], 7, &handler.abort_handle(), resumed, Duration::from_mins(1)));
        assert_eq!(leases.cancel_expired(resumed), (vec![one], None));
    }
}
