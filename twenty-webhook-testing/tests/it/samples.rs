//! Samples of every object, form and version.

use serde_json::json;
use twenty_webhook_core::records::{self, Company, Opportunity, Person};
use twenty_webhook_core::{Action, Payload, UnixMillis};
use twenty_webhook_testing::{EventBuilder, Form, SampleError, Version, event};

const OBJECTS: &str = "company person opportunity task note workspaceMember noteTarget taskTarget attachment calendarEvent \
    calendarEventParticipant calendarEventTarget messageThreadTarget calendarChannelEventAssociation callRecording message \
    messageThread messageParticipant messageChannelMessageAssociation messageCampaign messageList messageListMember \
    messageSuppression campaignDelivery workflow workflowVersion workflowRun workflowAutomatedTrigger dashboard blocklist rocket";

const VERSIONS: [Version; 4] = [Version::V0_42, Version::V1_8, Version::V2_21, Version::V2_43];

#[test]
fn a_sample_of_every_object_action_and_version_is_an_event() {
    for object in OBJECTS.split_whitespace() {
        for action in ["created", "updated", "deleted", "restored", "destroyed"] {
            for version in VERSIONS {
                let name = format!("{object}.{action}");
                let event = event(&name).version(version).stored();
                // Twenty 1.8 sends `deleted` for a restore.
                let sent = if version == Version::V1_8 { name.replace("restored", "deleted") } else { name };
                assert_eq!((event.name().as_str(), event.object()), (sent.as_str(), object));
                assert_eq!(event.updated_fields().is_some(), version.lists_fields(action), "{sent} {version:?}");
            }
        }
    }
}

/// Each field of a sample is a field of the record, with a valid value.
#[test]
fn every_sample_fits_its_record() {
    macro_rules! check {
        ($($record:ident)+) => {$(
            let name = format!("{}.created", records::$record::OBJECT);
            for version in VERSIONS {
                let record: records::$record = event(&name).version(version).stored().record().unwrap();
                let extra: Vec<_> = record.extra.iter().map(|(name, _)| name).collect();
                assert_eq!(extra, [""; 0], "{name} {version:?}");
                assert!(record.id.is_some() && record.updated_at.is_some(), "{name}");
            }
        )+};
    }
    check!(
        Company Person Opportunity Task Note WorkspaceMember NoteTarget TaskTarget Attachment CalendarEvent
        CalendarEventParticipant CalendarEventTarget MessageThreadTarget CalendarChannelEventAssociation CallRecording Message
        MessageThread MessageParticipant MessageChannelMessageAssociation MessageCampaign MessageList MessageListMember
        MessageSuppression CampaignDelivery Workflow WorkflowVersion WorkflowRun WorkflowAutomatedTrigger Dashboard Blocklist
    );
}

#[test]
fn a_built_record_sets_the_fields_of_the_sample() {
    let person = Person::build(|person| person.city = Some("Nantes".to_owned()));
    let event = event("person.updated").record(person).stored();
    assert_eq!(event.updated_fields().unwrap(), ["city"]);
    assert_eq!(event.record::<Person>().unwrap().city.as_deref(), Some("Nantes"));
}

trait ListsFields {
    fn lists_fields(self, action: &str) -> bool;
}

impl ListsFields for Version {
    fn lists_fields(self, action: &str) -> bool {
        action == "updated" || matches!(action, "deleted" | "restored") && self >= Self::V2_21
    }
}

#[test]
fn every_form_is_parsed_as_that_form() {
    for form in Form::ALL {
        let name = if form.is_metadata() { "metadata.fieldMetadata.updated" } else { "company.updated" };
        let event = event(name).form(form).stored();
        assert_eq!(event.name(), name);
        match (form, event.payload()) {
            (Form::Metadata | Form::EarlyMetadata, Payload::Metadata(change)) => assert!(change.record_id.is_some()),
            (Form::Batch, Payload::Batch { items, .. }) => assert_eq!(items.len(), 2),
            (Form::Record | Form::Documented | Form::August2024 | Form::January2024, Payload::Record { .. }) => {}
            (form, payload) => panic!("{form}: {payload:?}"),
        }
        assert_eq!(form.as_str().parse(), Ok(form));
    }
    assert_eq!(event("company.created").form(Form::August2024).stored().name_as_sent(), "company.create");
    assert_eq!(event("company.created").form(Form::January2024).stored().name_as_sent(), "create.company");
}

