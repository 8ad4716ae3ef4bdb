use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

use bytes::Bytes;
use serde::de::{Deserializer, MapAccess, Visitor};

use super::members::Key;
use super::{FromJson, for_each_member};

/// A JSON object whose fields may each be absent, null, or of an unexpected type.
pub(crate) trait JsonObject: Default {
    /// Sets the member `name` to the next value of `map`. Fails if the value has an unexpected type.
    fn set_strictly<'de, A: MapAccess<'de>>(
        &mut self,
        name: Cow<'de, str>,
        map: &mut A,
        source: &Bytes,
    ) -> Result<(), A::Error>;

    /// Sets the member `name` to a value of any type.
    fn set(&mut self, name: Cow<'_, str>, json: &str, source: &Bytes);

    /// Called after the last member.
    fn finish(&mut self) {}
}

/// Implements [`JsonObject`] for a type with a field `extra`.
macro_rules! json_object {
    ($name:ident { $($field:ident = $key:literal,)* } $(then $then:ident)?) => {
        impl $crate::json::JsonObject for $name {
            fn set_strictly<'de, A: serde::de::MapAccess<'de>>(
                &mut self,
                name: std::borrow::Cow<'de, str>,
                map: &mut A,
                source: &bytes::Bytes,
            ) -> Result<(), A::Error> {
                match &*name {
                    $($key => self.$field = map.next_value_seed($crate::json::FieldSeed::new(source))?,)*
                    _ => self.extra.push(name, map.next_value::<&serde_json::value::RawValue>()?.get(), source),
                }
                Ok(())
            }

            fn set(&mut self, name: std::borrow::Cow<'_, str>, json: &str, source: &bytes::Bytes) {
                match &*name {
                    $($key => $crate::json::put(&mut self.$field, $key, json, source, &mut self.extra),)*
                    _ => self.extra.push(name, json, source),
                }
            }

            $(fn finish(&mut self) {
                self.$then();
            })?
        }
    };
}
pub(crate) use json_object;

impl<T: JsonObject> FromJson for T {
    /// In one pass if all types are as expected, which is nearly always; otherwise member by member.
    fn read(json: &str, source: &Bytes) -> Option<Self> {
        let mut strict = serde_json::Deserializer::from_str(json);
        if let Ok(object) = Self::read_strictly(&mut strict, source)
            && strict.end().is_ok()
        {
            return Some(object);
        }
        let mut object = Self::default();
        for_each_member(json, |name, value| object.set(name, value, source)).ok()?;
        object.finish();
        Some(object)
    }

    fn read_strictly<'de, D: Deserializer<'de>>(json: D, source: &Bytes) -> Result<Self, D::Error> {
        json.deserialize_map(Members(source, PhantomData))
    }
}

struct Members<'s, T>(&'s Bytes, PhantomData<T>);

impl<'de, T: JsonObject> Visitor<'de> for Members<'_, T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<T, A::Error> {
        let mut object = T::default();
        while let Some(Key(name)) = map.next_key()? {
            object.set_strictly(name, &mut map, self.0)?;
        }
        object.finish();
        Ok(object)
    }
}
