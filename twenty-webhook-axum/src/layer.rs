use tokio_util::task::TaskTracker;
use tower_layer::Layer;
use twenty_webhook_core::WebhookConfig;

use crate::TwentyWebhook;

/// A tower layer that lets only verified deliveries of Twenty's through.
///
/// Put it on the webhook's route. On the whole app it would demand a signature from `/health` too.
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
/// not pass is answered with a bare [status](crate::Rejection::status); the [`Rejection`](crate::Rejection) is logged
/// and put into the response's extensions.
///
/// # The handler outlives the connection
/// Twenty gives up after 5 seconds and never retries. So if the sender hangs up once the delivery is verified, the handler goes on in a
/// task of its own, in the same `tracing` span, but without the caller's task-locals. A timeout or limit that is to hold for the handler
/// belongs inside this layer, not around it. Before the process ends, wait for [`drained`](Self::drained).
///
/// The inner service is asked whether it is ready only for what was verified, so a permit is never held by a request that may be
/// forged. It must run in a tokio runtime with time enabled, as axum does.
#[derive(Clone, Debug)]
pub struct TwentyWebhookLayer {
    config: WebhookConfig,
    running: TaskTracker,
}

impl TwentyWebhookLayer {
    /// Receives as `config` says: a [`WebhookConfig`], or just a [`Secret`](crate::Secret), a [`Verifier`](crate::Verifier) or a
    /// [`VerifierSource`](crate::VerifierSource).
    pub fn new(config: impl Into<WebhookConfig>) -> Self {
        Self { config: config.into(), running: TaskTracker::new() }
    }

    /// Waits until all detached handlers of this layer and its clones have finished. For a graceful shutdown: the server waits for its
    /// connections only.
    pub async fn drained(&self) {
        self.running.close();
        self.running.wait().await;
    }
}

impl<C: Into<WebhookConfig>> From<C> for TwentyWebhookLayer {
    fn from(config: C) -> Self {
        Self::new(config)
    }
}

impl<S> Layer<S> for TwentyWebhookLayer {
    type Service = TwentyWebhook<S>;

    fn layer(&self, inner: S) -> Self::Service {
        TwentyWebhook::new(inner, self.config.clone(), self.running.clone())
    }
}
