//! Any event that Twenty could send is read correctly, and no input panics.

use std::sync::LazyLock;

use bytes::Bytes;
use proptest::collection::{btree_map, vec};
use proptest::option;
use proptest::prelude::*;
use serde_json::{Map, Value, json};
use twenty_webhook_core::records::{Company, Note, Opportunity, Person, Task, WorkspaceMember};
use twenty_webhook_core::{EventPattern, Payload, WebhookEvent};

use crate::vectors::{event, vectors};

/// Calls every accessor.
fn call_all_accessors(event: &WebhookEvent) {
    let _ = (event.name_as_sent(), event.object(), event.action(), event.record_id(), event.event_date());
    let _ = (event.workspace_id(), event.user_id(), event.object_metadata(), event.delivery_id(), event.changed("x"));
    let _ = (event.record::<Person>(), event.record::<Company>(), event.record::<Opportunity>());
    let _ = (event.record::<Task>(), event.record::<Note>(), event.record::<WorkspaceMember>());
    let _ = (event.record_value(), event.records::<Person>().count());
    let _ = format!("{event:?} {:?} {:?} {:?}", event.payload(), event.extra(), event.record::<Person>());
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 32, 6, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..6).prop_map(Value::from),
            btree_map(any::<String>(), inner, 0..6).prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

fn any_object() -> impl Strategy<Value = Value> {
    btree_map(any::<String>(), any_json(), 0..6).prop_map(|members| Value::Object(members.into_iter().collect()))
}

/// A name that is not that of a known member of the envelope.
fn unknown_name() -> impl Strategy<Value = String> {
    any::<String>().prop_map(|name| format!("new {name}"))
}

static BODIES: LazyLock<Vec<Bytes>> =
    LazyLock::new(|| vectors().iter().map(|vector| event(&vector.body).body().clone()).collect());

const TEXTS: [&str; 8] =
    ["targetUrl", "workspaceId", "webhookId", "eventDate", "userId", "workspaceMemberId", "apiKeyId", "applicationId"];

fn texts_of(event: &WebhookEvent) -> [Option<&str>; 8] {
    [
        event.target_url(),
        event.workspace_id(),
        event.webhook_id(),
        event.event_date_text(),
        event.user_id(),
        event.workspace_member_id(),
        event.api_key_id(),
        event.application_id(),
    ]
}

proptest! {
    #[test]
    fn an_envelope_built_from_the_model_is_read_back_equal(
        object in "[a-z][a-zA-Z0-9]{0,12}",
        action in "[a-z]{1,10}ed",
        texts in vec(option::of(any::<String>()), 8),
        mut record in any_object(),
        id in option::of(any::<String>()),
        updated_fields in option::of(vec(any::<String>(), 0..4)),
        items in option::of(vec(any_object(), 0..4)),
        extra in btree_map(unknown_name(), any_json(), 0..4),
        pretty in any::<bool>(),
    ) {
        record.as_object_mut().unwrap().remove("id");
        if let Some(id) = &id {
            record["id"] = json!(id);
        }
        let mut body = Map::from_iter([
            ("eventName".to_owned(), json!(format!("{object}.{action}"))),
            ("objectMetadata".to_owned(), json!({ "nameSingular": object })),
        ]);
        body.extend(TEXTS.iter().zip(&texts).map(|(name, text)| ((*name).to_owned(), json!(text))));
        body.extend(updated_fields.iter().map(|fields| ("updatedFields".to_owned(), json!(fields))));
        body.extend(extra.clone());
        match &items {
            None => body.insert("record".to_owned(), record.clone()),
            Some(items) => {
                let items: Vec<_> = items.iter().map(|record| json!({ "record": record })).collect();
                body.insert("items".to_owned(), json!(items))
            }
        };
        let body = if pretty { serde_json::to_vec_pretty(&body) } else { serde_json::to_vec(&body) };

        let event = WebhookEvent::from_stored(body.unwrap()).unwrap();
        prop_assert_eq!(event.name().as_str(), format!("{object}.{action}"));
        prop_assert_eq!((event.object(), event.action().as_str()), (object.as_str(), action.as_str()));
        prop_assert_eq!(texts_of(&event).to_vec(), texts.iter().map(Option::as_deref).collect::<Vec<_>>());
        prop_assert_eq!(event.updated_fields(), updated_fields.as_deref());
        let read_extra = event.extra().iter().map(|(name, json)| (name.to_owned(), json.decode().unwrap()));
        prop_assert_eq!(read_extra.collect::<std::collections::BTreeMap<String, Value>>(), extra);
        match (event.payload(), items) {
            (Payload::Record { .. }, None) => {
                prop_assert_eq!(event.record_id(), id.as_deref());
                prop_assert_eq!(event.record_value().unwrap(), record);
            }
            (Payload::Batch { .. }, Some(items)) => {
                prop_assert_eq!(event.records::<Value>().collect::<Result<Vec<_>, _>>().unwrap(), items);
            }
            _ => prop_assert!(false, "another form"),
        }
        call_all_accessors(&event);
    }

    #[test]
    fn no_bytes_panic(bytes in vec(any::<u8>(), 0..64)) {
        if let Ok(event) = WebhookEvent::from_stored(bytes) {
            call_all_accessors(&event);
        }
    }

    #[test]
    fn no_json_in_any_member_panics(
        name in prop_oneof![Just("person.created".to_owned()), Just("metadata.view.updated".to_owned()), any::<String>()],
        values in vec(any_json(), 14),
    ) {
        let names = [
            "event", "eventType", "data", "timestamp", "record", "items", "objectMetadata", "updatedFields", "userId",
            "eventDate", "workspaceId", "webhookId", "targetUrl", "new",
        ];
        let mut body: Map<_, _> = names.iter().map(|name| (*name).to_owned()).zip(values).collect();
        body.insert("eventName".to_owned(), json!(name));
        if let Ok(event) = WebhookEvent::from_stored(Value::Object(body).to_string()) {
            call_all_accessors(&event);
        }
    }

    #[test]
    fn no_change_to_a_good_body_panics(
        which in any::<prop::sample::Index>(),
        at in any::<prop::sample::Index>(),
        bytes in vec(any::<u8>(), 0..4),
        cut in any::<bool>(),
    ) {
        let mut body = which.get(&BODIES).to_vec();
        let at = at.index(body.len());
        let end = if cut { body.len() } else { (at + bytes.len()).min(body.len()) };
        body.splice(at..end, bytes);
        if let Ok(event) = WebhookEvent::from_stored(body) {
            call_all_accessors(&event);
        }
    }

    #[test]
    fn a_pattern_is_written_as_it_was_read(text in r"[a-zA-Z*]{0,8}(\.[a-zA-Z*]{0,8}){0,3}|(metadata\.)?(\*|[a-z]{1,6})\.(\*|[a-z]{1,6})") {
        if let Ok(pattern) = text.parse::<EventPattern>() {
            prop_assert_eq!(pattern.to_string(), text);
        }
    }
}
