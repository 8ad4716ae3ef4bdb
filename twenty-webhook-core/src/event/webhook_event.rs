use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

use bytes::Bytes;

use super::envelope::{Envelope, Members};
use crate::json::Text;
use crate::records::parse_date;
use crate::{Action, Delivery, DeliveryId, EventName, Extra, NotAnEvent, ObjectMetadata, Payload};

/// An event, in whichever of Twenty's forms it was sent: the accessors give the same answer for each. Cheap to clone.
///
/// ```
/// use twenty_webhook_core::records::{Opportunity, Person};
/// use twenty_webhook_core::{Action, DecodeError, WebhookEvent};
///
/// fn handle(event: &WebhookEvent) -> Result<(), DecodeError> {
///     // One record, nearly always; Twenty of October 2025 also sent several at once.
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
/// # What Twenty leaves to the receiver
///
/// - *No delivery id.* When its queue runs a crashed job again, the same change arrives twice. [`delivery_id`](Self::delivery_id)
///   is the same for the same body, so it tells most of these; but a job that is run again from further up sends a new
///   [`event_date`](Self::event_date) too, and is a new body. So write handlers that may run twice.
/// - *No order.* Up to twenty deliveries are under way at once. Compare the record's `updatedAt` with what is stored, and leave
///   what is newer; [`Destroyed`](Action::Destroyed) is terminal, whatever arrives after it.
/// - *No retry.* A delivery that is not answered with 2xx within 5 seconds is lost for good. Reconcile through Twenty's API now and
///   then if that matters.
#[derive(Clone)]
pub struct WebhookEvent(Arc<Inner>);

struct Inner {
    envelope: Envelope,
    source: Source,
    /// In the object's metadata.
    object: OnceLock<Option<Text>>,
    record_id: OnceLock<Option<String>>,
    /// The guard, by its address, that holds an open claim on this delivery; 0 for none.
    claimed_by: AtomicUsize,
    /// The same delivery, as a layer around the one that made this has verified it.
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

    /// Reads back a body that was verified before it was stored, or makes an event for a test. *Nothing is verified here*: this is
    /// data, not proof, so its [`delivery`](Self::delivery) is `None`.
    ///
    /// # Errors
    /// If it is not an event.
    pub fn from_stored(body: impl Into<Bytes>) -> Result<Self, NotAnEvent> {
        let body = body.into();
        Ok(Self::new(Envelope::read(&body)?, Source::Stored(body, OnceLock::new())))
    }

    fn new(envelope: Envelope, source: Source) -> Self {
        let (object, record_id, claimed_by, outer) = Default::default();
        Self(Arc::new(Inner { envelope, source, object, record_id, claimed_by, outer }))
    }

    /// The canonical name: `person.created`, also where Twenty spelled it `create.person` or `person.create`.
    pub fn name(&self) -> &EventName {
        &self.0.envelope.name
    }

    /// The name as Twenty spelled it.
    pub fn name_as_sent(&self) -> &str {
        self.0.envelope.name_as_sent.as_str(self.body())
    }

    /// What it happened to: `person`, `opportunity`, or a custom object's name.
    ///
    /// It is `objectMetadata.nameSingular`, else what comes before the last dot of the [`name`](Self::name).
    ///
    /// For a change of the data model it begins with `metadata.`, as in `metadata.fieldMetadata`, which no object's name can. So
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

    /// What happened to it.
    pub fn action(&self) -> &Action {
        self.name().action()
    }

    /// What it carries, by its form.
    pub fn payload(&self) -> &Payload {
        &self.0.envelope.payload
    }

    /// The id of the one record, or piece of the data model, that it is about. `None` for a batch.
    pub fn record_id(&self) -> Option<&str> {
        let id = self.0.record_id.get_or_init(|| match self.payload() {
            Payload::Record { record } => record.string_member("id"),
            Payload::Metadata(change) => change.record_id.clone(),
            Payload::Batch { .. } => None,
        });
        id.as_deref()
    }

    /// The fields that changed, where Twenty says so: always on `updated`, lately on `deleted` and `restored`, never on `created`.
    /// In a batch each item has its own.
    pub fn updated_fields(&self) -> Option<&[String]> {
        self.0.envelope.members.updated_fields.as_deref()
    }

