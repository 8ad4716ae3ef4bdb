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

/// The response future of [`TwentyWebhook`](crate::TwentyWebhook).
///
/// If the sender hangs up while the handler runs, the server drops this future. The handler then continues in its own task.
pub struct ResponseFuture<R, E> {
    /// `None` once it is done.
    stages: Option<Pin<Box<dyn DetachableFuture<R, E>>>>,
    /// The caller's span.
    span: Span,
}

impl<R, E> ResponseFuture<R, E>
where
    R: From<Bytes>,
{
    /// `receiving` verifies the request; `handle` then calls the handler.
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
        Self { stages: Some(Box::pin(Stages { service, handle, stage })), span: Span::current() }
    }
}

impl<R, E> Future for ResponseFuture<R, E> {
    type Output = Result<Response<R>, E>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        // Taken out while it is polled: if it panics, dropping `self` must not poll it again.
        let mut stages = self.stages.take().expect("a future is not polled after it returned Ready");
        let polled = stages.as_mut().poll(cx);
        if polled.is_pending() {
            self.stages = Some(stages);
        }
        polled
    }
}

impl<R, E> Drop for ResponseFuture<R, E> {
    fn drop(&mut self) {
        if let Some(stages) = self.stages.take() {
            stages.detach(&self.span);
        }
    }
}

impl<R, E> fmt::Debug for ResponseFuture<R, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseFuture").finish_non_exhaustive()
    }
}

/// The future of a response, which can continue without its sender.
trait DetachableFuture<R, E>: Future<Output = Result<Response<R>, E>> + Send {
    /// Continues in its own task if dropping it would lose a verified delivery.
    fn detach(self: Pin<Box<Self>>, span: &Span);
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
                    Err(rejected) => return Poll::Ready(Ok(rejected.into_response().map(R::from))),
                },
            };
            this.stage.set(Stage::Handling { handling });
        }
    }
}

impl<S, V, H, B, R, E> DetachableFuture<R, E> for Stages<S, V, H, B>
where
    S: Send + Sync + 'static,
    B: 'static,
    V: Future<Output = Result<Verified<B>, RejectedRequest>> + Send + 'static,
    H: Future<Output = Result<Response<R>, E>> + Send + 'static,
    R: From<Bytes>,
{
    fn detach(self: Pin<Box<Self>>, span: &Span) {
        if !matches!(self.stage, Stage::Handling { .. }) {
            return;
        }
        let service = Arc::clone(&self.service);
        let Some(runtime) = service.runtime() else {
            tracing::error!(
                target: "twenty_webhook",
                "a delivery is lost: its sender hung up, and there is no tokio runtime to finish its handler in"
            );
            return;
        };
        service.detached.spawn_on(async { drop(self.await) }.instrument(span.clone()), &runtime);
    }
}
