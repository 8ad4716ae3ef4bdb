use std::error::Error;
use std::pin::Pin;

use serde::de::DeserializeOwned;

use crate::{DecodeError, RawJson, WebhookEvent};

pub(super) type BoxError = Box<dyn Error + Send + Sync>;
pub(super) type HandlerFuture = Pin<Box<dyn Future<Output = Result<(), BoxError>> + Send>>;

/// A function that an [`EventRouter`](crate::EventRouter) can call.
///
/// Async functions implement it, and closures that return futures, with these arguments:
///
/// | arguments | called |
/// |---|---|
/// | `WebhookEvent` | once for each event |
/// | `WebhookEvent, R` | for each record of an event, decoded into `R`: [`Person`](crate::records::Person), or your own `DeserializeOwned` type |
/// | `S, WebhookEvent` and `S, WebhookEvent, R` | the same, with a clone of the state of [`with_state`](crate::EventRouter::with_state) first |
///
/// They return `()` or `Result<(), E>`, where `E` is an error, a text, or another type that converts to a boxed error. A closure must state
/// the types of its arguments: `|event: WebhookEvent| async { … }`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not an event handler",
    note = "a handler is an `async fn(WebhookEvent)` or `async fn(WebhookEvent, Record)`, with the router's state before these if it has one",
    note = "it returns `()` or `Result<(), E>`, its future must be `Send`, and `Record` must be `DeserializeOwned + Send`"
)]
pub trait EventHandler<S, Arguments>: Send + Sync + 'static {
    /// Whether the handler takes a record.
    #[doc(hidden)]
    const TAKES_RECORD: bool;

    #[doc(hidden)]
    fn call(&self, state: &S, event: WebhookEvent, record: &RawJson) -> Result<HandlerFuture, DecodeError>;
}

/// What a handler may return: `()`, or a `Result<(), E>`.
#[diagnostic::on_unimplemented(
    message = "an event handler cannot return `{Self}`",
    note = "it returns `()`, or `Result<(), E>` where `E` becomes a `Box<dyn Error + Send + Sync>`"
)]
pub trait HandlerOutput {
    #[doc(hidden)]
    fn into_result(self) -> Result<(), BoxError>;
}

impl HandlerOutput for () {
    fn into_result(self) -> Result<(), BoxError> {
        Ok(())
    }
}

impl<E: Into<BoxError>> HandlerOutput for Result<(), E> {
    fn into_result(self) -> Result<(), BoxError> {
        self.map_err(Into::into)
    }
}

/// Marks handlers whose first argument is the router's state, so that the implementations do not overlap.
#[derive(Debug)]
pub enum WithState {}

impl<F, S, Fut> EventHandler<S, (WebhookEvent,)> for F
where
    F: Fn(WebhookEvent) -> Fut + Send + Sync + 'static,
    Fut: Future<Output: HandlerOutput> + Send + 'static,
{
    const TAKES_RECORD: bool = false;

    fn call(&self, _: &S, event: WebhookEvent, _: &RawJson) -> Result<HandlerFuture, DecodeError> {
        Ok(boxed(self(event)))
    }
}

impl<F, S, R, Fut> EventHandler<S, (WebhookEvent, R)> for F
where
    F: Fn(WebhookEvent, R) -> Fut + Send + Sync + 'static,
    Fut: Future<Output: HandlerOutput> + Send + 'static,
    R: DeserializeOwned,
{
    const TAKES_RECORD: bool = true;

    fn call(&self, _: &S, event: WebhookEvent, record: &RawJson) -> Result<HandlerFuture, DecodeError> {
        Ok(boxed(self(event, record.decode()?)))
    }
}

impl<F, S, Fut> EventHandler<S, (WithState, WebhookEvent)> for F
where
    F: Fn(S, WebhookEvent) -> Fut + Send + Sync + 'static,
    Fut: Future<Output: HandlerOutput> + Send + 'static,
    S: Clone,
{
    const TAKES_RECORD: bool = false;

    fn call(&self, state: &S, event: WebhookEvent, _: &RawJson) -> Result<HandlerFuture, DecodeError> {
        Ok(boxed(self(state.clone(), event)))
    }
}

impl<F, S, R, Fut> EventHandler<S, (WithState, WebhookEvent, R)> for F
where
    F: Fn(S, WebhookEvent, R) -> Fut + Send + Sync + 'static,
    Fut: Future<Output: HandlerOutput> + Send + 'static,
    S: Clone,
    R: DeserializeOwned,
{
    const TAKES_RECORD: bool = true;

    fn call(&self, state: &S, event: WebhookEvent, record: &RawJson) -> Result<HandlerFuture, DecodeError> {
        Ok(boxed(self(state.clone(), event, record.decode()?)))
    }
}

fn boxed(handling: impl Future<Output: HandlerOutput> + Send + 'static) -> HandlerFuture {
    Box::pin(async move { handling.await.into_result() })
}
