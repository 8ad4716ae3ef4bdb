use std::time::Duration;

use tokio_util::task::TaskTracker;
use tower_layer::Layer;
use twenty_webhook_core::{ReplayGate, ReplayGuard, Verifier};

use crate::TwentyWebhook;

/// A tower layer that lets only verified deliveries of Twenty's through.
///
/// Put it on the webhook's route and nowhere else: on a whole app, it would ask `/health` for a signature too.
///
/// ```
/// use axum::{Router, http::StatusCode, routing::post};
/// use twenty_webhook_axum::{Secret, TwentyWebhookLayer, Webhook};
///
/// async fn receive(Webhook(event): Webhook) -> StatusCode {
///     println!("{}", event.name());
///     StatusCode::NO_CONTENT
/// }
///
/// # fn app() -> Result<Router, twenty_webhook_axum::SecretError> {
/// # let secret = Secret::new("s3cret")?;
/// let app = Router::new()
///     .route("/webhooks/twenty", post(receive).layer(TwentyWebhookLayer::new(secret)));
/// # Ok(app) }
/// # app().unwrap();
/// ```
///
/// What passes has a [`WebhookEvent`](crate::WebhookEvent) in its extensions, and the signed bytes, unchanged, as its body. What does
/// not pass is answered with a bare [status](crate::Rejection::status); the [`Rejection`](crate::Rejection) is logged as a warning
/// and put into the response's extensions.
///
/// # The handler's own task
/// Twenty gives up after 5 seconds and never retries. So once the body has been read, the handler runs in a task of its own, and
/// finishes even if the sender hangs up. It runs in the caller's `tracing` span, but without the caller's task-locals; and a
/// timeout or limit that is to hold for the handler belongs inside this layer, not around it. Before the process ends, wait for
/// [`drained`](Self::drained).
///
/// The inner service is asked whether it is ready only for what was verified, so a permit is never held by a request that may be
/// forged. It must run in a tokio runtime with time enabled, as axum does.
#[derive(Clone, Debug)]
pub struct TwentyWebhookLayer {
    pub(crate) verifier: Verifier,
    pub(crate) body_deadline: Duration,
    pub(crate) replays: ReplayGate,
    pub(crate) running: TaskTracker,
    #[cfg(feature = "diagnose")]
    pub(crate) diagnose: bool,
}

impl TwentyWebhookLayer {
    /// Accepts what was signed with this secret, or what this verifier accepts.
    ///
    /// The defaults: those of [`Verifier`], a body deadline of 5 seconds, and a
    /// [`MemoryReplayGuard`](crate::MemoryReplayGuard).
    pub fn new(verifier: impl Into<Verifier>) -> Self {
        let verifier = verifier.into();
        let replays = ReplayGate::in_memory(&verifier);
        Self {
            verifier,
            body_deadline: Duration::from_secs(5),
            replays,
            running: TaskTracker::new(),
            #[cfg(feature = "diagnose")]
            diagnose: false,
        }
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

    /// Says in the log, at warn, why a request does not verify, by trying the mistakes that people make. *For development*: it reads
    /// the body of a request that its headers have already refused, and works on it for up to a second, for anybody who asks.
    ///
    /// The answer to the caller stays the same. The [`Diagnosis`](crate::Diagnosis) is in the response's extensions as well. The
    /// body is read within its limit and deadline; one that is not whole by then is not diagnosed.
    #[cfg(feature = "diagnose")]
    #[must_use]
    pub fn diagnose_rejections(mut self) -> Self {
        self.diagnose = true;
        self
    }

    /// Waits until no handler is running any more, on any route that this layer or a clone of it is on. For a graceful shutdown: the
    /// server waits for its connections only, and a handler may outlive the one that it came by.
    pub async fn drained(&self) {
        self.running.close();
        self.running.wait().await;
    }
}

impl<S> Layer<S> for TwentyWebhookLayer {
    type Service = TwentyWebhook<S>;

    fn layer(&self, inner: S) -> Self::Service {
        TwentyWebhook::new(inner, self.clone())
    }
}
