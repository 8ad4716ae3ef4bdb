use std::sync::{Arc, PoisonError, RwLock};

use crate::Verifier;

/// A verifier that is replaced while requests are received: a secret is rotated without a restart. Clones share it.
///
/// ```
/// use twenty_webhook_core::{Secret, SharedVerifier, Verifier, WebhookConfig};
///
/// let (old, new) = (Secret::new("old")?, Secret::new("new")?);
/// let verifier = SharedVerifier::new(Verifier::new(old.clone()));
/// let config = WebhookConfig::new(verifier.clone());
///
/// // Accept both, then change the secret in Twenty: it goes on signing with the old one for up to 10 seconds.
/// verifier.replace(Verifier::new(new).also_accept(old));
/// # Ok::<(), twenty_webhook_core::SecretError>(())
/// ```
#[derive(Clone, Debug)]
pub struct SharedVerifier(Arc<RwLock<Verifier>>);

impl SharedVerifier {
    /// Starts with `verifier`.
    pub fn new(verifier: Verifier) -> Self {
        Self(Arc::new(RwLock::new(verifier)))
    }

    /// Judges all requests that begin from now on by `verifier`. One that has begun is judged by the verifier that it began with.
    pub fn replace(&self, verifier: Verifier) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = verifier;
    }

    /// The verifier at this moment.
    pub fn current(&self) -> Verifier {
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
