use std::fmt;
use std::ops::Range;

use bytes::Bytes;
use serde::de::{Deserialize, DeserializeOwned, Deserializer};
use serde::ser::{Error, Serialize, Serializer};
use serde_json::Value;
use serde_json::value::RawValue;

use super::members::{find_member, string};
use super::whole::from_whole_text;
use super::{FromJson, Text, surrogates};
use crate::DecodeError;

/// A JSON value that is still text, cut out of the body without copying, and decoded when asked.
///
/// It keeps the whole body in memory for as long as it lives.
#[derive(Clone, PartialEq, Eq)]
pub struct RawJson(Bytes);

impl RawJson {
    pub(crate) const EMPTY_OBJECT: Self = Self(Bytes::from_static(b"{}"));

    /// The part of `source` that `value` was borrowed from.
    pub(crate) fn slice(source: &Bytes, value: &str) -> Self {
        Self(source.slice_ref(value.as_bytes()))
    }

    /// Such a part, by its place. It must be whole.
    pub(super) fn part(source: &Bytes, place: Range<usize>) -> Self {
        Self(source.slice(place))
    }

    pub(super) fn copied(json: &str) -> Self {
        Self(Bytes::copy_from_slice(json.as_bytes()))
    }

    /// The JSON text, as it was sent.
    pub fn as_str(&self) -> &str {
        // Always UTF-8: it is either `{}` or part of a body that was checked.
        str::from_utf8(&self.0).unwrap_or_default()
    }

    /// Decodes it into any type.
    ///
    /// Half an emoji, which Twenty sends as a lone surrogate escape (`\ud83d`), becomes U+FFFD where a `String` could not hold it.
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
    /// Of a member that is there twice, the last one counts, as in JavaScript.
    ///
    /// # Errors
    /// If the JSON does not fit the type, or nests deeper than 128 levels where the type looks.
    pub fn decode<T: DeserializeOwned>(&self) -> Result<T, DecodeError> {
        let json = self.as_str();
        if let Some(record) = from_whole_text(json) {
            return Ok(record);
        }
        if let Ok(value) = serde_json::from_str(json) {
            return Ok(value);
        }
        // Only a failure pays for what follows: the repairs, and another pass that finds the field to blame.
        let repaired = surrogates::replace_lone(json);
        let json = repaired.as_deref().unwrap_or(json);
        let error = match serde_path_to_error::deserialize(&mut serde_json::Deserializer::from_str(json)) {
            Ok(value) => return Ok(value),
            Err(error) => error,
        };
        // serde's derive refuses a member that is there twice, where a `Value` keeps the last one.
        if error.inner().to_string().starts_with("duplicate field `")
            && let Some(value) = serde_json::from_str::<Value>(json).ok().and_then(|json| T::deserialize(json).ok())
        {
            return Ok(value);
        }
        Err(DecodeError::new::<T>(error))
    }

    /// The string that its member `name` is.
    pub(crate) fn string_member(&self, name: &str) -> Option<String> {
        string(find_member(self.as_str(), name)?).map(Into::into)
    }

    /// The same, as a slice of it.
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

/// With `serde_json`, it is written as it was sent.
impl Serialize for RawJson {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serde_json::from_str::<&RawValue>(self.as_str()).map_err(S::Error::custom)?.serialize(serializer)
    }
}

/// From `serde_json` only.
impl<'de> Deserialize<'de> for RawJson {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        super::deserialize(deserializer)
    }
}

/// The length only: a payload is not for logs.
impl fmt::Debug for RawJson {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RawJson({} bytes)", self.0.len())
    }
}
