//! Deliveries of a real Twenty 2.21 server with its demo data: every field that Twenty sends is typed.

use std::collections::BTreeSet;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use twenty_webhook_core::jiff::Timestamp;
use twenty_webhook_core::records::{
    Company, Note, NoteTarget, Opportunity, Person, Record, Task, TaskTarget, WorkflowRun, WorkspaceMember,
};
use twenty_webhook_core::{Extra, Payload, WebhookEvent};

use crate::vectors::Real;

#[test]
fn every_delivery_is_read() {
    for real in Real::all() {
        let event = real.event();
        assert_eq!((event.name().as_str(), event.name_as_sent()), (&*real.name, &*real.name));
        assert!(event.extra().is_empty(), "{}: {:?}", real.name, event.extra());
        let body: Value = serde_json::from_str(&real.body).unwrap();
        for (accessor, member) in [
            (event.workspace_id(), "workspaceId"),
            (event.webhook_id(), "webhookId"),
            (event.target_url(), "targetUrl"),
            (event.event_date_text(), "eventDate"),
            (event.user_id(), "userId"),
            (event.workspace_member_id(), "workspaceMemberId"),
            (event.api_key_id(), "apiKeyId"),
        ] {
            assert_eq!(accessor, body[member].as_str(), "{}: {member}", real.name);
        }
        assert!(event.event_date().is_some());
        if let Payload::Metadata(change) = event.payload() {
            assert_eq!(event.record_id(), body["event"]["recordId"].as_str());
            assert_eq!(change.metadata_name, body["event"]["metadataName"]);
            assert!(change.extra.is_empty(), "{}: {:?}", real.name, change.extra);
        } else {
            assert_eq!(event.object(), body["objectMetadata"]["nameSingular"]);
            assert_eq!(event.record_id(), body["record"]["id"].as_str());
            let [item] = event.items().collect::<Vec<_>>().try_into().unwrap();
            let fields = body["updatedFields"].as_array().into_iter().flatten();
            for field in fields {
                assert!(event.changed(field.as_str().unwrap()) && item.changed(field.as_str().unwrap()));
            }
        }
    }
}

#[test]
fn every_record_is_fully_typed_and_written_as_it_was_sent() {
    let mut typed = BTreeSet::new();
    for real in Real::all() {
        let event = real.event();
        let names = [
            typed_as::<Company>(&event, |record| &record.extra),
            typed_as::<Note>(&event, |record| &record.extra),
            typed_as::<NoteTarget>(&event, |record| &record.extra),
            typed_as::<Opportunity>(&event, |record| &record.extra),
            typed_as::<Person>(&event, |record| &record.extra),
            typed_as::<Task>(&event, |record| &record.extra),
            typed_as::<TaskTarget>(&event, |record| &record.extra),
            typed_as::<WorkflowRun>(&event, |record| &record.extra),
            typed_as::<WorkspaceMember>(&event, |record| &record.extra),
        ];
        let names: Vec<_> = names.into_iter().flatten().collect();
        match event.payload() {
            Payload::Metadata(_) => assert!(names.is_empty()),
            _ => assert_eq!(names, [event.object()], "{}", real.name),
        }
        typed.extend(names);
    }
    assert_eq!(typed.len(), 9, "each type occurs");
}

fn typed_as<T: Record + Serialize + DeserializeOwned + PartialEq + std::fmt::Debug>(
    event: &WebhookEvent,
    extra: impl Fn(&T) -> &Extra,
) -> Option<&'static str> {
    let record = event.record_of::<T>().unwrap()?;
    let debug = format!("{record:?}");
    assert!(extra(&record).is_empty(), "{debug}");
    let written = serde_json::to_string(&record).unwrap();
    assert_eq!(serde_json::from_str::<T>(&written).unwrap(), record);
    let (written, sent): (Value, Value) = (serde_json::from_str(&written).unwrap(), event.record().unwrap());
    assert_eq!(normalized(&written), normalized(&sent), "{debug}");
    Some(T::OBJECT)
}

/// Makes absent, null and empty lists equal, and numbers and dates in any spelling.
fn normalized(json: &Value) -> Value {
    match json {
        Value::Object(members) => {
            let members = members.iter().map(|(name, value)| (name.clone(), normalized(value)));
            members.filter(|(_, value)| !value.is_null() && *value != Value::Array(Vec::new())).collect()
        }
        Value::Array(elements) => elements.iter().map(normalized).collect(),
        Value::Number(number) => number.as_f64().into(),
        Value::String(text) => text.parse::<Timestamp>().map_or(text.clone(), |date| date.to_string()).into(),
        other => other.clone(),
    }
}
