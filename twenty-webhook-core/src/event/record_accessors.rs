use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::records::Record;
use crate::{DecodeError, EventItem, Payload, RecordError, WebhookEvent};

/// Records and their changed fields.
impl WebhookEvent {
    /// Decodes the single record: the state after the change, or before it if there is none after, or `{}`.
    ///
    /// `T` is a type in [`records`](crate::records), or your own type. You can decode a record twice: as a `Person`, and as your own type with
    /// custom fields.
    ///
    /// # Errors
    /// If there is no single record (see [`items`](Self::items)), or it does not fit the type. The types of this crate fit everything Twenty sends.
    pub fn record<T: DeserializeOwned>(&self) -> Result<T, RecordError> {
        match self.payload() {
            Payload::Record { record } => Ok(record.decode()?),
            Payload::Batch { items } => Err(RecordError::Batch { items: items.len() }),
            Payload::Metadata(_) => Err(RecordError::Metadata),
        }
    }

    /// [`record`](Self::record) if the event's object is `T::OBJECT`, else `None`.
    ///
    /// ```
    /// use twenty_webhook_core::WebhookEvent;
    /// use twenty_webhook_core::records::{Company, Person};
    ///
    /// let event = WebhookEvent::from_stored(r#"{"eventName":"person.created","record":{"city":"Nantes"}}"#)?;
    /// assert_eq!(event.record_of::<Person>()?.unwrap().city.as_deref(), Some("Nantes"));
    /// assert!(event.record_of::<Company>()?.is_none());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// If the event is about this object, but has no single record, or the record does not fit the type.
    pub fn record_of<T: Record>(&self) -> Result<Option<T>, RecordError> {
        if self.object() == T::OBJECT { self.record().map(Some) } else { Ok(None) }
    }

    /// Each record with its own changed fields: one, or several for a batch, or none for a change of the data model.
    ///
    /// ```
    /// use twenty_webhook_core::WebhookEvent;
    ///
    /// let body = r#"{"eventName":"opportunity.updated","items":[
    ///     {"record":{"id":"1"},"updatedFields":["stage"]},
    ///     {"record":{"id":"2"},"updatedFields":["amount"]}]}"#;
    /// let event = WebhookEvent::from_stored(body)?;
    /// let moved: Vec<_> = event.items().filter(|item| item.changed("stage")).collect();
    /// assert_eq!(moved.len(), 1);
    /// assert_eq!(moved[0].record_id().as_deref(), Some("1"));
    /// # Ok::<(), twenty_webhook_core::NotAnEvent>(())
    /// ```
    pub fn items(&self) -> impl Iterator<Item = EventItem<'_>> {
        let (one, batch) = match self.payload() {
            Payload::Record { record } => (Some(record), [].as_slice()),
            Payload::Batch { items } => (None, items.as_slice()),
            Payload::Metadata(_) => (None, [].as_slice()),
        };
        let one = one.map(|record| EventItem::new(self.object(), record, self.updated_fields()));
        let batch =
            batch.iter().map(|item| EventItem::new(self.object(), &item.record, item.updated_fields.as_deref()));
        one.into_iter().chain(batch)
    }

    /// Decodes each record: one, or several for a batch, or none for a change of the data model. An item is an error if its record does not
    /// fit the type.
    pub fn records<T: DeserializeOwned>(&self) -> impl Iterator<Item = Result<T, DecodeError>> {
        self.items().map(|item| item.record())
    }

    /// [`record`](Self::record) as a `serde_json::Value`.
    ///
    /// # Errors
    /// If there is no single record, or it is nested deeper than 128 levels.
    pub fn record_value(&self) -> Result<Value, RecordError> {
        self.record()
    }

    /// Whether Twenty lists `field` as changed; for a batch, in *any* of its records. To decide for each record, use
    /// [`items`](Self::items).
    ///
    /// Twenty lists whole fields: `name`, not `name.firstName`. It lists none for `created`, so the result is `false`.
    pub fn changed(&self, field: &str) -> bool {
        let listed = self.updated_fields().is_some_and(|fields| fields.iter().any(|updated| updated == field));
        listed || matches!(self.payload(), Payload::Batch { items } if items.iter().any(|item| item.changed(field)))
    }
}
