use std::fmt;
use std::sync::Arc;

use http::StatusCode;

use super::error::Cause;
use super::handler::EventHandler;
use super::items::items;
use super::route::Route;
use super::table::Table;
use crate::{EventPattern, RouteError, WebhookEvent, escaped};

/// Calls handlers for events by name. Cheap to clone.
///
/// ```
/// use twenty_webhook_core::records::{Opportunity, Person};
/// use twenty_webhook_core::{EventRouter, WebhookEvent};
///
/// async fn greet(event: WebhookEvent, person: Person) -> Result<(), std::io::Error> {
///     println!("{}: welcome, {}", event.name(), person.name.unwrap_or_default());
///     Ok(())
/// }
///
/// async fn won(_: WebhookEvent, deal: Opportunity) {
///     println!("now in {}", deal.stage.unwrap_or_default());
/// }
///
/// async fn reload_schema(event: WebhookEvent) {
///     println!("{}", event.name());
/// }
///
/// let events = EventRouter::new()
///     .on("person.created", greet)
///     .on("opportunity.updated", won).when_changed(["stage"])
///     .on("metadata.*.*", reload_schema)
///     .fallback(async |event: WebhookEvent| println!("ignored: {}", event.name()));
///
/// let subscriptions: Vec<String> = events.patterns().iter().map(ToString::to_string).collect();
/// assert_eq!(subscriptions, ["person.created", "opportunity.updated", "metadata.*.*"]);
///
/// let event = WebhookEvent::from_stored(r#"{"eventName":"person.created","record":{"id":"42"}}"#)?;
/// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
/// events.handle(event).await?;
/// # Ok::<_, Box<dyn std::error::Error>>(()) })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// A router is also a handler for a worker of `twenty-webhook-inbox`, and for a route in axum (`post(events)`) and actix-web
/// (`web::post().to(events)`): 200 for `Ok`, 500 for an error.
///
/// # Which handler runs
/// The first matching route, in the order of registration. An event has one item, its record or its change of the data model. A
/// [batch](crate::Payload::Batch) has one item for each record, and the router finds a route for each of them. A handler with a record
/// argument is called for each record. A handler without one is called once for an event, even if several items match its route.
///
/// An item without a matching route goes to the [`fallback`](Self::fallback). Without a fallback it is ignored, and the result is `Ok`.
///
/// # Errors in a batch
/// The router handles the items of a batch in sequence, and stops at the first error. When the event is retried, *the items before the failed
/// one are handled again*. So each handler must be able to run twice for a record, as every webhook handler must.
pub struct EventRouter<S = ()> {
    table: Arc<Table<S>>,
    state: S,
}

impl EventRouter {
    /// A router without routes, whose handlers take no state.
    pub fn new() -> Self {
        Self::with_state(())
    }
}

