//! Every body in the workspace's `tests/vectors`, verified and read as an event.

use std::fmt::{Debug, Write};

use serde::de::DeserializeOwned;
use serde_json::Value;
use twenty_webhook_core::records::{Company, Note, Opportunity, Person, Task, WorkspaceMember};
use twenty_webhook_core::{Action, EventName, Payload, RecordError, WebhookEvent};

use crate::vectors::{Real, Vector, event, vectors};

/// What the accessors return for each body: number, name, form, beginning of the record's id, date, and updated fields.
const TABLE: &str = "\
01 person.created record 6b1f20a4 2026-09-14T08:21:37.412Z []
02 person.updated record 6b1f20a4 2026-09-14T09:02:12.004Z [emails companyId updatedBy]
03 company.updated record 2c90aa17 2026-09-14T09:03:50.193Z [employees address]
04 company.created record 3ab1ce44 2026-09-14T09:01:02.345Z []
05 opportunity.deleted record 51d3e8f0 2026-09-14T09:30:00.398Z [deletedAt]
05b opportunity.deleted record 51d3e8f0 2026-03-02T09:30:00.398Z []
06 opportunity.updated record 51d3e8f0 2026-09-14T10:12:44.871Z [stage amount updatedBy]
06b opportunity.updated record 51d3e8f0 2026-09-14T10:14:03.02Z [amount]
06c opportunity.updated record 51d3e8f0 2026-09-14T10:15:59.666Z [stage amount]
07 opportunity.destroyed record 51d3e8f0 2026-09-14T10:20:00.007Z []
08 task.created record 0f4c77be 2026-09-14T11:30:09.702Z []
09 person.restored record 6b1f20a4 2026-09-14T10:31:15.5Z [deletedAt]
10 note.created record 9d4e12c7 2026-09-14T11:02:41.09Z []
11 workspaceMember.updated record 7a9e2d60 2026-09-14T11:40:00.25Z [colorScheme]
12 rocket.created record ab54a980 2026-09-14T12:00:00.001Z []
12b person.created record 6b1f20a4 2025-11-20T08:00:00Z []
12c person.created record - - []
12d person.destroyed record - 2026-09-14T12:10:10.101Z []
13 person.updated batch of 2 - 2025-10-14T16:20:31.005Z []
14 metadata.objectMetadata.updated metadata f49b0d27 2026-09-14T13:00:00.417Z [labelSingular labelPlural]
15 metadata.fieldMetadata.created metadata 0c7d51e3 2026-09-14T13:10:00.417Z []
15b metadata.webhook.updated metadata 91e3a5c7 2026-09-14T13:20:00.002Z [operations]
16 metadata.view.deleted metadata 2f8d03b6 2026-01-20T07:45:12.9Z []
17 company.created record 000000b1 2024-08-23T17:39:11.702Z []
18 person.created record 000000c2 2024-01-18T10:05:33.12Z []
18b opportunity.updated record 51d3e8f0 2024-10-02T06:00:00.111222Z [closeDate]
19 person.created record abc12345 2025-02-10T15:30:50Z []
19b person.created record abc12345 2025-02-10T15:30:50Z []
19c person.updated record abc12345 2025-02-10T15:30:50Z []
20 person.upserted record 6b1f20a4 2026-09-14T14:00:00.7Z [jobTitle]
21 person.archived record 6b1f20a4 2026-09-14T14:05:00.1Z []
22 note.created record n1 2026-09-14T08:21:37.412Z []
23 person.updated record 6b1f20a4 2026-09-14T14:10:00.003Z [shoeSize]
24 person.updated record 6b1f20a4 2026-09-14T14:20:00.004Z [mindMap]
25 person.updated record 6b1f20a4 2026-09-14T14:30:00.005Z [name größe]
26 opportunity.created record 51d3e8f0 2026-09-14T14:40:00.006Z []
";

#[test]
fn every_body_of_every_form() {
    let mut table = String::new();
    for Vector { body, event: name, .. } in vectors() {
        let event = event(&body);
        assert_eq!(event.name(), name.as_str());
        assert_eq!(name, format!("{}.{}", event.object(), event.action()), "{body}");
        let form = match event.payload() {
            Payload::Record { .. } => "record".to_owned(),
            Payload::Batch { items, .. } => format!("batch of {}", items.len()),
            Payload::Metadata(_) => "metadata".to_owned(),
            _ => unreachable!(),
        };
        let id = event.record_id().map_or("-", |id| id.split('-').next().unwrap());
        let date = event.event_date().map_or("-".to_owned(), |date| date.to_string());
        let (number, _) = body.split_once('-').unwrap();
        let updated = event.updated_fields().unwrap_or_default().join(" ");
        writeln!(table, "{number} {name} {form} {id} {date} [{updated}]").unwrap();
    }
    let mut lines: Vec<_> = table.lines().collect();
    lines.sort_unstable();
    let mut expected: Vec<_> = TABLE.lines().collect();
    expected.sort_unstable();
    assert_eq!(lines, expected);
}

