//! Every object of Twenty 2.43 with all its fields, under Twenty's names.

use std::fmt::Debug;

use serde::Serialize;
use serde_json::{Map, Value, json};
use twenty_webhook_core::records::{
    Attachment, Blocklist, CalendarChannelEventAssociation, CalendarEvent, CalendarEventParticipant,
    CalendarEventTarget, CallRecording, CampaignDelivery, Company, Dashboard, Message, MessageCampaign,
    MessageChannelMessageAssociation, MessageList, MessageListMember, MessageParticipant, MessageSuppression,
    MessageThread, MessageThreadTarget, Note, NoteTarget, Opportunity, Person, Record, Task, TaskTarget, Workflow,
    WorkflowAutomatedTrigger, WorkflowRun, WorkflowVersion, WorkspaceMember,
};
use twenty_webhook_core::{Extra, WebhookEvent};

/// A colon precedes the type of a field; the default is text. A `-` marks objects without author and position.
const OBJECTS: &str = "
company name domainName:links address:address linkedinLink:links annualRevenue:currency accountOwnerId employees:number xLink:links annualRecurringRevenue:currency idealCustomerProfile:bool
person name:name emails:emails phones:phones linkedinLink:links jobTitle avatarUrl avatarFile:files companyId xLink:links city
opportunity name amount:currency closeDate:date stage pointOfContactId companyId ownerId probability:number
task title bodyV2:text dueAt:date status assigneeId body
note title bodyV2:text body
workspaceMember name:name userEmail userId locale timeZone colorScheme avatarUrl dateFormat timeFormat jobTitle calendarStartDay:number numberFormat uiScale:json openRecordIn
noteTarget noteId targetPersonId targetCompanyId targetOpportunityId
taskTarget taskId targetPersonId targetCompanyId targetOpportunityId
attachment name file:files fullPath fileCategory targetTaskId targetNoteId targetPersonId targetCompanyId targetOpportunityId targetDashboardId targetWorkflowId targetAgentChatThreadId
calendarEvent title isCanceled:bool isFullDay:bool startsAt:date endsAt:date externalCreatedAt:date externalUpdatedAt:date description location iCalUid conferenceSolution conferenceLink:links
calendarEventParticipant handle displayName isOrganizer:bool responseStatus calendarEventId personId workspaceMemberId
calendarEventTarget calendarEventId isAutomaticallyAssigned:bool isManuallyAssigned:bool targetPersonId targetCompanyId targetOpportunityId
messageThreadTarget messageThreadId isAutomaticallyAssigned:bool isManuallyAssigned:bool targetPersonId targetCompanyId targetOpportunityId
calendarChannelEventAssociation calendarChannelId calendarEventId eventExternalId recurringEventExternalId
callRecording title status recordingRequestStatus applicationId externalBotId externalRecordingId startedAt:date endedAt:date video:files audio:files transcript:json summary:text calendarEventId
message headerMessageId subject text receivedAt:date isDraft:bool messageThreadId messageCampaignId
messageThread subject
messageParticipant role handle displayName messageId personId workspaceMemberId messageCampaignId
messageChannelMessageAssociation messageChannelId messageId messageExternalId messageThreadId messageThreadExternalId direction
messageCampaign name subject bodyTemplate fromAddress status scheduledAt:date sentAt:date sentCount:number deliveredCount:number failedCount:number bouncedCount:number complainedCount:number skippedCount:number unsubscribeTopicId listId
messageList name description
messageListMember personId listId
-messageSuppression emailAddress reason source providerEventId unsubscribeTopicId
-campaignDelivery campaignId personId recipientEmail state skipReason failureReason providerMessageId sentAt:date deliveredAt:date bouncedAt:date complainedAt:date rejectedAt:date
workflow name lastPublishedVersionId coreWorkflowId statuses:texts
workflowVersion name trigger:json steps:json status workflowId coreWorkflowVersionId
workflowRun name enqueuedAt:date startedAt:date endedAt:date status state:json stepLogs:json workflowId workflowVersionId coreWorkflowId coreWorkflowVersionId
workflowAutomatedTrigger type settings:json workflowId
dashboard title pageLayoutId
blocklist handle scope workspaceMemberId
";

