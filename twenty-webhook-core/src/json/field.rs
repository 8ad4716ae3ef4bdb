use bytes::Bytes;

use super::members::{for_each_element, string};
use crate::{Extra, RawJson};

/// What a field may hold.
pub(crate) trait Value: Sized {
    /// `None` if `json`, the text of a value that is part of `source`, does not have the shape.
    fn read(json: &str, source: &Bytes) -> Option<Self>;
}

/// A field: one that may be absent, or a list, which is empty when it is absent.
pub(crate) trait Field: Default {
    fn read(json: &str, source: &Bytes) -> Option<Self>;
}

impl<T: Value> Field for Option<T> {
    fn read(json: &str, source: &Bytes) -> Option<Self> {
        T::read(json, source).map(Some)
    }
}

impl<T: Value> Field for Vec<T> {
    fn read(json: &str, source: &Bytes) -> Option<Self> {
        <Self as Value>::read(json, source)
    }
}

/// Sets `field` to the member `name`. Null is the same as absent. A value that does not have the field's shape leaves the field
/// absent, and is kept in `extra` as it was sent.
pub(crate) fn put<T: Field>(field: &mut T, name: &str, json: &str, source: &Bytes, extra: &mut Extra) {
    // A member that is there twice: the last one wins, as it does in JavaScript.
    *field = T::default();
    extra.remove(name);
    if json == "null" {
        return;
    }
    match T::read(json, source) {
        Some(value) => *field = value,
        None => extra.insert(name, RawJson::slice(source, json)),
    }
}

impl Value for String {
    fn read(json: &str, _: &Bytes) -> Option<Self> {
        string(json).map(Into::into)
    }
}

impl Value for RawJson {
    fn read(json: &str, source: &Bytes) -> Option<Self> {
        Some(Self::slice(source, json))
    }
}

/// A JSON object, still as text.
pub(crate) struct Object(pub(crate) RawJson);

impl Value for Object {
    fn read(json: &str, source: &Bytes) -> Option<Self> {
        json.starts_with('{').then(|| Self(RawJson::slice(source, json)))
    }
}

/// All of the elements must have the shape: a list that silently lacks one would be a lie.
impl<T: Value> Value for Vec<T> {
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
