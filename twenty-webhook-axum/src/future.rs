use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::Response;
use pin_project_lite::pin_project;
use tokio::runtime::Handle;
use tokio_util::task::TaskTracker;
use tracing::{Instrument, Span};
use twenty_webhook_core::Refusal;

use crate::receive::Verified;

/// The future of [`TwentyWebhook`](crate::TwentyWebhook)'s response.
///
/// If it is dropped after the delivery was verified and before the handler is done, because the sender has hung up, the handler goes on
/// in a task of its own.
pub struct ResponseFuture<R, E> {
    /// `None` when it is done.
    exchange: Option<Pin<Box<dyn Exchange<R, E>>>>,
    /// Where the exchange goes on; taken now, because it may be dropped outside of the runtime.
    runtime: Option<Handle>,
    running: TaskTracker,
    span: Span,
}

impl<R, E> ResponseFuture<R, E>
where
    R: From<Bytes>,
{
    pub(crate) fn new<V, S, H, B>(running: &TaskTracker, receiving: V, start: S) -> Self
    where
        V: Future<Output = Result<Verified<B>, Refusal>> + Send + 'static,
        S: FnOnce(Verified<B>) -> H + Send + 'static,
        H: Future<Output = Result<Response<R>, E>> + Send + 'static,
    {
        Self {
            exchange: Some(Box::pin(Stages::Receiving { receiving, start: Some(start) })),
            runtime: Handle::try_current().ok(),
            running: running.clone(),
            span: Span::current(),
        }
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
        let Some(exchange) = self.exchange.take().filter(|exchange| exchange.is_verified()) else { return };
        let Some(runtime) = &self.runtime else {
            tracing::error!(
                target: "twenty_webhook",
                "a handler is cancelled, and its delivery lost: the sender has hung up, and there is no tokio runtime to go on in"
            );
            return;
        };
        self.running.spawn_on(exchange.detached().instrument(self.span.clone()), runtime);
    }
}

impl<R, E> fmt::Debug for ResponseFuture<R, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseFuture").finish_non_exhaustive()
    }
}

/// A request up to its response.
trait Exchange<R, E>: Future<Output = Result<Response<R>, E>> + Send {
    /// Whether a delivery would be lost if this was dropped.
    fn is_verified(&self) -> bool;

    /// The rest of it, for whose response there is no caller any more.
    fn detached(self: Pin<Box<Self>>) -> Pin<Box<dyn Future<Output = ()> + Send>>;
}

pin_project! {
    #[project = StagesProjection]
    enum Stages<V, S, H> {
        Receiving { #[pin] receiving: V, start: Option<S> },
        Handling { #[pin] handling: H },
    }
}

impl<V, S, H, B, R, E> Future for Stages<V, S, H>
where
    V: Future<Output = Result<Verified<B>, Refusal>>,
    S: FnOnce(Verified<B>) -> H,
    H: Future<Output = Result<Response<R>, E>>,
    R: From<Bytes>,
{
    type Output = Result<Response<R>, E>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        loop {
            let handling = match self.as_mut().project() {
                StagesProjection::Handling { handling } => return handling.poll(cx),
                StagesProjection::Receiving { receiving, start } => match ready!(receiving.poll(cx)) {
                    Ok(verified) => start.take().expect("it is received once")(verified),
                    Err(refusal) => return Poll::Ready(Ok(refusal.into_response().map(R::from))),
                },
            };
            self.set(Self::Handling { handling });
        }
    }
}

impl<V, S, H, B, R, E> Exchange<R, E> for Stages<V, S, H>
where
    V: Future<Output = Result<Verified<B>, Refusal>> + Send + 'static,
    S: FnOnce(Verified<B>) -> H + Send + 'static,
    H: Future<Output = Result<Response<R>, E>> + Send + 'static,
    R: From<Bytes>,
{
    fn is_verified(&self) -> bool {
        matches!(self, Self::Handling { .. })
    }

    fn detached(self: Pin<Box<Self>>) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        Box::pin(async { drop(self.await) })
    }
}
