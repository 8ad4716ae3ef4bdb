use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

use bytes::Bytes;

use super::envelope::{Envelope, Members};
use crate::json::Text;
use crate::records::parse_date;
use crate::{Action, Delivery, DeliveryId, EventName, Extra, NotAnEvent, ObjectMetadata, Payload};

/// An event. The accessors work for each form that Twenty has sent since 2024. Cheap to clone.
///
/// ```
/// use twenty_webhook_core::records::{Opportunity, Person};
/// use twenty_webhook_core::{Action, DecodeError, WebhookEvent};
///
/// fn handle(event: &WebhookEvent) -> Result<(), DecodeError> {
///     // Nearly always one record. In October 2025, Twenty also sent batches.
///     for item in event.items() {
///         match (event.object(), event.action()) {
///             (Person::OBJECT, Action::Created) => {
///                 let person: Person = item.record()?;
///                 eprintln!("hello, {}", person.name.unwrap_or_default());
///             }
///             (Opportunity::OBJECT, Action::Updated) if item.changed("stage") => {
///                 let deal: Opportunity = item.record()?;
///                 eprintln!("now in {}", deal.stage.unwrap_or_default());
///             }
///             _ => {}
///         }
///     }
///     Ok(())
/// }
/// # handle(&WebhookEvent::from_stored(r#"{"event":"person.created","data":{"firstName":"Alice"}}"#).unwrap()).unwrap();
/// # handle(&WebhookEvent::from_stored(r#"{"eventName":"opportunity.updated","updatedFields":["stage"]}"#).unwrap()).unwrap();
/// ```
///
/// # What Twenty does not guarantee
///
/// - *No delivery id.* When Twenty's queue reruns a crashed job, the same change arrives twice. [`delivery_id`](Self::delivery_id) detects most
///   of these, because the body is the same. A job that is rerun from an earlier step has a new [`event_date`](Self::event_date), and so a new
///   body. Write handlers that can run twice.
/// - *No order.* Twenty sends up to twenty deliveries concurrently. Compare the record's `updatedAt` with the stored one, and keep the newer
///   record. [`Destroyed`](Action::Destroyed) is final, whatever arrives later.
/// - *No retry.* Twenty does not resend a delivery without a 2xx within 5 seconds. If that matters, compare with Twenty's API regularly: see
///   the crate `twenty-webhook-catchup`.
#[derive(Clone)]
pub struct WebhookEvent(Arc<Inner>);

struct Inner {
    envelope: Envelope,
    source: Source,
    /// From `objectMetadata`, read when first needed.
    object: OnceLock<Option<Text>>,
    record_id: OnceLock<Option<String>>,
    /// The identity of the guard with an open claim on this delivery, or 0.
    claimed_by: AtomicUsize,
    /// The event of an outer layer that verified the same delivery.
    outer: OnceLock<WebhookEvent>,
}

enum Source {
    Verified(Delivery),
    Stored(Bytes, OnceLock<DeliveryId>),
}

impl WebhookEvent {
    pub(crate) fn from_delivery(delivery: Delivery) -> Result<Self, NotAnEvent> {
        Ok(Self::new(Envelope::read(delivery.body())?, Source::Verified(delivery)))
    }

    /// Reads a stored body, which was verified before it was stored, or makes an event for a test. *This verifies nothing*, so
    /// [`delivery`](Self::delivery) is `None`.
    ///
    /// # Errors
    /// If the body is not an event.
    pub fn from_stored(body: impl Into<Bytes>) -> Result<Self, NotAnEvent> {
        let body = body.into();
        Ok(Self::new(Envelope::read(&body)?, Source::Stored(body, OnceLock::new())))
    }

    fn new(envelope: Envelope, source: Source) -> Self {
        let (object, record_id, claimed_by, outer) = Default::default();
        Self(Arc::new(Inner { envelope, source, object, record_id, claimed_by, outer }))
    }

