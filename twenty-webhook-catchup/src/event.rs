use serde::Serialize;
use serde_json::value::RawValue;
use twenty_webhook_core::WebhookEvent;

use crate::CatchUpError;
use crate::dates::iso;
use crate::objects::Object;

/// A body in the current form, marked as caught up.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Body<'a> {
    event_name: String,
    object_metadata: Metadata<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    workspace_id: Option<&'a str>,
    event_date: String,
    caught_up: bool,
    record: &'a RawValue,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Metadata<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<&'a str>,
    name_singular: &'a str,
}

/// The event for a record that was read at `date`, in Unix milliseconds by the server's clock.
pub(crate) fn event(
    object: &Object,
    action: &str,
    record: &RawValue,
    date: i64,
    workspace_id: Option<&str>,
) -> Result<WebhookEvent, CatchUpError> {
    let body = Body {
        event_name: format!("{}.{action}", object.singular),
        object_metadata: Metadata { id: object.id.as_deref(), name_singular: &object.singular },
        workspace_id,
        event_date: iso(date),
        caught_up: true,
        record,
    };
    let invalid = |error: &dyn std::fmt::Display| {
        CatchUpError::InvalidResponse(format!("a record cannot be made into an event: {error}"))
    };
    let body = serde_json::to_vec(&body).map_err(|error| invalid(&error))?;
    WebhookEvent::from_stored(body).map_err(|error| invalid(&error))
}

/// A `destroyed` event. It contains the id, and the last `updatedAt` if it is known.
pub(crate) fn destroyed(
    object: &Object,
    id: &str,
    state: Option<i64>,
    date: i64,
    workspace_id: Option<&str>,
) -> Result<WebhookEvent, CatchUpError> {
    let mut record = serde_json::json!({ "id": id });
    if let Some(state) = state {
        record["updatedAt"] = iso(state).into();
    }
    let record =
        serde_json::value::to_raw_value(&record).map_err(|error| CatchUpError::InvalidResponse(error.to_string()))?;
    event(object, "destroyed", &record, date, workspace_id)
}
