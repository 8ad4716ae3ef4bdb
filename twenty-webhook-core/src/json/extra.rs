use std::collections::BTreeMap;
use std::fmt;

use super::Value;
use crate::RawJson;

/// The members that have no place of their own, by name: custom fields, fields of newer versions of Twenty, and known fields whose
/// value was not what it should be.
///
/// ```
/// use twenty_webhook_core::{Person, WebhookEvent};
///
/// let event = WebhookEvent::from_stored(r#"{"eventName":"person.created","record":{"id":"1","shoeSize":43.5}}"#)?;
/// let person: Person = event.record()?;
/// let shoe_size: f64 = person.extra.get("shoeSize").unwrap().decode()?;
/// assert_eq!(shoe_size, 43.5);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Extra(BTreeMap<String, RawJson>);

impl Extra {
    /// The member called `name`.
    pub fn get(&self, name: &str) -> Option<&RawJson> {
        self.0.get(name)
    }

    /// All of them, sorted by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &RawJson)> {
        self.0.iter().map(|(name, json)| (name.as_str(), json))
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The last one of a name wins, as it does in JavaScript.
    pub(crate) fn insert(&mut self, name: impl Into<String>, json: RawJson) {
        self.0.insert(name.into(), json);
    }

    /// Takes out the member `name`, if it has the shape; else it stays.
    pub(crate) fn take<T: Value>(&mut self, name: &str) -> Option<T> {
        let json = self.0.get(name)?;
        let value = T::read(json.as_str(), json.bytes())?;
        self.0.remove(name);
        Some(value)
    }

    pub(crate) fn remove(&mut self, name: &str) -> Option<RawJson> {
        if self.0.is_empty() { None } else { self.0.remove(name) }
    }
}

/// Names and lengths: a payload is not for logs.
impl fmt::Debug for Extra {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