fn value(kind: &str, field: &str) -> Value {
    match kind {
        "" => json!(format!("a {field}")),
        "number" => json!(42),
        "bool" => json!(true),
        "date" => json!("2026-09-14T08:21:37.412Z"),
        "json" => json!({"deep": [[1], {"a": null}]}),
        "texts" => json!(["DRAFT", "ACTIVE"]),
        "name" => json!({"firstName": "Inès", "lastName": "Moreau"}),
        "emails" => json!({"primaryEmail": "a@b.example", "additionalEmails": ["c@d.example"]}),
        "phones" => json!({
            "primaryPhoneNumber": "612345678", "primaryPhoneCountryCode": "FR", "primaryPhoneCallingCode": "+33",
            "additionalPhones": [{"number": "2025550123", "countryCode": "US", "callingCode": "+1"}],
        }),
        "links" => json!({
            "primaryLinkLabel": "a", "primaryLinkUrl": "https://a.example",
            "secondaryLinks": [{"label": "b", "url": "https://b.example"}],
        }),
        "files" => json!([{"fileId": "f", "label": "a.png", "extension": "png", "url": "https://a.example"}]),
        "currency" => json!({"amountMicros": 1_500_000, "currencyCode": "EUR"}),
        "address" => json!({
            "addressStreet1": "1", "addressStreet2": "2", "addressStreet3": "3", "addressCity": "Köln",
            "addressPostcode": "50667", "addressState": "NRW", "addressCountry": "Germany", "addressLat": 50.938_361,
            "addressLng": 6.959_974,
        }),
        "text" => json!({"blocknote": "[]", "markdown": "a"}),
        "actor" => json!({"source": "AGENT", "workspaceMemberId": "m", "name": "n", "context": {"a": 1}}),
        _ => panic!("{kind}"),
    }
}

#[test]
fn every_field_of_every_object_is_typed() {
    let mut objects = 0;
    for line in OBJECTS.lines().filter(|line| !line.is_empty()) {
        let (object, fields) = line.split_once(' ').unwrap();
        let common = "id createdAt:date updatedAt:date deletedAt:date";
        let authored = "createdBy:actor updatedBy:actor position:number searchVector";
        let (object, more) = object.strip_prefix('-').map_or((object, authored), |object| (object, ""));
        let fields = [common, more, fields].map(str::split_ascii_whitespace).into_iter().flatten();
        let record: Map<_, _> = fields
            .map(|field| {
                let (name, kind) = field.split_once(':').unwrap_or((field, ""));
                (name.to_owned(), value(kind, name))
            })
            .collect();
        check(object, &Value::Object(record));
        objects += 1;
    }
    assert_eq!(objects, 30);
}

fn check(object: &str, record: &Value) {
    let event =
        WebhookEvent::from_stored(json!({"eventName": format!("{object}.created"), "record": record}).to_string())
            .unwrap();
    let mut checked = 0;
    macro_rules! check_as {
        ($($type:ident)*) => {$(
            checked += usize::from(check_type::<$type>(&event, record, |record| &record.extra, |record| record.id.as_deref()));
        )*};
    }
    check_as! {
        Attachment Blocklist CalendarChannelEventAssociation CalendarEvent CalendarEventParticipant CalendarEventTarget CallRecording
        CampaignDelivery Company Dashboard Message MessageCampaign MessageChannelMessageAssociation MessageList MessageListMember
        MessageParticipant MessageSuppression MessageThread MessageThreadTarget Note NoteTarget Opportunity Person Task TaskTarget
        Workflow WorkflowAutomatedTrigger WorkflowRun WorkflowVersion WorkspaceMember
    }
    assert_eq!(checked, 1, "{object}");
}

fn check_type<T: Record + Serialize + PartialEq + Default + Debug>(
    event: &WebhookEvent,
    record: &Value,
    extra: impl Fn(&T) -> &Extra,
    id: impl Fn(&T) -> Option<&str>,
) -> bool {
    let Some(typed) = event.record_of::<T>().unwrap() else { return false };
    assert_eq!(id(&typed), Some("a id"));
    // `Debug` prints no value.
    assert!(extra(&typed).is_empty(), "{typed:?}");
    assert!(!format!("{typed:?}").contains("Moreau"));
    let is_same = |written: &Value| {
        let number = |value: &Value| value.as_f64().map_or_else(|| value.clone(), Value::from);
        let members = |value: &Value| -> Vec<_> {
            value.as_object().unwrap().iter().map(|(name, value)| (name.clone(), number(value))).collect()
        };
        members(written) == members(record)
    };
    let written = serde_json::to_value(&typed).unwrap();
    assert!(is_same(&written), "{written} {record}");
    assert_eq!(serde_json::from_value::<T>(written).unwrap(), typed);
    true
}
