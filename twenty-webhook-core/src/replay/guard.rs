use std::error::Error;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use crate::{DeliveryId, InsecureOrElse, Lease, UnixMillis};

/// Remembers which deliveries were claimed, so that a replay or a duplicate is not handled again.
///
/// A delivery is claimed before it is handled, and then either completed or released. A claim is a lease: if its holder dies, it
/// runs out, and the next copy of the delivery is handled.
///
/// A guard must remember a claim, completed or not, for as long as any signature over these bytes is accepted: through the latest
/// `until` of all its claims, inclusive. What it has forgotten because that time had passed, it must not take for new again,
/// even if the clock is set back.
///
/// Every call answers within a time that its sender would wait for: Twenty hangs up after 5 seconds. Adapters set no deadline of
/// their own.
///
/// Adapters do not call this; they go through [`ReplayGate`](crate::ReplayGate).
///
/// ```
/// use twenty_webhook_core::{Claim, Clock, DeliveryId, MemoryReplayGuard, ReplayGuard};
/// # use std::time::Duration;
///
/// # async fn example() -> Result<(), twenty_webhook_core::GuardError> {
/// let guard = MemoryReplayGuard::default();
/// let id = DeliveryId::of(b"the signed body");
/// let until = Clock::system().now().saturating_add(Duration::from_secs(300));
///
/// let Claim::New(lease) = guard.claim(id, until).await? else { panic!("nobody has claimed it") };
/// assert!(matches!(guard.claim(id, until).await?, Claim::InProgress { .. }));
///
/// guard.complete(lease).await?;
/// assert!(matches!(guard.claim(id, until).await?, Claim::Completed));
/// # Ok(()) }
/// # let mut run = std::pin::pin!(example());
/// # let polled = run.as_mut().poll(&mut std::task::Context::from_waker(std::task::Waker::noop()));
/// # assert!(matches!(polled, std::task::Poll::Ready(Ok(()))));
/// ```
pub trait ReplayGuard: Send + Sync + 'static {
    /// Claims the delivery, whose signature is accepted through `until`. On a delivery that is already known, a later `until`
    /// extends how long it is remembered.
    ///
    /// # Errors
    /// The guard cannot be asked. The delivery is then not claimed, and must not be handled.
    fn claim(&self, id: DeliveryId, until: UnixMillis) -> impl Future<Output = Result<Claim, GuardError>> + Send;

    /// The delivery was handled: every further copy is a duplicate. Also when the claim was forgotten meanwhile.
    ///
    /// # Errors
    /// The guard cannot be told, or the delivery was [claimed by another](GuardError::LeaseLost) after this lease ran out; then
    /// that claim stays as it is.
    fn complete(&self, lease: Lease) -> impl Future<Output = Result<(), GuardError>> + Send;

    /// The delivery was not handled: the next copy is new, and the guard goes on remembering by which `until` it may come. If another
    /// has claimed it after this lease ran out, that claim stays as it is.
    ///
    /// # Errors
    /// The guard cannot be told. The next copy is then new when the lease has run out.
    fn release(&self, lease: Lease) -> impl Future<Output = Result<(), GuardError>> + Send;

    /// The task that held the lease was cancelled, and cannot wait for a release. A guard that can release at once, without waiting,
    /// does so; by default nothing is done, and the next copy is new when the lease has run out.
    fn abandon(&self, lease: Lease) {
        drop(lease);
    }

    /// Goes on with `fallback` alone while this guard is unavailable, where the default is to refuse everything.
    ///
    /// That weakens it: receivers that cannot reach the shared guard know only what they handled themselves, so a replay or a
    /// duplicate is let in once by each of them. Each failure of this guard goes to `report`, for the log.
    ///
    /// ```
    /// use twenty_webhook_core::{MemoryReplayGuard, ReplayGate, ReplayGuard};
    ///
    /// # let shared_guard = MemoryReplayGuard::default();
    /// let guard = shared_guard.insecure_or_else(MemoryReplayGuard::default(), |error| eprintln!("{error}"));
    /// let gate = ReplayGate::new(guard);
    /// ```
    fn insecure_or_else<F: ReplayGuard>(
        self,
        fallback: F,
        report: impl Fn(&GuardError) + Send + Sync + 'static,
    ) -> InsecureOrElse<Self, F>
    where
        Self: Sized,
    {
        InsecureOrElse::new(self, fallback, Box::new(report))
    }
}

/// For a guard that is shared by several gates, or looked at from outside.
impl<G: ReplayGuard> ReplayGuard for Arc<G> {
    async fn claim(&self, id: DeliveryId, until: UnixMillis) -> Result<Claim, GuardError> {
        G::claim(self, id, until).await
    }

    async fn complete(&self, lease: Lease) -> Result<(), GuardError> {
        G::complete(self, lease).await
    }

    async fn release(&self, lease: Lease) -> Result<(), GuardError> {
        G::release(self, lease).await
    }

    fn abandon(&self, lease: Lease) {
        G::abandon(self, lease);
    }
}

/// What a [`ReplayGuard`] knows of a delivery that asks to be handled.
#[derive(Debug)]
#[must_use = "a new claim must be completed or released"]
pub enum Claim {
    /// It is new, or its last holder released it or let the lease run out: handle it.
    New(Lease),
    /// A copy is being handled.
    InProgress {
        /// When the lease on it runs out, if it is not settled before.
        retry_after: Duration,
    },
    /// A copy was handled.
    Completed,
    /// `until` has passed, so it can no longer be told from a replay that was forgotten. The body took long to arrive, or the
    /// clock was set back.
    Expired,
}

/// Why a [`ReplayGuard`] could not do its work. `Display` is for the operator's log.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum GuardError {
    /// It cannot be reached, or refused to work.
    #[error("the replay guard is unavailable: {0}")]
    Unavailable(Arc<dyn Error + Send + Sync>),
    /// The lease ran out before the handler was done, and the delivery was claimed by another.
    #[error("the lease ran out before the handler was done, and a copy was let in: the delivery may be handled twice")]
    LeaseLost,
}

impl GuardError {
    /// The guard cannot be reached, or refused to work. The operator will read `source`: it must say what and where, and hold
    /// neither payloads nor passwords.
    pub fn unavailable(source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::Unavailable(source.into().into())
    }
}

/// Errors are equal if they read the same.
impl PartialEq for GuardError {
    fn eq(&self, other: &Self) -> bool {
        self.to_string() == other.to_string()
    }
}

impl Eq for GuardError {}
