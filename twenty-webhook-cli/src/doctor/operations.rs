use twenty_webhook_axum::{EventName, EventPattern};
use twenty_webhook_testing::standard_objects;

use super::Check;
use crate::api::Webhook;
use crate::terminal;

const ACTIONS: [&str; 5] = ["created", "updated", "deleted", "restored", "destroyed"];
/// Represents the custom objects.
const ANY_OBJECT: &str = "anyCustomObject";

/// Do the webhooks together subscribe to what is wanted?
pub(super) fn wanted(wanted: &[EventPattern], webhooks: &[&Webhook]) -> Vec<Check> {
    let operations = webhooks.iter().flat_map(|webhook| webhook.operations.iter().map(move |name| (webhook, name)));
    let mut checks = Vec::new();
    let mut patterns = Vec::new();
    for (webhook, operation) in operations {
        match operation.parse::<EventPattern>() {
            Ok(pattern) => patterns.push(pattern),
            Err(error) => {
                let operation = terminal::plain(operation, 80);
                let check = Check::wrong(
                    "operations",
                    format!("the operation `{operation}` matches no event"),
                    error.to_string(),
                    "change it in the webhook's settings in Twenty",
                );
                checks.push(check.of(webhook));
            }
        }
    }
    checks.extend(wanted.iter().map(|wanted| {
        let missing: Vec<_> = names(wanted)
            .into_iter()
            .filter(|name| !patterns.iter().any(|pattern| pattern.subscribes_to(&EventName::from(name.as_str()))))
            .collect();
        if missing.is_empty() {
            return Check::ok("operations", format!("the operations cover {wanted}"));
        }
        let shown = missing.iter().take(5).map(|name| name.replace(ANY_OBJECT, "any custom object"));
        let shown = shown.collect::<Vec<_>>().join(", ");
        let more = missing.len().saturating_sub(5);
        let more = if more > 0 { format!(", and {more} more") } else { String::new() };
        let what = format!("no webhook subscribes to {shown}{more}");
        if missing == ["workflowRun.updated"] {
            return Check::wrong(
                "operations",
                what,
                "Twenty sends it only to webhooks that list exactly this operation. No wildcard includes it.",
                "add it to the operations",
            );
        }
        Check::wrong(
            "operations",
            what,
            format!("you want {wanted}"),
            format!("add the operation {wanted} to the webhook in Twenty's settings"),
        )
    }));
    checks
}

/// The events that a pattern means: of the standard objects, and of a custom one.
fn names(pattern: &EventPattern) -> Vec<String> {
    let text = pattern.to_string();
    let Some((object, action)) = text.rsplit_once('.') else { return Vec::new() };
    let actions = if action == "*" { ACTIONS.map(str::to_owned).to_vec() } else { vec![action.to_owned()] };
    let objects: Vec<String> = match object {
        "*" => standard_objects().chain([ANY_OBJECT]).map(str::to_owned).collect(),
        "metadata.*" => {
            ["metadata.objectMetadata", "metadata.fieldMetadata", "metadata.view"].map(str::to_owned).to_vec()
        }
        object => vec![object.to_owned()],
    };
    objects.iter().flat_map(|object| actions.iter().map(move |action| format!("{object}.{action}"))).collect()
}
