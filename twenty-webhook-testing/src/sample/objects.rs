use std::collections::BTreeMap;
use std::sync::LazyLock;

/// An object of the data model.
#[derive(Clone, Debug)]
pub(crate) struct Object {
    pub(crate) singular: String,
    #[cfg_attr(not(feature = "fake-twenty"), expect(dead_code, reason = "only the API has plural names"))]
    pub(crate) plural: String,
    /// Without the fields that every record has.
    pub(crate) fields: Vec<(String, Kind)>,
    /// Whether its records have `createdBy`, `updatedBy`, `position` and `searchVector`.
    pub(crate) has_common_fields: bool,
    #[cfg_attr(not(feature = "fake-twenty"), expect(dead_code, reason = "only the metadata API has it"))]
    pub(crate) is_custom: bool,
}

/// The type of a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Text,
    Number,
    Boolean,
    DateTime,
    Texts,
    Json,
    Relation,
    FullName,
    Emails,
    Phones,
    Links,
    Address,
    Currency,
    Files,
    RichText,
}

impl Kind {
    const NAMES: [(&str, Self); 14] = [
        ("number", Self::Number),
        ("boolean", Self::Boolean),
        ("date", Self::DateTime),
        ("texts", Self::Texts),
        ("json", Self::Json),
        ("relation", Self::Relation),
        ("fullname", Self::FullName),
        ("emails", Self::Emails),
        ("phones", Self::Phones),
        ("links", Self::Links),
        ("address", Self::Address),
        ("currency", Self::Currency),
        ("files", Self::Files),
        ("richtext", Self::RichText),
    ];

    /// The type's name in the metadata API.
    #[cfg_attr(not(feature = "fake-twenty"), expect(dead_code, reason = "only the metadata API has types"))]
    pub(crate) fn as_metadata(self) -> &'static str {
        match self {
            Self::Text => "TEXT",
            Self::Number => "NUMBER",
            Self::Boolean => "BOOLEAN",
            Self::DateTime => "DATE_TIME",
            Self::Texts => "ARRAY",
            Self::Json => "RAW_JSON",
            Self::Relation => "RELATION",
            Self::FullName => "FULL_NAME",
            Self::Emails => "EMAILS",
            Self::Phones => "PHONES",
            Self::Links => "LINKS",
            Self::Address => "ADDRESS",
            Self::Currency => "CURRENCY",
            Self::Files => "FILES",
            Self::RichText => "RICH_TEXT",
        }
    }
}

