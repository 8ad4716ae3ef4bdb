use std::fmt;

use super::SampleError;

/// The name of an event: `person.created`, `metadata.fieldMetadata.updated`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Name {
    /// With the prefix `metadata.` for a change of the data model.
    pub(crate) object: String,
    pub(crate) action: String,
}

impl Name {
    pub(super) fn parse(text: &str) -> Result<Self, SampleError> {
        let word =
            |word: &str| !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        let (object, action) = text.rsplit_once('.').unwrap_or((text, ""));
        if !word(object.strip_prefix("metadata.").unwrap_or(object)) || !word(action) || object == "metadata" {
            return Err(SampleError::Name { written: text.to_owned() });
        }
        Ok(Self { object: object.to_owned(), action: action.to_owned() })
    }

    /// `fieldMetadata` of `metadata.fieldMetadata`. `None` for a record.
    pub(crate) fn metadata(&self) -> Option<&str> {
        self.object.strip_prefix("metadata.")
    }

    /// `create` for `created`, as Twenty wrote it in 2024.
    pub(super) fn verb(&self) -> Option<&'static str> {
        Some(match self.action.as_str() {
            "created" => "create",
            "updated" => "update",
            "deleted" => "delete",
            "restored" => "restore",
            "destroyed" => "destroy",
            _ => return None,
        })
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.object, self.action)
    }
}
