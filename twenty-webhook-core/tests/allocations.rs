//! How much memory an event takes. It is a separate binary because it replaces the global allocator with one that counts.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::pin::pin;
use std::task::{Context, Poll, Waker};

use allocation_counter::measure;
use bytes::Bytes;
use serde_json::json;
use twenty_webhook_core::records::Person;
use twenty_webhook_core::{EventRouter, WebhookEvent};

/// A record of 20 KiB, with escapes, nesting, and custom fields.
fn body() -> Bytes {
    let record = json!({
        "id": "6b1f20a4-5c1d-4e7a-9b3f-2a6d8e0f20a4",
        "name": { "firstName": "Inès", "lastName": "Moreau" },
        "emails": { "primaryEmail": "ines.moreau@northwind.example", "additionalEmails": [] },
        "notes": "\"quoted\"\n".repeat(1000),
        "tree": vec![json!({ "leaf": [1, 2, { "leaf": "é" }] }); 400],
    });
    let body = json!({
        "targetUrl": "https://hooks.example.test/twenty/acme",
        "eventName": "person.updated",
        "objectMetadata": { "id": "3f0b6a11-94d7-4c2e-8a5b-d16e7f9032c4", "nameSingular": "person" },
        "workspaceId": "b1d6c7a2-0f3e-4a58-9c41-7e2b90d4f613",
        "webhookId": "e4a0f7d3-62b9-4c15-8d7e-31f5a9c0b826",
        "eventDate": "2026-09-14T08:21:37.412Z",
        "userId": "20c39b1d-7f44-4e0a-a6d2-58e1b3f7094c",
        "workspaceMemberId": "7a9e2d60-1c83-4bf5-93da-0e6c4f81b725",
        "record": record,
        "updatedFields": ["emails", "companyId", "updatedBy"],
    });
    Bytes::from(body.to_string())
}

#[test]
fn an_event_allocates_for_its_envelope_and_not_for_its_record() {
    let body = body();
    assert!(body.len() > 20 * 1024);
    let mut event = None;
    let info = measure(|| event = Some(WebhookEvent::from_stored(body.clone()).unwrap()));
    // The name, the list of updated fields and its three names, the event, and the reference count of the body. Ids and dates are slices
    // of the body.
    assert_eq!(info.count_total, 7, "{info:?}");
    assert!(info.bytes_total < 2048, "{info:?}");

    let event = event.unwrap();
    let info = measure(|| {
        assert_eq!(event.name(), "person.updated");
        assert_eq!(event.user_id(), Some("20c39b1d-7f44-4e0a-a6d2-58e1b3f7094c"));
        assert!(event.changed("emails") && event.event_date().is_some());
        let _ = event.clone();
    });
    assert_eq!(info.count_total, 0, "{info:?}");
}

#[test]
fn a_record_keeps_unknown_fields_as_slices_of_one_copy() {
    let event = WebhookEvent::from_stored(body()).unwrap();
    let info = measure(|| drop(event.record::<Person>().unwrap()));
    assert!(info.count_total < 20, "{info:?}");
    assert!(info.bytes_total < 2 * 20 * 1024 + 4096, "{info:?}");
}

#[test]
fn a_body_that_is_not_an_event_allocates_the_same_whatever_its_length() {
    let body = Bytes::from(format!("[{}1]", "1,".repeat(100_000)));
    let info = measure(|| assert!(WebhookEvent::from_stored(body.clone()).is_err()));
    assert!(info.bytes_total < 1024, "{info:?}");
}

/// `head`, then `part` so often, then `tail`.
fn body_of(head: &str, part: &str, count: usize, tail: &str) -> Bytes {
    Bytes::from(format!("{head}{}{part}{tail}", format!("{part},").repeat(count - 1)))
}

