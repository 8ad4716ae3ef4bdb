use serde::de::DeserializeOwned;

/// A type for the records of one object of Twenty.
///
/// Implement it for your own types too, then [`WebhookEvent::record_of`](crate::WebhookEvent::record_of) decodes them for events about
/// that object only:
///
/// ```
/// use serde::Deserialize;
/// use twenty_webhook_core::WebhookEvent;
/// use twenty_webhook_core::records::{Person, Record};
///
/// #[derive(Deserialize)]
/// struct Rocket {
///     name: String,
/// }
///
/// impl Record for Rocket {
///     const OBJECT: &'static str = "rocket";
/// }
///
/// let event = WebhookEvent::from_stored(r#"{"eventName":"rocket.created","record":{"name":"Vega"}}"#)?;
/// assert_eq!(event.record_of::<Rocket>()?.unwrap().name, "Vega");
/// assert!(event.record_of::<Person>()?.is_none());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub trait Record: DeserializeOwned {
    /// The object's name in Twenty, in the singular: `person`.
    const OBJECT: &'static str;
}
