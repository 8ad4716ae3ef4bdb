use std::fmt;

use crate::{Claim, DeliveryId, GuardError, Lease, ReplayGuard, UnixMillis};

/// Two guards, made by [`insecure_or_else`](ReplayGuard::insecure_or_else): while the first is unavailable, the second decides
/// alone.
///
/// Both are told everything. So when the first fails, the second knows what was handled here before; and when the first is back,
/// what was handled here meanwhile is still known. A delivery that either knows is not new.
pub struct InsecureOrElse<G, F> {
    guard: G,
    fallback: F,
    report: Report,
}

type Report = Box<dyn Fn(&GuardError) + Send + Sync>;

impl<G, F> InsecureOrElse<G, F> {
    pub(super) fn new(guard: G, fallback: F, report: Report) -> Self {
        Self { guard, fallback, report }
    }

    fn reported(&self, outcome: Result<(), GuardError>) {
        if let Err(error) = outcome {
            (self.report)(&error);
        }
    }
}

impl<G: ReplayGuard, F: ReplayGuard> ReplayGuard for InsecureOrElse<G, F> {
    async fn claim(&self, id: DeliveryId, until: UnixMillis) -> Result<Claim, GuardError> {
        let near = self.fallback.claim(id, until).await?;
        let far = match self.guard.claim(id, until).await {
            Ok(far) => far,
            Err(error) => {
                (self.report)(&error);
                return Ok(match near {
                    Claim::New(lease) => Claim::New(lease.with(None)),
                    known => known,
                });
            }
        };
        match (near, far) {
            (Claim::New(near), Claim::New(far)) => Ok(Claim::New(near.with(Some(far)))),
            // The one that took it for new learns what the other knows.
            (Claim::New(near), known) => {
                settle_as(&self.fallback, near, &known).await?;
                Ok(known)
            }
            (known, Claim::New(far)) => {
                self.reported(settle_as(&self.guard, far, &known).await);
                Ok(known)
            }
            (Claim::Completed, _) => Ok(Claim::Completed),
            (_, known) => Ok(known),
        }
    }

    async fn complete(&self, lease: Lease) -> Result<(), GuardError> {
        let (near, far) = lease.split();
        if let Some(far) = far {
            self.reported(self.guard.complete(far).await);
        }
        self.fallback.complete(near).await
    }

    async fn release(&self, lease: Lease) -> Result<(), GuardError> {
        let (near, far) = lease.split();
        if let Some(far) = far {
            self.reported(self.guard.release(far).await);
        }
        self.fallback.release(near).await
    }

    fn abandon(&self, lease: Lease) {
        let (near, far) = lease.split();
        if let Some(far) = far {
            self.guard.abandon(far);
        }
        self.fallback.abandon(near);
    }
}

async fn settle_as(guard: &impl ReplayGuard, lease: Lease, known: &Claim) -> Result<(), GuardError> {
    if matches!(known, Claim::Completed) { guard.complete(lease).await } else { guard.release(lease).await }
}

impl<G: fmt::Debug, F: fmt::Debug> fmt::Debug for InsecureOrElse<G, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("InsecureOrElse")
            .field("guard", &self.guard)
            .field("fallback", &self.fallback)
            .finish_non_exhaustive()
    }
}
