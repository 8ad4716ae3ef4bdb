//! The names of Twenty's events: for completions, and for a warning about a name that is misspelled.

use clap::builder::{PossibleValue, TypedValueParser};
use twenty_webhook_testing::{EventBuilder, standard_objects};

const ACTIONS: [&str; 5] = ["created", "updated", "deleted", "restored", "destroyed"];
/// Sent by some versions.
const RARE_ACTIONS: [&str; 1] = ["upserted"];
/// The pieces of the data model that change most.
const METADATA: [&str; 6] = ["objectMetadata", "fieldMetadata", "indexMetadata", "view", "viewField", "viewFilter"];

/// Every name that Twenty is known to send.
pub(crate) fn known() -> impl Iterator<Item = String> {
    let objects = standard_objects().map(str::to_owned);
    let metadata = METADATA.iter().map(|name| format!("metadata.{name}"));
    objects.chain(metadata).flat_map(|object| ACTIONS.iter().map(move |action| format!("{object}.{action}")))
}

/// The known name that is most similar. `None` for a known name, and for one that is similar to none, such as a custom object's.
pub(crate) fn meant(name: &str) -> Option<String> {
    let (object, action) = name.rsplit_once('.')?;
    let action_is_known = ACTIONS.iter().chain(&RARE_ACTIONS).any(|known| *known == action);
    let object_is_known = objects().any(|known| known == object);
    if action_is_known && object_is_known {
        return None;
    }
    let action = if action_is_known { action.to_owned() } else { nearest(action, ACTIONS.map(str::to_owned))? };
    // A custom object may have any name; the action alone can be wrong.
    let object = if object_is_known { None } else { nearest(object, objects()) };
    let meant = format!("{}.{action}", object.as_deref().unwrap_or(name.rsplit_once('.')?.0));
    (meant != name).then_some(meant)
}

fn objects() -> impl Iterator<Item = String> {
    standard_objects().map(str::to_owned).chain(METADATA.iter().map(|name| format!("metadata.{name}")))
}

/// At most two typing errors away, and no more than a third of the word.
fn nearest(word: &str, known: impl IntoIterator<Item = String>) -> Option<String> {
    let distance = |known: &String| strsim::osa_distance(&word.to_lowercase(), &known.to_lowercase());
    let nearest = known.into_iter().min_by_key(distance)?;
    (distance(&nearest) <= 2.min(word.len() / 3)).then_some(nearest)
}

/// Reads an event's name. Lists the known ones for completions, and takes any other.
#[derive(Clone, Debug)]
pub(crate) struct EventParser;

impl TypedValueParser for EventParser {
    type Value = Box<EventBuilder>;

    fn parse_ref(
        &self,
        command: &clap::Command,
        arg: Option<&clap::Arg>,
        value: &std::ffi::OsStr,
    ) -> Result<Self::Value, clap::Error> {
        let parse = |text: &str| EventBuilder::parse(text).map(Box::new);
        clap::builder::StringValueParser::new().try_map(move |text| parse(&text)).parse_ref(command, arg, value)
    }

    fn possible_values(&self) -> Option<Box<dyn Iterator<Item = PossibleValue> + '_>> {
        Some(Box::new(known().map(PossibleValue::new)))
    }
}

#[cfg(test)]
mod tests {
    use super::meant;

    #[test]
    fn typing_errors_are_found_and_custom_objects_are_accepted() {
        for (written, expected) in [
            ("person.creatd", Some("person.created")),
            ("persn.created", Some("person.created")),
            ("Person.created", Some("person.created")),
            ("oportunity.updatd", Some("opportunity.updated")),
            ("rocket.creatd", Some("rocket.created")),
            ("metadata.fieldMetdata.updated", Some("metadata.fieldMetadata.updated")),
            ("person.created", None),
            ("person.upserted", None),
            ("rocket.created", None),
            ("rocket.launched", None),
            ("car.created", None),
        ] {
            assert_eq!(meant(written).as_deref(), expected, "{written}");
        }
    }
}
