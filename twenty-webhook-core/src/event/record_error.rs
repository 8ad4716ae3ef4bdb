use crate::DecodeError;

/// Why an event gave no record. Like [`DecodeError`], it never says a value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RecordError {
    /// A batch has many records: see [`WebhookEvent::items`](crate::WebhookEvent::items).
    #[error("a batch of {items} records has no record of its own")]
    #[non_exhaustive]
    Batch {
        /// How many.
        items: usize,
    },
    /// A change of the data model has no record: see [`Payload::Metadata`](crate::Payload::Metadata).
    #[error("a change of the data model has no record")]
    Metadata,
    /// The record does not fit the type.
    #[error(transparent)]
    Decode(#[from] DecodeError),
}
