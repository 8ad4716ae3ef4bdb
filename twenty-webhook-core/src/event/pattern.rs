use std::fmt;
use std::str::FromStr;

use crate::{Action, EventName};

/// Which events to take, by the rules of a webhook's subscriptions in Twenty.
///
/// | pattern | takes |
/// |---|---|
/// | `person.created` | exactly that |
/// | `*.created` | that action, of any object |
/// | `person.*` | any action, of that object |
/// | `metadata.fieldMetadata.updated`, `metadata.*.updated`, `metadata.fieldMetadata.*`, `metadata.*.*` | the same, of the data model |
/// | `*.*` | everything, changes of the data model too |
///
/// ```
/// use twenty_webhook_core::{EventName, EventPattern};
///
/// let people: EventPattern = "person.*".parse()?;
/// assert!(people.matches(&EventName::from("person.created")));
/// assert!(!people.matches(&EventName::from("company.created")));
///
/// let error = "person".parse::<EventPattern>().unwrap_err();
/// assert_eq!(error.to_string(), "a pattern is `object.action` or `metadata.name.action`: two parts or three, and this has 1");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct EventPattern {
    metadata: bool,
    /// `None` is `*`.
    object: Option<String>,
    /// `None` is `*`.
    action: Option<String>,
}

impl EventPattern {
    /// Whether it takes events of this name.
    pub fn matches(&self, name: &EventName) -> bool {
        let (metadata, object) = match name.metadata_name() {
            Some(metadata_name) => (true, metadata_name),
            None => (false, name.object()),
        };
        let everything = self.object.is_none() && self.action.is_none();
        (self.metadata == metadata || (everything && metadata))
            && self.object.as_ref().is_none_or(|expected| expected == object)
            && self.action.as_ref().is_none_or(|expected| expected == name.action().as_str())
    }
}

impl FromStr for EventPattern {
    type Err = EventPatternError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let parts: Vec<_> = text.split('.').collect();
        let (metadata, object, action) = match parts[..] {
            ["metadata", _] => return Err(EventPatternError::MetadataOfTwoParts),
            ["metadata", object, action] => (true, object, action),
            [object, action] => (false, object, action),
            [_, _, _] => return Err(EventPatternError::ThreePartsWithoutMetadata),
            _ => return Err(EventPatternError::Parts(parts.len())),
        };
        if let Some(past) = Action::from_present_tense(action) {
            return Err(EventPatternError::PresentTense { written: action.to_owned(), meant: past });
        }
        Ok(Self { metadata, object: part(object)?, action: part(action)? })
    }
}

fn part(text: &str) -> Result<Option<String>, EventPatternError> {
    match text {
        "*" => Ok(None),
        _ if text.starts_with(|first: char| first.is_ascii_lowercase())
            && text.bytes().all(|byte| byte.is_ascii_alphanumeric()) =>
        {
            Ok(Some(text.to_owned()))
        }
        _ => Err(EventPatternError::NotAName(text.to_owned())),
    }
}

/// As it was written.
impl fmt::Display for EventPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [object, action] = [&self.object, &self.action].map(|part| part.as_deref().unwrap_or("*"));
        write!(f, "{}{object}.{action}", if self.metadata { "metadata." } else { "" })
    }
}

/// Why no event of Twenty's could ever match a pattern.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EventPatternError {
    /// It has one part, or more than three.
    #[error("a pattern is `object.action` or `metadata.name.action`: two parts or three, and this has {0}")]
    Parts(usize),
    /// `metadata.created`, say.
    #[error("changes of the data model have names of three parts: `metadata.*.*` takes all of them")]
    MetadataOfTwoParts,
    /// `*.person.created`, say.
    #[error("only changes of the data model have names of three parts, and those begin with `metadata`")]
    ThreePartsWithoutMetadata,
    /// `person.create`.
    #[error("actions are in the past tense: `{meant}`, not `{written}`")]
    PresentTense {
        /// What the pattern says.
        written: String,
        /// What Twenty says.
        meant: Action,
    },
    /// `per*.created` or `Person.created`, say.
    #[error("`{0}` is neither `*` nor a name in Twenty: letters and digits, the first one a lower-case letter")]
    NotAName(String),
}
