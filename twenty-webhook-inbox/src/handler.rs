use std::error::Error;
use std::fmt::Write as _;
use std::sync::Arc;
use std::task::{Context, Poll};

use apalis_core::error::BoxDynError;
use apalis_core::task::Task;
use futures_util::future::BoxFuture;
use tokio::sync::watch;
use tokio::task::{JoinError, JoinSet};
use tower_service::Service;
use tracing::{Instrument, Span, info_span};
use twenty_webhook_core::WebhookEvent;

use crate::job::printable;
use crate::worker::Terms;

/// The user's handler.
pub(crate) type Handler = Arc<dyn Fn(WebhookEvent) -> BoxFuture<'static, Result<(), BoxDynError>> + Send + Sync>;

/// How a job ended that did not fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ended {
    Handled,
    /// The worker stopped before the handler was done. That is no attempt.
    HandedBack,
}

/// The service that a worker of apalis calls for each job.
#[derive(Clone)]
pub(crate) struct Attempts {
    pub(crate) handler: Handler,
    pub(crate) terms: Arc<Terms>,
    pub(crate) worker: Arc<str>,
    /// Turns true when a stopping worker waits no longer.
    pub(crate) cut_off: watch::Receiver<bool>,
}

impl Service<Task<Vec<u8>>> for Attempts {
    type Response = Ended;
    type Error = BoxDynError;
    type Future = BoxFuture<'static, Result<Ended, BoxDynError>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxDynError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, task: Task<Vec<u8>>) -> Self::Future {
        let this = self.clone();
        Box::pin(async move { this.attempt(task).await.map_err(Into::into) })
    }
}

impl Attempts {
    async fn attempt(mut self, task: Task<Vec<u8>>) -> Result<Ended, String> {
        let (body, context) = task.take();
        // apalis has counted this one already.
        let attempt = context.attempt();
        let job = context.task_id().map(ToString::to_string).unwrap_or_default();
        let event =
            WebhookEvent::from_stored(body).map_err(|error| format!("what is stored is not an event: {error}"))?;
        let span = info_span!(
            "inbox job", worker = %self.worker, job, delivery_id = %event.delivery_id(), name = %event.name(),
            record_id = event.record_id(), attempt
        );
        let handled = if attempt > self.terms.attempts {
            let tried = attempt - 1;
            Err(format!("not tried again: it was tried {tried} times, of {} at most", self.terms.attempts))
        } else {
            self.handle(event, &span).await
        };
        let _entered = span.enter();
        match &handled {
            Ok(Ended::Handled) => tracing::debug!("handled"),
            Ok(Ended::HandedBack) => tracing::info!("not finished, and handed back"),
            Err(error) if attempt >= self.terms.attempts => {
                tracing::error!(error, "failed for the last time: a dead letter");
            }
            Err(error) => tracing::warn!(error, "failed, and will be tried again"),
        }
        handled
    }

    /// In a task of its own, so that a handler that panics or never yields does not take the worker with it.
    async fn handle(&mut self, event: WebhookEvent, span: &Span) -> Result<Ended, String> {
        let (handler, limit) = (Arc::clone(&self.handler), self.terms.timeout);
        // A set ends its tasks when it is dropped.
        let mut handling = JoinSet::new();
        handling.spawn(async move { handler(event).await }.instrument(span.clone()));
        tokio::select! {
            // What has finished is finished, though the time is over too.
            biased;
            ended = handling.join_next() => match ended {
                Some(Ok(Ok(()))) => Ok(Ended::Handled),
                Some(Ok(Err(error))) => Err(printable(&with_sources(&*error))),
                Some(Err(error)) => panicked(error),
                None => Err("the handler vanished".to_owned()),
            },
            () = tokio::time::sleep(limit) => Err(format!("not finished within {limit:?}")),
            Ok(_) = self.cut_off.wait_for(|cut_off| *cut_off) => Ok(Ended::HandedBack),
        }
    }
}

fn with_sources(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        let _ = write!(text, ": {error}");
        source = error.source();
    }
    text
}

fn panicked(error: JoinError) -> Result<Ended, String> {
    // What is not a panic is a runtime that ends.
    let Ok(panic) = error.try_into_panic() else { return Ok(Ended::HandedBack) };
    let message = panic.downcast_ref::<&str>().map(ToString::to_string).or_else(|| panic.downcast_ref().cloned());
    Err(printable(&format!("the handler panicked: {}", message.unwrap_or_default())))
}
