//! Patterns, by the rules of Twenty's subscriptions.

use twenty_webhook_core::{Action, EventName, EventPattern, EventPatternError};

const NAMES: [&str; 6] = [
    "person.created",
    "person.updated",
    "rocket.created",
    "metadata.fieldMetadata.created",
    "metadata.fieldMetadata.updated",
    "metadata.view.created",
];

#[test]
fn which_pattern_takes_which_events() {
    for (pattern, taken) in [
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
        assert_eq!(NAMES.map(|name| parsed.matches(&EventName::from(name))), taken, "{pattern}");
        assert_eq!(parsed.to_string(), pattern);
    }
}

#[test]
fn older_spellings_of_a_name_and_unknown_actions_are_matched_too() {
    let created: EventPattern = "person.created".parse().unwrap();
    assert!(created.matches(&"create.person".into()) && created.matches(&"person.create".into()));
    let archived: EventPattern = "*.archived".parse().unwrap();
    assert!(archived.matches(&"person.archived".into()));
}

#[test]
fn what_could_never_match_is_refused() {
    use EventPatternError::{MetadataOfTwoParts, NotAName, Parts, PresentTense, ThreePartsWithoutMetadata};
    for (pattern, expected) in [
        ("", Parts(1)),
        ("*", Parts(1)),
        ("person", Parts(1)),
        ("metadata.view.created.now", Parts(4)),
        ("metadata.*", MetadataOfTwoParts),
        ("metadata.created", MetadataOfTwoParts),
        ("*.person.created", ThreePartsWithoutMetadata),
        ("*.*.*", ThreePartsWithoutMetadata),
        ("person.create", PresentTense { written: "create".into(), meant: Action::Created }),
        ("metadata.*.delete", PresentTense { written: "delete".into(), meant: Action::Deleted }),
        ("per*.created", NotAName("per*".into())),
        ("Person.created", NotAName("Person".into())),
        ("person.Created", NotAName("Created".into())),
        (" person.created", NotAName(" person".into())),
        ("person.", NotAName(String::new())),
    ] {
        assert_eq!(pattern.parse::<EventPattern>().unwrap_err(), expected, "{pattern}");
    }
    let error = "person.create".parse::<EventPattern>().unwrap_err();
    assert_eq!(error.to_string(), "actions are in the past tense: `created`, not `create`");
}
