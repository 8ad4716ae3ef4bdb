use std::error::Error;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use crate::{Delivery, InsecureFallback};

/// Remembers claimed deliveries, so that replays and duplicates are not handled again.
///
/// A delivery is claimed before it is handled, and then completed or released. A claim is a lease: if the process that holds it crashes,
/// the lease expires, and the next copy of the delivery is handled.
///
/// Deliveries with the same [`replay_key`](Delivery::replay_key) are copies of one delivery. A guard must remember a claim, completed or
/// not, while any signature over the delivery is accepted: until the latest [`expires_at`](Delivery::expires_at) of all its claims,
/// inclusive. After that it may forget the claim, but must not answer New for it again, even if the clock is set back.
///
/// Each call must return in well under 5 seconds, after which Twenty disconnects. Receivers set no deadline for it.
///
/// Receivers call [`VerifiedRequest::claim`](crate::VerifiedRequest::claim), which calls the guard.
///
/// ```
/// use twenty_webhook_core::{Claim, MemoryReplayGuard, ReplayGuard, Secret, Signer, Verifier};
///
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// # let secret = Secret::new("s3cret")?;
/// # let (verifier, headers) = (Verifier::new(secret.clone()), Signer::new(secret).sign(b"the body"));
/// let delivery = verifier.verify(&headers, "the body")?;
/// let guard = MemoryReplayGuard::default();
///
/// let Claim::New(lease) = guard.claim(&delivery).await? else { panic!("it was never claimed") };
/// assert!(matches!(guard.claim(&delivery).await?, Claim::InProgress { .. }));
///
/// guard.complete(lease).await?;
/// assert!(matches!(guard.claim(&delivery).await?, Claim::Completed));
/// # Ok(()) }
/// # let mut run = std::pin::pin!(example());
/// # let polled = run.as_mut().poll(&mut std::task::Context::from_waker(std::task::Waker::noop()));
/// # assert!(matches!(polled, std::task::Poll::Ready(Ok(()))));
/// ```
pub trait ReplayGuard: Send + Sync + 'static {
    /// The right to handle one delivery. It ends with [`complete`](Self::complete), [`release`](Self::release) or
    /// [`abandon`](Self::abandon). It must identify its claim among all claims of the same delivery.
    type Lease: Send + 'static;

    /// Claims the delivery. For a known delivery, a later [`expires_at`](Delivery::expires_at) extends how long the guard remembers it.
    ///
    /// # Errors
    /// If the guard is unavailable. The delivery is then not claimed, and must not be handled.
    fn claim(&self, delivery: &Delivery) -> impl Future<Output = Result<Claim<Self::Lease>, GuardError>> + Send;

    /// Records that the delivery was handled: each later copy is a duplicate, even if the guard has forgotten the claim meanwhile.
    ///
    /// # Errors
    /// If the guard is unavailable, or another process [claimed](GuardError::LeaseLost) the delivery after this lease expired. That claim
    /// does not change.
    fn complete(&self, lease: Self::Lease) -> impl Future<Output = Result<(), GuardError>> + Send;

    /// Records that the delivery was not handled: the next copy is new, and the guard still remembers the latest expiry. If another process
    /// claimed the delivery after this lease expired, that claim does not change.
    ///
    /// # Errors
    /// If the guard is unavailable. The next copy is then new after the lease expires.
    fn release(&self, lease: Self::Lease) -> impl Future<Output = Result<(), GuardError>> + Send;

    /// Called when the task that held the lease was cancelled. A guard that can release without waiting does so. Other guards do nothing, and
    /// the next copy is new after the lease expires.
    fn abandon(&self, lease: Self::Lease);

    /// Identifies this guard, also if several pointers share it.
    #[doc(hidden)]
    fn identity(&self) -> usize {
        std::ptr::from_ref(self).cast::<()>().addr()
    }

    /// Uses `fallback` alone while this guard is unavailable. Without it, all deliveries are then answered with 503.
    ///
    /// This weakens the protection: a receiver that cannot reach the shared guard knows only the deliveries that it handled itself, so each
    /// receiver may accept a replay or a duplicate once. `report` is called with each error of this guard, for the log.
    ///
    /// ```
    /// use twenty_webhook_core::{MemoryReplayGuard, ReplayGuard, Secret, WebhookConfig};
    ///
    /// # let shared_guard = MemoryReplayGuard::default();
    /// let guard = shared_guard.insecure_fallback(MemoryReplayGuard::default(), |error| eprintln!("{error}"));
    /// let config = WebhookConfig::new(Secret::new("s3cret")?).replay_guard(guard);
    /// # Ok::<(), twenty_webhook_core::SecretError>(())
    /// ```
    fn insecure_fallback<F: ReplayGuard>(
        self,
        fallback: F,
        report: impl Fn(&GuardError) + Send + Sync + 'static,
    ) -> InsecureFallback<Self, F>
    where
        Self: Sized,
    {
        InsecureFallback::new(self, fallback, Box::new(report))
    }
}

