//! The conversions, traits and texts that users depend on, and that must not change.

use twenty_webhook_core::{
    Action, Delivery, DeliveryId, EventName, Extra, Outcome, RawJson, Rejection, ReplayKey, Secret, SharedVerifier,
    Signer, VerifiedRequest, Verifier, WebhookConfig, WebhookEvent, records,
};

#[test]
fn ids_are_bytes_text_and_json() {
    let delivery = delivery();
    let (id, key) = (delivery.id(), delivery.replay_key());
    assert_eq!((DeliveryId::from_bytes(*id.as_bytes()), ReplayKey::from_bytes(*key.as_bytes())), (id, key));
    assert_eq!((id.to_string().parse(), key.to_string().parse()), (Ok(id), Ok(key)));
    assert_eq!((id.as_ref(), key.as_ref()), (id.as_bytes().as_slice(), key.as_bytes().as_slice()));
    assert_eq!(serde_json::to_string(&(id, key)).unwrap(), format!(r#"["{id}","{key}"]"#));
    for text in ["", "0", &"g".repeat(64), &"0".repeat(65)] {
        assert!(text.parse::<DeliveryId>().is_err() && text.parse::<ReplayKey>().is_err(), "{text}");
    }
}

/// The key identifies stored rows and messages, so it must not change between versions. It is the SHA-256 of `tenant`, the length of the
/// name as eight bytes, the name, and the SHA-256 of the body. Python's hashlib computed the expected value.
#[test]
fn a_replay_key_does_not_change() {
    let secret = Secret::new("s3cret").unwrap();
    let body = r#"{"eventName":"person.created","record":{"id":"42"}}"#;
    let headers = Signer::new(secret.clone()).sign(body.as_bytes());
    let delivery = Verifier::new(secret).tenant("acme").verify(&headers, body).unwrap();
    assert_eq!(delivery.replay_key().to_string(), "a1eec88a984ade8d1c25dcee3c93ec384017123e996c210d078ed544ff0becba");
}

#[test]
fn names_and_actions_can_be_compared_with_text() {
    let (name, later) = (EventName::from("person.created"), EventName::from("person.updated"));
    assert_eq!((name.as_ref(), name < later), ("person.created", true));
    assert_eq!("created".parse::<Action>().unwrap(), Action::Created);
    assert_eq!(Action::Created, *"created");
}

/// Checked by compiling.
#[test]
fn traits_that_users_rely_on() {
    fn is_shared<T: Send + Sync + 'static>() {}
    fn is_send<T: Send + 'static>() {}
    fn is_serialize<T: serde::Serialize>() {}
    fn converts_to_config<T: Into<WebhookConfig>>() {}
    is_shared::<WebhookEvent>();
    is_shared::<WebhookConfig>();
    is_shared::<Rejection>();
    is_shared::<Delivery>();
    is_send::<VerifiedRequest>();
    is_serialize::<records::Person>();
    is_serialize::<records::Currency>();
    is_serialize::<RawJson>();
    is_serialize::<Extra>();
    converts_to_config::<Secret>();
    converts_to_config::<Verifier>();
    converts_to_config::<SharedVerifier>();
    let _ = |outcome: &Outcome<'_>| -> &'static str { outcome.code() };
}

fn delivery() -> Delivery {
    let secret = Secret::new("s3cret").unwrap();
    let headers = Signer::new(secret.clone()).sign(b"body");
    Verifier::new(secret).verify(&headers, "body").unwrap()
}
