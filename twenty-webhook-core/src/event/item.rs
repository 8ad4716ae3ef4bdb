use serde::de::DeserializeOwned;

use crate::records::Record;
use crate::{DecodeError, RawJson};

/// One record of an event, with the fields that changed in *it*: see [`WebhookEvent::items`](crate::WebhookEvent::items).
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

    /// The object that the record is of: `person`, `opportunity`, or a custom object's name.
    pub fn object(&self) -> &'a str {
        self.object
    }

    /// The record's id.
    pub fn record_id(&self) -> Option<String> {
        self.record.string_member("id")
    }

    /// Decodes the record: the state after the change, else before it, else `{}`.
    ///
    /// # Errors
    /// If it does not fit the type.
    pub fn record<T: DeserializeOwned>(&self) -> Result<T, DecodeError> {
        self.record.decode()
    }

    /// The same, if the record is of the type's object; else `None`.
    ///
    /// # Errors
    /// If it does not fit the type.
    pub fn record_of<T: Record>(&self) -> Result<Option<T>, DecodeError> {
        if self.object == T::OBJECT { self.record().map(Some) } else { Ok(None) }
    }

    /// The record as it was sent.
    pub fn raw_record(&self) -> &'a RawJson {
        self.record
    }

    /// The fields that changed in this record, where Twenty says so.
    pub fn updated_fields(&self) -> Option<&'a [String]> {
        self.updated_fields
    }

    /// Whether Twenty lists `field` among those that changed in this record.
    ///
    /// Fields are listed whole: `name`, not `name.firstName`. On `created` Twenty lists none, so there it is `false`. The record need not
    /// have the field: older versions of Twenty sent parts of some records only.
    pub fn changed(&self, field: &str) -> bool {
        self.updated_fields.unwrap_or_default().iter().any(|updated| updated == field)
    }
}
