use futures_util::TryFutureExt;
use twenty_webhook_core::{EventRouter, WebhookEvent};

use crate::handler::BoxError;
use crate::{Handler, Job};

/// An [`EventRouter`] is the handler of a worker: `inbox.worker("crm-sync", events.clone())`. A [`HandlerError`](crate::HandlerError) of one of its
/// handlers counts as it does without a router. The handlers do not see the [`Job`].
///
/// ```
/// use twenty_webhook_core::records::Person;
/// use twenty_webhook_inbox::{EventRouter, HandlerError, Inbox, Store, WebhookEvent};
///
/// async fn greet(_: WebhookEvent, person: Person) -> Result<(), HandlerError> {
///     match person.name {
///         Some(name) => Ok(println!("welcome, {name}")),
///         None => Err(HandlerError::permanent("a person without a name")),
///     }
/// }
///
/// fn worker(inbox: &Inbox<impl Store>) {
///     let events = EventRouter::new().on("person.created", greet);
///     let worker = inbox.worker("crm-sync", events.clone());
/// }
/// ```
impl<S: Clone + Send + Sync + 'static> Handler<EventRouter<S>> for EventRouter<S> {
    fn handle(&self, event: WebhookEvent, _: Job) -> impl Future<Output = Result<(), BoxError>> + Send + 'static {
        EventRouter::handle(self, event).map_err(Into::into)
    }
}
