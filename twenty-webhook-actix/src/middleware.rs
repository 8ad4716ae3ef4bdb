use std::future::{Ready, ready};
use std::panic::{AssertUnwindSafe, resume_unwind};
use std::pin::Pin;
use std::rc::Rc;

use actix_web::body::EitherBody;
use actix_web::dev::{Payload, Service, ServiceRequest, ServiceResponse, Transform, forward_ready};
use actix_web::error::InternalError;
use actix_web::http::StatusCode;
use actix_web::{Error, HttpMessage, HttpResponse, rt};
use futures_util::FutureExt;
use futures_util::future::LocalBoxFuture;
use tokio::task::JoinError;
use tracing::Instrument;
use twenty_webhook_core::Delivery;

use crate::receive::{begin, finish};
use crate::{Refusal, WebhookConfig};

/// A middleware that lets only verified deliveries of Twenty's through.
///
/// Put it on the webhook's resource and nowhere else: on a whole app, it would ask `/health` for a signature too.
///
/// ```
/// use actix_web::{App, HttpResponse, HttpServer, Responder, web};
/// use twenty_webhook_actix::{Secret, TwentyWebhookMiddleware, Webhook};
///
/// async fn receive(Webhook(event): Webhook) -> impl Responder {
///     println!("{}", event.name());
///     HttpResponse::NoContent()
/// }
///
/// # fn serve() -> Result<(), twenty_webhook_actix::SecretError> {
/// # let secret = Secret::new("s3cret")?;
/// let webhook = TwentyWebhookMiddleware::new(secret); // once, for all workers
/// let server = HttpServer::new(move || {
///     let route = web::post().to(receive);
///     App::new().service(web::resource("/webhooks/twenty").wrap(webhook.clone()).route(route))
/// });
/// # Ok(()) }
/// # serve().unwrap();
/// ```
///
/// Make it outside the closure of `HttpServer::new`, as here: made inside, each worker has a memory of its own, and a duplicate that
/// reaches another worker is handled again.
///
/// What passes has a [`WebhookEvent`](crate::WebhookEvent) in its extensions, and the signed bytes, unchanged, as its payload. (actix's
/// own limits still hold for `web::Bytes`, 256 KiB, and `web::Json`, 2 MiB; none holds for [`WebhookEvent::body`].) The handler then
/// runs in a task of its own: Twenty gives up after 5 seconds and never retries, so a handler that takes longer still finishes.
///
/// [`WebhookEvent::body`]: crate::WebhookEvent::body
#[derive(Clone, Debug)]
pub struct TwentyWebhookMiddleware {
    config: WebhookConfig,
}

impl TwentyWebhookMiddleware {
    /// Receives as `config` says: a [`WebhookConfig`], or just a [`Secret`](crate::Secret) or a [`Verifier`](crate::Verifier).
    pub fn new(config: impl Into<WebhookConfig>) -> Self {
        Self { config: config.into() }
    }
}

impl<S, B> Transform<S, ServiceRequest> for TwentyWebhookMiddleware
where
    S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = Error> + 'static,
    B: 'static,
{
    type Response = ServiceResponse<EitherBody<B>>;
    type Error = Error;
    type Transform = TwentyWebhook<S>;
    type InitError = ();
    type Future = Ready<Result<Self::Transform, ()>>;

    fn new_transform(&self, inner: S) -> Self::Future {
        ready(Ok(TwentyWebhook { inner: Rc::new(inner), config: self.config.clone() }))
    }
}

/// The service that [`TwentyWebhookMiddleware`] makes.
#[derive(Debug)]
pub struct TwentyWebhook<S> {
    inner: Rc<S>,
    config: WebhookConfig,
}

impl<S, B> Service<ServiceRequest> for TwentyWebhook<S>
where
    S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = Error> + 'static,
    B: 'static,
{
    type Response = ServiceResponse<EitherBody<B>>;
    type Error = Error;
    type Future = LocalBoxFuture<'static, Result<Self::Response, Error>>;

    forward_ready!(inner);

    fn call(&self, mut request: ServiceRequest) -> Self::Future {
        let inner = Rc::clone(&self.inner);
        let config = self.config.clone();
        let verification = begin(&config, request.headers());
        let mut payload = request.take_payload();
        Box::pin(async move {
            let received = async { finish(&config, verification?, &mut payload).await };
            let (delivery, event) = match received.await {
                Ok(received) => received,
                Err(rejection) => {
                    let refusal = Refusal::new(rejection).of_body(payload);
                    return Ok(request.error_response(refusal).map_into_right_body());
                }
            };
            request.set_payload(Payload::from(delivery.body().clone()));
            request.extensions_mut().insert(event);
            let handling = handle(config, inner, delivery, request).in_current_span();
            detached(Box::pin(handling)).await
        })
    }
}

/// Runs a future that finishes even if the caller hangs up: if it has to wait, it goes on in a task of its own.
async fn detached<B: 'static>(
    mut handling: Pin<Box<impl Future<Output = Result<ServiceResponse<EitherBody<B>>, Error>> + 'static>>,
) -> Result<ServiceResponse<EitherBody<B>>, Error> {
    // Most have no need to wait, and a task costs a twentieth of a request.
    if let Some(result) = handling.as_mut().now_or_never() {
        return result;
    }
    match rt::spawn(handling).await.map_err(JoinError::try_into_panic) {
        Ok(result) => result,
        // A panic is the framework's to deal with, as it would have without us.
        Err(Ok(panic)) => resume_unwind(panic),
        // Only a worker that is shutting down cancels it.
        Err(Err(cancelled)) => {
            Err(InternalError::from_response(cancelled, HttpResponse::ServiceUnavailable().finish()).into())
        }
    }
}

async fn handle<S, B>(
    config: WebhookConfig,
    inner: Rc<S>,
    delivery: Delivery,
    request: ServiceRequest,
) -> Result<ServiceResponse<EitherBody<B>>, Error>
where
    S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = Error>,
{
    let admission = match config.replays.admit(&delivery).await {
        Ok(admission) => admission,
        Err(rejection) => return Ok(request.error_response(Refusal::new(rejection)).map_into_right_body()),
    };
    let handled = AssertUnwindSafe(async { inner.call(request).await }).catch_unwind().await;
    let status = match &handled {
        Ok(Ok(response)) => response.status(),
        Ok(Err(error)) => error.as_response_error().status_code(),
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR,
    };
    if status.is_server_error() {
        tracing::warn!(%status, delivery_id = %delivery.id(), "the handler failed: a copy of this delivery will be let in");
    }
    if let Err(error) = admission.settle(status).await {
        tracing::warn!(%error, delivery_id = %delivery.id(), "the replay guard was not told how the delivery ended");
    }
    handled.unwrap_or_else(|panic| resume_unwind(panic)).map(ServiceResponse::map_into_left_body)
}
