use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

use serde::Deserialize;
use serde::de::{Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::surrogates;

/// Calls `each` for every member of a JSON object, in order, with the value as text, and returns their number. The values are not decoded, so
/// their depth and lone surrogates in them do not matter.
///
/// If a name contains a lone surrogate, `each` is called again from the first member on. The last call for a name counts.
pub(crate) fn for_each_member<'a>(
    object: &'a str,
    mut each: impl FnMut(Cow<'a, str>, &'a str),
) -> Result<usize, serde_json::Error> {
    match members::<Key<'a>>(object, &mut each) {
        Err(_) if object.contains("\\u") => members::<LooseKey<'a>>(object, &mut each),
        result => result,
    }
}

fn members<'a, K: Deserialize<'a> + Into<Cow<'a, str>>>(
    object: &'a str,
    each: &mut impl FnMut(Cow<'a, str>, &'a str),
) -> Result<usize, serde_json::Error> {
    let mut json = serde_json::Deserializer::from_str(object);
    let count = json.deserialize_map(Members(each, PhantomData::<K>))?;
    json.end()?;
    Ok(count)
}

struct Members<'f, F, K>(&'f mut F, PhantomData<K>);

impl<'de, F: FnMut(Cow<'de, str>, &'de str), K: Deserialize<'de> + Into<Cow<'de, str>>> Visitor<'de>
    for Members<'_, F, K>
{
    type Value = usize;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<usize, A::Error> {
        let mut count = 0;
        while let Some((key, value)) = map.next_entry::<K, &RawValue>()? {
            (self.0)(key.into(), value.get());
            count += 1;
        }
        Ok(count)
    }
}

/// A member's name, or another text, borrowed if possible. For a plain `Cow`, serde always copies.
#[derive(Deserialize)]
pub(super) struct Key<'a>(#[serde(borrow)] pub(super) Cow<'a, str>);

impl<'a> From<Key<'a>> for Cow<'a, str> {
    fn from(Key(name): Key<'a>) -> Self {
        name
    }
}

/// A member's name whose lone surrogates become U+FFFD.
struct LooseKey<'a>(Cow<'a, str>);

impl<'a> From<LooseKey<'a>> for Cow<'a, str> {
    fn from(LooseKey(name): LooseKey<'a>) -> Self {
        name
    }
}

impl<'de> Deserialize<'de> for LooseKey<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_bytes(LooseKeyVisitor)
    }
}

struct LooseKeyVisitor;

impl<'de> Visitor<'de> for LooseKeyVisitor {
    type Value = LooseKey<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a name")
    }

    fn visit_borrowed_bytes<E: Error>(self, name: &'de [u8]) -> Result<LooseKey<'de>, E> {
        str::from_utf8(name).map(|name| LooseKey(name.into())).map_err(E::custom)
    }

    /// `serde_json` decodes a lone surrogate to the three bytes that UTF-8 would use for it.
    fn visit_bytes<E: Error>(self, name: &[u8]) -> Result<LooseKey<'de>, E> {
        String::from_utf8(surrogates::replace_encoded(name)).map(|name| LooseKey(name.into())).map_err(E::custom)
    }
}

/// Calls `each` for every element of a JSON array, in order, with its text.
pub(crate) fn for_each_element<'a>(array: &'a str, each: impl FnMut(&'a str)) -> Result<(), serde_json::Error> {
    serde_json::Deserializer::from_str(array).deserialize_seq(Elements(each))
}

struct Elements<F>(F);

impl<'de, F: FnMut(&'de str)> Visitor<'de> for Elements<F> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array")
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut array: A) -> Result<(), A::Error> {
        while let Some(element) = array.next_element::<&RawValue>()? {
            (self.0)(element.get());
        }
        Ok(())
    }
}

/// The last member called `name`, as in JavaScript.
pub(super) fn find_member<'a>(object: &'a str, name: &str) -> Option<&'a str> {
    let mut found = None;
    for_each_member(object, |key, value| {
        if key == name {
            found = Some(value);
        }
    })
    .ok()?;
    found
}

/// The text of a JSON string: a slice of the JSON, unless it contains a backslash.
pub(crate) fn string(json: &str) -> Option<Cow<'_, str>> {
    let text = json.strip_prefix('"')?.strip_suffix('"')?;
    if !text.as_bytes().contains(&b'\\') {
        return Some(Cow::Borrowed(text));
    }
    let repaired = surrogates::replace_lone(json);
    serde_json::from_str(repaired.as_deref().unwrap_or(json)).ok().map(Cow::Owned)
}
