use std::fmt;

use bytes::Bytes;
use serde::Serializer;

use super::object::object;
use crate::RawJson;
use crate::json::{FromJson, ToJson, string};

object! {
    /// The author of a record or of a change.
    pub struct Actor {
        /// How the record was created or changed.
        source: Option<ActorSource> = "source",
        /// The id of the workspace member, if the author is one.
        workspace_member_id: Option<String> = "workspaceMemberId",
        /// The name that Twenty shows: the member's, the API key's, the workflow's.
        name: Option<String> = "name",
        /// Further details, depending on the source.
        context: Option<RawJson> = "context",
        /// The user's id. Only the documented form of an event has it, without the other fields.
        user_id: Option<String> = "userId",
    }
}

/// How a record was created or changed. A source that this crate does not know is [`ActorSource::Other`].
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ActorSource {
    /// By a user.
    Manual,
    /// Through the API, including your own writes.
    Api,
    /// By an import.
    Import,
    /// From an email.
    Email,
    /// From a calendar.
    Calendar,
    /// By a workflow.
    Workflow,
    /// By Twenty itself.
    System,
    /// By a webhook that Twenty received.
    Webhook,
    /// By an agent.
    Agent,
    /// By an application.
    Application,
    /// Any other source. [`as_str`](Self::as_str) returns its text.
    Other(OtherActorSource),
}

/// A source that this version of the crate does not know.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct OtherActorSource(String);

impl ActorSource {
    /// The source in Twenty's spelling: `MANUAL`.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Manual => "MANUAL",
            Self::Api => "API",
            Self::Import => "IMPORT",
            Self::Email => "EMAIL",
            Self::Calendar => "CALENDAR",
            Self::Workflow => "WORKFLOW",
            Self::System => "SYSTEM",
            Self::Webhook => "WEBHOOK",
            Self::Agent => "AGENT",
            Self::Application => "APPLICATION",
            Self::Other(OtherActorSource(other)) => other,
        }
    }
}

/// From Twenty's spelling. Any other text is [`Other`](ActorSource::Other).
impl From<&str> for ActorSource {
    fn from(text: &str) -> Self {
        match text {
            "MANUAL" => Self::Manual,
            "API" => Self::Api,
            "IMPORT" => Self::Import,
            "EMAIL" => Self::Email,
            "CALENDAR" => Self::Calendar,
            "WORKFLOW" => Self::Workflow,
            "SYSTEM" => Self::System,
            "WEBHOOK" => Self::Webhook,
            "AGENT" => Self::Agent,
            "APPLICATION" => Self::Application,
            other => Self::Other(OtherActorSource(other.to_owned())),
        }
    }
}

impl fmt::Display for ActorSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromJson for ActorSource {
    fn read(json: &str, _: &Bytes) -> Option<Self> {
        string(json).map(|text| Self::from(&*text))
    }
}

impl ToJson for ActorSource {
    fn write<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}
