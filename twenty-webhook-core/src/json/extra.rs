use std::borrow::Cow;
use std::fmt;
use std::sync::OnceLock;

use bytes::Bytes;
use serde::ser::{Serialize, SerializeMap, Serializer};

use super::{FromJson, Text};
use crate::RawJson;

/// The members that have no place of their own, by name: custom fields, fields of newer versions of Twenty, and known fields whose
/// value was not what it should be.
///
/// ```
/// use twenty_webhook_core::WebhookEvent;
/// use twenty_webhook_core::records::Person;
///
/// let event = WebhookEvent::from_stored(r#"{"eventName":"person.created","record":{"id":"1","shoeSize":43.5}}"#)?;
/// let person: Person = event.record()?;
/// let shoe_size: f64 = person.extra.get("shoeSize").unwrap().decode()?;
/// assert_eq!(shoe_size, 43.5);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Default)]
pub struct Extra(Option<Box<Members>>);

#[derive(Clone, Default)]
struct Members {
    /// What the names are slices of.
    source: Bytes,
    /// In the order they came. The last one of a name counts, and if its value is `None`, there is none.
    all: Vec<(Text, Option<RawJson>)>,
    /// Whether known fields are among them.
    some_odd: bool,
    /// Where in `all` those are that count, sorted by name. Made when it is first needed: most records are never asked.
    sorted: OnceLock<Vec<usize>>,
}

impl Extra {
    /// The member called `name`.
    pub fn get(&self, name: &str) -> Option<&RawJson> {
        let members = self.0.as_deref()?;
        let sorted = members.sorted();
        let found = sorted.binary_search_by(|&at| members.name(at).cmp(name)).ok()?;
        members.all[sorted[found]].1.as_ref()
    }

    /// All of them, sorted by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &RawJson)> {
        let members = self.0.as_deref();
        members.into_iter().flat_map(|members| {
            let sorted = members.sorted().iter();
            sorted.filter_map(|&at| Some((members.name(at), members.all[at].1.as_ref()?)))
        })
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.as_ref().map_or(0, |members| members.sorted().len())
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Sets the member called `name`.
    ///
    /// ```
    /// use serde_json::json;
    /// use twenty_webhook_core::records::Person;
    ///
    /// let person = Person::build(|person| person.extra.insert("shoeSize", json!(43.5)));
    /// assert_eq!(person.extra.get("shoeSize").unwrap().as_str(), "43.5");
    /// ```
    pub fn insert(&mut self, name: impl Into<String>, json: impl Into<RawJson>) {
        self.add(Text::Owned(name.into()), Some(json.into()));
    }

    /// Adds a member of an object that is part of `source`, of which there is one for all members. The last one of a name wins, as it
    /// does in JavaScript.
    pub(crate) fn push(&mut self, name: Cow<'_, str>, json: &str, source: &Bytes) {
        let members = self.0.get_or_insert_default();
        if members.source.is_empty() {
            members.source = source.clone();
        }
        self.add(Text::new(name, source), Some(RawJson::slice(source, json)));
    }

    /// Adds a known field whose value is not what it should be.
    pub(crate) fn push_odd(&mut self, name: &str, json: &str, source: &Bytes) {
        self.push(Cow::Owned(name.to_owned()), json, source);
        self.0.get_or_insert_default().some_odd = true;
    }

    /// Takes out a known field, if it is here.
    pub(crate) fn forget_odd(&mut self, name: &str) {
        if self.0.as_ref().is_some_and(|members| members.some_odd) {
            self.add(Text::Owned(name.to_owned()), None);
        }
    }

    /// Takes out the member `name`, if it has the shape; else it stays.
    pub(crate) fn take<T: FromJson>(&mut self, name: &str) -> Option<T> {
        let members = self.0.as_ref()?;
        let last = (0..members.all.len()).rev().find(|&at| members.name(at) == name)?;
        let json = members.all[last].1.as_ref()?;
        let value = T::read(json.as_str(), json.bytes())?;
        self.add(Text::Owned(name.to_owned()), None);
        Some(value)
    }

    fn add(&mut self, name: Text, json: Option<RawJson>) {
        let members = self.0.get_or_insert_default();
        members.all.push((name, json));
        members.sorted.take();
    }
}

impl Members {
    fn name(&self, at: usize) -> &str {
        self.all[at].0.as_str(&self.source)
    }

    fn sorted(&self) -> &[usize] {
        self.sorted.get_or_init(|| {
            let mut sorted: Vec<usize> = (0..self.all.len()).rev().collect();
            // It is stable: of those with one name, the last one comes first, and is kept.
            sorted.sort_by(|&a, &b| self.name(a).cmp(self.name(b)));
            sorted.dedup_by(|&mut a, &mut b| self.name(a) == self.name(b));
            sorted.retain(|&at| self.all[at].1.is_some());
            sorted
        })
    }
}

impl PartialEq for Extra {
    fn eq(&self, other: &Self) -> bool {
        self.iter().eq(other.iter())
    }
}

impl Eq for Extra {}

/// As an object.
impl Serialize for Extra {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.len()))?;
        self.iter().try_for_each(|(name, json)| map.serialize_entry(name, json))?;
        map.end()
    }
}

/// Names and lengths: a payload is not for logs.
impl fmt::Debug for Extra {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}