/// The standard objects of Twenty 2.43: singular name, plural name, fields. A field without a type is text.
const STANDARD: &[(&str, &str, &str)] = &[
    (
        "company",
        "companies",
        "name domainName:links address:address linkedinLink:links annualRevenue:currency accountOwnerId:relation employees:number",
    ),
    (
        "person",
        "people",
        "name:fullname emails:emails phones:phones linkedinLink:links jobTitle avatarUrl avatarFile:files companyId:relation city",
    ),
    (
        "opportunity",
        "opportunities",
        "name amount:currency closeDate:date stage pointOfContactId:relation companyId:relation ownerId:relation",
    ),
    ("task", "tasks", "title bodyV2:richtext dueAt:date status assigneeId:relation"),
    ("note", "notes", "title bodyV2:richtext"),
    (
        "workspaceMember",
        "workspaceMembers",
        "name:fullname userEmail userId:relation locale timeZone colorScheme avatarUrl dateFormat timeFormat jobTitle calendarStartDay:number numberFormat uiScale openRecordIn",
    ),
    (
        "noteTarget",
        "noteTargets",
        "noteId:relation targetPersonId:relation targetCompanyId:relation targetOpportunityId:relation",
    ),
    (
        "taskTarget",
        "taskTargets",
        "taskId:relation targetPersonId:relation targetCompanyId:relation targetOpportunityId:relation",
    ),
    (
        "attachment",
        "attachments",
        "name file:files fullPath fileCategory targetTaskId:relation targetNoteId:relation targetPersonId:relation targetCompanyId:relation targetOpportunityId:relation targetDashboardId:relation targetWorkflowId:relation targetAgentChatThreadId:relation",
    ),
    (
        "calendarEvent",
        "calendarEvents",
        "title isCanceled:boolean isFullDay:boolean startsAt:date endsAt:date externalCreatedAt:date externalUpdatedAt:date description location iCalUid conferenceSolution conferenceLink:links",
    ),
    (
        "calendarEventParticipant",
        "calendarEventParticipants",
        "handle displayName isOrganizer:boolean responseStatus calendarEventId:relation personId:relation workspaceMemberId:relation",
    ),
    (
        "calendarEventTarget",
        "calendarEventTargets",
        "calendarEventId:relation isAutomaticallyAssigned:boolean isManuallyAssigned:boolean targetPersonId:relation targetCompanyId:relation targetOpportunityId:relation",
    ),
    (
        "messageThreadTarget",
        "messageThreadTargets",
        "messageThreadId:relation isAutomaticallyAssigned:boolean isManuallyAssigned:boolean targetPersonId:relation targetCompanyId:relation targetOpportunityId:relation",
    ),
    (
        "calendarChannelEventAssociation",
        "calendarChannelEventAssociations",
        "calendarChannelId:relation calendarEventId:relation eventExternalId recurringEventExternalId",
    ),
    (
        "callRecording",
        "callRecordings",
        "title status recordingRequestStatus applicationId:relation externalBotId externalRecordingId startedAt:date endedAt:date video:files audio:files transcript:json summary:richtext calendarEventId:relation",
    ),
    (
        "message",
        "messages",
        "headerMessageId subject text receivedAt:date isDraft:boolean messageThreadId:relation messageCampaignId:relation",
    ),
    ("messageThread", "messageThreads", "subject"),
    (
        "messageParticipant",
        "messageParticipants",
        "role handle displayName messageId:relation personId:relation workspaceMemberId:relation messageCampaignId:relation",
    ),
    (
        "messageChannelMessageAssociation",
        "messageChannelMessageAssociations",
        "messageChannelId:relation messageId:relation messageExternalId messageThreadId:relation messageThreadExternalId direction",
    ),
    (
        "messageCampaign",
        "messageCampaigns",
        "name subject bodyTemplate fromAddress status scheduledAt:date sentAt:date sentCount:number deliveredCount:number failedCount:number bouncedCount:number complainedCount:number skippedCount:number unsubscribeTopicId:relation listId:relation",
    ),
    ("messageList", "messageLists", "name description"),
    ("messageListMember", "messageListMembers", "personId:relation listId:relation"),
    (
        "messageSuppression",
        "messageSuppressions",
        "emailAddress reason source providerEventId unsubscribeTopicId:relation",
    ),
    (
        "campaignDelivery",
        "campaignDeliveries",
        "campaignId:relation personId:relation recipientEmail state skipReason failureReason providerMessageId sentAt:date deliveredAt:date bouncedAt:date complainedAt:date rejectedAt:date",
    ),
    ("workflow", "workflows", "name lastPublishedVersionId:relation coreWorkflowId:relation statuses:texts"),
    (
        "workflowVersion",
        "workflowVersions",
        "name trigger:json steps:json status workflowId:relation coreWorkflowVersionId:relation",
    ),
    (
        "workflowRun",
        "workflowRuns",
        "name enqueuedAt:date startedAt:date endedAt:date status state:json stepLogs:json workflowId:relation workflowVersionId:relation coreWorkflowId:relation coreWorkflowVersionId:relation",
    ),
    ("workflowAutomatedTrigger", "workflowAutomatedTriggers", "type settings:json workflowId:relation"),
    ("dashboard", "dashboards", "title pageLayoutId:relation"),
    ("blocklist", "blocklists", "handle scope workspaceMemberId:relation"),
];

/// Objects whose records have no `createdBy`, `updatedBy`, `position` and `searchVector`.
const WITHOUT_COMMON_FIELDS: [&str; 2] = ["messageSuppression", "campaignDelivery"];

/// The standard objects by singular name.
pub(crate) static OBJECTS: LazyLock<BTreeMap<&str, Object>> = LazyLock::new(|| {
    STANDARD.iter().map(|(singular, plural, fields)| (*singular, Object::standard(singular, plural, fields))).collect()
});

/// The singular names of Twenty's standard objects that send events, for example `person`, in alphabetical order.
pub fn standard_objects() -> impl Iterator<Item = &'static str> {
    OBJECTS.keys().copied()
}

impl Object {
    fn standard(singular: &str, plural: &str, fields: &str) -> Self {
        let field = |field: &str| {
            let (name, kind) = field.split_once(':').unwrap_or((field, ""));
            let kind = Kind::NAMES.iter().find(|(text, _)| *text == kind).map_or(Kind::Text, |(_, kind)| *kind);
            (name.to_owned(), kind)
        };
        Self {
            singular: singular.to_owned(),
            plural: plural.to_owned(),
            fields: fields.split(' ').map(field).collect(),
            has_common_fields: !WITHOUT_COMMON_FIELDS.contains(&singular),
            is_custom: false,
        }
    }

    /// A custom object. Its only own field is `name`.
    pub(crate) fn custom(singular: &str, plural: &str) -> Self {
        Self { is_custom: true, ..Self::standard(singular, plural, "name") }
    }

    /// The standard object with this name, or a custom one.
    pub(crate) fn named(singular: &str) -> Self {
        OBJECTS.get(singular).cloned().unwrap_or_else(|| Self::custom(singular, &format!("{singular}s")))
    }
}
