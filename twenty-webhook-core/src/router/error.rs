use std::error::Error;
use std::fmt;

use crate::DecodeError;
use crate::router::handler::BoxError;

/// Why an [`EventRouter`](crate::EventRouter) did not handle an event.
///
/// `Display` names the route, and for a record that does not decode the field, without values. If a handler failed,
/// [`source`](Error::source) is its error.
///
/// ```
/// # use twenty_webhook_core::{EventRouter, WebhookEvent, records::Person};
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// async fn fails(_: WebhookEvent) -> Result<(), &'static str> { Err("the database is down") }
///
/// let events = EventRouter::new().on("person.*", fails);
/// let error = events.handle(WebhookEvent::from_stored(r#"{"eventName":"person.created"}"#)?).await.unwrap_err();
/// assert_eq!(error.route(), "person.*");
/// assert_eq!(error.into_handler_error().unwrap().to_string(), "the database is down");
/// # Ok(()) }
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(example()).unwrap();
/// ```
#[derive(Debug)]
pub struct RouteError {
    route: String,
    item: Option<usize>,
    cause: Cause,
}

#[derive(Debug)]
pub(super) enum Cause {
    Decode(DecodeError),
    Handler(BoxError),
}

impl RouteError {
    pub(super) fn new(route: String, item: Option<usize>, cause: Cause) -> Self {
        Self { route, item, cause }
    }

    /// The error and its sources in one line.
    pub(super) fn with_sources(&self) -> String {
        let mut text = self.to_string();
        let mut source = self.source();
        while let Some(error) = source {
            text.push_str(": ");
            text.push_str(&error.to_string());
            source = error.source();
        }
        text
    }

    /// The pattern of the route, as `person.created`, or `fallback`.
    pub fn route(&self) -> &str {
        &self.route
    }

    /// For a batch, the index of the item that failed, counted from 0. The items before it were handled.
    pub fn item(&self) -> Option<usize> {
        self.item
    }

    /// Why the record does not fit the handler's type. `None` if the handler was called and failed.
    pub fn decode_error(&self) -> Option<&DecodeError> {
        match &self.cause {
            Cause::Decode(error) => Some(error),
            Cause::Handler(_) => None,
        }
    }

    /// The handler's error. `None` if the record did not decode, so the handler was not called.
    pub fn into_handler_error(self) -> Option<Box<dyn Error + Send + Sync>> {
        match self.cause {
            Cause::Decode(_) => None,
            Cause::Handler(error) => Some(error),
        }
    }
}

impl fmt::Display for RouteError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "route `{}`", self.route)?;
        if let Some(item) = self.item {
            write!(f, ", item {item} of the batch")?;
        }
        match &self.cause {
            Cause::Decode(error) => write!(f, ": {error}"),
            Cause::Handler(_) => f.write_str(": the handler failed"),
        }
    }
}

impl Error for RouteError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match &self.cause {
            // `Display` already includes it.
            Cause::Decode(_) => None,
            Cause::Handler(error) => Some(&**error),
        }
    }
}
