use std::convert::Infallible;
use std::fmt;
use std::str::FromStr;

/// What happened to a record. Twenty may add to it, so what is not known is kept as [`Action::Other`].
///
/// ```
/// use twenty_webhook_core::Action;
///
/// fn describe(action: &Action) -> &str {
///     match action {
///         Action::Created => "new",
///         // Compare what has no variant as text: it may have one in a later version of this crate.
///         other if other == "archived" => "put away",
///         _ => "something else",
///     }
/// }
///
/// assert_eq!(describe(&Action::Created), "new");
/// assert_eq!(describe(&"archived".parse().unwrap()), "put away");
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Action {
    /// The record is new.
    Created,
    /// Some of its fields changed.
    Updated,
    /// It was moved to the trash (soft delete); it may be restored.
    Deleted,
    /// It is gone for good (hard delete).
    Destroyed,
    /// It was taken out of the trash.
    Restored,
    /// Created or updated.
    Upserted,
    /// Anything else. [`as_str`](Self::as_str) is how it was spelled.
    Other(OtherAction),
}

/// An action that this version of the crate does not know.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct OtherAction(String);

impl Action {
    /// As it is spelled in an event's name: `created`.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Created => "created",
            Self::Updated => "updated",
            Self::Deleted => "deleted",
            Self::Destroyed => "destroyed",
            Self::Restored => "restored",
            Self::Upserted => "upserted",
            Self::Other(OtherAction(other)) => other,
        }
    }

    /// Reads today's spelling, `created`.
    pub(super) fn from_past_tense(word: &str) -> Option<Self> {
        Some(match word {
            "created" => Self::Created,
            "updated" => Self::Updated,
            "deleted" => Self::Deleted,
            "destroyed" => Self::Destroyed,
            "restored" => Self::Restored,
            "upserted" => Self::Upserted,
            _ => return None,
        })
    }

    pub(super) fn unknown(text: &str) -> Self {
        Self::Other(OtherAction(text.to_owned()))
    }

    /// Reads the spelling of 2024, `create`.
    pub(super) fn from_present_tense(word: &str) -> Option<Self> {
        Some(match word {
            "create" => Self::Created,
            "update" => Self::Updated,
            "delete" => Self::Deleted,
            "destroy" => Self::Destroyed,
            "restore" => Self::Restored,
            "upsert" => Self::Upserted,
            _ => return None,
        })
    }
}

/// From today's spelling, `created`. Any other text is [`Other`](Action::Other).
impl FromStr for Action {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(Self::from_past_tense(text).unwrap_or_else(|| Self::unknown(text)))
    }
}

impl PartialEq<str> for Action {
    fn eq(&self, other: &str) -> bool {
        self.as_str() == other
    }
}

impl PartialEq<&str> for Action {
    fn eq(&self, other: &&str) -> bool {
        self.as_str() == *other
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
