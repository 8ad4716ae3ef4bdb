use std::fmt;

/// What happened to a record. Twenty may add to it, so what is not known is kept as [`Action::Other`].
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
    /// Anything else, as it was spelled.
    Other(String),
}

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
            Self::Other(other) => other,
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

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
