use std::borrow::Cow;
use std::fmt;
use std::ops::Range;
use std::sync::OnceLock;

use bytes::Bytes;
use serde::ser::{Serialize, SerializeMap, Serializer};

use super::FromJson;
use crate::RawJson;

/// The members without a field, by name: custom fields, fields of newer versions of Twenty, and known fields with an unexpected type.
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
    /// The text that slices refer to.
    source: Bytes,
    /// In the order of arrival. The last member of a name counts.
    all: Vec<Member>,
    /// Whether it contains known fields with an unexpected type.
    has_mistyped: bool,
    /// The members that count, sorted by name. Computed on first use: most records need none.
    sorted: OnceLock<Vec<(usize, RawJson)>>,
}

#[derive(Clone)]
enum Member {
    /// The positions of its name and value in the source.
    Slice { name: Span, json: Span },
    /// Its name and value. `None` if it was removed.
    Owned(Box<(String, Option<RawJson>)>),
}

/// A range of bytes. Half the size of `Range<usize>`, because there can be thousands.
#[derive(Clone, Copy)]
struct Span {
    start: u32,
    len: u32,
}

impl Extra {
    /// The member called `name`.
    pub fn get(&self, name: &str) -> Option<&RawJson> {
        let members = self.0.as_deref()?;
        let sorted = members.sorted();
        let found = sorted.binary_search_by(|(at, _)| members.name(*at).cmp(name)).ok()?;
        Some(&sorted[found].1)
    }

    /// All members, sorted by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &RawJson)> {
        let members = self.0.as_deref();
        members.into_iter().flat_map(|members| members.sorted().iter().map(|(at, json)| (members.name(*at), json)))
    }

    /// The number of members.
    pub fn len(&self) -> usize {
        self.0.as_ref().map_or(0, |members| members.sorted().len())
    }

    /// Whether there are no members.
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
        self.add(Member::owned(name, Some(json.into())));
    }

    /// Adds a member of an object in `source`, which is the same for all members. The last member of a name wins, as in JavaScript.
    pub(crate) fn push(&mut self, name: Cow<'_, str>, json: &str, source: &Bytes) {
        let members = self.0.get_or_insert_with(|| Box::new(Members { source: source.clone(), ..Members::default() }));
        let spans = match &name {
            Cow::Borrowed(name) => Span::of(name, &members.source).zip(Span::of(json, &members.source)),
            Cow::Owned(_) => None,
        };
        self.add(match spans {
            Some((name, json)) => Member::Slice { name, json },
            None => Member::owned(name, Some(RawJson::slice(source, json))),
        });
    }

    /// Adds a known field with an unexpected type.
    pub(crate) fn push_mistyped(&mut self, name: &str, json: &str, source: &Bytes) {
        self.push(Cow::Owned(name.to_owned()), json, source);
        self.0.get_or_insert_default().has_mistyped = true;
    }

    /// Removes a known field, if present.
    pub(crate) fn remove_mistyped(&mut self, name: &str) {
        if self.0.as_ref().is_some_and(|members| members.has_mistyped) {
            self.add(Member::owned(name, None));
        }
    }

    /// Removes and returns the member `name`, if it has the type `T`; otherwise it stays.
    pub(crate) fn take<T: FromJson>(&mut self, name: &str) -> Option<T> {
        let members = self.0.as_ref()?;
        let last = (0..members.all.len()).rev().find(|&at| members.name(at) == name)?;
        let json = members.json(last)?;
        let value = T::read(json.as_str(), json.bytes())?;
        self.add(Member::owned(name, None));
        Some(value)
    }

    fn add(&mut self, member: Member) {
        let members = self.0.get_or_insert_default();
        members.all.push(member);
        members.sorted.take();
    }
}

impl Members {
    fn name(&self, at: usize) -> &str {
        match &self.all[at] {
            Member::Slice { name, .. } => str::from_utf8(&self.source[name.range()]).unwrap_or_default(),
            Member::Owned(owned) => &owned.0,
        }
    }

    fn json(&self, at: usize) -> Option<RawJson> {
        match &self.all[at] {
            Member::Slice { json, .. } => Some(RawJson::part(&self.source, json.range())),
            Member::Owned(owned) => owned.1.clone(),
        }
    }

    fn sorted(&self) -> &[(usize, RawJson)] {
        self.sorted.get_or_init(|| {
            let mut sorted: Vec<usize> = (0..self.all.len()).rev().collect();
            // The sort is stable: the last member of a name comes first, and `dedup_by` keeps it.
            sorted.sort_by(|&a, &b| self.name(a).cmp(self.name(b)));
            sorted.dedup_by(|&mut a, &mut b| self.name(a) == self.name(b));
            sorted.into_iter().filter_map(|at| Some((at, self.json(at)?))).collect()
        })
    }
}

impl Member {
    fn owned(name: impl Into<String>, json: Option<RawJson>) -> Self {
        Self::Owned(Box::new((name.into(), json)))
    }
}

impl Span {
    /// The position of `text` in `source`. `None` if it is not a part of it, or beyond 4 GiB.
    fn of(text: &str, source: &Bytes) -> Option<Self> {
        let start = text.as_ptr().addr().checked_sub(source.as_ptr().addr())?;
        let inside = start + text.len() <= source.len();
        let span = Self { start: u32::try_from(start).ok()?, len: u32::try_from(text.len()).ok()? };
        inside.then_some(span)
    }

    fn range(self) -> Range<usize> {
        let start = self.start as usize;
        start..start + self.len as usize
    }
}

impl PartialEq for Extra {
    fn eq(&self, other: &Self) -> bool {
        self.iter().eq(other.iter())
    }
}

impl Eq for Extra {}

/// As a JSON object.
impl Serialize for Extra {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.len()))?;
        self.iter().try_for_each(|(name, json)| map.serialize_entry(name, json))?;
        map.end()
    }
}

/// Names and lengths. Payloads must not get into logs.
impl fmt::Debug for Extra {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}
