use std::time::Duration;

use twenty_webhook_core::{ReplayGate, ReplayGuard, Secret, Verifier};

/// How deliveries are received: by the [`Webhook`](crate::Webhook) extractor, which finds it in `app_data`, or by the
/// [`TwentyWebhookMiddleware`](crate::TwentyWebhookMiddleware).
///
/// Make it once, outside the closure of `HttpServer::new`, so that all workers share one replay guard.
#[derive(Clone, Debug)]
pub struct WebhookConfig {
    pub(crate) verifier: Verifier,
    pub(crate) body_deadline: Duration,
    pub(crate) replays: ReplayGate,
}

impl WebhookConfig {
    /// Accepts what was signed with this secret, or what this verifier accepts.
    ///
    /// The defaults: those of [`Verifier`], a body deadline of 5 seconds, and a
    /// [`MemoryReplayGuard`](crate::MemoryReplayGuard).
    pub fn new(verifier: impl Into<Verifier>) -> Self {
        let verifier = verifier.into();
        let replays = ReplayGate::in_memory(&verifier);
        Self { verifier, body_deadline: Duration::from_secs(5), replays }
    }

    /// Sets how long the body may take to arrive once the headers are accepted. Twenty itself gives up after 5 seconds.
    #[must_use]
    pub fn body_deadline(mut self, deadline: Duration) -> Self {
        self.body_deadline = deadline;
        self
    }

    /// Remembers deliveries in `guard`. Receivers on several machines need one that they share.
    #[must_use]
    pub fn replay_guard(mut self, guard: impl ReplayGuard) -> Self {
        self.replays = ReplayGate::new(guard);
        self
    }

    /// Lets a captured request through again and again for as long as its timestamp is fresh. For handlers that are idempotent
    /// by [`delivery_id`](crate::WebhookEvent::delivery_id).
    #[must_use]
    pub fn without_replay_guard(mut self) -> Self {
        self.replays = ReplayGate::off();
        self
    }
}

impl From<Verifier> for WebhookConfig {
    fn from(verifier: Verifier) -> Self {
        Self::new(verifier)
    }
}

impl From<Secret> for WebhookConfig {
    fn from(secret: Secret) -> Self {
        Self::new(secret)
    }
}
