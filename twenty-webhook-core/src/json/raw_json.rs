use std::fmt;
use std::ops::Range;

use bytes::Bytes;
use serde::de::{Deserialize, DeserializeOwned, Deserializer};
use serde::ser::{Error, Serialize, Serializer};
use serde_json::Value;
use serde_json::value::RawValue;

use super::members::{find_member, string};
use super::whole_text::from_whole_text;
use super::{FromJson, Text, surrogates};
use crate::DecodeError;

/// A JSON value as text: a slice of the body, decoded on demand.
///
/// It keeps the whole body in memory.
#[derive(Clone, PartialEq, Eq)]
pub struct RawJson(Bytes);

impl RawJson {
    pub(crate) const EMPTY_OBJECT: Self = Self(Bytes::from_static(b"{}"));

    /// The part of `source` that `value` is borrowed from.
    pub(crate) fn slice(source: &Bytes, value: &str) -> Self {
        Self(source.slice_ref(value.as_bytes()))
    }

    /// The part of `source` at `range`, which must be a complete value.
    pub(super) fn part(source: &Bytes, range: Range<usize>) -> Self {
        Self(source.slice(range))
    }

    pub(super) fn copied(json: &str) -> Self {
        Self(Bytes::copy_from_slice(json.as_bytes()))
    }

    /// The JSON text as sent.
    pub fn as_str(&self) -> &str {
        // Always UTF-8: the body was checked.
        str::from_utf8(&self.0).unwrap_or_default()
    }

    /// Decodes it into any type.
    ///
    /// Twenty sends half an emoji as a lone surrogate escape (`\ud83d`). It becomes U+FFFD in a `String`, which cannot contain it.
    ///
    /// ```
    /// use twenty_webhook_core::WebhookEvent;
    ///
    /// let event = WebhookEvent::from_stored(r#"{"eventName":"rocket.created","fuel":["kerosene","oxygen"]}"#)?;
    /// let fuel: Vec<String> = event.extra().get("fuel").unwrap().decode()?;
    /// assert_eq!(fuel, ["kerosene", "oxygen"]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// The last of repeated members counts, as in JavaScript.
    ///
    /// # Errors
    /// If the JSON does not fit the type, or is nested deeper than 128 levels in a decoded part.
    pub fn decode<T: DeserializeOwned>(&self) -> Result<T, DecodeError> {
        let json = self.as_str();
        if let Some(record) = from_whole_text(json) {
            return Ok(record);
        }
        if let Ok(value) = serde_json::from_str(json) {
            return Ok(value);
        }
        // Only after a failure: repair surrogates, and decode again to find the field.
        let repaired = surrogates::replace_lone(json);
        let json = repaired.as_deref().unwrap_or(json);
        let error = match serde_path_to_error::deserialize(&mut serde_json::Deserializer::from_str(json)) {
            Ok(value) => return Ok(value),
            Err(error) => error,
        };
        // serde's derive rejects repeated members; a `Value` keeps the last one.
        if error.inner().to_string().starts_with("duplicate field `")
            && let Some(value) = serde_json::from_str::<Value>(json).ok().and_then(|json| T::deserialize(json).ok())
        {
            return Ok(value);
        }
        Err(DecodeError::new::<T>(error))
    }

    /// The member `name`, if it is a string.
    pub(crate) fn string_member(&self, name: &str) -> Option<String> {
        string(find_member(self.as_str(), name)?).map(Into::into)
    }

    /// The member `name`, if it is a string, as a slice.
    pub(crate) fn text_member(&self, name: &str) -> Option<Text> {
        Text::read(find_member(self.as_str(), name)?, &self.0)
    }

    pub(crate) fn bytes(&self) -> &Bytes {
        &self.0
    }
}

impl From<Box<RawValue>> for RawJson {
    fn from(value: Box<RawValue>) -> Self {
        Self(Bytes::from(String::from(Box::<str>::from(value))))
    }
}

/// Any value, for tests.
impl From<Value> for RawJson {
    fn from(value: Value) -> Self {
        Self(Bytes::from(value.to_string()))
    }
}

/// `serde_json` writes it as sent.
impl Serialize for RawJson {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serde_json::from_str::<&RawValue>(self.as_str()).map_err(S::Error::custom)?.serialize(serializer)
    }
}

/// Only from `serde_json`.
impl<'de> Deserialize<'de> for RawJson {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        super::deserialize(deserializer)
    }
}

/// Only the length. Payloads must not get into logs.
impl fmt::Debug for RawJson {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RawJson({} bytes)", self.0.len())
    }
}
