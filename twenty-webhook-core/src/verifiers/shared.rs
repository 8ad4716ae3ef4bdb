use std::sync::{Arc, PoisonError, RwLock};

use crate::Verifier;

/// A verifier that you can replace at run time, to rotate a secret without a restart. Clones share it.
///
/// ```
/// use twenty_webhook_core::{Secret, SharedVerifier, Verifier, WebhookConfig};
///
/// let (old, new) = (Secret::new("old")?, Secret::new("new")?);
/// let verifier = SharedVerifier::new(Verifier::new(old.clone()));
/// let config = WebhookConfig::new(verifier.clone());
///
/// // Accept both, then change the secret in Twenty. Twenty signs with the old one for up to 10 more seconds.
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

    /// Uses `verifier` for all later requests. Requests that have begun keep the verifier they began with.
    pub fn replace(&self, verifier: Verifier) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = verifier;
    }

    /// The current verifier.
    pub fn current(&self) -> Verifier {
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
