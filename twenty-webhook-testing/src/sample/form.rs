use std::fmt;
use std::str::FromStr;

/// The forms of a webhook's body, today and in the past.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Form {
    /// A change of a record, as Twenty sends it today.
    Record,
    /// A change of the data model, as Twenty sends it today.
    Metadata,
    /// The form in Twenty's docs, which Twenty does not send.
    Documented,
    /// Several records in one body, as in October 2025.
    Batch,
    /// A change of the data model in the form for records, as Twenty first sent it.
    EarlyMetadata,
    /// `company.create`, with edges and type names, as in August 2024.
    August2024,
    /// `eventType: create.company`, as in January 2024.
    January2024,
}

impl Form {
    /// All forms.
    pub const ALL: [Self; 7] = [
        Self::Record,
        Self::Metadata,
        Self::Documented,
        Self::Batch,
        Self::EarlyMetadata,
        Self::August2024,
        Self::January2024,
    ];

    /// Its name: `record`, `metadata`, `documented`, `batch`, `early-metadata`, `2024-08` or `2024-01`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Record => "record",
            Self::Metadata => "metadata",
            Self::Documented => "documented",
            Self::Batch => "batch",
            Self::EarlyMetadata => "early-metadata",
            Self::August2024 => "2024-08",
            Self::January2024 => "2024-01",
        }
    }

    /// Whether the form is for changes of the data model.
    pub fn is_metadata(self) -> bool {
        matches!(self, Self::Metadata | Self::EarlyMetadata)
    }
}

impl fmt::Display for Form {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Parses the name that [`as_str`](Form::as_str) returns.
impl FromStr for Form {
    type Err = UnknownForm;

    fn from_str(text: &str) -> Result<Self, UnknownForm> {
        Self::ALL.into_iter().find(|form| form.as_str() == text).ok_or(UnknownForm(()))
    }
}

/// The text is not the name of a [`Form`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a form is one of record, metadata, documented, batch, early-metadata, 2024-08 and 2024-01")]
pub struct UnknownForm(());
