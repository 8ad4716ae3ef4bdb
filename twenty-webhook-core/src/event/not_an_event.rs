use serde_json::value::RawValue;

use crate::json::for_each_member;

/// Why a signed body is not an event. The text contains no values of the body.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NotAnEvent {
    /// The body is empty, or only white space.
    #[error("the body is empty")]
    Empty,
    /// The body is not UTF-8.
    #[error("the body is not UTF-8 from byte {valid_up_to} on")]
    #[non_exhaustive]
    NotUtf8 {
        /// The length of the valid part in bytes.
        valid_up_to: usize,
    },
    /// The body is not JSON.
    #[error("the body is not JSON (line {line}, column {column})")]
    #[non_exhaustive]
    NotJson {
        /// Counted from 1.
        line: usize,
        /// Counted from 1.
        column: usize,
    },
    /// The body is JSON, but not an object.
    #[error("expected a JSON object, got {0}")]
    NotAnObject(&'static str),
    /// No member contains the event's name.
    #[error("an object of {members} members, none of which is `eventName`, `eventType` or `event` with a name in it")]
    #[non_exhaustive]
    NoName {
        /// The number of members.
        members: usize,
    },
    /// The body has far more members, items and changed fields than any event of Twenty. Decoded, it would take too much memory.
    #[error("an event of {parts} members, items and changed fields, and at most {limit} are accepted")]
    #[non_exhaustive]
    TooManyParts {
        /// The number of members, items and changed fields, outside records.
        parts: usize,
        /// The largest accepted number.
        limit: usize,
    },
}

impl NotAnEvent {
    /// The reason why `body` is not an object.
    pub(super) fn not_an_object(body: &str) -> Self {
        let json = match serde_json::from_str::<&RawValue>(body) {
            Ok(json) => json.get(),
            Err(_) if body.trim().is_empty() => return Self::Empty,
            Err(error) => return Self::NotJson { line: error.line(), column: error.column() },
        };
        Self::NotAnObject(match json.as_bytes()[0] {
            b'[' => "an array",
            b'"' => "a string",
            b't' | b'f' => "a boolean",
            b'n' => "null",
            _ => "a number",
        })
    }

    /// The error for an object without a name.
    pub(super) fn no_name(object: &str) -> Self {
        Self::NoName { members: for_each_member(object, |_, _| ()).unwrap_or_default() }
    }
}
