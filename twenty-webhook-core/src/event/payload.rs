use std::borrow::Cow;

use bytes::Bytes;

use crate::json::{FromJson, RawObject, for_each_member, json_object, put};
use crate::{Action, Extra, RawJson};

/// What an event carries, by its form.
///
/// ```
/// use twenty_webhook_core::{Payload, WebhookEvent};
///
/// fn describe(event: &WebhookEvent) -> String {
///     match event.payload() {
///         Payload::Record { .. } => format!("one {}", event.object()),
///         Payload::Batch { items, .. } => format!("{} of {}", items.len(), event.object()),
///         Payload::Metadata(change) => format!("a {} of the data model", change.metadata_name),
///         _ => "a form that is newer than this program".to_owned(),
///     }
/// }
///
/// let event = WebhookEvent::from_stored(r#"{"eventName":"rocket.updated","items":[{"record":{}},{"record":{}}]}"#)?;
/// assert_eq!(describe(&event), "2 of rocket");
/// # Ok::<(), twenty_webhook_core::NotAnEvent>(())
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Payload {
    /// One record, of a standard object or a custom one.
    #[non_exhaustive]
    Record {
        /// The state after the change, else before it, else `{}`.
        record: RawJson,
    },
    /// Several records of one object in one delivery. Sent in October 2025 only, beside a delivery for each of them.
    #[non_exhaustive]
    Batch {
        /// The records.
        items: Vec<BatchItem>,
    },
    /// A change of the data model, such as a new custom field.
    Metadata(Box<MetadataChange>),
}

/// One record of a [batch](Payload::Batch).
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct BatchItem {
    /// The state after the change, else before it, else `{}`.
    pub record: RawJson,
    /// The fields that changed, where Twenty says so.
    pub updated_fields: Option<Vec<String>>,
    /// What else is in the item.
    pub extra: Extra,
}

impl BatchItem {
    /// Whether Twenty lists `field` among those that changed.
    pub fn changed(&self, field: &str) -> bool {
        self.updated_fields.iter().flatten().any(|updated| updated == field)
    }
}

/// An item as it is sent.
#[derive(Default)]
struct Item {
    record: Option<RawObject>,
    updated_fields: Option<Vec<String>>,
    extra: Extra,
}

json_object! {
    Item {
        record = "record",
        updated_fields = "updatedFields",
    }
}

impl FromJson for BatchItem {
    fn read(json: &str, body: &Bytes) -> Option<Self> {
        let Item { record, updated_fields, extra } = Item::read(json, body)?;
        let record = record.map_or(RawJson::EMPTY_OBJECT, |RawObject(record)| record);
        Some(Self { record, updated_fields, extra })
    }
}

/// A change of the data model.
///
/// What changed may be a webhook: then its *secret* is in here.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct MetadataChange {
    /// The kind of thing that changed: `objectMetadata`, `fieldMetadata`, `view`, `webhook`, …
    pub metadata_name: String,
    /// The id of the thing that changed.
    pub record_id: Option<String>,
    /// The thing before the change.
    pub before: Option<RawJson>,
    /// The thing after the change.
    pub after: Option<RawJson>,
    /// What changed, as `{ field: { before, after } }`.
    pub diff: Option<RawJson>,
    /// What else is known of the change.
    pub extra: Extra,
}

impl MetadataChange {
    /// `record` is how an early version of Twenty sent the thing: the state after the change, or before it if there is no after.
    pub(super) fn new(metadata_name: &str, action: &Action, record: Option<RawJson>) -> Self {
        let record_id = record.as_ref().and_then(|record| record.string_member("id"));
        let (before, after) = match action {
            Action::Deleted | Action::Destroyed => (record, None),
            _ => (None, record),
        };
        Self { metadata_name: metadata_name.to_owned(), record_id, before, after, diff: None, extra: Extra::default() }
    }

    /// Reads the member `event`: `{ type, metadataName, recordId, properties: { before, after, updatedFields, diff } }`. Its first two
    /// members repeat the event's name. The properties are read as if they stood beside them.
    pub(super) fn read(&mut self, event: &RawJson, updated_fields: &mut Option<Vec<String>>) {
        let source = event.bytes();
        let mut read = |key: Cow<'_, str>, value| match &*key {
            "type" | "metadataName" => {}
            "recordId" => put(&mut self.record_id, &key, value, source, &mut self.extra),
            "before" => put(&mut self.before, &key, value, source, &mut self.extra),
            "after" => put(&mut self.after, &key, value, source, &mut self.extra),
            "diff" => put(&mut self.diff, &key, value, source, &mut self.extra),
            "updatedFields" => put(updated_fields, &key, value, source, &mut self.extra),
            _ => self.extra.push(key, value, source),
        };
        // It was found to be an object before, so this cannot fail; and if `properties` is none, it is kept in `extra`.
        let _ = for_each_member(event.as_str(), |key, value| {
            if key != "properties" || for_each_member(value, &mut read).is_err() {
                read(key, value);
            }
        });
    }
}
