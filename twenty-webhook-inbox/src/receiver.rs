use std::convert::Infallible;

use axum::http::StatusCode;
use axum::routing::{MethodRouter, post};
use twenty_webhook_axum::{TwentyWebhookLayer, Verifier, Webhook};

use crate::{Inbox, Store};

impl<S: Store> Inbox<S> {
    /// A route that verifies a delivery, stores it, and answers 202; 503 if it could not be stored. What the verifier refuses is
    /// answered as [`TwentyWebhookLayer`] does.
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
    pub fn receiver<A>(&self, verifier: impl Into<Verifier>) -> MethodRouter<A, Infallible>
    where
        A: Clone + Send + Sync + 'static,
    {
        self.receiver_behind(TwentyWebhookLayer::new(verifier))
    }

    /// [`receiver`](Self::receiver) behind a layer of your own configuration. Its replay guard is switched off: the store knows
    /// duplicates, also those from before a restart.
    pub fn receiver_behind<A>(&self, layer: TwentyWebhookLayer) -> MethodRouter<A, Infallible>
    where
        A: Clone + Send + Sync + 'static,
    {
        let inbox = self.clone();
        let receive = move |Webhook(event): Webhook| async move {
            match inbox.store(&event).await {
                Ok(()) => StatusCode::ACCEPTED,
                Err(error) => {
                    tracing::error!(%error, delivery_id = %event.delivery_id(), name = %event.name(), "not stored: answered 503");
                    StatusCode::SERVICE_UNAVAILABLE
                }
            }
        };
        post(receive).layer(layer.without_replay_guard())
    }
}
