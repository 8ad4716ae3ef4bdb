use std::fmt;
use std::marker::PhantomData;

use bytes::Bytes;
use serde::de::{DeserializeSeed, Deserializer, Error, SeqAccess, Visitor};
use serde::ser::SerializeMap;

use super::to_json::AsJson;
use super::{FromJson, ToJson};
use crate::Extra;

/// A field: an optional value, or a list, which is empty if absent.
pub(crate) trait Field: Default {
    fn read(json: &str, source: &Bytes) -> Option<Self>;

    /// Null counts as absent.
    fn read_strictly<'de, D: Deserializer<'de>>(json: D, source: &Bytes) -> Result<Self, D::Error>;
}

impl<T: FromJson> Field for Option<T> {
    fn read(json: &str, source: &Bytes) -> Option<Self> {
        T::read(json, source).map(Some)
    }

    fn read_strictly<'de, D: Deserializer<'de>>(json: D, source: &Bytes) -> Result<Self, D::Error> {
        json.deserialize_option(Present(source, PhantomData))
    }
}

impl<T: FromJson> Field for Vec<T> {
    fn read(json: &str, source: &Bytes) -> Option<Self> {
        <Self as FromJson>::read(json, source)
    }

    fn read_strictly<'de, D: Deserializer<'de>>(json: D, source: &Bytes) -> Result<Self, D::Error> {
        json.deserialize_option(List(source, PhantomData))
    }
}

/// Sets `field` to the member `name`. Null counts as absent. A value of an unexpected type leaves the field absent, and is stored in `extra`
/// as sent.
pub(crate) fn put<T: Field>(field: &mut T, name: &str, json: &str, source: &Bytes, extra: &mut Extra) {
    // If the member is repeated, the last one wins, as in JavaScript.
    *field = T::default();
    extra.remove_mistyped(name);
    if json == "null" {
        return;
    }
    match T::read(json, source) {
        Some(value) => *field = value,
        None => extra.push_mistyped(name, json, source),
    }
}

/// Writes a field, unless it is absent or an empty list.
pub(crate) trait WriteField {
    fn write<M: SerializeMap>(&self, name: &'static str, map: &mut M) -> Result<(), M::Error>;
}

impl<T: ToJson> WriteField for Option<T> {
    fn write<M: SerializeMap>(&self, name: &'static str, map: &mut M) -> Result<(), M::Error> {
        self.as_ref().map_or(Ok(()), |value| map.serialize_entry(name, &AsJson(value)))
    }
}

impl<T: ToJson> WriteField for Vec<T> {
    fn write<M: SerializeMap>(&self, name: &'static str, map: &mut M) -> Result<(), M::Error> {
        if self.is_empty() { Ok(()) } else { map.serialize_entry(name, &AsJson(self)) }
    }
}

/// Reads a [`Field`] strictly.
pub(crate) struct FieldSeed<'s, T>(&'s Bytes, PhantomData<T>);

impl<'s, T> FieldSeed<'s, T> {
    pub(crate) fn new(source: &'s Bytes) -> Self {
        Self(source, PhantomData)
    }
}

impl<'de, T: Field> DeserializeSeed<'de> for FieldSeed<'_, T> {
    type Value = T;

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<T, D::Error> {
        T::read_strictly(json, self.0)
    }
}

struct Present<'s, T>(&'s Bytes, PhantomData<T>);

impl<'de, T: FromJson> Visitor<'de> for Present<'_, T> {
    type Value = Option<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value or null")
    }

    fn visit_none<E: Error>(self) -> Result<Option<T>, E> {
        Ok(None)
    }

    fn visit_unit<E: Error>(self) -> Result<Option<T>, E> {
        Ok(None)
    }

    fn visit_some<D: Deserializer<'de>>(self, json: D) -> Result<Option<T>, D::Error> {
        T::read_strictly(json, self.0).map(Some)
    }
}

struct List<'s, T>(&'s Bytes, PhantomData<T>);

impl<'de, T: FromJson> Visitor<'de> for List<'_, T> {
    type Value = Vec<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list or null")
    }

    fn visit_none<E: Error>(self) -> Result<Vec<T>, E> {
        Ok(Vec::new())
    }

    fn visit_unit<E: Error>(self) -> Result<Vec<T>, E> {
        Ok(Vec::new())
    }

    fn visit_some<D: Deserializer<'de>>(self, json: D) -> Result<Vec<T>, D::Error> {
        json.deserialize_seq(self)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut array: A) -> Result<Vec<T>, A::Error> {
        let mut elements = Vec::new();
        while let Some(element) = array.next_element_seed(Element(self.0, PhantomData))? {
            elements.push(element);
        }
        Ok(elements)
    }
}

struct Element<'s, T>(&'s Bytes, PhantomData<T>);

impl<'de, T: FromJson> DeserializeSeed<'de> for Element<'_, T> {
    type Value = T;

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<T, D::Error> {
        T::read_strictly(json, self.0)
    }
}
