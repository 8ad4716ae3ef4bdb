use std::error::Error;
use std::sync::Arc;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use twenty_webhook_core::WebhookEvent;

use crate::Job;

pub(crate) type BoxError = Box<dyn Error + Send + Sync>;

/// What a worker calls for each event: an async function of a [`WebhookEvent`], or of a [`WebhookEvent`] and its [`Job`]. Its error is
/// anything that becomes a boxed error; a [`HandlerError`](crate::HandlerError) decides what happens to the job.
///
/// ```
/// use twenty_webhook_inbox::{Inbox, Job, Store, WebhookEvent};
///
/// async fn sync(event: WebhookEvent) -> Result<(), std::io::Error> { Ok(()) }
/// async fn audit(event: WebhookEvent, job: Job) -> Result<(), std::io::Error> { Ok(()) }
///
/// fn workers(inbox: &Inbox<impl Store>) {
///     let worker = inbox.worker("sync", sync);
///     let worker = inbox.worker("audit", audit);
/// }
/// ```
///
/// Your own types may implement it too. `A` only distinguishes the implementations.
pub trait Handler<A>: Send + Sync + 'static {
    /// Handles one event.
    ///
    /// # Errors
    /// Any error fails the attempt. A [`HandlerError`](crate::HandlerError) decides what happens to the job; after any other error it is
    /// tried again.
    fn handle(&self, event: WebhookEvent, job: Job) -> impl Future<Output = Result<(), BoxError>> + Send + 'static;
}

impl<H, F, E> Handler<(WebhookEvent,)> for H
where
    H: Fn(WebhookEvent) -> F + Send + Sync + 'static,
    F: Future<Output = Result<(), E>> + Send + 'static,
    E: Into<BoxError> + 'static,
{
    fn handle(&self, event: WebhookEvent, _: Job) -> impl Future<Output = Result<(), BoxError>> + Send + 'static {
        self(event).map(|handled| handled.map_err(Into::into))
    }
}

impl<H, F, E> Handler<(WebhookEvent, Job)> for H
where
    H: Fn(WebhookEvent, Job) -> F + Send + Sync + 'static,
    F: Future<Output = Result<(), E>> + Send + 'static,
    E: Into<BoxError> + 'static,
{
    fn handle(&self, event: WebhookEvent, job: Job) -> impl Future<Output = Result<(), BoxError>> + Send + 'static {
        self(event, job).map(|handled| handled.map_err(Into::into))
    }
}

/// A handler with a state, cloned once for each event:
///
/// ```
/// use std::sync::Arc;
/// use twenty_webhook_inbox::{Inbox, Job, Store, WebhookEvent, with_state};
///
/// struct Crm {}
///
/// async fn sync(crm: Arc<Crm>, event: WebhookEvent, job: Job) -> Result<(), std::io::Error> { Ok(()) }
///
/// fn worker(inbox: &Inbox<impl Store>, crm: Arc<Crm>) {
///     let worker = inbox.worker("sync", with_state(crm, sync));
/// }
/// ```
pub fn with_state<T, H, F, E>(state: T, handler: H) -> impl Handler<(WebhookEvent, Job)>
where
    T: Clone + Send + Sync + 'static,
    H: Fn(T, WebhookEvent, Job) -> F + Send + Sync + 'static,
    F: Future<Output = Result<(), E>> + Send + 'static,
    E: Into<BoxError> + 'static,
{
    move |event: WebhookEvent, job: Job| handler(state.clone(), event, job)
}

/// A handler without its type.
pub(crate) type ErasedHandler =
    Arc<dyn Fn(WebhookEvent, Job, Leased) -> BoxFuture<'static, Result<Handled, BoxError>> + Send + Sync>;

/// The lease that the call is under.
pub(crate) type Leased = i64;

/// Whether a handler has completed its job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Handled {
    /// The worker must complete it as done.
    Incomplete,
    /// The job was completed in one commit with what the handler wrote.
    #[cfg_attr(not(any(feature = "sqlite", feature = "postgres")), expect(dead_code, reason = "made by the stores"))]
    Completed,
}

pub(crate) fn erase<A>(handler: impl Handler<A>) -> ErasedHandler {
    Arc::new(move |event, job, _| {
        handler.handle(event, job).map(|handled| handled.map(|()| Handled::Incomplete)).boxed()
    })
}
