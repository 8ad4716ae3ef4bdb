use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::Response;
use pin_project_lite::pin_project;
use tracing::{Instrument, Span};
use twenty_webhook_core::RejectedRequest;

use crate::receive::Verified;
use crate::shared::Shared;

/// The future of [`TwentyWebhook`](crate::TwentyWebhook)'s response.
///
/// If it is dropped after the delivery was verified and before the handler is done, because the sender has hung up, the handler goes on
/// in a task of its own.
pub struct ResponseFuture<R, E> {
    /// `None` when it is done.
    exchange: Option<Pin<Box<dyn Exchange<R, E>>>>,
    /// The caller's.
    span: Span,
}

impl<R, E> ResponseFuture<R, E>
where
    R: From<Bytes>,
{
    /// `service` is the service that was called; `receiving` verifies the request, and `handle` calls the handler.
    pub(crate) fn new<S, V, H, B>(
        service: Arc<Shared<S>>,
        receiving: V,
        handle: fn(&Shared<S>, Verified<B>) -> H,
    ) -> Self
    where
        S: Send + Sync + 'static,
        B: 'static,
        V: Future<Output = Result<Verified<B>, RejectedRequest>> + Send + 'static,
        H: Future<Output = Result<Response<R>, E>> + Send + 'static,
    {
        let stage = Stage::Receiving { receiving };
        Self { exchange: Some(Box::pin(Stages { service, handle, stage })), span: Span::current() }
    }
}

impl<R, E> Future for ResponseFuture<R, E> {
    type Output = Result<Response<R>, E>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        // Taken out, so that one that panics is not polled again.
        let mut exchange = self.exchange.take().expect("it is not polled after it was ready");
        let polled = exchange.as_mut().poll(cx);
        if polled.is_pending() {
            self.exchange = Some(exchange);
        }
        polled
    }
}

impl<R, E> Drop for ResponseFuture<R, E> {
    fn drop(&mut self) {
        if let Some(exchange) = self.exchange.take() {
            exchange.go_on(&self.span);
        }
    }
}

impl<R, E> fmt::Debug for ResponseFuture<R, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseFuture").finish_non_exhaustive()
    }
}

/// A request up to its response.
trait Exchange<R, E>: Future<Output = Result<Response<R>, E>> + Send {
    /// Goes on in a task of its own, if a delivery would be lost otherwise.
    fn go_on(self: Pin<Box<Self>>, span: &Span);
}

pin_project! {
    struct Stages<S, V, H, B> {
        service: Arc<Shared<S>>,
        handle: fn(&Shared<S>, Verified<B>) -> H,
        #[pin]
        stage: Stage<V, H>,
    }
}

pin_project! {
    #[project = StageProjection]
    enum Stage<V, H> {
        Receiving { #[pin] receiving: V },
        Handling { #[pin] handling: H },
    }
}

impl<S, V, H, B, R, E> Future for Stages<S, V, H, B>
where
    V: Future<Output = Result<Verified<B>, RejectedRequest>>,
    H: Future<Output = Result<Response<R>, E>>,
    R: From<Bytes>,
{
    type Output = Result<Response<R>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        loop {
            let handling = match this.stage.as_mut().project() {
                StageProjection::Handling { handling } => return handling.poll(cx),
                StageProjection::Receiving { receiving } => match ready!(receiving.poll(cx)) {
                    Ok(verified) => (this.handle)(this.service, verified),
                    Err(refusal) => return Poll::Ready(Ok(refusal.into_response().map(R::from))),
                },
            };
            this.stage.set(Stage::Handling { handling });
        }
    }
}

impl<S, V, H, B, R, E> Exchange<R, E> for Stages<S, V, H, B>
where
    S: Send + Sync + 'static,
    B: 'static,
    V: Future<Output = Result<Verified<B>, RejectedRequest>> + Send + 'static,
    H: Future<Output = Result<Response<R>, E>> + Send + 'static,
    R: From<Bytes>,
{
    fn go_on(self: Pin<Box<Self>>, span: &Span) {
        if !matches!(self.stage, Stage::Handling { .. }) {
            return;
        }
        let service = Arc::clone(&self.service);
        let Some(runtime) = service.runtime() else {
            tracing::error!(
                target: "twenty_webhook",
                "a handler is cancelled, and its delivery lost: the sender has hung up, and there is no tokio runtime to go on in"
            );
            return;
        };
        service.detached.spawn_on(async { drop(self.await) }.instrument(span.clone()), &runtime);
    }
}
