use std::convert::Infallible;
use std::fmt;
use std::str::FromStr;

/// What happened to a record. An action that this crate does not know is [`Action::Other`].
///
/// ```
/// use twenty_webhook_core::Action;
///
/// fn describe(action: &Action) -> &str {
///     match action {
///         Action::Created => "new",
///         // Compare unknown actions as text: a later version of this crate may add a variant.
///         other if other == "archived" => "archived",
///         _ => "something else",
///     }
/// }
///
/// assert_eq!(describe(&Action::Created), "new");
/// assert_eq!(describe(&"archived".parse().unwrap()), "archived");
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Action {
    /// The record is new.
    Created,
    /// Some of its fields changed.
    Updated,
    /// It was moved to the trash (soft delete), and can be restored.
    Deleted,
    /// It was deleted permanently (hard delete).
    Destroyed,
    /// It was restored from the trash.
    Restored,
    /// Created or updated.
    Upserted,
    /// Any other action. [`as_str`](Self::as_str) returns its text.
    Other(OtherAction),
}

/// An action that this version of the crate does not know.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct OtherAction(String);

impl Action {
    /// The action as in an event's name: `created`.
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

    /// Parses the current spelling, `created`.
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

    /// Parses the spelling of 2024, `create`.
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

/// From the current spelling, `created`. Any other text is [`Other`](Action::Other).
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
