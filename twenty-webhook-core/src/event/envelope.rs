use bytes::Bytes;

use super::parts;
use crate::json::{FromJson, RawObject, Text, json_object};
use crate::{EventName, Extra, MetadataChange, NotAnEvent, Payload, RawJson};

/// The parts of a body, in any of Twenty's forms.
pub(super) struct Envelope {
    pub(super) name: EventName,
    pub(super) name_as_sent: Text,
    pub(super) object_metadata: Option<RawJson>,
    pub(super) payload: Payload,
    pub(super) members: Members,
}

/// The members of the current form. The rare members of other forms are read from `extra`.
#[derive(Default)]
pub(super) struct Members {
    pub(super) target_url: Option<Text>,
    event_name: Option<Text>,
    object_metadata: Option<RawObject>,
    pub(super) workspace_id: Option<Text>,
    pub(super) webhook_id: Option<Text>,
    pub(super) event_date: Option<Text>,
    pub(super) user_id: Option<Text>,
    pub(super) workspace_member_id: Option<Text>,
    pub(super) api_key_id: Option<Text>,
    pub(super) application_id: Option<Text>,
    record: Option<RawObject>,
    pub(super) updated_fields: Option<Vec<String>>,
    pub(super) extra: Extra,
}

json_object! {
    Members {
        target_url = "targetUrl",
        event_name = "eventName",
        object_metadata = "objectMetadata",
        workspace_id = "workspaceId",
        webhook_id = "webhookId",
        event_date = "eventDate",
        user_id = "userId",
        workspace_member_id = "workspaceMemberId",
        api_key_id = "apiKeyId",
        application_id = "applicationId",
        record = "record",
        updated_fields = "updatedFields",
    }
}

impl Envelope {
    pub(super) fn read(body: &Bytes) -> Result<Self, NotAnEvent> {
        let json = str::from_utf8(body).map_err(|error| NotAnEvent::NotUtf8 { valid_up_to: error.valid_up_to() })?;
        parts::check(json)?;
        let mut members = Members::read(json, body).ok_or_else(|| NotAnEvent::not_an_object(json))?;
        let object_metadata = members.object_metadata.take().map(|RawObject(json)| json);
        let (name, name_as_sent) =
            name(&mut members, object_metadata.as_ref(), body).ok_or_else(|| NotAnEvent::no_name(json))?;
        let extra = &mut members.extra;
        if members.event_date.is_none() {
            members.event_date = extra.take("timestamp").map(Text::Owned);
        }
        let record = members.record.take().or_else(|| extra.take("data")).map(|RawObject(record)| record);
        let payload = if let Some(metadata_name) = name.metadata_name() {
            let mut change = MetadataChange::new(metadata_name, name.action(), record);
            if let Some(RawObject(event)) = extra.take("event") {
                change.read(&event, &mut members.updated_fields);
            }
            Payload::Metadata(Box::new(change))
        } else if record.is_none()
            && let Some(items) = extra.take("items")
        {
            Payload::Batch { items }
        } else {
            Payload::Record { record: record.unwrap_or(RawJson::EMPTY_OBJECT) }
        };
        Ok(Self { name, name_as_sent, object_metadata, payload, members })
    }
}

/// The canonical name and its original text: from `eventName`, else from the older `eventType`, else from the documented `event`.
fn name(members: &mut Members, object_metadata: Option<&RawJson>, body: &Bytes) -> Option<(EventName, Text)> {
    let object = || object_metadata?.string_member("nameSingular");
    if let Some(text) = members.event_name.take() {
        let name = text.as_str(body);
        if !name.trim().is_empty() {
            return Some((EventName::read(name, object), text));
        }
    }
    let mut take = |member| members.extra.take(member).filter(|text: &String| !text.trim().is_empty());
    if let Some(text) = take("eventType") {
        return Some((EventName::read_event_type(&text, object), Text::Owned(text)));
    }
    let text = take("event")?;
    Some((EventName::read(&text, object), Text::Owned(text)))
}
