use std::ops::Deref;

use actix_web::dev::Payload;
use actix_web::{Error, FromRequest, HttpMessage, HttpRequest, web};
use futures_util::future::LocalBoxFuture;
use twenty_webhook_core::WebhookEvent;

use crate::receive::receive;
use crate::{MissingConfig, RejectionError, WebhookConfig};

/// Extracts a verified event.
///
/// Behind [`TwentyWebhookMiddleware`](crate::TwentyWebhookMiddleware), it returns the event that the middleware verified. Use both
/// together. Without the middleware, it verifies the request itself with the `web::Data<WebhookConfig>` in `app_data`. With neither, it
/// answers 500 and logs [`MissingConfig`].
///
/// ```
/// use actix_web::{App, HttpResponse, Responder, web};
/// use twenty_webhook_actix::{Secret, Webhook, WebhookConfig};
///
/// async fn receive(Webhook(event): Webhook) -> impl Responder {
///     println!("{} {:?}", event.name(), event.record_id());
///     HttpResponse::NoContent()
/// }
///
/// # let secret = Secret::new("s3cret")?;
/// // The extractor alone. `config` is made once, for all workers.
/// let config = web::Data::new(WebhookConfig::new(secret));
/// let app = App::new().app_data(config.clone()).route("/webhooks/twenty", web::post().to(receive));
/// # Ok::<(), twenty_webhook_actix::SecretError>(())
/// ```
///
/// # What the extractor alone can lose
/// - It does not see the response, so a delivery counts as handled once it is extracted. If the handler then fails, or another extractor
///   rejects the request, a copy within the tolerance is answered 200 and not handled.
/// - An attacker can cause that. The path, the query and the content type are not signed. If a copy with a changed one arrives first, a
///   `web::Path`, `web::Query` or `web::Json` in the same handler rejects it, and the genuine delivery then counts as a duplicate.
/// - It consumes the body. A `web::Bytes` or `web::Json` after it finds none. Before it, they leave none, which is a signature
///   mismatch. Read [`WebhookEvent::body`] instead.
/// - On a `web::post()` route, actix answers other methods itself. A delivery that a redirect turned into a GET is then not logged.
#[derive(Clone, Debug)]
pub struct Webhook(pub WebhookEvent);

impl Deref for Webhook {
    type Target = WebhookEvent;

    fn deref(&self) -> &WebhookEvent {
        &self.0
    }
}

impl FromRequest for Webhook {
    type Error = Error;
    type Future = LocalBoxFuture<'static, Result<Self, Error>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let verified = |event: &&WebhookEvent| event.delivery().is_some();
        if let Some(event) = request.extensions().get().filter(verified).cloned() {
            return Box::pin(async { Ok(Self(event)) });
        }
        let Some(config) = request.app_data::<web::Data<WebhookConfig>>().cloned() else {
            tracing::error!(target: "twenty_webhook", "{}", MissingConfig(()));
            return Box::pin(async { Err(MissingConfig(()).into()) });
        };
        let (request, mut payload) = (request.clone(), payload.take());
        Box::pin(async move {
            let extract = async {
                let received = receive(&config, request.head(), &mut payload).await?;
                let event = received.event().clone();
                received.claim(None).await?.complete_before_handling().await;
                Ok(Self(event))
            };
            extract.await.map_err(|rejected| RejectionError::new(rejected, payload).into())
        })
    }
}
