use super::object::record;
use super::{File, RichText};

record! {
    /// A task.
    pub struct Task: "task" {
        /// The title.
        title: Option<String> = "title",
        /// The text.
        body_v2: Option<RichText> = "bodyV2",
        /// When it is due.
        due_at: Option<jiff::Timestamp> = "dueAt",
        /// The status, as `TODO`. Text, because each workspace may have its own.
        status: Option<String> = "status",
        /// The id of the [`WorkspaceMember`](super::WorkspaceMember) that it is assigned to.
        assignee_id: Option<String> = "assigneeId",
        /// The text. Before `bodyV2`, as in Twenty 0.42.
        body: Option<String> = "body",
    }
}

record! {
    /// A note.
    pub struct Note: "note" {
        /// The title.
        title: Option<String> = "title",
        /// The text.
        body_v2: Option<RichText> = "bodyV2",
        /// The text. Before `bodyV2`, as in Twenty 0.42.
        body: Option<String> = "body",
    }
}

record! {
    /// Links a task to a record. The id of a custom object's record is in `extra`, as `target<Object>Id`.
    pub struct TaskTarget: "taskTarget" {
        /// The id of the [`Task`].
        task_id: Option<String> = "taskId",
        /// The id of the [`Person`](super::Person), if it is one.
        target_person_id: Option<String> = "targetPersonId",
        /// The id of the [`Company`](super::Company), if it is one.
        target_company_id: Option<String> = "targetCompanyId",
        /// The id of the [`Opportunity`](super::Opportunity), if it is one.
        target_opportunity_id: Option<String> = "targetOpportunityId",
    }
}

record! {
    /// Links a note to a record. The id of a custom object's record is in `extra`, as `target<Object>Id`.
    pub struct NoteTarget: "noteTarget" {
        /// The id of the [`Note`].
        note_id: Option<String> = "noteId",
        /// The id of the [`Person`](super::Person), if it is one.
        target_person_id: Option<String> = "targetPersonId",
        /// The id of the [`Company`](super::Company), if it is one.
        target_company_id: Option<String> = "targetCompanyId",
        /// The id of the [`Opportunity`](super::Opportunity), if it is one.
        target_opportunity_id: Option<String> = "targetOpportunityId",
    }
}

record! {
    /// A file attached to a record.
    pub struct Attachment: "attachment" {
        /// The name.
        name: Option<String> = "name",
        /// The file.
        file: Vec<File> = "file",
        /// The path in Twenty's storage.
        full_path: Option<String> = "fullPath",
        /// What kind of file it is, as `IMAGE`.
        file_category: Option<String> = "fileCategory",
        /// The id of the [`Task`], if it is attached to one.
        target_task_id: Option<String> = "targetTaskId",
        /// The id of the [`Note`], if it is attached to one.
        target_note_id: Option<String> = "targetNoteId",
        /// The id of the [`Person`](super::Person), if it is attached to one.
        target_person_id: Option<String> = "targetPersonId",
        /// The id of the [`Company`](super::Company), if it is attached to one.
        target_company_id: Option<String> = "targetCompanyId",
        /// The id of the [`Opportunity`](super::Opportunity), if it is attached to one.
        target_opportunity_id: Option<String> = "targetOpportunityId",
        /// The id of the [`Dashboard`](super::Dashboard), if it is attached to one.
        target_dashboard_id: Option<String> = "targetDashboardId",
        /// The id of the [`Workflow`](super::Workflow), if it is attached to one.
        target_workflow_id: Option<String> = "targetWorkflowId",
        /// The id of the thread of an agent's chat, if it is attached to one.
        target_agent_chat_thread_id: Option<String> = "targetAgentChatThreadId",
    }
}
