use bytes::Bytes;
use serde::Deserialize;
use serde::de::{Deserializer, Error};
use serde_json::value::RawValue;

use super::members::{for_each_element, string};
use crate::RawJson;

/// A value that can be read from JSON text.
pub(crate) trait FromJson: Sized {
    /// Reads `json`, the text of a value in `source`. `None` if it has another type.
    fn read(json: &str, source: &Bytes) -> Option<Self>;

    /// Reads the value during the parse of a larger text in `source`. It may reject what [`read`](Self::read) accepts: the enclosing object is
    /// then read member by member.
    fn read_strictly<'de, D: Deserializer<'de>>(json: D, source: &Bytes) -> Result<Self, D::Error> {
        let json = <&RawValue>::deserialize(json)?;
        Self::read(json.get(), source).ok_or_else(|| D::Error::custom("unexpected type"))
    }
}

impl FromJson for String {
    fn read(json: &str, _: &Bytes) -> Option<Self> {
        string(json).map(Into::into)
    }

    fn read_strictly<'de, D: Deserializer<'de>>(json: D, _: &Bytes) -> Result<Self, D::Error> {
        Self::deserialize(json)
    }
}

impl FromJson for RawJson {
    fn read(json: &str, source: &Bytes) -> Option<Self> {
        Some(Self::slice(source, json))
    }
}

/// A JSON object, still as text.
pub(crate) struct RawObject(pub(crate) RawJson);

impl FromJson for RawObject {
    fn read(json: &str, source: &Bytes) -> Option<Self> {
        json.starts_with('{').then(|| Self(RawJson::slice(source, json)))
    }
}

/// All elements must have the type: a list must not silently lack one.
impl<T: FromJson> FromJson for Vec<T> {
    fn read(json: &str, source: &Bytes) -> Option<Self> {
        let mut elements = Some(Self::new());
        for_each_element(json, |element| match (&mut elements, T::read(element, source)) {
            (Some(elements), Some(element)) => elements.push(element),
            _ => elements = None,
        })
        .ok()?;
        elements
    }
}
