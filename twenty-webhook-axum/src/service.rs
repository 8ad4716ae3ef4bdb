use std::fmt;
use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, resume_unwind};
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};

use bytes::Bytes;
use futures_util::FutureExt;
use http::{Request, Response, StatusCode};
use http_body::Body;
use tokio::runtime::Handle;
use tokio_util::task::TaskTracker;
use tower_service::Service;
use twenty_webhook_core::WebhookConfig;

use crate::ResponseFuture;
use crate::receive::{BoxError, Verified, receive};
use crate::shared::Shared;

/// The service that [`TwentyWebhookLayer`](crate::TwentyWebhookLayer) makes.
pub struct TwentyWebhook<S>(Arc<Shared<S>>);

impl<S> TwentyWebhook<S> {
    pub(crate) fn new(inner: S, config: WebhookConfig, detached: TaskTracker) -> Self {
        Self(Arc::new(Shared { inner, config, detached, runtime: OnceLock::new() }))
    }
}

impl<S, B, R> Service<Request<B>> for TwentyWebhook<S>
where
    S: Service<Request<B>, Response = Response<R>> + Clone + Send + Sync + 'static,
    S::Future: Send,
    S::Error: Send,
    B: Body + Default + From<Bytes> + Send + 'static,
    B::Data: Send,
    B::Error: Into<BoxError>,
    R: From<Bytes> + Send + 'static,
{
    type Response = Response<R>;
    type Error = S::Error;
    type Future = ResponseFuture<R, S::Error>;

    /// Always ready. The inner service is polled after a request is verified: readiness may hold a permit, and a forged request must not.
    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        if self.0.runtime.get().is_none()
            && let Ok(runtime) = Handle::try_current()
        {
            let _ = self.0.runtime.set(runtime);
        }
        let receiving = receive(self.0.config.clone(), request);
        ResponseFuture::new(Arc::clone(&self.0), receiving, |shared, verified| handle(shared.inner.clone(), verified))
    }
}

// Not an `async fn`: its future would hold each argument twice.
fn handle<S, B, R>(mut inner: S, verified: Verified<B>) -> impl Future<Output = Result<Response<R>, S::Error>>
where
    S: Service<Request<B>, Response = Response<R>>,
    R: From<Bytes>,
{
    let Verified { received, request, outer } = verified;
    async move {
        let claimed = match received.claim(outer.as_ref()).await {
            Ok(claimed) => claimed,
            Err(rejected) => return Ok(rejected.into_response().map(R::from)),
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
        claimed.finish(status).await;
        // The framework handles the panic.
        handled.unwrap_or_else(|panic| resume_unwind(panic))
    }
}

impl<S> Clone for TwentyWebhook<S> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<S: fmt::Debug> fmt::Debug for TwentyWebhook<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TwentyWebhook")
            .field("inner", &self.0.inner)
            .field("config", &self.0.config)
            .finish_non_exhaustive()
    }
}
