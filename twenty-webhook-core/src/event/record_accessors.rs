use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::records::Record;
use crate::{DecodeError, EventItem, Payload, RecordError, WebhookEvent};

/// Its records, and what changed in them.
impl WebhookEvent {
    /// Decodes the one record: the state after the change, else before it, else `{}`.
    ///
    /// `T` is one of those in [`records`](crate::records), or any type of your own. The record stays as it was, so it may be
    /// decoded twice: once as a `Person`, and once as your own type for its custom fields.
    ///
    /// # Errors
    /// If there is no single record (then see [`items`](Self::items)), or it does not fit the type. Records of this crate fit whatever Twenty sends.
    pub fn record<T: DeserializeOwned>(&self) -> Result<T, RecordError> {
        match self.payload() {
            Payload::Record { record } => Ok(record.decode()?),
            Payload::Batch { items } => Err(RecordError::Batch { items: items.len() }),
            Payload::Metadata(_) => Err(RecordError::Metadata),
        }
    }

    /// [`record`](Self::record), if the event is about the type's object; else `None`, as for any change of the data model.
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
    /// If it is about the object, and has no single record, or one that does not fit the type.
    pub fn record_of<T: Record>(&self) -> Result<Option<T>, RecordError> {
        if self.object() == T::OBJECT { self.record().map(Some) } else { Ok(None) }
    }

    /// Every record, each with the fields that changed in *it*: the one, or each of a batch; none for a change of the data model.
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

    /// Decodes every record: the one, or each of a batch; none for a change of the data model. For handlers that are to work
    /// whichever form an event has.
    pub fn records<T: DeserializeOwned>(&self) -> impl Iterator<Item = Result<T, DecodeError>> {
        self.items().map(|item| item.record())
    }

    /// [`record`](Self::record), as a tree of values.
    ///
    /// # Errors
    /// If there is no single record, or it nests deeper than 128 levels.
    pub fn record_value(&self) -> Result<Value, RecordError> {
        self.record()
    }

    /// Whether Twenty lists `field` among those that changed; in a batch, among those of *any* record. What to do with a record should
    /// depend on what changed in it: see [`items`](Self::items).
    ///
    /// Fields are listed whole: `name`, not `name.firstName`. On `created` Twenty lists none, so there it is `false`.
    pub fn changed(&self, field: &str) -> bool {
        let listed = self.updated_fields().is_some_and(|fields| fields.iter().any(|updated| updated == field));
        listed || matches!(self.payload(), Payload::Batch { items } if items.iter().any(|item| item.changed(field)))
    }
}
