use bytes::Bytes;

use super::object::object;
use crate::RawJson;
use crate::json::{Value, string};

object! {
    /// Who made or changed a record.
    pub struct Actor {
        /// How it came about.
        source: Option<ActorSource> = "source",
        /// The member of the workspace, if it was one.
        workspace_member_id: Option<String> = "workspaceMemberId",
        /// The name that Twenty shows: the member's, the API key's, the workflow's.
        name: Option<String> = "name",
        /// What else Twenty knows, by source.
        context: Option<RawJson> = "context",
        /// The user's id, which only the documented form of an event has, and has in place of all the rest.
        user_id: Option<String> = "userId",
    }
}

/// How a record was made or changed. Twenty may add to it, so what is not known is kept as [`ActorSource::Other`].
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ActorSource {
    /// By hand.
    Manual,
    /// Through the API: one's own writes are among these.
    Api,
    /// By an import.
    Import,
    /// Out of an email.
    Email,
    /// Out of a calendar.
    Calendar,
    /// By a workflow.
    Workflow,
    /// By Twenty itself.
    System,
    /// By a webhook that Twenty received.
    Webhook,
    /// Anything else, as it was spelled.
    Other(String),
}

impl Value for ActorSource {
    fn read(json: &str, _: &Bytes) -> Option<Self> {
        Some(match &*string(json)? {
            "MANUAL" => Self::Manual,
            "API" => Self::Api,
            "IMPORT" => Self::Import,
            "EMAIL" => Self::Email,
            "CALENDAR" => Self::Calendar,
            "WORKFLOW" => Self::Workflow,
            "SYSTEM" => Self::System,
            "WEBHOOK" => Self::Webhook,
            other => Self::Other(other.to_owned()),
        })
    }
}
