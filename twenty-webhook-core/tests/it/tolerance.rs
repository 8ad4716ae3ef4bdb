//! What is odd in a body, and what is too odd.

use twenty_webhook_core::{NotAnEvent, Person, Rejection, Secret, Signer, UnixMillis, Verifier, WebhookEvent};

#[test]
fn a_known_member_that_is_not_what_it_should_be_is_absent_and_kept() {
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
    let body = r#"{"eventName":"a.created","eventName":"b.created","userId":5,"userId":"u","webhookId":"w","webhookId":null,
        "new":1,"new":2,"record":{"id":"1"},"record":{"id":"2","id":"3"}}"#;
    let event = WebhookEvent::from_stored(body).unwrap();
    assert_eq!((event.object(), event.user_id(), event.webhook_id()), ("b", Some("u"), None));
    assert_eq!(event.extra().iter().map(|(name, json)| (name, json.as_str())).collect::<Vec<_>>(), [("new", "2")]);
    assert_eq!(event.record::<Person>().unwrap().id.as_deref(), Some("3"));
}

#[test]
fn what_is_no_event_is_refused_and_the_log_says_what_was_seen() {
    for (body, expected) in [
        (&b""[..], NotAnEvent::Empty),
        (b" \n", NotAnEvent::Empty),
        (b"{\"eventName\":\"\xff\"}", NotAnEvent::NotUtf8 { valid_up_to: 14 }),
        (b"{\"eventName\":\"a.created\"", NotAnEvent::NotJson { line: 1, column: 24 }),
        (b"{\"eventName\":\"a.created\"} x", NotAnEvent::NotJson { line: 1, column: 27 }),
        (b"event=person.created", NotAnEvent::NotJson { line: 1, column: 1 }),
        (b"[{\"eventName\":\"a.created\"}]", NotAnEvent::NotAnObject("an array")),
        (b"\"a.created\"", NotAnEvent::NotAnObject("a string")),
        (b" 12 ", NotAnEvent::NotAnObject("a number")),
        (b"false", NotAnEvent::NotAnObject("a boolean")),
        (b"null", NotAnEvent::NotAnObject("null")),
        (b"{}", NotAnEvent::NoName { members: 0 }),
        (b"{\"eventName\":7,\"event\":{\"type\":\"created\"},\"x\":1}", NotAnEvent::NoName { members: 3 }),
        (b"{\"eventName\":\"\",\"eventType\":\" \",\"event\":null}", NotAnEvent::NoName { members: 3 }),
    ] {
        assert_eq!(WebhookEvent::from_stored(body).unwrap_err(), expected, "{}", body.escape_ascii());

        let secret = Secret::new("s").unwrap();
        let (now, signer) = (UnixMillis::from_millis(1_789_374_097_412), Signer::new(secret.clone()));
        let delivery = Verifier::new(secret).verify_at(&signer.sign_at(body, now), body, now).unwrap();
        let rejection = delivery.into_event().unwrap_err();
        assert_eq!(rejection, Rejection::NotAnEvent(expected));
        assert_eq!(rejection.status(), 422);
    }
}
