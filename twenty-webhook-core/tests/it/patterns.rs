//! Patterns follow the rules of Twenty's subscriptions.

use twenty_webhook_core::{EventName, EventPattern, WebhookEvent};

const NAMES: [&str; 6] = [
    "person.created",
    "person.updated",
    "rocket.created",
    "metadata.fieldMetadata.created",
    "metadata.fieldMetadata.updated",
    "metadata.view.created",
];

#[test]
fn which_pattern_matches_which_events() {
    for (pattern, matched) in [
        ("person.created", [true, false, false, false, false, false]),
        ("person.*", [true, true, false, false, false, false]),
        ("*.created", [true, false, true, false, false, false]),
        ("view.created", [false, false, false, false, false, false]),
        ("metadata.fieldMetadata.updated", [false, false, false, false, true, false]),
        ("metadata.fieldMetadata.*", [false, false, false, true, true, false]),
        ("metadata.*.created", [false, false, false, true, false, true]),
        ("metadata.*.*", [false, false, false, true, true, true]),
        ("*.*", [true, true, true, true, true, true]),
    ] {
        let parsed: EventPattern = pattern.parse().unwrap();
        assert_eq!(NAMES.map(|name| parsed.matches(&EventName::from(name))), matched, "{pattern}");
        assert_eq!(parsed.to_string(), pattern);
    }
}

#[test]
fn older_spellings_of_a_name_and_unknown_actions_are_matched_too() {
    let matches = |pattern: &str, name: &str| pattern.parse::<EventPattern>().unwrap().matches(&EventName::from(name));
    assert!(matches("person.created", "create.person") && matches("person.created", "person.create"));
    assert!(matches("*.archived", "person.archived"));
}

#[test]
fn an_event_is_matched_by_its_name() {
    let event = WebhookEvent::from_stored(r#"{"eventType":"create.person"}"#).unwrap();
    for (pattern, matched) in [("person.created", true), ("person.updated", false)] {
        assert_eq!(pattern.parse::<EventPattern>().unwrap().matches(&event), matched);
    }
}

/// What Twenty 2.40 sends for one subscription, compared with what the same pattern matches in a receiver.
#[test]
fn a_subscription_brings_less_than_its_pattern_matches() {
    for (pattern, name, matches, is_sent) in [
        ("person.created", "person.created", true, true),
        ("*.*", "person.created", true, true),
        ("*.*", "metadata.view.created", true, true),
        ("metadata.*.*", "metadata.view.created", true, true),
        ("metadata.*.*", "view.created", false, false),
        ("*.*", "workflowRun.created", true, true),
        ("workflowRun.updated", "workflowRun.updated", true, true),
        ("*.*", "workflowRun.updated", true, false),
        ("*.updated", "workflowRun.updated", true, false),
        ("workflowRun.*", "workflowRun.updated", true, false),
        ("person.*", "workflowRun.updated", false, false),
        ("metadata.*.*", "metadata.workflowRun.updated", true, true),
        ("*.*", "timelineActivity.created", true, false),
        ("timelineActivity.created", "timelineActivity.created", true, false),
    ] {
        let (parsed, name) = (pattern.parse::<EventPattern>().unwrap(), EventName::from(name));
        assert_eq!((parsed.matches(&name), parsed.subscribes_to(&name)), (matches, is_sent), "{pattern}: {name}");
    }
}

#[test]
fn a_pattern_that_can_never_match_is_an_error() {
    const PARTS: &str = "a pattern is `object.action` or `metadata.name.action`: two parts or three, and this has ";
    const THREE_PARTS: &str = "only changes of the data model have names of three parts";
    const DATA_MODEL: &str = "changes of the data model have names of three parts: `metadata.*.*` matches all of them";
    for (pattern, expected) in [
        ("", format!("{PARTS}1")),
        ("*", format!("{PARTS}1")),
        ("person", format!("{PARTS}1")),
        ("metadata.view.created.now", format!("{PARTS}4")),
        ("metadata.*", DATA_MODEL.into()),
        ("metadata.created", DATA_MODEL.into()),
        ("*.person.created", THREE_PARTS.into()),
        ("*.*.*", THREE_PARTS.into()),
        ("person.create", "actions are in the past tense: `created`, not `create`".into()),
        ("metadata.*.delete", "actions are in the past tense: `deleted`, not `delete`".into()),
        ("per*.created", "`per*` is neither".into()),
        ("Person.created", "`Person` is neither".into()),
        ("person.Created", "`Created` is neither".into()),
        (" person.created", "` person` is neither".into()),
        ("person.", "`` is neither".into()),
    ] {
        let error = pattern.parse::<EventPattern>().unwrap_err().to_string();
        assert!(error.starts_with(&expected), "{pattern}: {error}");
    }
}
