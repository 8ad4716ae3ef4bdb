//! Unexpected content that is tolerated in a body, and content that makes it no event.

use serde::Deserialize;
use twenty_webhook_core::records::Person;
use twenty_webhook_core::{Payload, Rejection, Secret, Signer, UnixMillis, Verifier, WebhookEvent};

#[test]
fn a_known_member_of_the_wrong_type_is_absent_and_kept_in_extra() {
    let body = r#"{"eventName":"person.created","userId":7,"webhookId":null,"updatedFields":["name",5],"eventDate":[],
        "timestamp":"soon","objectMetadata":"person","record":"none","data":[],"workspaceId":"w","items":3}"#;
    let event = WebhookEvent::from_stored(body).unwrap();
    assert_eq!((event.user_id(), event.webhook_id(), event.updated_fields()), (None, None, None));
    assert_eq!((event.event_date(), event.event_date_text()), (None, Some("soon")));
    assert_eq!((event.object(), event.workspace_id(), event.record_id()), ("person", Some("w"), None));
    assert_eq!(event.record::<Person>().unwrap(), Person::default());
    let kept: Vec<_> = event.extra().iter().map(|(name, json)| (name, json.as_str())).collect();
    assert_eq!(
        kept,
        [
            ("data", "[]"),
            ("eventDate", "[]"),
            ("items", "3"),
            ("objectMetadata", r#""person""#),
            ("record", r#""none""#),
            ("updatedFields", r#"["name",5]"#),
            ("userId", "7"),
        ]
    );
}

#[test]
fn the_last_of_a_repeated_member_wins() {
    #[derive(Deserialize)]
    struct Own {
        id: String,
        city: i32,
    }
    let body = r#"{"eventName":"a.created","eventName":"b.created","userId":5,"userId":"u","webhookId":"w","webhookId":null,
        "new":1,"new":2,"record":{"id":"1"},
        "record":{"id":"2","id":"3","name":5,"name":{"firstName":"A","firstName":"B"},"city":"x","city":7,"new":1,"new":2}}"#;
    let event = WebhookEvent::from_stored(body).unwrap();
    assert_eq!((event.object(), event.user_id(), event.webhook_id()), ("b", Some("u"), None));
    assert_eq!(event.extra().iter().map(|(name, json)| (name, json.as_str())).collect::<Vec<_>>(), [("new", "2")]);
    assert_eq!(event.record_id(), Some("3"));
    assert_eq!(event.items().next().unwrap().record_id().as_deref(), Some("3"));
    assert_eq!(event.record_value().unwrap()["id"], "3");

    let person: Person = event.record().unwrap();
    assert_eq!(person.id.as_deref(), Some("3"));
    assert_eq!((person.name.unwrap().to_string().as_str(), person.city), ("B", None));
    let kept: Vec<_> = person.extra.iter().map(|(name, json)| (name, json.as_str())).collect();
    assert_eq!(kept, [("city", "7"), ("new", "2")]);

    // serde's derive rejects repeated members; this crate removes them before.
    let own: Own = event.record().unwrap();
    assert_eq!((own.id.as_str(), own.city), ("3", 7));

    let body = r#"{"eventName":"metadata.view.updated","event":{"recordId":"1","recordId":"2",
        "properties":{"after":1,"after":{"id":"3"}},"properties":{"after":{"id":"4"}}}}"#;
    let event = WebhookEvent::from_stored(body).unwrap();
    let Payload::Metadata(change) = event.payload() else { panic!() };
    assert_eq!((event.record_id(), change.after.as_ref().unwrap().as_str()), (Some("2"), r#"{"id":"4"}"#));
    assert!(change.extra.is_empty());
}

#[test]
fn a_lone_surrogate_in_a_name_loses_no_member() {
    let body = r#"{"eventName":"person.updated","\ud83d":1,"a\n\ude00\u00e9":2,"updatedFields":["name"],
        "record":{"id":"1","name":{"firstName":"Ida","\ud83d":5},"\ud83d\ude00":6,"\ude00x":7}}"#;
    let event = WebhookEvent::from_stored(body).unwrap();
    assert_eq!((event.name().as_str(), event.record_id(), event.changed("name")), ("person.updated", Some("1"), true));
    let kept: Vec<_> = event.extra().iter().map(|(name, json)| (name, json.as_str())).collect();
    assert_eq!(kept, [("a\n\u{fffd}é", "2"), ("\u{fffd}", "1")]);

    let person: Person = event.record().unwrap();
    assert_eq!(person.extra.iter().map(|(name, _)| name).collect::<Vec<_>>(), ["\u{fffd}x", "😀"]);
    let name = person.name.unwrap();
    assert_eq!((name.to_string().as_str(), name.extra.get("\u{fffd}").unwrap().as_str()), ("Ida", "5"));
}

#[test]
fn a_member_that_is_repeated_often_takes_no_extra_time() {
    let odd = r#""name":5,"name":{},"x":0,"#.repeat(50_000);
    let body = format!(r#"{{"eventName":"person.created","record":{{{odd}"id":"1"}}}}"#);
    let person: Person = WebhookEvent::from_stored(body).unwrap().record().unwrap();
    assert_eq!((person.name.unwrap().to_string().as_str(), person.extra.len()), ("", 1));
}

#[test]
fn a_body_that_is_not_an_event_is_rejected_with_what_was_found() {
    for (body, expected) in [
        (&b""[..], "the body is empty"),
        (b" \n", "the body is empty"),
        (b"{\"eventName\":\"\xff\"}", "the body is not UTF-8 from byte 14 on"),
        (b"{\"eventName\":\"a.created\"", "the body is not JSON (line 1, column 24)"),
        (b"{\"eventName\":\"a.created\"} x", "the body is not JSON (line 1, column 27)"),
        (b"{\"\\ud83d\":1,\"eventName\":\"a.created\"", "the body is not JSON (line 1, column 35)"),
        (b"event=person.created", "the body is not JSON (line 1, column 1)"),
        (b"[{\"eventName\":\"a.created\"}]", "expected a JSON object, got an array"),
        (b"\"a.created\"", "expected a JSON object, got a string"),
        (b" 12 ", "expected a JSON object, got a number"),
        (b"false", "expected a JSON object, got a boolean"),
        (b"null", "expected a JSON object, got null"),
        (b"{}", "an object of 0 members, none"),
        (b"{\"eventName\":7,\"event\":{\"type\":\"created\"},\"x\":1}", "an object of 3 members, none"),
        (b"{\"eventName\":\"\",\"eventType\":\" \",\"event\":null}", "an object of 3 members, none"),
    ] {
        let why = WebhookEvent::from_stored(body).unwrap_err();
        assert!(why.to_string().starts_with(expected), "{}: {why}", body.escape_ascii());

        let secret = Secret::new("s").unwrap();
        let (now, signer) = (UnixMillis::from_millis(1_789_374_097_412), Signer::new(secret.clone()));
        let delivery = Verifier::new(secret).verify_at(&signer.sign_at(body, now), body, now).unwrap();
        let rejection = delivery.into_event().unwrap_err();
        assert_eq!(rejection, Rejection::NotAnEvent(why));
        assert_eq!(rejection.status(), 422);
    }
}
