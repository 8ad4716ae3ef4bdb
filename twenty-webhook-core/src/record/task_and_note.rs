use super::object::record;
use crate::RichText;

record! {
    /// A task. See [`Person`](crate::Person) for what all records have in common.
    pub struct Task {
        /// The title.
        title: Option<String> = "title",
        /// The text.
        body_v2: Option<RichText> = "bodyV2",
        /// When it is due.
        due_at: Option<jiff::Timestamp> = "dueAt",
        /// The status, as `TODO`. Text, because each workspace may have its own.
        status: Option<String> = "status",
        /// The id of the [`WorkspaceMember`](crate::WorkspaceMember) who is to do it.
        assignee_id: Option<String> = "assigneeId",
    }
}

record! {
    /// A note. See [`Person`](crate::Person) for what all records have in common.
    pub struct Note {
        /// The title.
        title: Option<String> = "title",
        /// The text.
        body_v2: Option<RichText> = "bodyV2",
    }
}
