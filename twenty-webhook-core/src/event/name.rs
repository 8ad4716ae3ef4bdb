use std::cmp::Ordering;
use std::fmt;

use crate::Action;

/// The canonical name of an event: `<object>.<action>`, as `person.created` or `metadata.fieldMetadata.updated`.
///
/// The spellings of 2024, `company.create` and `create.person`, are converted to `company.created` and `person.created`.
///
/// ```
/// use twenty_webhook_core::{Action, EventName};
///
/// let name = EventName::from("company.create");
/// assert_eq!(name, "company.created");
/// assert_eq!((name.object(), name.action()), ("company", &Action::Created));
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct EventName {
    text: String,
    object_len: usize,
    action: Action,
}

impl EventName {
    /// The whole name.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The part before the last dot: `person`, `metadata.fieldMetadata`.
    pub fn object(&self) -> &str {
        &self.text[..self.object_len]
    }

    /// The part after the last dot.
    pub fn action(&self) -> &Action {
        &self.action
    }

    /// For a change of the data model, its kind: `fieldMetadata` in `metadata.fieldMetadata.updated`.
    pub fn metadata_name(&self) -> Option<&str> {
        self.object().strip_prefix("metadata.")
    }

    /// Parses an `eventName`: `person.created`, or `person.create` as in 2024-08.
    ///
    /// `object` returns the object from the event's metadata, if present. A name that begins with a verb must name that object, so that a
    /// custom object can be called `create`.
    pub(super) fn read(text: &str, object: impl FnOnce() -> Option<String>) -> Self {
        let name = Self::object_first(text).or_else(|| Self::verb_first(text, object));
        name.unwrap_or_else(|| Self::unknown(text))
    }

    /// Parses an `eventType`, as of 2024-01: `create.person`.
    pub(super) fn read_event_type(text: &str, object: impl Fn() -> Option<String>) -> Self {
        Self::verb_first(text, &object).unwrap_or_else(|| Self::read(text, object))
    }

    fn verb_first(text: &str, object: impl FnOnce() -> Option<String>) -> Option<Self> {
        let (verb, rest) = text.split_once('.')?;
        let action = Action::from_present_tense(verb)?;
        object().is_none_or(|object| object == rest).then(|| Self::new(rest, action))
    }

    fn object_first(text: &str) -> Option<Self> {
        let (object, verb) = text.rsplit_once('.')?;
        let action = Action::from_past_tense(verb).or_else(|| Action::from_present_tense(verb))?;
        Some(Self::new(object, action))
    }

    fn unknown(text: &str) -> Self {
        let (object, action) = text.rsplit_once('.').unwrap_or((text, ""));
        Self { text: text.to_owned(), object_len: object.len(), action: Action::unknown(action) }
    }

    fn new(object: &str, action: Action) -> Self {
        let mut text = String::with_capacity(object.len() + 1 + action.as_str().len());
        text.extend([object, ".", action.as_str()]);
        Self { text, object_len: object.len(), action }
    }
}

/// Any text is a name. If its action is unknown, the [`Action`] is [`Other`](Action::Other).
impl From<&str> for EventName {
    fn from(text: &str) -> Self {
        Self::read(text, || None)
    }
}

impl AsRef<str> for EventName {
    fn as_ref(&self) -> &str {
        &self.text
    }
}

/// For functions that take an event or its name, such as [`EventPattern::matches`](crate::EventPattern::matches).
impl AsRef<Self> for EventName {
    fn as_ref(&self) -> &Self {
        self
    }
}

/// By text.
impl Ord for EventName {
    fn cmp(&self, other: &Self) -> Ordering {
        self.text.cmp(&other.text)
    }
}

impl PartialOrd for EventName {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl fmt::Display for EventName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl PartialEq<str> for EventName {
    fn eq(&self, other: &str) -> bool {
        self.text == other
    }
}

impl PartialEq<&str> for EventName {
    fn eq(&self, other: &&str) -> bool {
        self.text == *other
    }
}
