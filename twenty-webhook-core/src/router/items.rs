use crate::{Payload, RawJson, WebhookEvent};

/// One record of an event, or one change of the data model, with its own changed fields.
pub(super) struct Item<'a> {
    /// `None` for a change of the data model.
    pub(super) record: Option<&'a RawJson>,
    pub(super) updated_fields: &'a [String],
    pub(super) in_batch: bool,
}

/// Each record of an event: one, or those of a batch. A change of the data model is one item without a record.
pub(super) fn items(event: &WebhookEvent) -> impl Iterator<Item = Item<'_>> {
    let updated_fields = event.updated_fields().unwrap_or_default();
    let (one, batch) = match event.payload() {
        Payload::Record { record } => {
            (Some(Item { record: Some(record), updated_fields, in_batch: false }), [].as_slice())
        }
        Payload::Metadata(_) => (Some(Item { record: None, updated_fields, in_batch: false }), [].as_slice()),
        Payload::Batch { items } => (None, items.as_slice()),
    };
    one.into_iter().chain(batch.iter().map(|item| Item {
        record: Some(&item.record),
        updated_fields: item.updated_fields.as_deref().unwrap_or_default(),
        in_batch: true,
    }))
}