impl<S: Clone + Send + Sync + 'static> EventRouter<S> {
    /// A router without routes, whose handlers may take a clone of `state` as their first argument.
    ///
    /// ```
    /// use std::sync::Arc;
    /// use twenty_webhook_core::records::Person;
    /// use twenty_webhook_core::{EventRouter, WebhookEvent};
    ///
    /// struct App { greeting: String }
    ///
    /// async fn greet(app: Arc<App>, event: WebhookEvent, person: Person) {
    ///     println!("{}, {}", app.greeting, person.name.unwrap_or_default());
    /// }
    ///
    /// let app = Arc::new(App { greeting: "Welcome".to_owned() });
    /// let events = EventRouter::with_state(app).on("person.created", greet);
    /// ```
    pub fn with_state(state: S) -> Self {
        Self { table: Arc::default(), state }
    }

    /// Calls `handler` for events that match `pattern`, an [`EventPattern`]. [`EventHandler`] lists the possible handlers.
    ///
    /// A handler with a record argument is not called for changes of the data model, which have no record.
    ///
    /// # Panics
    /// At the caller's line: if `pattern` is not an [`EventPattern`], or the handler could never run, because earlier routes match all of its
    /// events, or because it takes a record and the pattern is for the data model.
    ///
    /// ```should_panic
    /// # use twenty_webhook_core::{EventRouter, WebhookEvent};
    /// # async fn any(_: WebhookEvent) {}
    /// # async fn created(_: WebhookEvent) {}
    /// // the route `person.created` (created) can never run: `person.*` (any), registered before it, matches all of its events
    /// EventRouter::new().on("person.*", any).on("person.created", created);
    /// ```
    ///
    /// A function that is not a handler does not compile:
    ///
    /// ```compile_fail,E0277
    /// # use twenty_webhook_core::EventRouter;
    /// async fn no_event(name: String) {}
    /// EventRouter::new().on("person.created", no_event);
    /// ```
    ///
    /// ```compile_fail,E0277
    /// # use twenty_webhook_core::{EventRouter, WebhookEvent};
    /// async fn returns_a_number(event: WebhookEvent) -> u32 { 1 }
    /// EventRouter::new().on("person.created", returns_a_number);
    /// ```
    ///
    /// ```compile_fail,E0277
    /// # use twenty_webhook_core::{EventRouter, WebhookEvent};
    /// async fn needs_state(state: u32, event: WebhookEvent) {}
    /// EventRouter::new().on("person.created", needs_state);
    /// ```
    #[must_use]
    #[track_caller]
    pub fn on<A: 'static>(self, pattern: &str, handler: impl EventHandler<S, A>) -> Self {
        match pattern.parse::<EventPattern>() {
            Ok(pattern) => self.push(Route::new(Some(pattern), handler)),
            Err(error) => panic!("`{pattern}` is not an event pattern: {error}"),
        }
    }

    /// Restricts the previous route to items for which Twenty lists one of `fields` as changed. In a batch this applies to each item.
    ///
    /// A change of a relation lists two names: `company` and `companyId`.
    ///
    /// # Panics
    /// At the caller's line: if there is no previous route, `fields` is empty, Twenty lists no changed fields for the action (`created` and
    /// `destroyed`), or earlier routes match all remaining items.
    #[must_use]
    #[track_caller]
    pub fn when_changed<F: Into<String>>(mut self, fields: impl IntoIterator<Item = F>) -> Self {
        let Some(mut route) = Arc::make_mut(&mut self.table).pop() else {
            panic!("`when_changed` applies to the previous route, and there is none");
        };
        if let Err(mistake) = route.when_changed(fields.into_iter().map(Into::into).collect()) {
            panic!("{mistake}");
        }
        self.push(route)
    }

    /// Calls `handler` for items without a matching route. Register it last.
    ///
    /// # Panics
    /// At the caller's line, if there is already a fallback, or an earlier route matches everything. Registering a route after the fallback
    /// also panics.
    #[must_use]
    #[track_caller]
    pub fn fallback<A: 'static>(self, handler: impl EventHandler<S, A>) -> Self {
        self.push(Route::new(None, handler))
    }

    #[track_caller]
    fn push(mut self, route: Route<S>) -> Self {
        if let Some(mistake) = route.problem(self.table.routes()) {
            panic!("{mistake}");
        }
        Arc::make_mut(&mut self.table).push(route);
        self
    }

    /// Handles an event: calls the handlers of its items in sequence.
    ///
    /// # Errors
    /// The first error of a handler, or the first record that does not decode. Later items are not handled.
    pub fn handle(&self, event: WebhookEvent) -> impl Future<Output = Result<(), RouteError>> + Send + use<S> {
        let Self { table, state } = self.clone();
        async move {
            // Marks the handlers without a record argument that were called for this batch.
            let mut called = Vec::new();
            for (index, item) in items(&event).enumerate() {
                let Some((position, route)) = table.find(&event, &item) else { continue };
                if item.in_batch && !route.takes_record {
                    called.resize(table.routes().len(), false);
                    if std::mem::replace(&mut called[position], true) {
                        continue;
                    }
                }
                let failed = |cause| RouteError::new(route.name(), item.in_batch.then_some(index), cause);
                let handling =
                    route.call(&state, event.clone(), &item).map_err(|error| failed(Cause::Decode(error)))?;
                handling.await.map_err(|error| failed(Cause::Handler(error)))?;
            }
            Ok(())
        }
    }
}

impl<S: Clone + Send + Sync + 'static> EventRouter<S> {
    /// Handles an event for an adapter: 200 for `Ok`, 500 for an error, which is logged with its route.
    pub fn respond(&self, event: WebhookEvent) -> impl Future<Output = StatusCode> + Send + use<S> {
        let handling = self.handle(event.clone());
        async move {
            let Err(error) = handling.await else { return StatusCode::OK };
            let (delivery_id, error) = (event.delivery_id(), error.with_sources());
            let (name, error) = (escaped(event.name().as_str()).max_chars(100), escaped(&error).max_chars(1000));
            tracing::error!(target: "twenty_webhook", %delivery_id, %name, "Twenty webhook handler failed: {error}");
            StatusCode::INTERNAL_SERVER_ERROR
        }
    }
}

impl<S> EventRouter<S> {
    /// The subscriptions that the routes need in Twenty: their patterns, without those that another pattern includes. The fallback adds none.
    pub fn patterns(&self) -> Vec<EventPattern> {
        Route::patterns(self.table.routes())
    }
}

impl Default for EventRouter {
    fn default() -> Self {
        Self::new()
    }
}

impl<S: Clone> Clone for EventRouter<S> {
    fn clone(&self) -> Self {
        Self { table: Arc::clone(&self.table), state: self.state.clone() }
    }
}

/// The routes in order, as `person.created -> crm::greet`.
impl<S> fmt::Debug for EventRouter<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("EventRouter ")?;
        self.table.fmt(f)
    }
}
