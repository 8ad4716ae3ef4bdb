use serde::de::DeserializeOwned;

use crate::records::Record;
use crate::{DecodeError, RawJson};

/// One record of an event, with its own changed fields: see [`WebhookEvent::items`](crate::WebhookEvent::items).
#[derive(Clone, Debug)]
pub struct EventItem<'a> {
    object: &'a str,
    record: &'a RawJson,
    updated_fields: Option<&'a [String]>,
}

impl<'a> EventItem<'a> {
    pub(super) fn new(object: &'a str, record: &'a RawJson, updated_fields: Option<&'a [String]>) -> Self {
        Self { object, record, updated_fields }
    }

    /// The record's object: `person`, `opportunity`, or the name of a custom object.
    pub fn object(&self) -> &'a str {
        self.object
    }

    /// The record's id.
    pub fn record_id(&self) -> Option<String> {
        self.record.string_member("id")
    }

    /// Decodes the record: the state after the change, or before it if there is none after, or `{}`.
    ///
    /// # Errors
    /// If the record does not fit the type.
    pub fn record<T: DeserializeOwned>(&self) -> Result<T, DecodeError> {
        self.record.decode()
    }

    /// [`record`](Self::record) if the record's object is `T::OBJECT`, else `None`.
    ///
    /// # Errors
    /// If the record does not fit the type.
    pub fn record_of<T: Record>(&self) -> Result<Option<T>, DecodeError> {
        if self.object == T::OBJECT { self.record().map(Some) } else { Ok(None) }
    }

    /// The record's JSON, as sent.
    pub fn raw_record(&self) -> &'a RawJson {
        self.record
    }

    /// The changed fields of this record, if Twenty lists them.
    pub fn updated_fields(&self) -> Option<&'a [String]> {
        self.updated_fields
    }

    /// Whether Twenty lists `field` as changed in this record.
    ///
    /// Twenty lists whole fields: `name`, not `name.firstName`. It lists none for `created`, so the result is `false`. The record may lack the
    /// field: older versions of Twenty sent only parts of some records.
    pub fn changed(&self, field: &str) -> bool {
        self.updated_fields.unwrap_or_default().iter().any(|updated| updated == field)
    }
}
