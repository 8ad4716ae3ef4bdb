use std::borrow::Cow;
use std::fmt;
use std::ops::ControlFlow;

use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::surrogates;

/// Hands every member of a JSON object to `each`, in order, the value still as text. The values are not decoded, so neither depth nor
/// a lone surrogate in them can be in the way.
pub(crate) fn for_each_member<'a>(
    object: &'a str,
    each: impl FnMut(Cow<'a, str>, &'a str) -> ControlFlow<()>,
) -> Result<(), serde_json::Error> {
    let mut json = serde_json::Deserializer::from_str(object);
    json.deserialize_map(Members(each))?;
    json.end()
}

struct Members<F>(F);

/// serde would make a plain `Cow` an owned one.
#[derive(Deserialize)]
struct Key<'a>(#[serde(borrow)] Cow<'a, str>);

impl<'de, F: FnMut(Cow<'de, str>, &'de str) -> ControlFlow<()>> Visitor<'de> for Members<F> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<(), A::Error> {
        while let Some((Key(key), value)) = map.next_entry::<_, &RawValue>()? {
            if (self.0)(key, value.get()).is_break() {
                break;
            }
        }
        Ok(())
    }
}

/// Hands every element of a JSON array to `each`, in order, still as text.
pub(super) fn for_each_element<'a>(array: &'a str, each: impl FnMut(&'a str)) -> Result<(), serde_json::Error> {
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

/// The first member called `name`. What comes after it is not looked at.
pub(super) fn find_member<'a>(object: &'a str, name: &str) -> Option<&'a str> {
    let mut found = None;
    // To break off leaves text behind, which serde_json calls an error; here it is none.
    let _ = for_each_member(object, |key, value| {
        if key != name {
            return ControlFlow::Continue(());
        }
        found = Some(value);
        ControlFlow::Break(())
    });
    found
}

/// The text of a JSON string. Without a backslash, which is nearly always, it is a slice of the JSON.
pub(crate) fn string(json: &str) -> Option<Cow<'_, str>> {
    let text = json.strip_prefix('"')?.strip_suffix('"')?;
    if !text.as_bytes().contains(&b'\\') {
        return Some(Cow::Borrowed(text));
    }
    let repaired = surrogates::replace_lone(json);
    serde_json::from_str(repaired.as_deref().unwrap_or(json)).ok().map(Cow::Owned)
}