#[test]
fn given_fields_are_listed_as_changed_and_other_fields_are_made_up() {
    let event = event("opportunity.updated").record(json!({ "stage": "WON", "rocketId": "7" })).stored();
    assert_eq!(event.updated_fields().unwrap(), ["rocketId", "stage"]);
    let deal: Opportunity = event.record().unwrap();
    assert_eq!(deal.stage.as_deref(), Some("WON"));
    assert!(deal.id.is_some() && deal.name.is_some() && deal.amount.is_some() && deal.company_id.is_some());
    assert!(deal.created_at < deal.updated_at && deal.updated_at < event.event_date());
}

#[test]
fn the_same_seed_gives_the_same_bytes_and_another_one_another_record() {
    let (one, two) = (event("person.created").build(), event("person.created").build());
    assert_eq!(one, two);
    let other = event("person.created").seed(1).stored();
    let one = event("person.created").stored();
    assert_ne!(one.record_id(), other.record_id());
    assert_eq!(one.record_id(), event("person.updated").stored().record_id());
    assert_eq!(one.workspace_id(), other.workspace_id());
    let at = UnixMillis::from_millis(1_735_066_639_761);
    assert_eq!(event("person.created").at(at).stored().event_date_text(), Some("2024-12-24T18:57:19.761Z"));
}

#[test]
fn a_batch_has_the_given_items() {
    let event = event("opportunity.updated")
        .item(json!({ "id": "1" }), ["stage"])
        .item(json!({ "id": "2" }), ["amount", "name"])
        .stored();
    let Payload::Batch { items, .. } = event.payload() else { panic!("{event:?}") };
    assert_eq!(items[0].updated_fields.as_deref().unwrap(), ["stage"]);
    assert_eq!(items[1].updated_fields.as_deref().unwrap(), ["amount", "name"]);
    let deals: Vec<Opportunity> = event.records().collect::<Result<_, _>>().unwrap();
    assert_eq!([deals[0].id.as_deref(), deals[1].id.as_deref()], [Some("1"), Some("2")]);
}

#[test]
fn versions_differ_in_the_record() {
    let body = |name, version| String::from_utf8(event(name).version(version).build().to_vec()).unwrap();
    assert!(body("opportunity.updated", Version::V2_43).contains(r#""updatedBy":{"#));
    assert!(!body("opportunity.updated", Version::V1_8).contains("updatedBy"));
    assert!(body("person.updated", Version::V1_8).contains(r#""additionalEmails":null"#));
    assert!(body("person.updated", Version::V2_21).contains(r#""additionalEmails":[]"#));
    assert!(body("company.created", Version::V0_42).contains(r#""addressLat":"47.2184""#));
    assert!(body("note.created", Version::V0_42).contains(r#""body":"Call back"#));
    assert!(body("note.deleted", Version::V0_42).contains(r#""record":null"#));
    assert_eq!(event("note.deleted").version(Version::V0_42).stored().record_id(), None);
    let cut = event("company.deleted").version(Version::V1_8).stored();
    assert!(cut.record_id().is_some() && cut.record::<Company>().unwrap().name.is_none());
}

#[test]
fn any_member_of_the_body_can_be_set_or_removed() {
    let event = event("person.created").member("apiKeyId", "key-1").member("userId", json!(null)).stored();
    assert_eq!((event.api_key_id(), event.user_id()), (Some("key-1"), None));
    assert!(event.workspace_member_id().is_some());
}

#[test]
fn the_documented_person_is_a_person() {
    let event = event("person.created").form(Form::Documented).record(json!({ "firstName": "Ada" })).stored();
    let person: Person = event.record().unwrap();
    assert_eq!(person.name.unwrap().to_string(), "Ada Doe");
    assert_eq!(event.action(), &Action::Created);
}

#[test]
fn an_invalid_name_or_form_is_an_error() {
    for name in ["person", "metadata.created", "", ".", "person.", "a b.created", "person.created.twice"] {
        assert!(matches!(EventBuilder::parse(name), Err(SampleError::Name { .. })), "{name}");
    }
    let form = |name: &str, form| event(name).form(form).try_build().unwrap_err().to_string();
    assert!(form("person.created", Form::Metadata).contains("changes of the data model"));
    assert!(form("metadata.view.created", Form::Batch).contains("`metadata` and `early-metadata`"));
    assert!(form("person.upserted", Form::August2024).contains("in 2024"));
}
