use std::future::{Ready, ready};
use std::panic::{AssertUnwindSafe, resume_unwind};
use std::pin::Pin;
use std::rc::Rc;

use actix_web::body::EitherBody;
use actix_web::dev::{Payload, Service, ServiceRequest, ServiceResponse, Transform, forward_ready};
use actix_web::error::InternalError;
use actix_web::{Error, HttpMessage, HttpResponse, rt};
use futures_util::FutureExt;
use futures_util::future::LocalBoxFuture;
use http::StatusCode;
use tokio::task::JoinError;
use tokio_util::task::TaskTracker;
use tracing::Instrument;
use twenty_webhook_core::{VerifiedRequest, WebhookEvent};

use crate::receive::receive;
use crate::{RejectionError, WebhookConfig};

/// A middleware that passes on only deliveries that Twenty signed.
///
/// Put it on the webhook's resource. On the whole app it would demand a signature from `/health` too.
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
/// Make it outside the closure of `HttpServer::new`, as here. Made inside, each worker would have its own replay guard, and a duplicate
/// that reaches another worker would be handled again.
///
/// A verified request has a [`WebhookEvent`] in its extensions, and the signed bytes, unchanged, as its payload. Its handler
/// runs in its own task: Twenty gives up after 5 seconds and never retries, so a slower handler must still finish. Before the process
/// ends, wait for [`drained`](Self::drained).
///
/// # Large notes
/// actix's own limits also apply to a handler that takes `web::Bytes` (256 KiB) or `web::Json` (2 MiB): a larger delivery is verified, and
/// then answered 413 or 400. Twenty sends notes of up to 18 MB. Raise the limits in `app_data`, with `web::PayloadConfig::new(limit)` and
/// `web::JsonConfig::default().limit(limit)`, or read [`WebhookEvent::body`], which has none.
#[derive(Clone, Debug)]
pub struct TwentyWebhookMiddleware {
    config: WebhookConfig,
    running: TaskTracker,
}

impl TwentyWebhookMiddleware {
    /// Makes a middleware from a [`WebhookConfig`], or from just a [`Secret`](crate::Secret), a [`Verifier`](crate::Verifier) or a
    /// [`VerifierSource`](crate::VerifierSource).
    pub fn new(config: impl Into<WebhookConfig>) -> Self {
        Self { config: config.into(), running: TaskTracker::new() }
    }

    /// Waits for all requests and handlers of this middleware and its clones, on every route and worker. Use it for a graceful shutdown:
    /// actix waits only for its connections, and drops the other handlers when a worker stops.
    pub async fn drained(&self) {
        self.running.close();
        self.running.wait().await;
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
        ready(Ok(TwentyWebhook { inner: Rc::new(inner), middleware: self.clone() }))
    }
}

/// The service that [`TwentyWebhookMiddleware`] makes.
#[derive(Debug)]
pub struct TwentyWebhook<S> {
    inner: Rc<S>,
    middleware: TwentyWebhookMiddleware,
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
        let TwentyWebhookMiddleware { config, running } = self.middleware.clone();
        let mut payload = request.take_payload();
        let in_flight = running.token();
        Box::pin(async move {
            let received = match receive(&config, request.head(), &mut payload).await {
                Ok(received) => received,
                Err(rejected) => {
                    return Ok(request.error_response(RejectionError::new(rejected, payload)).map_into_right_body());
                }
            };
            request.set_payload(Payload::from(received.event().body().clone()));
            let outer = request.extensions_mut().insert(received.event().clone());
            let handling = async move {
                let _in_flight = in_flight;
                handle(inner, received, outer, request).await
            };
            detached(Box::pin(handling.in_current_span())).await
        })
    }
}

/// Runs a future to its end, even if the sender hangs up: a future that has to wait continues in its own task.
async fn detached<B: 'static>(
    mut handling: Pin<Box<impl Future<Output = Result<ServiceResponse<EitherBody<B>>, Error>> + 'static>>,
) -> Result<ServiceResponse<EitherBody<B>>, Error> {
    // Most futures do not have to wait, and a task costs a twentieth of a request.
    if let Some(result) = handling.as_mut().now_or_never() {
        return result;
    }
    match rt::spawn(handling).await.map_err(JoinError::try_into_panic) {
        Ok(result) => result,
        // The framework handles the panic.
        Err(Ok(panic)) => resume_unwind(panic),
        // Only a worker that shuts down cancels the task.
        Err(Err(cancelled)) => {
            Err(InternalError::from_response(cancelled, HttpResponse::ServiceUnavailable().finish()).into())
        }
    }
}

async fn handle<S, B>(
    inner: Rc<S>,
    received: VerifiedRequest,
    outer: Option<WebhookEvent>,
    request: ServiceRequest,
) -> Result<ServiceResponse<EitherBody<B>>, Error>
where
    S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = Error>,
{
    let claimed = match received.claim(outer.as_ref()).await {
        Ok(claimed) => claimed,
        Err(rejected) => {
            let error = RejectionError::new(rejected, Payload::None);
            return Ok(request.error_response(error).map_into_right_body());
        }
    };
    let handled = AssertUnwindSafe(async { inner.call(request).await }).catch_unwind().await;
    let status = match &handled {
        Ok(Ok(response)) => response.status().as_u16(),
        Ok(Err(error)) => error.as_response_error().status_code().as_u16(),
        Err(_) => 500,
    };
    claimed.finish(StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)).await;
    handled.unwrap_or_else(|panic| resume_unwind(panic)).map(ServiceResponse::map_into_left_body)
}
