use actix_web::dev::Payload;
use actix_web::{Error, FromRequest, HttpMessage, HttpRequest, web};
use futures_util::future::LocalBoxFuture;
use twenty_webhook_core::WebhookEvent;

use crate::receive::{begin, finish};
use crate::{MissingConfig, Refusal, WebhookConfig};

/// Extracts a verified event.
///
/// It verifies the request itself, as the [`WebhookConfig`] in `app_data` says, unless
/// [`TwentyWebhookMiddleware`](crate::TwentyWebhookMiddleware) has done so. With neither there is nothing to verify with: the
/// answer is 500, and the log says what is missing.
///
/// # What the extractor alone cannot do
/// It does not see the response. So a delivery counts as handled as soon as it is extracted: when the handler fails, or another
/// extractor refuses the request, a redelivery within the tolerance is answered 200 and not handled again.
///
/// It takes the body. So it stands alone: a `web::Bytes` or `web::Json` after it finds nothing, and after one of those it finds nothing
/// itself, which is a signature mismatch. The bytes are in [`WebhookEvent::body`].
///
/// [`TwentyWebhookMiddleware`](crate::TwentyWebhookMiddleware) does better on both.
#[derive(Clone, Debug)]
pub struct Webhook(pub WebhookEvent);

impl FromRequest for Webhook {
    type Error = Error;
    type Future = LocalBoxFuture<'static, Result<Self, Error>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let verified = |event: &&WebhookEvent| event.delivery().is_some();
        if let Some(event) = request.extensions().get().filter(verified).cloned() {
            return Box::pin(async { Ok(Self(event)) });
        }
        let Some(config) = request.app_data::<web::Data<WebhookConfig>>().cloned() else {
            tracing::error!("{MissingConfig}");
            return Box::pin(async { Err(MissingConfig.into()) });
        };
        let verification = begin(&config, request.headers());
        let mut payload = payload.take();
        Box::pin(async move {
            let extract = async {
                let (delivery, event) = finish(&config, verification?, &mut payload).await?;
                let admission = config.replays.admit(&delivery).await?;
                if let Err(error) = admission.complete().await {
                    tracing::warn!(%error, delivery_id = %delivery.id(), "the replay guard was not told that the delivery is handled");
                }
                Ok(Self(event))
            };
            extract.await.map_err(|rejection| Refusal::new(rejection).of_body(payload).into())
        })
    }
}
