use std::fmt;
use std::str::FromStr;

/// `person.created`, `metadata.fieldMetadata.updated`.
#[derive(Clone, Debug)]
pub(crate) struct EventName {
    pub(crate) object: String,
    pub(crate) action: String,
}

impl EventName {
    /// The piece of the data model, as `fieldMetadata`, if that is what it is about.
    pub(crate) fn metadata(&self) -> Option<&str> {
        self.object.strip_prefix("metadata.")
    }

    /// `create` for `created`, as it was written in 2024.
    pub(crate) fn verb(&self) -> Option<&str> {
        match self.action.as_str() {
            "created" => Some("create"),
            "updated" => Some("update"),
            "deleted" => Some("delete"),
            "restored" => Some("restore"),
            "destroyed" => Some("destroy"),
            _ => None,
        }
    }
}

impl FromStr for EventName {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let word =
            |word: &str| !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        let (object, action) = text.rsplit_once('.').unwrap_or((text, ""));
        let good = word(object.strip_prefix("metadata.").unwrap_or(object)) && word(action) && object != "metadata";
        if !good {
            return Err("write OBJECT.ACTION, as person.created, or metadata.NAME.ACTION".into());
        }
        Ok(Self { object: object.into(), action: action.into() })
    }
}

impl fmt::Display for EventName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.object, self.action)
    }
}
