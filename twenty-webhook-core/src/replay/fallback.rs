use std::convert::Infallible;
use std::fmt;

use crate::{Claim, Delivery, GuardError, ReplayGuard};

/// Two guards, made by [`insecure_fallback`](ReplayGuard::insecure_fallback): the local guard decides alone while the shared guard is
/// unavailable.
///
/// Each delivery is claimed in both guards. So the local guard knows what this receiver handled before the shared guard failed, and still
/// knows what it handled meanwhile when the shared guard is back. A delivery that either guard knows is not new.
pub struct InsecureFallback<G, F> {
    shared: G,
    local: F,
    report: Report,
}

type Report = Box<dyn Fn(&GuardError) + Send + Sync>;

/// A lease of the local guard, and one of the shared guard unless that was unavailable.
#[derive(Debug)]
pub struct FallbackLease<L, S> {
    local: L,
    shared: Option<S>,
}

impl<G, F> InsecureFallback<G, F> {
    pub(super) fn new(shared: G, local: F, report: Report) -> Self {
        Self { shared, local, report }
    }

    fn report_error(&self, outcome: Result<(), GuardError>) {
        if let Err(error) = outcome {
            (self.report)(&error);
        }
    }
}

impl<G: ReplayGuard, F: ReplayGuard> ReplayGuard for InsecureFallback<G, F> {
    type Lease = FallbackLease<F::Lease, G::Lease>;

    async fn claim(&self, delivery: &Delivery) -> Result<Claim<Self::Lease>, GuardError> {
        let local =
            self.local.claim(delivery).await?.map(|lease| AbandonOnDrop { guard: &self.local, lease: Some(lease) });
        let shared = match self.shared.claim(delivery).await {
            Ok(shared) => shared,
            Err(error) => {
                (self.report)(&error);
                return Ok(match new_or_known(local) {
                    Ok(local) => Claim::New(FallbackLease { local: local.into_lease(), shared: None }),
                    Err(known) => known.map(|never| match never {}),
                });
            }
        };
        let known = match (new_or_known(local), new_or_known(shared)) {
            (Ok(local), Ok(shared)) => {
                return Ok(Claim::New(FallbackLease { local: local.into_lease(), shared: Some(shared) }));
            }
            // Record what one guard knows in the other, which answered New.
            (Ok(local), Err(known)) => {
                end_as(&self.local, local.into_lease(), &known).await?;
                known
            }
            (Err(known), Ok(shared)) => {
                self.report_error(end_as(&self.shared, shared, &known).await);
                known
            }
            (Err(Claim::Completed), Err(_)) => Claim::Completed,
            (Err(_), Err(known)) => known,
        };
        Ok(known.map(|never| match never {}))
    }

    async fn complete(&self, lease: Self::Lease) -> Result<(), GuardError> {
        if let Some(shared) = lease.shared {
            self.report_error(self.shared.complete(shared).await);
        }
        self.local.complete(lease.local).await
    }

    async fn release(&self, lease: Self::Lease) -> Result<(), GuardError> {
        if let Some(shared) = lease.shared {
            self.report_error(self.shared.release(shared).await);
        }
        self.local.release(lease.local).await
    }

    fn abandon(&self, lease: Self::Lease) {
        if let Some(shared) = lease.shared {
            self.shared.abandon(shared);
        }
        self.local.abandon(lease.local);
    }
}

/// The local lease while the shared guard is asked. If the claim is dropped meanwhile, the lease is abandoned.
struct AbandonOnDrop<'a, F: ReplayGuard> {
    guard: &'a F,
    lease: Option<F::Lease>,
}

impl<F: ReplayGuard> AbandonOnDrop<'_, F> {
    fn into_lease(mut self) -> F::Lease {
        self.lease.take().expect("the lease is present until it is taken or dropped")
    }
}

impl<F: ReplayGuard> Drop for AbandonOnDrop<'_, F> {
    fn drop(&mut self) {
        if let Some(lease) = self.lease.take() {
            self.guard.abandon(lease);
        }
    }
}

fn new_or_known<L>(claim: Claim<L>) -> Result<L, Claim<Infallible>> {
    match claim {
        Claim::New(lease) => Ok(lease),
        Claim::InProgress { retry_after } => Err(Claim::InProgress { retry_after }),
        Claim::Completed => Err(Claim::Completed),
        Claim::Expired => Err(Claim::Expired),
    }
}

async fn end_as<G: ReplayGuard>(guard: &G, lease: G::Lease, known: &Claim<Infallible>) -> Result<(), GuardError> {
    if matches!(known, Claim::Completed) { guard.complete(lease).await } else { guard.release(lease).await }
}

impl<G: fmt::Debug, F: fmt::Debug> fmt::Debug for InsecureFallback<G, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("InsecureFallback")
            .field("shared", &self.shared)
            .field("local", &self.local)
            .finish_non_exhaustive()
    }
}
