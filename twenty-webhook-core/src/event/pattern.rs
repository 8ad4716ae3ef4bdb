use std::fmt;
use std::str::FromStr;

use crate::{Action, EventName};

/// Selects events, in the syntax of a webhook's subscriptions in Twenty.
///
/// | pattern | takes |
/// |---|---|
/// | `person.created` | exactly that |
/// | `*.created` | that action, of any object |
/// | `person.*` | any action, of that object |
/// | `metadata.fieldMetadata.updated`, `metadata.*.updated`, `metadata.fieldMetadata.*`, `metadata.*.*` | the same, of the data model |
/// | `*.*` | everything, changes of the data model too |
///
/// For receiving: whether a pattern [`matches`](Self::matches) an event that arrived. For choosing subscriptions: whether one
/// [`subscribes_to`](Self::subscribes_to) an event that is to arrive.
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
/// # What no subscription gets
///
/// Twenty leaves out more than its subscriptions say, so a pattern that covers an event promises that Twenty *may* send it. As of 2.40:
///
/// - What is over the workspace's rate limit, where that is on: about 60 calls in 60 seconds, over all of its webhooks.
/// - Records that are private, objects that only Twenty itself can read, and every `timelineActivity`.
/// - All but one of the `destroyed` events, where one call destroys many records. (1.8 and 2.21 do so; 0.42 sends all.)
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct EventPattern {
    metadata: bool,
    /// `None` is `*`.
    object: Option<String>,
    /// `None` is `*`.
    action: Option<String>,
}

impl EventPattern {
    /// Whether it takes this event, now that it has arrived: a [`WebhookEvent`](crate::WebhookEvent), or the [`EventName`] of one.
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

    /// Whether Twenty sends events of this name to a webhook that subscribes to this pattern, by the rules of Twenty 2.40 and later:
    /// those of [`matches`](Self::matches), but for what Twenty sends to no wildcard, or not at all.
    ///
    /// - `workflowRun.updated` goes to subscriptions to exactly that. (Before 2.40 it went to wildcards too.)
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
    MetadataWithTwoParts,
    /// `*.person.created`, say.
    #[error("only changes of the data model have names of three parts, and those begin with `metadata`")]
    ThreePartsWithoutMetadata,
    /// `person.create`.
    #[non_exhaustive]
    #[error("actions are in the past tense: `{expected}`, not `{found}`")]
    PresentTense {
        /// What the pattern says.
        found: String,
        /// What Twenty says.
        expected: Action,
    },
    /// `per*.created` or `Person.created`, say.
    #[error("`{0}` is neither `*` nor a name in Twenty: letters and digits, the first one a lower-case letter")]
    NotAName(String),
}
