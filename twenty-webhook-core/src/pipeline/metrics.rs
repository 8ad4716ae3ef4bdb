use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use metrics::{counter, histogram};

use super::{Outcome, OutcomeKind};
use crate::{Action, WebhookEvent};

/// The maximum number of object labels. A CRM can have any number of custom objects, and each label takes memory in the metrics backend.
const MAX_OBJECTS: usize = 100;

/// The objects with a label in this process.
static OBJECTS: Mutex<BTreeSet<Box<str>>> = Mutex::new(BTreeSet::new());

pub(super) fn record(outcome: &Outcome<'_>) {
    let (object, action) = outcome.event.map_or_else(Default::default, labels);
    counter!(
        "twenty_webhook_deliveries_total",
        "outcome" => outcome.code(), "object" => object.clone(), "action" => action
    )
    .increment(1);
    if let OutcomeKind::Handled { duration, .. } = outcome.kind {
        histogram!("twenty_webhook_handler_seconds", "object" => object.clone()).record(duration);
    }
    // A duplicate's lag is not the delivery's.
    if outcome.event.is_some() && !matches!(outcome.kind, OutcomeKind::Rejected(_)) {
        let lag = |name, lag: Option<Duration>| {
            if let Some(lag) = lag {
                histogram!(name, "object" => object.clone()).record(lag);
            }
        };
        lag("twenty_webhook_delivery_lag_seconds", outcome.delivery_lag());
        lag("twenty_webhook_change_lag_seconds", outcome.change_lag());
    }
}

/// The object and the action of a verified event, from a bounded set.
fn labels(event: &WebhookEvent) -> (String, &'static str) {
    let mut objects = OBJECTS.lock().unwrap_or_else(PoisonError::into_inner);
    let object = event.object();
    let is_known = objects.contains(object) || objects.len() < MAX_OBJECTS && objects.insert(object.into());
    let action = match event.action() {
        Action::Created => "created",
        Action::Updated => "updated",
        Action::Deleted => "deleted",
        Action::Restored => "restored",
        Action::Destroyed => "destroyed",
        Action::Upserted => "upserted",
        _ => "other",
    };
    (if is_known { object.to_owned() } else { "other".to_owned() }, action)
}

#[cfg(test)]
mod tests {
    use super::{MAX_OBJECTS, labels};
    use crate::WebhookEvent;

    #[test]
    fn a_crm_of_many_objects_has_bounded_labels() {
        let label = |number: usize| {
            let body = format!(r#"{{"eventName":"rocket{number}.launched","record":{{}}}}"#);
            labels(&WebhookEvent::from_stored(body).unwrap())
        };
        let labels: std::collections::BTreeSet<_> = (0..3 * MAX_OBJECTS).map(label).collect();
        assert_eq!(labels.len(), MAX_OBJECTS + 1);
        assert!(labels.contains(&("other".to_owned(), "other")));
    }
}