    /// The canonical name: `person.created`, also if Twenty sent `create.person` or `person.create`.
    pub fn name(&self) -> &EventName {
        &self.0.envelope.name
    }

    /// The name as Twenty sent it.
    pub fn name_as_sent(&self) -> &str {
        self.0.envelope.name_as_sent.as_str(self.body())
    }

    /// The object: `person`, `opportunity`, or the name of a custom object.
    ///
    /// It is `objectMetadata.nameSingular`, else the part before the last dot of the [`name`](Self::name).
    ///
    /// For a change of the data model it begins with `metadata.`, as in `metadata.fieldMetadata`. No object's name can contain a dot, so
    /// `("view", Action::Created)` is always about a custom object called `view`.
    pub fn object(&self) -> &str {
        self.named_in_metadata().unwrap_or_else(|| self.name().object())
    }

    fn named_in_metadata(&self) -> Option<&str> {
        let metadata = self.0.envelope.object_metadata.as_ref()?;
        let name = self.0.object.get_or_init(|| match self.name().metadata_name() {
            None => metadata.text_member("nameSingular"),
            Some(_) => None,
        });
        Some(name.as_ref()?.as_str(metadata.bytes())).filter(|name| !name.is_empty())
    }

    /// What happened to the object.
    pub fn action(&self) -> &Action {
        self.name().action()
    }

    /// The content, by the event's form.
    pub fn payload(&self) -> &Payload {
        &self.0.envelope.payload
    }

    /// The id of the single record, or of the changed metadata. `None` for a batch.
    pub fn record_id(&self) -> Option<&str> {
        let id = self.0.record_id.get_or_init(|| match self.payload() {
            Payload::Record { record } => record.string_member("id"),
            Payload::Metadata(change) => change.record_id.clone(),
            Payload::Batch { .. } => None,
        });
        id.as_deref()
    }

    /// The changed fields, if Twenty lists them: always for `updated`, in recent versions for `deleted` and `restored`, never for `created`.
    /// In a batch, each item has its own.
    pub fn updated_fields(&self) -> Option<&[String]> {
        self.0.envelope.members.updated_fields.as_deref()
    }

    /// When Twenty queued the event. All events of a bulk change have the same date, so it does not order them. `None` if it is absent or not a
    /// date; see [`event_date_text`](Self::event_date_text).
    pub fn event_date(&self) -> Option<jiff::Timestamp> {
        parse_date(self.event_date_text()?)
    }

    /// The `updatedAt` of the single record. `None` for a batch or a change of the data model, or if it is absent or not a date.
    pub fn record_updated_at(&self) -> Option<jiff::Timestamp> {
        match self.payload() {
            Payload::Record { record } => parse_date(&record.string_member("updatedAt")?),
            _ => None,
        }
    }

    /// [`event_date`](Self::event_date) as sent.
    pub fn event_date_text(&self) -> Option<&str> {
        self.text(|members| &members.event_date)
    }

    /// The id of the workspace.
    pub fn workspace_id(&self) -> Option<&str> {
        self.text(|members| &members.workspace_id)
    }

    /// The id of the webhook in Twenty's settings.
    pub fn webhook_id(&self) -> Option<&str> {
        self.text(|members| &members.webhook_id)
    }

    /// The id of the user that made the change. `None` for a change made with an API key.
    pub fn user_id(&self) -> Option<&str> {
        self.text(|members| &members.user_id)
    }

    /// The id of this user as a member of the workspace.
    pub fn workspace_member_id(&self) -> Option<&str> {
        self.text(|members| &members.workspace_member_id)
    }

    /// The id of the API key that made the change. Twenty 2.21 sends it only for changes of the data model.
    pub fn api_key_id(&self) -> Option<&str> {
        self.text(|members| &members.api_key_id)
    }

    /// The id of the application that made the change.
    pub fn application_id(&self) -> Option<&str> {
        self.text(|members| &members.application_id)
    }

