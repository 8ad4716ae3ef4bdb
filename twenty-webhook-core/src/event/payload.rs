use std::borrow::Cow;

use bytes::Bytes;

use crate::json::{FromJson, RawObject, for_each_member, json_object, put};
use crate::{Action, Extra, RawJson};

/// The content of an event, by its form.
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
        /// The state after the change, or before it if there is none after, or `{}`.
        record: RawJson,
    },
    /// Several records of one object. Twenty sent batches only in October 2025, in addition to a delivery for each record.
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
    /// The state after the change, or before it if there is none after, or `{}`.
    pub record: RawJson,
    /// The changed fields, if Twenty lists them.
    pub updated_fields: Option<Vec<String>>,
    /// The other members of the item.
    pub extra: Extra,
}

impl BatchItem {
    /// Whether Twenty lists `field` as changed.
    pub fn changed(&self, field: &str) -> bool {
        self.updated_fields.iter().flatten().any(|updated| updated == field)
    }
}

/// An item as sent.
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
/// If a webhook changed, this contains its *secret*.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct MetadataChange {
    /// The kind of metadata: `objectMetadata`, `fieldMetadata`, `view`, `webhook`, …
    pub metadata_name: String,
    /// The id of the changed metadata.
    pub record_id: Option<String>,
    /// The state before the change.
    pub before: Option<RawJson>,
    /// The state after the change.
    pub after: Option<RawJson>,
    /// The changes, as `{ field: { before, after } }`.
    pub diff: Option<RawJson>,
    /// The other members of the change.
    pub extra: Extra,
}

impl MetadataChange {
    /// `record` is the state after the change, or before it for a deletion, as an early version of Twenty sent it.
    pub(super) fn new(metadata_name: &str, action: &Action, record: Option<RawJson>) -> Self {
        let record_id = record.as_ref().and_then(|record| record.string_member("id"));
        let (before, after) = match action {
            Action::Deleted | Action::Destroyed => (record, None),
            _ => (None, record),
        };
        Self { metadata_name: metadata_name.to_owned(), record_id, before, after, diff: None, extra: Extra::default() }
    }

    /// Reads the member `event`: `{ type, metadataName, recordId, properties: { before, after, updatedFields, diff } }`. Its first two
    /// members repeat the event's name. The members of `properties` are read like those of `event`.
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
        // `event` is a valid object, so this cannot fail. If `properties` is not an object, it is stored in `extra`.
        let _ = for_each_member(event.as_str(), |key, value| {
            if key != "properties" || for_each_member(value, &mut read).is_err() {
                read(key, value);
            }
        });
    }
}
