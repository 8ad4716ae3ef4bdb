use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use crate::{
    Claim, Delivery, DeliveryId, GuardError, Lease, MemoryReplayGuard, Rejection, ReplayGuard, UnixMillis, Verifier,
};

/// Lets each delivery in once: what every adapter asks after verification and before the handler, and tells the outcome to.
///
/// Cheap to clone; the clones share the guard.
///
/// ```
/// # use twenty_webhook_core::{Delivery, Rejection, ReplayGate};
/// # async fn handle(_: Delivery) -> http::StatusCode { http::StatusCode::OK }
/// # async fn receive(gate: &ReplayGate, delivery: Delivery) -> Result<http::StatusCode, Rejection> {
/// let admission = gate.admit(&delivery).await?; // 200 or 409: a duplicate; 503: the guard cannot be asked
/// let status = handle(delivery).await;
/// if let Err(error) = admission.settle(status).await {
///     eprintln!("{error}"); // The handler's answer stands.
/// }
/// # Ok(status) }
/// ```
#[derive(Clone)]
pub struct ReplayGate(Option<Arc<dyn Erased>>);

impl ReplayGate {
    /// Asks `guard`.
    pub fn new(guard: impl ReplayGuard) -> Self {
        Self(Some(Arc::new(guard)))
    }

    /// Asks a new [`MemoryReplayGuard`] that goes by the verifier's clock: the default of every adapter.
    pub fn in_memory(verifier: &Verifier) -> Self {
        Self::new(MemoryReplayGuard::new().clock(verifier.own_clock().clone()))
    }

    /// Lets everything in, every time.
    pub fn off() -> Self {
        Self(None)
    }

    /// Whether it will ask for a delivery's id, which is cheaper to compute [as the body arrives][identify].
    ///
    /// [identify]: crate::Verification::identify
    pub fn is_on(&self) -> bool {
        self.0.is_some()
    }

    /// Claims the delivery. Whoever gets an [`Admission`] handles it, and tells the outcome.
    ///
    /// # Errors
    /// Refuses a delivery that was handled or is being handled, and every delivery while the guard cannot be asked.
    pub async fn admit(&self, delivery: &Delivery) -> Result<Admission, Rejection> {
        let Some(guard) = &self.0 else { return Ok(Admission(None)) };
        match guard.claim(delivery.id(), delivery.fresh_until()).await {
            Ok(Claim::New(lease)) => Ok(Admission(Some((Arc::clone(guard), lease)))),
            Ok(Claim::InProgress { retry_after }) => Err(Rejection::InProgress { retry_after }),
            Ok(Claim::Completed) => Err(Rejection::AlreadyCompleted),
            Ok(Claim::Expired) => Err(Rejection::Expired),
            Err(error) => Err(Rejection::GuardUnavailable(error)),
        }
    }
}

impl fmt::Debug for ReplayGate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.is_on() { "ReplayGate(on)" } else { "ReplayGate(off)" })
    }
}

/// A delivery that was let in, and whose outcome the gate waits for.
///
/// One that is dropped was not handled, because its task was cancelled: its lease is [abandoned](ReplayGuard::abandon).
#[must_use = "a delivery that was let in must be settled"]
pub struct Admission(Option<(Arc<dyn Erased>, Lease)>);

impl Admission {
    /// The answer is `status`: it [completes](Self::complete) or [releases](Self::release) the delivery.
    ///
    /// Below 500 completes, a 4xx too: the handler has seen this delivery and judged it, and would judge a copy in the same way. 404
    /// and 405 release, because they are what a router answers: the path and the method are not signed, so a copy that is sent
    /// elsewhere must not stand in for the delivery, which Twenty would not repeat.
    ///
    /// `status` is a `StatusCode` of any version of the `http` crate.
    ///
    /// # Errors
    /// The guard was not told. That is for the log: the handler's answer stands.
    pub async fn settle(self, status: impl Into<u16>) -> Result<(), GuardError> {
        match status.into() {
            404 | 405 | 500.. => self.release().await,
            _ => self.complete().await,
        }
    }

    /// The delivery was handled: no copy is let in.
    ///
    /// # Errors
    /// As [`settle`](Self::settle).
    pub async fn complete(mut self) -> Result<(), GuardError> {
        match self.0.take() {
            Some((guard, lease)) => guard.complete(lease).await,
            None => Ok(()),
        }
    }

    /// The delivery was not handled (the handler panicked, say): the next copy is let in.
    ///
    /// # Errors
    /// As [`settle`](Self::settle).
    pub async fn release(mut self) -> Result<(), GuardError> {
        match self.0.take() {
            Some((guard, lease)) => guard.release(lease).await,
            None => Ok(()),
        }
    }
}

impl Drop for Admission {
    fn drop(&mut self) {
        if let Some((guard, lease)) = self.0.take() {
            guard.abandon(lease);
        }
    }
}

impl fmt::Debug for Admission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Admission").field(&self.0.as_ref().map(|(_, lease)| lease)).finish()
    }
}

/// [`ReplayGuard`] behind a pointer, so that adapters need no type parameter for it.
trait Erased: Send + Sync {
    fn claim(&self, id: DeliveryId, until: UnixMillis) -> Answer<'_, Claim>;
    fn complete(&self, lease: Lease) -> Answer<'_, ()>;
    fn release(&self, lease: Lease) -> Answer<'_, ()>;
    fn abandon(&self, lease: Lease);
}

type Answer<'a, T> = Pin<Box<dyn Future<Output = Result<T, GuardError>> + Send + 'a>>;

impl<G: ReplayGuard> Erased for G {
    fn claim(&self, id: DeliveryId, until: UnixMillis) -> Answer<'_, Claim> {
        Box::pin(ReplayGuard::claim(self, id, until))
    }

    fn complete(&self, lease: Lease) -> Answer<'_, ()> {
        Box::pin(ReplayGuard::complete(self, lease))
    }

    fn release(&self, lease: Lease) -> Answer<'_, ()> {
        Box::pin(ReplayGuard::release(self, lease))
    }

    fn abandon(&self, lease: Lease) {
        ReplayGuard::abandon(self, lease);
    }
}