    /// The object's entry in the data model.
    pub fn object_metadata(&self) -> Option<ObjectMetadata> {
        self.0.envelope.object_metadata.as_ref()?.decode().ok()
    }

    /// The URL of the webhook in Twenty's settings.
    pub fn target_url(&self) -> Option<&str> {
        self.text(|members| &members.target_url)
    }

    /// The members of the body without an accessor, and those with an unexpected type.
    pub fn extra(&self) -> &Extra {
        &self.0.envelope.members.extra
    }

    /// The signed bytes.
    pub fn body(&self) -> &Bytes {
        match &self.0.source {
            Source::Verified(delivery) => delivery.body(),
            Source::Stored(body, _) => body,
        }
    }

    /// The proof of its signature and age. `None` for a [stored](Self::from_stored) event.
    pub fn delivery(&self) -> Option<&Delivery> {
        match &self.0.source {
            Source::Verified(delivery) => Some(delivery),
            Source::Stored(..) => None,
        }
    }

    /// Whether `twenty-webhook-catchup` made this event from Twenty's API, because its delivery was missed. It is not signed, so it has no
    /// [`delivery`](Self::delivery). It has the current state of a record, but neither the changed fields nor the user.
    ///
    /// ```
    /// use twenty_webhook_core::WebhookEvent;
    ///
    /// let event = WebhookEvent::from_stored(r#"{"eventName":"person.updated","record":{"id":"1"},"caughtUp":true}"#)?;
    /// assert!(event.is_from_catchup());
    /// # Ok::<(), twenty_webhook_core::NotAnEvent>(())
    /// ```
    pub fn is_from_catchup(&self) -> bool {
        self.delivery().is_none() && self.extra().get("caughtUp").is_some_and(|json| json.as_str() == "true")
    }

    /// The hash of the body: the same for a received and a stored event. As an idempotency key for several tenants, use
    /// [`Delivery::replay_key`].
    pub fn delivery_id(&self) -> DeliveryId {
        match &self.0.source {
            Source::Verified(delivery) => delivery.id(),
            Source::Stored(body, id) => *id.get_or_init(|| DeliveryId::of(body)),
        }
    }

    /// Marks the delivery as claimed by the guard with this identity, while the claim is open.
    pub(crate) fn set_claimed_by(&self, guard: Option<usize>) {
        self.0.claimed_by.store(guard.unwrap_or(0), Ordering::Release);
    }

    /// Links the event of an outer layer.
    pub(crate) fn set_outer(&self, outer: &WebhookEvent) {
        // A layer sets it once, on its own event.
        let _ = self.0.outer.set(outer.clone());
    }

    /// Whether the guard with this identity holds an open claim on the delivery, through this layer or an outer one.
    pub(crate) fn is_claimed_by(&self, guard: usize) -> bool {
        let by_outer = || self.0.outer.get().is_some_and(|outer| outer.is_claimed_by(guard));
        self.0.claimed_by.load(Ordering::Acquire) == guard || by_outer()
    }

    fn text(&self, choose: impl FnOnce(&Members) -> &Option<Text>) -> Option<&str> {
        choose(&self.0.envelope.members).as_ref().map(|text| text.as_str(self.body()))
    }
}

/// For functions that take an event or its name, such as [`EventPattern::matches`](crate::EventPattern::matches).
impl AsRef<EventName> for WebhookEvent {
    fn as_ref(&self) -> &EventName {
        self.name()
    }
}

/// Names, ids and the size. Payloads must not get into logs.
impl fmt::Debug for WebhookEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WebhookEvent")
            .field("name", &self.name().as_str())
            .field("record_id", &self.record_id())
            .field("workspace_id", &self.workspace_id())
            .field("webhook_id", &self.webhook_id())
            .field("len", &self.body().len())
            .finish_non_exhaustive()
    }
}
