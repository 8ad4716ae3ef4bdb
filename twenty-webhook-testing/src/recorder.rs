use std::convert::Infallible;
use std::fmt;
use std::future::{Ready, ready};
use std::sync::{Arc, Mutex, PoisonError};

use twenty_webhook_core::{DeliveryId, WebhookEvent};

/// Records the events that a handler gets. Clones share one list.
///
/// ```
/// use twenty_webhook_core::EventRouter;
/// use twenty_webhook_testing::{Recorder, event};
///
/// let handled = Recorder::default();
/// let events = EventRouter::new().on("person.*", handled.handler());
///
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// events.handle(event("person.created").stored()).await.unwrap();
/// events.handle(event("company.created").stored()).await.unwrap();
/// # });
/// handled.assert_names(["person.created"]);
/// ```
#[derive(Clone, Default)]
pub struct Recorder(Arc<Mutex<Vec<WebhookEvent>>>);

impl Recorder {
    /// Records an event.
    pub fn record(&self, event: WebhookEvent) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(event);
    }

    /// A handler for an `EventRouter` or a worker. It records each event and succeeds.
    pub fn handler(&self) -> impl Fn(WebhookEvent) -> Ready<Result<(), Infallible>> + Clone + Send + Sync + 'static {
        let this = self.clone();
        move |event| {
            this.record(event);
            ready(Ok(()))
        }
    }

    /// The events so far, in order.
    pub fn events(&self) -> Vec<WebhookEvent> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// How many times the delivery with this id was handled.
    pub fn times(&self, id: DeliveryId) -> usize {
        self.events().iter().filter(|event| event.delivery_id() == id).count()
    }

    /// Asserts that exactly the events with these names were handled, in this order.
    ///
    /// # Panics
    /// If other events were handled, or in another order.
    #[track_caller]
    pub fn assert_names<'a>(&self, expected: impl IntoIterator<Item = &'a str>) {
        let events = self.events();
        let names: Vec<_> = events.iter().map(|event| event.name().as_str()).collect();
        let expected: Vec<_> = expected.into_iter().collect();
        assert_eq!(names, expected);
    }
}

impl fmt::Debug for Recorder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Recorder").field(&self.events()).finish()
    }
}
