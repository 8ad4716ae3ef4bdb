use std::convert::Infallible;

use axum::http::StatusCode;
use axum::routing::{MethodRouter, post};
use twenty_webhook_axum::{TwentyWebhookLayer, Webhook, WebhookConfig, escaped};

use crate::{Inbox, Store};

impl<S: Store> Inbox<S> {
    /// A route that verifies a delivery, stores it, and answers 202, or 503 if it could not be stored. It answers a request that the verifier
    /// rejects like [`TwentyWebhookLayer`].
    ///
    /// ```no_run
    /// use axum::Router;
    /// use twenty_webhook_inbox::{Inbox, Secret};
    ///
    /// # async fn app() -> Result<Router, Box<dyn std::error::Error>> {
    /// let inbox = Inbox::sqlite("inbox.db").await?;
    /// let app = Router::new().route("/webhooks/twenty", inbox.receiver(Secret::from_env("TWENTY_WEBHOOK_SECRET")?));
    /// # Ok(app) }
    /// ```
    ///
    /// `config` is a [`WebhookConfig`], a [`Secret`](crate::Secret) or a [`Verifier`](crate::Verifier). Its replay guard is switched off: the
    /// store knows duplicates, also from before a restart.
    pub fn receiver<A>(&self, config: impl Into<WebhookConfig>) -> MethodRouter<A, Infallible>
    where
        A: Clone + Send + Sync + 'static,
    {
        let inbox = self.clone();
        let receive = move |Webhook(event): Webhook| async move {
            match inbox.store(&event).await {
                Ok(()) => StatusCode::ACCEPTED,
                Err(error) => {
                    let name = escaped(event.name().as_str());
                    tracing::error!(%error, delivery_id = %event.delivery_id(), %name, "not stored: answered 503");
                    StatusCode::SERVICE_UNAVAILABLE
                }
            }
        };
        post(receive).layer(TwentyWebhookLayer::new(config.into().without_replay_guard()))
    }
}
