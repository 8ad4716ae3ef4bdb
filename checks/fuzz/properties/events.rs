use bytes::Bytes;
use serde_json::Value;
use twenty_webhook_core::records::{Company, Note, Opportunity, Person, Task, WorkspaceMember};
use twenty_webhook_core::{Delivery, Payload, Secret, Signer, Verifier, WebhookEvent};

/// Any signed body is read without a panic. A JSON object with an `eventName` is an event, and the event equals the JSON.
pub fn check(data: &[u8]) {
    let secret = Secret::new("s3cret").unwrap();
    let verifier = Verifier::new(secret.clone());
    let body = Bytes::copy_from_slice(data);
    let read = verifier.verify(&Signer::new(secret).sign(data), body.clone()).and_then(Delivery::into_event);
    let value: Option<Value> = serde_json::from_slice(data).ok();

    let event = match read {
        Ok(event) => event,
        Err(rejection) => {
            assert_eq!(rejection.code(), "not_an_event");
            let named = |value: &Value| matches!(&value["eventName"], Value::String(name) if !name.trim().is_empty());
            assert!(!value.as_ref().is_some_and(named), "an event is lost: {rejection}");
            return;
        }
    };
    assert_eq!(event.body(), &body);
    if let Some(value) = &value {
        let text = |name: &str| value[name].as_str();
        assert_eq!(event.target_url(), text("targetUrl"));
        assert_eq!(event.workspace_id(), text("workspaceId"));
        assert_eq!(event.webhook_id(), text("webhookId"));
        assert_eq!(event.user_id(), text("userId"));
        if let (Payload::Record { record, .. }, Value::Object(expected)) = (event.payload(), &value["record"]) {
            let decoded: Option<Value> = record.decode().ok();
            assert_eq!(decoded.as_ref().and_then(Value::as_object), Some(expected));
            assert_eq!(event.record_id(), expected.get("id").and_then(Value::as_str));
        }
    }
    // None of these calls panics.
    let _ = (format!("{event:?} {:?} {:?}", event.payload(), event.extra()), event.event_date(), event.changed("name"));
    let _ =
        (event.record::<Person>().is_ok(), event.record::<Company>().is_ok(), event.record::<Opportunity>().is_ok());
    let _ = (event.record::<Task>().is_ok(), event.record::<Note>().is_ok(), event.record::<WorkspaceMember>().is_ok());
    let _ = event.records::<Value>().count();
    for item in event.items() {
        assert!(!item.changed("name") || event.changed("name"));
        if let Ok(person) = item.record::<Person>() {
            // A serialized record reads back as the same record.
            let written = serde_json::to_string(&person).unwrap();
            assert_eq!(serde_json::from_str::<Person>(&written).unwrap(), person);
        }
    }

    // A stored event reads back as the same event.
    let stored = WebhookEvent::from_stored(body).unwrap();
    assert_eq!((stored.name(), stored.object(), stored.record_id()), (event.name(), event.object(), event.record_id()));
    assert_eq!(stored.delivery_id(), event.delivery_id());
    assert!(stored.delivery().is_none());
    assert!(event.name().as_str().ends_with(event.action().as_str()));
}
