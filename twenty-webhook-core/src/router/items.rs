use crate::{Payload, RawJson, WebhookEvent};

/// A record of an event, or a change of the data model, with its changed fields.
pub(super) struct Item<'a> {
    /// `None` for a change of the data model.
    pub(super) record: Option<&'a RawJson>,
    pub(super) updated_fields: &'a [String],
    pub(super) in_batch: bool,
}

/// The items of an event: its records, or its change of the data model.
pub(super) fn items(event: &WebhookEvent) -> impl Iterator<Item = Item<'_>> {
    let in_batch = matches!(event.payload(), Payload::Batch { .. });
    let data_model = matches!(event.payload(), Payload::Metadata(_)).then(|| Item {
        record: None,
        updated_fields: event.updated_fields().unwrap_or_default(),
        in_batch,
    });
    let records = event.items().map(move |item| Item {
        record: Some(item.raw_record()),
        updated_fields: item.updated_fields().unwrap_or_default(),
        in_batch,
    });
    data_model.into_iter().chain(records)
}