#[test]
fn an_event_read_from_storage_is_equal_but_is_no_proof() {
    for Vector { body, .. } in vectors() {
        let verified = event(&body);
        let stored = WebhookEvent::from_stored(verified.body().clone()).unwrap();
        assert!(verified.delivery().is_some() && stored.delivery().is_none());
        assert_eq!(verified.delivery_id(), stored.delivery_id());
        assert_eq!(format!("{verified:?}"), format!("{stored:?}"));
    }
}

#[test]
fn the_actor_of_a_write() {
    let by_user = event("01-person-created.json");
    assert_eq!(by_user.user_id(), Some("20c39b1d-7f44-4e0a-a6d2-58e1b3f7094c"));
    assert_eq!(by_user.workspace_member_id(), Some("7a9e2d60-1c83-4bf5-93da-0e6c4f81b725"));
    assert_eq!((by_user.api_key_id(), by_user.application_id()), (None, None));

    let by_key = event("26-opportunity-created-api-key.json");
    assert_eq!((by_key.user_id(), by_key.workspace_member_id()), (None, None));
    assert_eq!(by_key.api_key_id(), Some("8b16c0d4-27e9-4fa3-b5d8-09c4e7a1f362"));
    assert_eq!(by_key.application_id(), Some("c3f7a9e1-64b0-4d82-95ce-1f08d7b6a240"));
    assert_eq!(by_key.workspace_id(), Some("b1d6c7a2-0f3e-4a58-9c41-7e2b90d4f613"));
    assert_eq!(by_key.webhook_id(), Some("e4a0f7d3-62b9-4c15-8d7e-31f5a9c0b826"));
    assert_eq!(by_key.target_url(), Some("https://hooks.example.test/twenty/acme"));
    let object = by_key.object_metadata().unwrap();
    assert_eq!(object.id.as_deref(), Some("c85a1f39-6e02-4d7b-91ac-f7b3e0264d58"));
    assert_eq!(object.name_singular.as_deref(), Some("opportunity"));
}

#[test]
fn changed_fields() {
    assert!(event("06-opportunity-updated-stage.json").changed("stage"));
    assert!(!event("06b-opportunity-updated-amount-string.json").changed("stage"));
    assert!(!event("04-company-created.json").changed("name"), "Twenty lists none on created");
    assert!(event("13-batch-items-oct2025.json").changed("companyId"), "of any item");
    assert!(!event("13-batch-items-oct2025.json").changed("name"));
    assert!(event("15b-metadata-webhook-updated-secret.json").changed("operations"));
}

#[test]
fn names_as_sent() {
    for (body, name) in [
        ("18-legacy-2024-create-person.json", "create.person"),
        ("17-legacy-2024-company-create-pg_graphql.json", "company.create"),
        ("19-documented-person-created.json", "person.created"),
        ("16-metadata-early-view-deleted.json", "metadata.view.deleted"),
    ] {
        assert_eq!(event(body).name_as_sent(), name);
    }
}

