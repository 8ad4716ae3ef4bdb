use std::fmt;
use std::str::FromStr;

use crate::{Action, EventName};

/// Selects events, in the syntax of a webhook's subscriptions in Twenty.
///
/// | pattern | matches |
/// |---|---|
/// | `person.created` | exactly this event |
/// | `*.created` | this action of any object |
/// | `person.*` | any action of this object |
/// | `metadata.fieldMetadata.updated`, `metadata.*.updated`, `metadata.fieldMetadata.*`, `metadata.*.*` | the same for the data model |
/// | `*.*` | everything, including changes of the data model |
///
/// For a received event, use [`matches`](Self::matches). To choose subscriptions, use [`subscribes_to`](Self::subscribes_to).
///
/// ```
/// use twenty_webhook_core::{EventName, EventPattern, WebhookEvent};
///
/// let everything: EventPattern = "*.*".parse()?;
/// let event = WebhookEvent::from_stored(r#"{"eventName":"workflowRun.updated"}"#)?;
/// assert!(everything.matches(&event));
/// assert!(!everything.subscribes_to(event.name()), "since 2.40 Twenty does not send it to that subscription");
///
/// let error = "person".parse::<EventPattern>().unwrap_err();
/// assert_eq!(error.to_string(), "a pattern is `object.action` or `metadata.name.action`: two parts or three, and this has 1");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Events that Twenty does not send
///
/// A subscription does not guarantee an event. Twenty 2.40 does not send:
///
/// - Deliveries beyond the workspace's rate limit, if enabled: about 60 calls in 60 seconds, for all of its webhooks together.
/// - Events of private records, of objects that only Twenty can read, and of `timelineActivity`.
/// - All but one of the `destroyed` events when one call destroys many records (seen in 1.8 and 2.21; 0.42 sends all).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct EventPattern {
    metadata: bool,
    /// `None` is `*`.
    object: Option<String>,
    /// `None` is `*`.
    action: Option<String>,
}

impl EventPattern {
    /// Whether the pattern matches a received event: a [`WebhookEvent`](crate::WebhookEvent) or its [`EventName`].
    pub fn matches(&self, event: &impl AsRef<EventName>) -> bool {
        let name = event.as_ref();
        let (metadata, object) = match name.metadata_name() {
            Some(metadata_name) => (true, metadata_name),
            None => (false, name.object()),
        };
        (self.metadata == metadata || (self.is_everything() && metadata))
            && self.object.as_ref().is_none_or(|expected| expected == object)
            && self.action.as_ref().is_none_or(|expected| expected == name.action().as_str())
    }

    /// Whether Twenty 2.40 and later send events of this name to a webhook that subscribes to this pattern. The rules are those of
    /// [`matches`](Self::matches), with two exceptions:
    ///
    /// - `workflowRun.updated` is sent only to subscriptions of exactly this name. (Before 2.40 it was also sent to wildcards.)
    /// - Events of `timelineActivity` are not sent.
    pub fn subscribes_to(&self, name: &EventName) -> bool {
        let is_exact = self.object.is_some() && self.action.is_some();
        self.matches(name) && name.object() != "timelineActivity" && (is_exact || *name != "workflowRun.updated")
    }

    fn is_everything(&self) -> bool {
        self.object.is_none() && self.action.is_none()
    }
}

impl FromStr for EventPattern {
    type Err = EventPatternError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let parts: Vec<_> = text.split('.').collect();
        let (metadata, object, action) = match parts[..] {
            ["metadata", _] => return Err(EventPatternError::MetadataWithTwoParts),
            ["metadata", object, action] => (true, object, action),
            [object, action] => (false, object, action),
            [_, _, _] => return Err(EventPatternError::ThreePartsWithoutMetadata),
            _ => return Err(EventPatternError::Parts(parts.len())),
        };
        if let Some(past) = Action::from_present_tense(action) {
            return Err(EventPatternError::PresentTense { found: action.to_owned(), expected: past });
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

/// The pattern's text.
impl fmt::Display for EventPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [object, action] = [&self.object, &self.action].map(|part| part.as_deref().unwrap_or("*"));
        write!(f, "{}{object}.{action}", if self.metadata { "metadata." } else { "" })
    }
}

/// Why a text is not a pattern that an event of Twenty can match.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EventPatternError {
    /// The number of parts, if it is not two or three.
    #[error("a pattern is `object.action` or `metadata.name.action`: two parts or three, and this has {0}")]
    Parts(usize),
    /// For example `metadata.created`.
    #[error("changes of the data model have names of three parts: `metadata.*.*` matches all of them")]
    MetadataWithTwoParts,
    /// For example `*.person.created`.
    #[error("only changes of the data model have names of three parts, and those begin with `metadata`")]
    ThreePartsWithoutMetadata,
    /// For example `person.create`.
    #[non_exhaustive]
    #[error("actions are in the past tense: `{expected}`, not `{found}`")]
    PresentTense {
        /// The action in the pattern.
        found: String,
        /// The action in Twenty's spelling.
        expected: Action,
    },
    /// For example `per*.created` or `Person.created`.
    #[error("`{0}` is neither `*` nor a name in Twenty: letters and digits, the first one a lower-case letter")]
    NotAName(String),
}
