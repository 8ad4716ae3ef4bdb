//! Records decoded into a user's types, and the errors when they do not fit.

use serde::Deserialize;
use twenty_webhook_core::records::{Note, Person};
use twenty_webhook_core::{RawJson, WebhookEvent};

use crate::vectors::{Real, event, vectors};

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Rocket {
    name: String,
    thrust_kilonewtons: String,
    stages: u8,
    fuels: Vec<String>,
}

#[test]
fn a_custom_object_is_any_type_that_can_be_deserialized() {
    let event = event("12-rocket-created.json");
    let rocket: Rocket = event.record().unwrap();
    assert_eq!((rocket.name.as_str(), rocket.thrust_kilonewtons.as_str(), rocket.stages), ("Vega", "3015.5", 4));
    assert_eq!(rocket.fuels, ["SOLID", "UDMH"]);
    assert_eq!(event.record_value().unwrap()["telemetry"]["channels"][2], 3);
}

#[test]
fn a_lone_surrogate_becomes_a_replacement_character() {
    let event = event("22-lone-surrogate.json");
    assert_eq!(event.record::<Note>().unwrap().title.as_deref(), Some("cut emoji \u{fffd}"));
    assert_eq!(event.record_value().unwrap()["title"], "cut emoji \u{fffd}");

    let body = r#"{"eventName":"note.created","record":{"\ude00":"\ud83d\ude00","bodyV2":{"markdown":"\ud83d"}}}"#;
    let event = WebhookEvent::from_stored(body).unwrap();
    let note: Note = event.record().unwrap();
    assert_eq!(note.body_v2.unwrap().markdown.as_deref(), Some("\u{fffd}"));
    assert_eq!(note.extra.get("\u{fffd}").unwrap().decode::<String>().unwrap(), "😀");
}

#[test]
fn a_deeply_nested_field_does_not_make_the_record_unreadable() {
    let event = event("24-person-updated-deep.json");
    let person: Person = event.record().unwrap();
    assert_eq!(person.name.unwrap().to_string(), "Inès Moreau");
    assert_eq!(person.extra.get("mindMap").unwrap().as_str().matches('[').count(), 250);
    let error = event.record_value().unwrap_err().to_string();
    assert!(error.ends_with("recursion limit exceeded"), "{error}");

    // A hundred thousand levels must not overflow the stack.
    let deep = format!(
        r#"{{"eventName":"a.created","record":{{"id":"1","deep":{}}}}}"#,
        "[".repeat(100_000) + &"]".repeat(100_000)
    );
    let event = WebhookEvent::from_stored(deep).unwrap();
    assert_eq!(event.record_id(), Some("1"));
    assert!(event.record::<Person>().unwrap().extra.get("deep").is_some());
}

/// A record with an unexpected value is read member by member. That must not change its other members.
#[test]
fn one_field_of_the_wrong_type_changes_no_other_field() {
    let stored = |record: &RawJson, odd: &str| {
        let rest = record.as_str().strip_prefix('{').unwrap();
        let comma = if rest == "}" { "" } else { "," };
        let body = format!(r#"{{"eventName":"a.created","record":{{{odd}{comma}{rest}}}"#);
        WebhookEvent::from_stored(body).unwrap()
    };
    let bodies =
        vectors().into_iter().map(|vector| event(&vector.body)).chain(Real::all().into_iter().map(|real| real.event()));
    let mut records = 0;
    for event in bodies {
        for item in event.items() {
            let known: Person = item.record().unwrap();
            let odd = stored(item.raw_record(), r#""deletedAt":["odd"]"#);
            let mut read: Person = odd.record().unwrap();
            if !item.raw_record().as_str().contains("deletedAt") {
                assert_eq!(read.extra.len(), known.extra.len() + 1);
            }
            read.extra = known.extra.clone();
            assert_eq!(read, known, "{}", event.name());
            assert_eq!(serde_json::to_string(&read).unwrap(), serde_json::to_string(&known).unwrap());
            records += 1;
        }
    }
    assert!(records > 60, "{records}");
}

#[test]
fn a_type_that_ignores_errors_still_gets_the_record() {
    /// Like `serde_with::DefaultOnError`.
    #[derive(Debug, PartialEq)]
    struct OrZero(u32);
    impl<'de> Deserialize<'de> for OrZero {
        fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            Ok(u32::deserialize(deserializer).map_or(Self(0), Self))
        }
    }
    /// A user's type around a type of this crate.
    #[derive(Deserialize)]
    struct Wrapped(Person);

    let event = WebhookEvent::from_stored(r#"{"eventName":"a.created","record":{"id":"1"},"number":7}"#).unwrap();
    assert_eq!(event.extra().get("number").unwrap().decode::<OrZero>().unwrap(), OrZero(7));
    assert_eq!(event.record::<Wrapped>().unwrap().0.id.as_deref(), Some("1"));
    assert_eq!(event.record::<Option<Person>>().unwrap().unwrap().id.as_deref(), Some("1"));
    assert_eq!(event.extra().get("number").unwrap().decode::<RawJson>().unwrap().as_str(), "7");
}

#[test]
fn an_error_names_the_field_and_never_a_value() {
    #[derive(Debug, Deserialize)]
    #[expect(dead_code, reason = "only its shape matters")]
    struct Deal {
        amount: Amount,
    }
    #[derive(Debug, Deserialize)]
    #[expect(dead_code, reason = "only its shape matters")]
    struct Amount {
        micros: i64,
        kind: Kind,
    }
    #[derive(Debug, Deserialize)]
    enum Kind {
        Net,
        Gross,
    }
    for (amount, expected) in [
        (r#"{"micros":"hush, expected i64 of"}"#, "at `amount.micros`, expected i64"),
        (r#"{"micros":-99999999999999999999}"#, "at `amount.micros`, expected i64"),
        (r#"{"micros":1,"kind":"hush"}"#, "at `amount.kind`, expected `Net` or `Gross`"),
        (r#"{"micros":1}"#, "at `amount`, missing field `kind`"),
        (r#""hush""#, "at `amount`, expected struct Amount"),
    ] {
        let body = format!(r#"{{"eventName":"deal.created","record":{{"amount":{amount}}}}}"#);
        let error = WebhookEvent::from_stored(body).unwrap().record::<Deal>().unwrap_err();
        let text = format!("{error} {error:?}");
        assert!(error.to_string().ends_with(expected), "{text}");
        assert!(error.to_string().contains("::Deal: "), "{text}");
        assert!(!text.contains("hush") && std::error::Error::source(&error).is_none(), "{text}");
    }
    let _ = (Kind::Net, Kind::Gross);
}

#[test]
fn a_record_can_be_a_field_of_a_users_type() {
    #[derive(Deserialize)]
    struct Stored {
        person: Person,
        other: Option<Person>,
    }
    let json = r#"{"person":{"id":"1","name":{"firstName":"Ida"}},"other":null}"#;
    for stored in [serde_json::from_str::<Stored>(json), serde_json::from_slice(json.as_bytes())] {
        let stored = stored.unwrap();
        assert_eq!(stored.person.name.unwrap().to_string(), "Ida");
        assert!(stored.other.is_none());
    }
    let from_value: Person = serde_json::from_value(serde_json::json!({"id":"1"})).unwrap();
    assert_eq!(from_value.id.as_deref(), Some("1"));
    for other in ["5", "[]", r#""text""#, "true"] {
        let error = serde_json::from_str::<Person>(other).unwrap_err().to_string();
        assert!(error.contains("expected an object"), "{error}");
    }
}
