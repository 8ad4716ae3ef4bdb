use actix_web::http::StatusCode;
use actix_web::{Handler, HttpResponse};
use futures_util::future::LocalBoxFuture;
use twenty_webhook_core::EventRouter;

use crate::Webhook;

/// Use an [`EventRouter`] as the handler of a route: `web::post().to(events)`. It answers 200 if the handlers return `Ok`. After an error it
/// answers 500 and logs which route failed, and why.
///
/// Put it behind [`TwentyWebhookMiddleware`](crate::TwentyWebhookMiddleware), which lets a copy of the delivery in again after an error.
///
/// ```
/// use actix_web::{App, HttpServer, web};
/// use twenty_webhook_actix::records::Person;
/// use twenty_webhook_actix::{EventRouter, Secret, TwentyWebhookMiddleware, WebhookEvent};
///
/// async fn greet(_: WebhookEvent, person: Person) -> Result<(), std::io::Error> {
///     println!("welcome, {}", person.name.unwrap_or_default());
///     Ok(())
/// }
///
/// # fn serve() -> Result<(), twenty_webhook_actix::SecretError> {
/// # let secret = Secret::new("s3cret")?;
/// let events = EventRouter::new().on("person.created", greet);
/// let webhook = TwentyWebhookMiddleware::new(secret);
/// let server = HttpServer::new(move || {
///     let route = web::post().to(events.clone());
///     App::new().service(web::resource("/webhooks/twenty").wrap(webhook.clone()).route(route))
/// });
/// # Ok(()) }
/// # serve().unwrap();
/// ```
impl<S: Clone + Send + Sync + 'static> Handler<Webhook> for EventRouter<S> {
    type Output = HttpResponse;
    type Future = LocalBoxFuture<'static, HttpResponse>;

    fn call(&self, Webhook(event): Webhook) -> Self::Future {
        let responding = self.respond(event);
        Box::pin(async move {
            // actix-web has its own `StatusCode`, from an older `http` crate.
            let status = StatusCode::from_u16(responding.await.as_u16()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
            HttpResponse::new(status)
        })
    }
}
