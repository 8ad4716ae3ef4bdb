use super::object::record;
use crate::RawJson;

record! {
    /// A workflow.
    pub struct Workflow: "workflow" {
        /// The name.
        name: Option<String> = "name",
        /// The id of the [`WorkflowVersion`] that was published last.
        last_published_version_id: Option<String> = "lastPublishedVersionId",
        /// The id of the workflow in Twenty's core schema.
        core_workflow_id: Option<String> = "coreWorkflowId",
        /// The statuses of its versions, as `DRAFT` and `ACTIVE`.
        statuses: Vec<String> = "statuses",
    }
}

record! {
    /// A version of a workflow.
    pub struct WorkflowVersion: "workflowVersion" {
        /// The name.
        name: Option<String> = "name",
        /// The trigger.
        trigger: Option<RawJson> = "trigger",
        /// The steps.
        steps: Option<RawJson> = "steps",
        /// The status, as `ACTIVE`.
        status: Option<String> = "status",
        /// The id of the [`Workflow`].
        workflow_id: Option<String> = "workflowId",
        /// The id of the version in Twenty's core schema.
        core_workflow_version_id: Option<String> = "coreWorkflowVersionId",
    }
}

record! {
    /// A run of a workflow. Twenty 2.40 and later send `workflowRun.updated` only to webhooks that subscribe to exactly this name.
    pub struct WorkflowRun: "workflowRun" {
        /// The name.
        name: Option<String> = "name",
        /// When it was queued.
        enqueued_at: Option<jiff::Timestamp> = "enqueuedAt",
        /// When it began.
        started_at: Option<jiff::Timestamp> = "startedAt",
        /// When it ended.
        ended_at: Option<jiff::Timestamp> = "endedAt",
        /// The status, as `RUNNING`.
        status: Option<String> = "status",
        /// The results of the steps.
        state: Option<RawJson> = "state",
        /// The logs of the steps.
        step_logs: Option<RawJson> = "stepLogs",
        /// The id of the [`Workflow`].
        workflow_id: Option<String> = "workflowId",
        /// The id of the [`WorkflowVersion`].
        workflow_version_id: Option<String> = "workflowVersionId",
        /// The id of the workflow in Twenty's core schema.
        core_workflow_id: Option<String> = "coreWorkflowId",
        /// The id of the version in Twenty's core schema.
        core_workflow_version_id: Option<String> = "coreWorkflowVersionId",
    }
}

record! {
    /// An automatic trigger of a workflow.
    pub struct WorkflowAutomatedTrigger: "workflowAutomatedTrigger" {
        /// The kind of trigger: the field `type`, as `DATABASE_EVENT`.
        kind: Option<String> = "type",
        /// The trigger's settings.
        settings: Option<RawJson> = "settings",
        /// The id of the [`Workflow`].
        workflow_id: Option<String> = "workflowId",
    }
}
