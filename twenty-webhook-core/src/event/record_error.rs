use crate::DecodeError;

/// Why an event has no record of the requested type. Like [`DecodeError`], it contains no values.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RecordError {
    /// A batch has many records: see [`WebhookEvent::items`](crate::WebhookEvent::items).
    #[error("a batch of {items} records has no single record")]
    #[non_exhaustive]
    Batch {
        /// The number of records.
        items: usize,
    },
    /// A change of the data model has no record: see [`Payload::Metadata`](crate::Payload::Metadata).
    #[error("a change of the data model has no record")]
    Metadata,
    /// The record does not fit the type.
    #[error(transparent)]
    Decode(#[from] DecodeError),
}