#[test]
fn names_in_every_spelling() {
    for (member, spelling, object, action) in [
        ("eventName", "person.created", "person", Action::Created),
        ("eventName", "person.create", "person", Action::Created),
        ("eventName", "create.person", "person", Action::Created),
        ("eventType", "create.person", "person", Action::Created),
        ("eventType", "person.created", "person", Action::Created),
        ("event", "person.destroy", "person", Action::Destroyed),
        // Custom objects with the name of an action.
        ("eventName", "update.created", "update", Action::Created),
        ("eventName", "create.update", "create", Action::Updated),
        ("eventType", "create.update", "update", Action::Created),
        ("eventType", "delete.restored", "restored", Action::Deleted),
        ("eventName", "person.archived", "person", "archived".parse().unwrap()),
        ("eventName", "metadata.fieldMetadata.update", "metadata.fieldMetadata", Action::Updated),
        ("eventName", "metadata.created", "metadata", Action::Created),
        ("eventName", "metadata.x.y.created", "metadata.x.y", Action::Created),
        ("eventName", "ping", "ping", "".parse().unwrap()),
        ("eventName", ".", "", "".parse().unwrap()),
        ("eventName", "pers\\u006fn.created", "person", Action::Created),
    ] {
        let event = WebhookEvent::from_stored(format!(r#"{{"{member}":"{spelling}"}}"#)).unwrap();
        assert_eq!((event.object(), event.action()), (object, &action), "{member}: {spelling}");
        assert_eq!(event.name().object(), object);
    }
    let body = r#"{"eventName":"create.archived","objectMetadata":{"nameSingular":"create"}}"#;
    let event = WebhookEvent::from_stored(body).unwrap();
    assert_eq!((event.object(), event.action().as_str()), ("create", "archived"));
    assert_eq!(EventName::from("create.person"), "person.created");
}

#[test]
fn a_metadata_event_describes_a_change() {
    let webhook = event("15b-metadata-webhook-updated-secret.json");
    let Payload::Metadata(change) = webhook.payload() else { panic!() };
    assert_eq!(change.metadata_name, "webhook");
    assert_eq!(change.before.as_ref().unwrap().decode::<Value>().unwrap()["operations"][0], "*.*");
    assert_eq!(change.after.as_ref().unwrap().decode::<Value>().unwrap()["operations"][0], "company.*");
    assert!(change.diff.is_some() && change.extra.is_empty());
    assert_eq!(webhook.record_value().unwrap_err(), RecordError::Metadata);
    assert_eq!(webhook.records::<Value>().count(), 0);

    let early = event("16-metadata-early-view-deleted.json");
    let Payload::Metadata(change) = early.payload() else { panic!() };
    assert!(change.after.is_none());
    assert_eq!(change.before.as_ref().unwrap().decode::<Value>().unwrap()["type"], "KANBAN");

    let body =
        r#"{"eventName":"metadata.view.updated","event":{"recordId":7,"new":1,"properties":{"newer":2,"diff":null}}}"#;
    let odd = WebhookEvent::from_stored(body).unwrap();
    let Payload::Metadata(change) = odd.payload() else { panic!() };
    assert_eq!(change.extra.iter().map(|(name, _)| name).collect::<Vec<_>>(), ["new", "newer", "recordId"]);
}

#[test]
fn the_records_of_a_batch_are_in_its_items() {
    let batch = event("13-batch-items-oct2025.json");
    assert!(matches!(batch.record_value().unwrap_err(), RecordError::Batch { items: 2, .. }));
    let people: Vec<Person> = batch.records().collect::<Result<_, _>>().unwrap();
    let names: Vec<_> = people.iter().map(|person| person.name.as_ref().unwrap().to_string()).collect();
    assert_eq!(names, ["Inès Moreau", "Ola Nordmann"]);
    let Payload::Batch { items, .. } = batch.payload() else { panic!() };
    assert!(items[0].changed("companyId"));
    assert_eq!(batch.extra().get("batchSize").unwrap().decode::<u32>().unwrap(), 2);
}

#[test]
fn debug_output_shows_no_value() {
    let real = Real::all();
    for event in vectors().iter().map(|vector| event(&vector.body)).chain(real.iter().map(Real::event)) {
        let mut printed = format!("{event:?} {:?} {:?} {:?}", event.payload(), event.extra(), event.delivery());
        print::<Person>(&event, &mut printed);
        print::<Company>(&event, &mut printed);
        print::<Opportunity>(&event, &mut printed);
        print::<Task>(&event, &mut printed);
        print::<Note>(&event, &mut printed);
        print::<WorkspaceMember>(&event, &mut printed);
        if let Some(Ok(person)) = event.records::<Person>().next() {
            write!(printed, "{:?} {:?} {:?}", person.name, person.emails, person.phones).unwrap();
            write!(printed, "{:?} {:?} {:?}", person.created_by, person.linkedin_link, person.extra).unwrap();
        }
        let mut values = Vec::new();
        let body: Value = serde_json::from_slice(event.body()).unwrap_or_default();
        for member in ["record", "data", "items"] {
            payload_values(&body[member], &mut values);
        }
        payload_values(&body["event"]["properties"]["before"], &mut values);
        payload_values(&body["event"]["properties"]["after"], &mut values);
        // An id may be in the payload under another name as well.
        let ids = [event.record_id(), event.workspace_id(), event.user_id()];
        for value in values.into_iter().filter(|value| !ids.contains(&Some(value))) {
            assert!(!printed.contains(value), "{value} in {printed}");
        }
    }
}

fn print<T: DeserializeOwned + Debug>(event: &WebhookEvent, to: &mut String) {
    event.records::<T>().for_each(|record| write!(to, "{record:?}").unwrap());
}

/// The strings in a payload that are long enough to recognize, without ids and type names.
fn payload_values<'a>(json: &'a Value, values: &mut Vec<&'a str>) {
    match json {
        Value::String(text) if text.len() > 6 => values.push(text),
        Value::Array(elements) => elements.iter().for_each(|element| payload_values(element, values)),
        Value::Object(members) => {
            let members = members.iter().filter(|(name, _)| {
                !name.ends_with("Id") && !["id", "__typename", "updatedFields"].contains(&name.as_str())
            });
            members.for_each(|(_, value)| payload_values(value, values));
        }
        _ => {}
    }
}
