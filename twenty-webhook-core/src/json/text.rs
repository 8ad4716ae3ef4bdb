use std::borrow::Cow;
use std::ops::Range;

use bytes::Bytes;
use serde::{Deserialize, Deserializer};

use super::FromJson;
use super::members::{Key, string};

/// A string of the envelope: where it stands in the body, so that reading it allocates nothing; a copy only if it has escapes.
#[derive(Clone)]
pub(crate) enum Text {
    Slice(Range<usize>),
    Owned(String),
}

impl Text {
    /// `text` is part of `body` if it is borrowed.
    pub(crate) fn new(text: Cow<'_, str>, body: &Bytes) -> Self {
        match text {
            Cow::Borrowed(text) => {
                let start = text.as_ptr().addr() - body.as_ptr().addr();
                Self::Slice(start..start + text.len())
            }
            Cow::Owned(text) => Self::Owned(text),
        }
    }

    /// `body` is what it was read from.
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
