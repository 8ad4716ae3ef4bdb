use std::borrow::Cow;
use std::ops::Range;

use bytes::Bytes;
use serde::{Deserialize, Deserializer};

use super::FromJson;
use super::members::{Key, string};

/// A string in the body: its position, so that reading it allocates nothing, or a copy if it contains escapes.
#[derive(Clone)]
pub(crate) enum Text {
    Slice(Range<usize>),
    Owned(String),
}

impl Text {
    /// Borrowed `text` must be a part of `body`.
    pub(crate) fn new(text: Cow<'_, str>, body: &Bytes) -> Self {
        match text {
            Cow::Borrowed(text) => {
                let start = text.as_ptr().addr() - body.as_ptr().addr();
                Self::Slice(start..start + text.len())
            }
            Cow::Owned(text) => Self::Owned(text),
        }
    }

    /// `body` must be the body that the text was read from.
    pub(crate) fn as_str<'a>(&'a self, body: &'a Bytes) -> &'a str {
        match self {
            Self::Slice(range) => {
                body.get(range.clone()).and_then(|text| str::from_utf8(text).ok()).unwrap_or_default()
            }
            Self::Owned(text) => text,
        }
    }
}

impl FromJson for Text {
    fn read(json: &str, body: &Bytes) -> Option<Self> {
        Some(Self::new(string(json)?, body))
    }

    fn read_strictly<'de, D: Deserializer<'de>>(json: D, body: &Bytes) -> Result<Self, D::Error> {
        Key::deserialize(json).map(|Key(text)| Self::new(text, body))
    }
}
