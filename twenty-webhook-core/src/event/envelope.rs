use bytes::Bytes;

use crate::json::{RawObject, Text, for_each_member, put};
use crate::{EventName, Extra, MetadataChange, NotAnEvent, Payload, RawJson};

/// A body of any of Twenty's forms, taken apart.
pub(super) struct Envelope {
    pub(super) name: EventName,
    pub(super) name_as_sent: Text,
    pub(super) texts: Texts,
    pub(super) object_metadata: Option<RawJson>,
    pub(super) payload: Payload,
    pub(super) updated_fields: Option<Vec<String>>,
    pub(super) extra: Extra,
}

/// The members that are text, and have an accessor each.
#[derive(Default)]
pub(super) struct Texts {
    pub(super) event_date: Option<Text>,
    pub(super) target_url: Option<Text>,
    pub(super) workspace_id: Option<Text>,
    pub(super) webhook_id: Option<Text>,
    pub(super) user_id: Option<Text>,
    pub(super) workspace_member_id: Option<Text>,
    pub(super) api_key_id: Option<Text>,
    pub(super) application_id: Option<Text>,
}

impl Envelope {
    pub(super) fn read(body: &Bytes) -> Result<Self, NotAnEvent> {
        let json = str::from_utf8(body).map_err(|error| NotAnEvent::NotUtf8 { valid_up_to: error.valid_up_to() })?;
        let (mut texts, mut extra) = (Texts::default(), Extra::default());
        let mut event_name: Option<Text> = None;
        let mut object_metadata: Option<RawObject> = None;
        let mut record: Option<RawObject> = None;
        let mut updated_fields = None;

        // Today's form is read on the way. What only other forms have is rare, and is taken out of `extra` below.
        let members = for_each_member(json, |key, value| {
            let text = match &*key {
                "targetUrl" => &mut texts.target_url,
                "eventName" => &mut event_name,
                "workspaceId" => &mut texts.workspace_id,
                "webhookId" => &mut texts.webhook_id,
                "eventDate" => &mut texts.event_date,
                "userId" => &mut texts.user_id,
                "workspaceMemberId" => &mut texts.workspace_member_id,
                "apiKeyId" => &mut texts.api_key_id,
                "applicationId" => &mut texts.application_id,
                other => {
                    match other {
                        "objectMetadata" => put(&mut object_metadata, &key, value, body, &mut extra),
                        "record" => put(&mut record, &key, value, body, &mut extra),
                        "updatedFields" => put(&mut updated_fields, &key, value, body, &mut extra),
                        _ => extra.push(key, value, body),
                    }
                    return;
                }
            };
            put(text, &key, value, body, &mut extra);
        })
        .map_err(|error| NotAnEvent::from_failed_read(json, &error))?;

        let object_metadata = object_metadata.map(|RawObject(json)| json);
        let (name, name_as_sent) =
            name(event_name, object_metadata.as_ref(), body, &mut extra).ok_or(NotAnEvent::NoName { members })?;
        if texts.event_date.is_none() {
            texts.event_date = extra.take("timestamp").map(Text::Owned);
        }
        let record = record.or_else(|| extra.take("data")).map(|RawObject(record)| record);
        let payload = if let Some(metadata_name) = name.metadata_name() {
            let mut change = MetadataChange::new(metadata_name, name.action(), record);
            if let Some(RawObject(event)) = extra.take("event") {
                change.read(&event, &mut updated_fields);
            }
            Payload::Metadata(Box::new(change))
        } else if record.is_none()
            && let Some(items) = extra.take("items")
        {
            Payload::Batch { items }
        } else {
            Payload::Record { record: record.unwrap_or(RawJson::EMPTY_OBJECT) }
        };
        Ok(Self { name, name_as_sent, texts, object_metadata, payload, updated_fields, extra })
    }
}

/// The canonical name, and the text that it was read from: of `eventName`, else of the older `eventType`, else of the documented
/// `event`.
fn name(
    event_name: Option<Text>,
    object_metadata: Option<&RawJson>,
    body: &Bytes,
    extra: &mut Extra,
) -> Option<(EventName, Text)> {
    let object = || object_metadata?.string_member("nameSingular");
    if let Some(text) = event_name {
        let name = text.as_str(body);
        if !name.trim().is_empty() {
            return Some((EventName::read(name, object), text));
        }
    }
    let mut take = |member| extra.take(member).filter(|text: &String| !text.trim().is_empty());
    if let Some(text) = take("eventType") {
        return Some((EventName::read_event_type(&text, object), Text::Owned(text)));
    }
    let text = take("event")?;
    Some((EventName::read(&text, object), Text::Owned(text)))
}
