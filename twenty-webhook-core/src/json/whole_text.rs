use std::cell::Cell;
use std::fmt;
use std::marker::PhantomData;

use serde::Deserialize;
use serde::de::{Deserializer, Error, Unexpected, Visitor};
use serde_json::value::RawValue;

use super::FromJson;
use crate::RawJson;

/// The name with which a type of this crate requests the whole text from a deserializer.
const WHOLE_TEXT: &str = "$twenty_webhook_core::WholeText";

/// Deserializes a type of this crate.
pub(crate) fn deserialize<'de, T: FromJson, D: Deserializer<'de>>(deserializer: D) -> Result<T, D::Error> {
    deserializer.deserialize_newtype_struct(WHOLE_TEXT, FromText(PhantomData))
}

struct FromText<T>(PhantomData<T>);

impl<'de, T: FromJson> Visitor<'de> for FromText<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    /// From [`WholeText`].
    fn visit_str<E: Error>(self, json: &str) -> Result<T, E> {
        read(&RawJson::copied(json))
    }

    /// From `serde_json`, where the type is part of another one.
    fn visit_newtype_struct<D: Deserializer<'de>>(self, json: D) -> Result<T, D::Error> {
        read(&RawJson::from(Box::<RawValue>::deserialize(json)?))
    }
}

fn read<T: FromJson, E: Error>(json: &RawJson) -> Result<T, E> {
    T::read(json.as_str(), json.bytes())
        .ok_or_else(|| E::invalid_type(Unexpected::Other("another value"), &"an object"))
}

/// Reads a type of this crate from the whole text, which saves a pass of `serde_json`. `None` for other types, before anything is read.
pub(super) fn from_whole_text<'de, T: Deserialize<'de>>(json: &str) -> Option<T> {
    let asked = Cell::new(false);
    let read = T::deserialize(WholeText { json, asked: &asked }).ok();
    // A type can turn the error into a value without having read the text.
    read.filter(|_| asked.get())
}

struct WholeText<'a> {
    json: &'a str,
    asked: &'a Cell<bool>,
}

impl<'de> Deserializer<'de> for WholeText<'_> {
    type Error = WholeTextError;

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, name: &str, visitor: V) -> Result<V::Value, WholeTextError> {
        if name != WHOLE_TEXT {
            return visitor.visit_newtype_struct(self);
        }
        self.asked.set(true);
        visitor.visit_str(self.json)
    }

    fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, WholeTextError> {
        Err(WholeTextError)
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit unit_struct seq tuple
        tuple_struct map struct enum identifier ignored_any
    }
}

/// An error without a message: the text is then read in another way.
#[derive(Debug, thiserror::Error)]
#[error("not a type of this crate, or an unexpected value")]
struct WholeTextError;

impl Error for WholeTextError {
    fn custom<M: fmt::Display>(_: M) -> Self {
        Self
    }
}
