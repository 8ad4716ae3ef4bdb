use std::ops::Deref;

use actix_web::dev::Payload;
use actix_web::{Error, FromRequest, HttpMessage, HttpRequest, web};
use futures_util::future::LocalBoxFuture;
use twenty_webhook_core::WebhookEvent;

use crate::receive::receive;
use crate::{MissingConfig, RefusedRequest, WebhookConfig};

/// Extracts a verified event.
///
/// It verifies the request itself, as the [`WebhookConfig`] in `app_data` says, unless
/// [`TwentyWebhookMiddleware`](crate::TwentyWebhookMiddleware) has done so. With neither there is nothing to verify with: the
/// answer is 500, and the log says what is missing.
///
/// # What the extractor alone can lose
/// It does not see the response. So a delivery counts as handled as soon as it is extracted. When the handler fails, or another
/// extractor refuses the request, a redelivery within the tolerance is answered 200 and not handled. That may be a forger's doing: the path,
/// the query and the content type are not signed, so a copy that was changed there and comes first is refused by a `web::Path`, `web::Query` or
/// `web::Json` beside this extractor, and the genuine delivery is then taken for a duplicate.
///
/// It takes the body. So it stands alone: a `web::Bytes` or `web::Json` after it finds nothing, and after one of those it finds nothing
/// itself, which is a signature mismatch. The bytes are in [`WebhookEvent::body`].
///
/// On a route of `web::post()` actix answers other methods itself, so the log does not tell of a delivery that a redirect has turned into a GET.
///
/// Put [`TwentyWebhookMiddleware`](crate::TwentyWebhookMiddleware) on the route, and keep the extractor in the handler: together they lose
/// none of these.
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
            extract.await.map_err(|refusal| RefusedRequest::new(refusal, payload).into())
        })
    }
}
