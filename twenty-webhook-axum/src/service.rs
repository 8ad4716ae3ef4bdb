use std::fmt;
use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, resume_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use futures_util::FutureExt;
use http::{Request, Response, StatusCode};
use http_body::Body;
use tokio::task::JoinError;
use tokio_util::task::TaskTracker;
use tower_service::Service;
use tracing::Instrument;
use twenty_webhook_core::Delivery;

use crate::TwentyWebhookLayer;
use crate::receive::receive;
use crate::refusal::{Refusal, bare};

/// The service that [`TwentyWebhookLayer`] makes.
#[derive(Clone, Debug)]
pub struct TwentyWebhook<S> {
    inner: S,
    /// Shared, because axum clones a service for each request.
    config: Arc<TwentyWebhookLayer>,
}

impl<S> TwentyWebhook<S> {
    pub(crate) fn new(inner: S, config: TwentyWebhookLayer) -> Self {
        Self { inner, config: Arc::new(config) }
    }
}

impl<S, B, R> Service<Request<B>> for TwentyWebhook<S>
where
    S: Service<Request<B>, Response = Response<R>> + Clone + Send + 'static,
    S::Future: Send,
    S::Error: Send,
    B: Body + From<Bytes> + Send + 'static,
    B::Data: Send,
    B::Error: Send,
    R: Default + Send + 'static,
{
    type Response = Response<R>;
    type Error = S::Error;
    type Future = ResponseFuture<R, S::Error>;

    /// Always ready. The inner service is asked when a request is verified: to be ready may be to hold a permit, which is not for
    /// what may be forged.
    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let (inner, config) = (self.inner.clone(), Arc::clone(&self.config));
        ResponseFuture(Box::pin(async move {
            match receive(&config, request).await {
                Ok((delivery, request)) => {
                    let handling = handle(Arc::clone(&config), inner, delivery, request).in_current_span();
                    detached(&config.running, Box::pin(handling)).await
                }
                Err(refusal) => Ok(refusal.into_response()),
            }
        }))
    }
}

/// Runs a future that finishes even if the caller hangs up: if it has to wait, it goes on in a task of its own.
async fn detached<R, E>(
    running: &TaskTracker,
    mut handling: Pin<Box<impl Future<Output = Result<Response<R>, E>> + Send + 'static>>,
) -> Result<Response<R>, E>
where
    R: Default + Send + 'static,
    E: Send + 'static,
{
    // Most have no need to wait, and a task costs a twentieth of a request.
    if let Some(result) = handling.as_mut().now_or_never() {
        return result;
    }
    match running.spawn(handling).await.map_err(JoinError::try_into_panic) {
        Ok(result) => result,
        // A panic is the framework's to deal with, as it would have without us.
        Err(Ok(panic)) => resume_unwind(panic),
        // Only a runtime that is shutting down cancels it.
        Err(Err(_)) => Ok(bare(StatusCode::SERVICE_UNAVAILABLE)),
    }
}

async fn handle<S, B, R>(
    config: Arc<TwentyWebhookLayer>,
    mut inner: S,
    delivery: Delivery,
    request: Request<B>,
) -> Result<Response<R>, S::Error>
where
    S: Service<Request<B>, Response = Response<R>>,
    R: Default,
{
    let admission = match config.replays.admit(&delivery).await {
        Ok(admission) => admission,
        Err(rejection) => return Ok(Refusal::from(rejection).into_response()),
    };
    let handling = async {
        poll_fn(|cx| inner.poll_ready(cx)).await?;
        inner.call(request).await
    };
    let handled = AssertUnwindSafe(handling).catch_unwind().await;
    let status = match &handled {
        Ok(Ok(response)) => response.status(),
        Ok(Err(_)) | Err(_) => StatusCode::INTERNAL_SERVER_ERROR,
    };
    if status.is_server_error() {
        tracing::warn!(%status, delivery_id = %delivery.id(), "the handler failed: a copy of this delivery will be let in");
    }
    if let Err(error) = admission.settle(status).await {
        tracing::warn!(%error, delivery_id = %delivery.id(), "the replay guard was not told how the delivery ended");
    }
    handled.unwrap_or_else(|panic| resume_unwind(panic))
}

/// The future of [`TwentyWebhook`]'s response.
pub struct ResponseFuture<R, E>(Pin<Box<dyn Future<Output = Result<Response<R>, E>> + Send>>);

impl<R, E> Future for ResponseFuture<R, E> {
    type Output = Result<Response<R>, E>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.0.as_mut().poll(cx)
    }
}

impl<R, E> fmt::Debug for ResponseFuture<R, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseFuture").finish_non_exhaustive()
    }
}
