use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};

use axum::extract::{FromRequestParts, Request};
use axum::handler::Handler;
use axum::response::{IntoResponse, Response};
use twenty_webhook_core::EventRouter;

use crate::Webhook;

/// Marks [`EventRouter`] as an axum handler. You never name it.
#[derive(Debug)]
pub struct RouterHandler;

/// Use an [`EventRouter`] as the handler of a route: `post(events).layer(layer)`. It answers 200 if the handlers return `Ok`. After an error
/// it answers 500 and logs which route failed, and why.
///
/// ```
/// use axum::{Router, routing::post};
/// use twenty_webhook_axum::records::Person;
/// use twenty_webhook_axum::{EventRouter, Secret, TwentyWebhookLayer, WebhookEvent};
///
/// async fn greet(_: WebhookEvent, person: Person) -> Result<(), std::io::Error> {
///     println!("welcome, {}", person.name.unwrap_or_default());
///     Ok(())
/// }
///
/// # fn app() -> Result<Router, twenty_webhook_axum::SecretError> {
/// # let secret = Secret::new("s3cret")?;
/// let events = EventRouter::new().on("person.created", greet);
/// let app = Router::new().route("/webhooks/twenty", post(events).layer(TwentyWebhookLayer::new(secret)));
/// # Ok(app) }
/// # app().unwrap();
/// ```
impl<R, S> Handler<RouterHandler, S> for EventRouter<R>
where
    R: Clone + Send + Sync + 'static,
    S: Send + Sync + 'static,
{
    type Future = RouterFuture;

    fn call(self, request: Request, state: S) -> Self::Future {
        RouterFuture(Box::pin(async move {
            let (mut parts, _) = request.into_parts();
            let event = match Webhook::from_request_parts(&mut parts, &state).await {
                Ok(Webhook(event)) => event,
                Err(missing_layer) => return missing_layer.into_response(),
            };
            self.respond(event).await.into_response()
        }))
    }
}

/// The response future of an [`EventRouter`].
pub struct RouterFuture(Pin<Box<dyn Future<Output = Response> + Send>>);

impl Future for RouterFuture {
    type Output = Response;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.0.as_mut().poll(cx)
    }
}

impl fmt::Debug for RouterFuture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RouterFuture").finish_non_exhaustive()
    }
}