    /// When Twenty saw the change; the whole batch of a bulk change shares it, so it tells no order within. `None` if it is absent or
    /// not a date; then see [`event_date_text`](Self::event_date_text).
    pub fn event_date(&self) -> Option<jiff::Timestamp> {
        parse_date(self.event_date_text()?)
    }

    /// When the one record last changed, by its `updatedAt`. `None` for a batch or a change of the data model, or if it is absent or not a date.
    pub fn record_updated_at(&self) -> Option<jiff::Timestamp> {
        match self.payload() {
            Payload::Record { record } => parse_date(&record.string_member("updatedAt")?),
            _ => None,
        }
    }

    /// [`event_date`](Self::event_date), as it was sent.
    pub fn event_date_text(&self) -> Option<&str> {
        self.text(|members| &members.event_date)
    }

    /// The workspace that it happened in.
    pub fn workspace_id(&self) -> Option<&str> {
        self.text(|members| &members.workspace_id)
    }

    /// The webhook, in Twenty's settings, that sent it.
    pub fn webhook_id(&self) -> Option<&str> {
        self.text(|members| &members.webhook_id)
    }

    /// The user that made the change. None for a change made with an API key.
    pub fn user_id(&self) -> Option<&str> {
        self.text(|members| &members.user_id)
    }

    /// The same user, as a member of the workspace.
    pub fn workspace_member_id(&self) -> Option<&str> {
        self.text(|members| &members.workspace_member_id)
    }

    /// The API key that the change was made with. Twenty 2.21 sends it with changes of the data model only.
    pub fn api_key_id(&self) -> Option<&str> {
        self.text(|members| &members.api_key_id)
    }

    /// The application that made the change.
    pub fn application_id(&self) -> Option<&str> {
        self.text(|members| &members.application_id)
    }

    /// The object in the data model.
    pub fn object_metadata(&self) -> Option<ObjectMetadata> {
        self.0.envelope.object_metadata.as_ref()?.decode().ok()
    }

    /// The URL that it was sent to, as Twenty has it.
    pub fn target_url(&self) -> Option<&str> {
        self.text(|members| &members.target_url)
    }

    /// The members of the body that have no accessor, and those that were not what they should be.
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

    /// The proof that it was signed and fresh. `None` if it was [read back](Self::from_stored).
    pub fn delivery(&self) -> Option<&Delivery> {
        match &self.0.source {
            Source::Verified(delivery) => Some(delivery),
            Source::Stored(..) => None,
        }
    }

    /// Whether it was read from Twenty's API by `twenty-webhook-catchup`, because no delivery told of it: data, not proof, so it has no
    /// [`delivery`](Self::delivery). It says what a record is like now; not which fields changed, nor who changed them.
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

    /// The idempotency key: the same for the same body, whether it was just verified or read back.
    pub fn delivery_id(&self) -> DeliveryId {
        match &self.0.source {
            Source::Verified(delivery) => delivery.id(),
            Source::Stored(body, id) => *id.get_or_init(|| DeliveryId::of(body)),
        }
    }

    /// Marks the delivery as claimed by the guard at this address, for as long as the claim is open.
    pub(crate) fn set_claimed_by(&self, guard: Option<usize>) {
        self.0.claimed_by.store(guard.unwrap_or(0), Ordering::Release);
    }

    /// Remembers what a layer around this one has verified.
    pub(crate) fn set_outer(&self, outer: &WebhookEvent) {
        // A layer sets it once, on the event that it has just made.
        let _ = self.0.outer.set(outer.clone());
    }

    /// Whether the guard at this address holds an open claim on the delivery, through this layer or one around it.
    pub(crate) fn is_claimed_by(&self, guard: usize) -> bool {
        let by_outer = || self.0.outer.get().is_some_and(|outer| outer.is_claimed_by(guard));
        self.0.claimed_by.load(Ordering::Acquire) == guard || by_outer()
    }

    fn text(&self, choose: impl FnOnce(&Members) -> &Option<Text>) -> Option<&str> {
        choose(&self.0.envelope.members).as_ref().map(|text| text.as_str(self.body()))
    }
}

/// For what takes an event or its name, as [`EventPattern::matches`](crate::EventPattern::matches) does.
impl AsRef<EventName> for WebhookEvent {
    fn as_ref(&self) -> &EventName {
        self.name()
    }
}

/// Names, ids and the size: a payload is not for logs.
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