/// For a guard that several configurations share, or that your code also reads.
impl<G: ReplayGuard> ReplayGuard for Arc<G> {
    type Lease = G::Lease;

    async fn claim(&self, delivery: &Delivery) -> Result<Claim<G::Lease>, GuardError> {
        G::claim(self, delivery).await
    }

    async fn complete(&self, lease: G::Lease) -> Result<(), GuardError> {
        G::complete(self, lease).await
    }

    async fn release(&self, lease: G::Lease) -> Result<(), GuardError> {
        G::release(self, lease).await
    }

    fn abandon(&self, lease: G::Lease) {
        G::abandon(self, lease);
    }

    fn identity(&self) -> usize {
        G::identity(self)
    }
}

/// The answer of a [`ReplayGuard`] to a claim.
#[derive(Debug)]
#[must_use = "a new claim must be completed or released"]
pub enum Claim<L> {
    /// The delivery is new, or its last lease was released or expired. Handle it.
    New(L),
    /// A copy is being handled.
    InProgress {
        /// The time until its lease expires.
        retry_after: Duration,
    },
    /// A copy was handled.
    Completed,
    /// Its [`expires_at`](Delivery::expires_at) has passed, so the guard may have forgotten an earlier copy. The body was slow, or the clock
    /// was set back.
    Expired,
}

impl<L> Claim<L> {
    /// Whether the delivery is to be handled.
    pub fn is_new(&self) -> bool {
        matches!(self, Self::New(_))
    }

    /// Converts the lease.
    pub fn map<M>(self, lease: impl FnOnce(L) -> M) -> Claim<M> {
        match self {
            Self::New(claimed) => Claim::New(lease(claimed)),
            Self::InProgress { retry_after } => Claim::InProgress { retry_after },
            Self::Completed => Claim::Completed,
            Self::Expired => Claim::Expired,
        }
    }
}

/// The error of a [`ReplayGuard`]. `Display` is for the operator's log.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum GuardError {
    /// The guard is unreachable, or returned an error.
    #[error("the replay guard is unavailable: {0}")]
    Unavailable(Arc<dyn Error + Send + Sync>),
    /// The lease expired before the handler ended, and the delivery was claimed again.
    #[error("the lease expired before the handler ended, and a copy was accepted: the delivery may be handled twice")]
    LeaseLost,
}

impl GuardError {
    /// The guard is unreachable, or returned an error. `source` goes to the log: it should say what failed and where, without payloads or
    /// passwords.
    pub fn unavailable(source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::Unavailable(source.into().into())
    }
}

/// Errors are equal if their texts are equal.
impl PartialEq for GuardError {
    fn eq(&self, other: &Self) -> bool {
        self.to_string() == other.to_string()
    }
}

impl Eq for GuardError {}
