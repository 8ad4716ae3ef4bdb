use std::error::Error;
use std::fmt;
use std::ops::Deref;

use axum_core::extract::FromRequestParts;
use axum_core::response::{IntoResponse, Response};
use http::StatusCode;
use http::request::Parts;
use twenty_webhook_core::WebhookEvent;

/// Extracts the event that [`TwentyWebhookLayer`](crate::TwentyWebhookLayer) verified.
///
/// On a route without the layer, nothing was verified: it answers 500 and logs [`MissingLayer`].
///
/// ```
/// use axum::http::StatusCode;
/// use twenty_webhook_axum::Webhook;
///
/// async fn receive(Webhook(event): Webhook) -> StatusCode {
///     println!("{} {:?}", event.name(), event.record_id());
///     StatusCode::NO_CONTENT
/// }
/// ```
#[derive(Clone, Debug)]
pub struct Webhook(pub WebhookEvent);

impl Deref for Webhook {
    type Target = WebhookEvent;

    fn deref(&self) -> &WebhookEvent {
        &self.0
    }
}

impl<S: Sync> FromRequestParts<S> for Webhook {
    type Rejection = MissingLayer;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Self::Rejection> {
        let event = parts.extensions.get::<WebhookEvent>().filter(|event| event.delivery().is_some());
        event.cloned().map(Self).ok_or(MissingLayer(()))
    }
}

/// A handler takes a [`Webhook`], but its route has no [`TwentyWebhookLayer`](crate::TwentyWebhookLayer). Answers 500.
#[derive(Clone, Copy, Debug)]
pub struct MissingLayer(());

impl fmt::Display for MissingLayer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a handler takes a `Webhook`, but its route has no `TwentyWebhookLayer`: nothing was verified")
    }
}

impl Error for MissingLayer {}

impl IntoResponse for MissingLayer {
    fn into_response(self) -> Response {
        tracing::error!(target: "twenty_webhook", "{self}");
        StatusCode::INTERNAL_SERVER_ERROR.into_response()
    }
}
