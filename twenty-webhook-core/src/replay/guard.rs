use std::error::Error;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use crate::{Delivery, InsecureFallback};

/// Remembers which deliveries were claimed, so that a replay or a duplicate is not handled again.
///
/// A delivery is claimed before it is handled, and then either completed or released. A claim is a lease: if its holder dies, the
/// lease expires, and the next copy of the delivery is handled.
///
/// Two deliveries are the same if their [`replay_key`](Delivery::replay_key) is the same. A guard must remember a claim, completed or
/// not, for as long as any signature over the delivery is accepted: through the latest [`expires_at`](Delivery::expires_at) of all its
/// claims, inclusive. What it has forgotten because that time had passed, it must not take for new again, even if the clock is set back.
///
/// Every call answers within a time that its sender would wait for: Twenty hangs up after 5 seconds. Receivers set no deadline of
/// their own.
///
/// Receivers do not call this; they go through [`VerifiedRequest::claim`](crate::VerifiedRequest::claim).
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
    /// The right to handle one delivery. It is given back once, with [`complete`](Self::complete), [`release`](Self::release) or
    /// [`abandon`](Self::abandon). It must tell its claim from every later claim of the same delivery.
    type Lease: Send + 'static;

    /// Claims the delivery. On a delivery that is already known, a later [`expires_at`](Delivery::expires_at) extends how long it is
    /// remembered.
    ///
    /// # Errors
    /// The guard cannot be asked. The delivery is then not claimed, and must not be handled.
    fn claim(&self, delivery: &Delivery) -> impl Future<Output = Result<Claim<Self::Lease>, GuardError>> + Send;

    /// The delivery was handled: every further copy is a duplicate. Also when the claim was forgotten meanwhile.
    ///
    /// # Errors
    /// The guard cannot be told, or the delivery was [claimed by another](GuardError::LeaseLost) after this lease expired; then
    /// that claim stays as it is.
    fn complete(&self, lease: Self::Lease) -> impl Future<Output = Result<(), GuardError>> + Send;

    /// The delivery was not handled: the next copy is new, and the guard still remembers until when copies may come. If the delivery
    /// was claimed by another after this lease expired, that claim stays as it is.
    ///
    /// # Errors
    /// The guard cannot be told. The next copy is then new when the lease has expired.
    fn release(&self, lease: Self::Lease) -> impl Future<Output = Result<(), GuardError>> + Send;

    /// The task that held the lease was cancelled, and cannot wait for a release. A guard that can release at once, without waiting,
    /// does so. Another does nothing: the next copy is new when the lease has expired.
    fn abandon(&self, lease: Self::Lease);

    /// Tells this guard from others, also where it is shared through several pointers.
    #[doc(hidden)]
    fn identity(&self) -> usize {
        std::ptr::from_ref(self).cast::<()>().addr()
    }

    /// Goes on with `fallback` alone while this guard is unavailable, where the default is to refuse everything.
    ///
    /// That weakens it: receivers that cannot reach the shared guard know only what they handled themselves, so each of them lets a
    /// replay or a duplicate in once. Each failure of this guard is passed to `report`, for the log.
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

/// For a guard that several configurations share, or that is looked at from outside.
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

/// What a [`ReplayGuard`] knows of a delivery that asks to be handled.
#[derive(Debug)]
#[must_use = "a new claim must be completed or released"]
pub enum Claim<L> {
    /// It is new, or its last holder released it or let the lease expire: handle it.
    New(L),
    /// A copy is being handled.
    InProgress {
        /// When its lease expires, if it is not completed or released before.
        retry_after: Duration,
    },
    /// A copy was handled.
    Completed,
    /// Its [`expires_at`](Delivery::expires_at) has passed, so it can no longer be told from a replay that was forgotten. The body took
    /// long to arrive, or the clock was set back.
    Expired,
}

impl<L> Claim<L> {
    /// Whether the delivery is to be handled.
    pub fn is_new(&self) -> bool {
        matches!(self, Self::New(_))
    }

    /// The same answer, with another form of lease.
    pub fn map<M>(self, lease: impl FnOnce(L) -> M) -> Claim<M> {
        match self {
            Self::New(claimed) => Claim::New(lease(claimed)),
            Self::InProgress { retry_after } => Claim::InProgress { retry_after },
            Self::Completed => Claim::Completed,
            Self::Expired => Claim::Expired,
        }
    }
}

/// Why a [`ReplayGuard`] could not do its work. `Display` is for the operator's log.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum GuardError {
    /// It cannot be reached, or refused to work.
    #[error("the replay guard is unavailable: {0}")]
    Unavailable(Arc<dyn Error + Send + Sync>),
    /// The lease expired before the handler was done, and the delivery was claimed by another.
    #[error("the lease expired before the handler was done, and a copy was let in: the delivery may be handled twice")]
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
