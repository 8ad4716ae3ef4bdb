use tokio_util::task::TaskTracker;
use tower_layer::Layer;
use twenty_webhook_core::WebhookConfig;

use crate::TwentyWebhook;

/// A tower layer that passes on only deliveries that Twenty signed.
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
/// A verified request has a [`WebhookEvent`](crate::WebhookEvent) in its extensions, and the signed bytes, unchanged, as its body.
/// The layer answers every other request itself: a bare [status](crate::Rejection::status), with the
/// [`Rejection`](crate::Rejection) in the log and in the response's extensions.
///
/// # The handler outlives the connection
/// Twenty gives up after 5 seconds and never retries. If it hangs up after the delivery was verified, the handler therefore continues in
/// its own task: in the same `tracing` span, but without the caller's task-locals. Put a timeout or limit for the handler
/// inside this layer, not around it. Before the process ends, wait for [`drained`](Self::drained).
///
/// # Readiness
/// The layer polls the inner service for readiness only after a request is verified, so a forged request never takes a concurrency permit.
///
/// The layer needs a tokio runtime with time enabled, as axum has.
#[derive(Clone, Debug)]
pub struct TwentyWebhookLayer {
    config: WebhookConfig,
    running: TaskTracker,
}

impl TwentyWebhookLayer {
    /// Makes a layer from a [`WebhookConfig`], or from just a [`Secret`](crate::Secret), a [`Verifier`](crate::Verifier) or a
    /// [`VerifierSource`](crate::VerifierSource).
    pub fn new(config: impl Into<WebhookConfig>) -> Self {
        Self { config: config.into(), running: TaskTracker::new() }
    }

    /// Waits for the handlers of this layer and its clones whose sender has hung up. Use it for a graceful shutdown: the server waits
    /// only for handlers that still have a connection.
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