const HOSTILE: [(&str, &str, &str); 8] = [
    (r#"{"eventName":"a.b","items":["#, "{}", "]}"),
    (r#"{"eventName":"a.b","items":[{"updatedFields":["#, r#""""#, "]}]}"),
    (r#"{"eventName":"a.b","items":["#, r#"{"updatedFields":[""],"a":0}"#, "]}"),
    (r#"{"eventName":"a.b","updatedFields":["#, r#""""#, "]}"),
    (r#"{"eventName":"a.b","#, r#""":0"#, "}"),
    (r#"{"eventName":"a.b","#, r#""\n":0"#, "}"),
    (r#"{"eventName":"metadata.a.b","event":{"properties":{"#, r#""":0"#, "}}}"),
    // Not valid to the end.
    (r#"{"eventName":"a.b","updatedFields":["#, r#""""#, "]"),
];

/// One tenant must not take the memory of the others.
#[test]
fn a_signed_body_of_many_small_parts_takes_no_memory() {
    for (head, part, tail) in HOSTILE {
        let body = body_of(head, part, 4 * 1024 * 1024 / part.len(), tail);
        let info = measure(|| assert!(WebhookEvent::from_stored(body.clone()).is_err()));
        assert!(info.bytes_max < 1024, "{head}{part}: {info:?}");
    }
}

#[test]
fn an_event_takes_at_most_48_mb_beside_its_body() {
    for (head, part, tail, parts) in [
        (r#"{"eventName":"a.b","items":["#, "{}", "]}", 1),
        (r#"{"eventName":"a.b","items":["#, r#"{"\n":0}"#, "]}", 2),
        (r#"{"eventName":"a.b","items":["#, r#"{"updatedFields":["a"],"\n":0}"#, "]}", 4),
        (r#"{"eventName":"a.b","updatedFields":["#, r#""a""#, "]}", 1),
        (r#"{"eventName":"a.b","#, r#""\n":0"#, "}", 1),
    ] {
        let body = body_of(head, part, (256 * 1024 - 2) / parts, tail);
        let mut event = None;
        let info = measure(|| event = Some(WebhookEvent::from_stored(body.clone()).unwrap()));
        assert!(info.bytes_max < 48_000_000, "{head}{part}: {info:?}");
        let one_more = body_of(head, part, 256 * 1024 / parts, tail);
        let error = WebhookEvent::from_stored(one_more).unwrap_err().to_string();
        assert!(error.ends_with("and at most 262144 are accepted"), "{error}");
    }
}

/// A record of any size is no part, nor is a batch that is far larger than Twenty's.
#[test]
fn a_large_genuine_event_is_accepted() {
    let record = format!(r#"{{"eventName":"a.b","record":{{"json":[{}0],"items":[{0}0]}}}}"#, "0,".repeat(1_000_000));
    assert!(WebhookEvent::from_stored(record).is_ok());
    let item = r#"{"record":{"id":"6b1f20a4-5c1d-4e7a-9b3f-2a6d8e0f20a4"},"updatedFields":["deletedAt"]}"#;
    let items = format!("{item},").repeat(60_000);
    let batch = WebhookEvent::from_stored(format!(r#"{{"eventName":"a.b","items":[{items}{item}]}}"#)).unwrap();
    assert_eq!(batch.items().count(), 60_001);
}

#[test]
fn dispatch_over_fifty_routes_allocates_for_the_handlers_future_only() {
    let mut router = EventRouter::new();
    for number in 0..49 {
        router = router.on(&format!("rocket{number}.updated"), async |_: WebhookEvent| {});
    }
    let router = router.on("person.updated", async |_: WebhookEvent| {});
    let event = WebhookEvent::from_stored(body()).unwrap();
    let mut context = Context::from_waker(Waker::noop());
    let info = measure(|| {
        let handling = pin!(router.handle(event.clone()));
        assert!(matches!(handling.poll(&mut context), Poll::Ready(Ok(()))));
    });
    assert_eq!(info.count_total, 1, "{info:?}");
}
