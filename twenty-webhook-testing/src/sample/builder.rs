use bytes::Bytes;
use serde::Serialize;
use serde_json::{Map, Value, json};
use twenty_webhook_core::{Secret, UnixMillis, WebhookEvent};

use super::body::Body;
use super::dates::{days_before, iso};
use super::envelope::{Envelope, Item, metadata_state, updated_fields};
use super::fields::Fields;
use super::name::Name;
use super::objects::Object;
use super::random::Random;
use super::records::Dates;
use super::{DEFAULT_DATE, Form, SampleError, Version, older};
use crate::SignedRequest;

/// A sample event with this name, for example `person.created`, `rocket.updated` or `metadata.fieldMetadata.updated`.
///
/// ```
/// use serde_json::json;
/// use twenty_webhook_core::records::Opportunity;
/// use twenty_webhook_testing::event;
///
/// let won = event("opportunity.updated").record(json!({ "stage": "WON" })).stored();
/// assert!(won.changed("stage") && !won.changed("amount"));
/// let deal: Opportunity = won.record()?;
/// assert_eq!(deal.stage.as_deref(), Some("WON"));
/// assert!(deal.amount.is_some(), "other fields have realistic values");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Panics
/// At the caller's line, if `name` is not `OBJECT.ACTION` or `metadata.NAME.ACTION`. [`EventBuilder::parse`] returns an error
/// instead.
#[track_caller]
pub fn event(name: &str) -> EventBuilder {
    match EventBuilder::parse(name) {
        Ok(builder) => builder,
        Err(error) => panic!("{error}"),
    }
}

/// Builds the body of an event. [`event`] makes one.
///
/// Values that you do not set are made up and realistic. The same builder always makes the same bytes. Another [`seed`](Self::seed)
/// gives another record with other values; two events with the same seed are about the same record.
///
/// ```
/// use serde_json::json;
/// use twenty_webhook_testing::{Form, Version, event};
///
/// let old = event("company.created").form(Form::August2024).stored();
/// assert_eq!((old.name_as_sent(), old.name().as_str()), ("company.create", "company.created"));
///
/// let money = event("opportunity.created").version(Version::V0_42).record(json!({ "name": "Seats" })).build();
/// assert!(!money.is_empty());
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct EventBuilder {
    name: Name,
    form: Option<Form>,
    version: Version,
    seed: u64,
    at: UnixMillis,
    target_url: String,
    record: Map<String, Value>,
    changed: Option<Vec<String>>,
    items: Vec<(Map<String, Value>, Vec<String>)>,
    members: Vec<(String, Value)>,
}

impl EventBuilder {
    /// Like [`event`], but returns an error.
    ///
    /// # Errors
    /// If `name` is not `OBJECT.ACTION` or `metadata.NAME.ACTION`.
    pub fn parse(name: &str) -> Result<Self, SampleError> {
        Ok(Self {
            name: Name::parse(name)?,
            form: None,
            version: Version::default(),
            seed: 0,
            at: DEFAULT_DATE,
            target_url: "https://hooks.example.test/webhooks/twenty".to_owned(),
            record: Map::new(),
            changed: None,
            items: Vec::new(),
            members: Vec::new(),
        })
    }

    /// The event's name.
    pub fn name(&self) -> String {
        self.name.to_string()
    }

    /// Sets fields of the record; the others stay made up. Takes a `json!` object, where null is sent as null, or a record, as
    /// [`Person::build`](twenty_webhook_core::records::Person::build) makes it.
    ///
    /// # Panics
    /// If `fields` does not serialize to a JSON object.
    #[track_caller]
    pub fn record(mut self, fields: impl Serialize) -> Self {
        self.record.extend(object(fields));
        self
    }

    /// Sets the fields that `updatedFields` lists. By default, an update lists those that [`record`](Self::record) sets.
    pub fn changed<F: Into<String>>(mut self, fields: impl IntoIterator<Item = F>) -> Self {
        self.changed = Some(fields.into_iter().map(Into::into).collect());
        self
    }

    /// Adds an item with its own record and changed fields, and makes the event a [batch](Form::Batch).
    ///
    /// # Panics
    /// If `fields` does not serialize to a JSON object.
    #[track_caller]
    pub fn item<F: Into<String>>(mut self, fields: impl Serialize, changed: impl IntoIterator<Item = F>) -> Self {
        self.items.push((object(fields), changed.into_iter().map(Into::into).collect()));
        self.form(Form::Batch)
    }

    /// Sets the form of the body. The default is the form that Twenty sends today.
    pub fn form(mut self, form: Form) -> Self {
        self.form = Some(form);
        self
    }

    /// Sets the version of Twenty that sends the record. The default is the newest.
    pub fn version(mut self, version: Version) -> Self {
        self.version = version;
        self
    }

    /// Sets the seed of made-up values and ids. The default is 0.
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// Sets the event's date. The record's dates follow from it. The default is 2026-09-14T09:02:12.004Z.
    pub fn at(mut self, at: UnixMillis) -> Self {
        self.at = at;
        self
    }

    /// Sets `targetUrl` of the body.
    pub fn target_url(mut self, url: impl Into<String>) -> Self {
        self.target_url = url.into();
        self
    }

    /// Sets any other member of the body, for example `apiKeyId`. Null removes it.
    pub fn member(mut self, name: impl Into<String>, value: impl Into<Value>) -> Self {
        self.members.push((name.into(), value.into()));
        self
    }

    /// The body.
    ///
    /// # Panics
    /// At the caller's line, if the form does not fit the name. [`try_build`](Self::try_build) returns an error instead.
    #[track_caller]
    pub fn build(&self) -> Bytes {
        match self.try_build() {
            Ok(body) => body,
            Err(error) => panic!("{error}"),
        }
    }

    /// The event without a delivery, as a handler gets it from storage.
    ///
    /// # Panics
    /// As [`build`](Self::build).
    #[track_caller]
    pub fn stored(&self) -> WebhookEvent {
        WebhookEvent::from_stored(self.build()).expect("a sample is an event")
    }

    /// A request with the event, signed with `secret` and sent now.
    ///
    /// # Panics
    /// As [`build`](Self::build).
    #[track_caller]
    pub fn signed_with(&self, secret: &Secret) -> SignedRequest {
        SignedRequest::new(self.build(), secret.clone())
    }

    /// The body.
    ///
    /// # Errors
    /// If the form does not fit the name: a form for records with a change of the data model or vice versa, or a form of 2024 with an action
    /// that did not exist then.
    pub fn try_build(&self) -> Result<Bytes, SampleError> {
        let is_metadata = self.name.metadata().is_some();
        let form = self.form.unwrap_or(if is_metadata { Form::Metadata } else { Form::Record });
        if form.is_metadata() != is_metadata {
            return Err(SampleError::Form { name: self.name.to_string(), form });
        }
        let body = self.body(form)?;
        let body = self.members.iter().fold(body, |body, (name, value)| body.replacing(name, value));
        Ok(body.to_json().into())
    }

    fn body(&self, form: Form) -> Result<Body, SampleError> {
        let mut random = Random::new(self.seed);
        let mut name = self.name.clone();
        name.action = self.version.action_as_sent(&name.action).to_owned();
        Ok(match form {
            Form::Record => self.envelope().record(&name, &self.sample_item(0, &self.record, self.changed.as_deref())),
            Form::Batch => self.envelope().batch(&name, &self.sample_items()),
            Form::Metadata => {
                let (before, after, changed) = self.data_model(&mut random);
                self.envelope().metadata(&name, &before, &after, &changed)
            }
            Form::EarlyMetadata => {
                let (_, state, changed) = self.data_model(&mut random);
                let object = self.name.metadata().unwrap_or_default();
                self.envelope()
                    .head("eventName", &name.to_string(), object)
                    .with("record", state)
                    .with_some("updatedFields", (name.action == "updated").then_some(changed))
            }
            Form::Documented => older::documented(&name, self.at, &self.record, &mut random),
            Form::August2024 | Form::January2024 => {
                let verb = self.name.verb().ok_or_else(|| SampleError::Form { name: self.name.to_string(), form })?;
                let object = &self.name.object;
                let envelope = Envelope { author: Vec::new(), ..self.envelope() };
                let head = match form {
                    Form::August2024 => envelope.head("eventName", &format!("{object}.{verb}"), object),
                    _ => envelope.head("eventType", &format!("{verb}.{object}"), object),
                };
                head.with("record", older::record_of_2024(&name, self.at, &self.record, &mut random))
            }
        })
    }

    fn envelope(&self) -> Envelope {
        Envelope {
            target_url: self.target_url.clone(),
            workspace_id: "b1d6c7a2-0f3e-4a58-9c41-7e2b90d4f613".to_owned(),
            webhook_id: "e4a0f7d3-62b9-4c15-8d7e-31f5a9c0b826".to_owned(),
            event_date: self.at,
            author: vec![
                ("userId", "20c39b1d-7f44-4e0a-a6d2-58e1b3f7094c".to_owned()),
                ("workspaceMemberId", "7a9e2d60-1c83-4bf5-93da-0e6c4f81b725".to_owned()),
            ],
        }
    }

    fn sample_items(&self) -> Vec<Item> {
        if self.items.is_empty() {
            return (0..2).map(|number| self.sample_item(number, &self.record, self.changed.as_deref())).collect();
        }
        let numbered = (0_u64..).zip(&self.items);
        numbered.map(|(number, (fields, changed))| self.sample_item(number, fields, Some(changed))).collect()
    }

    /// The record as this version sends it, with `fields` set.
    fn sample_item(&self, number: u64, fields: &Map<String, Value>, changed: Option<&[String]>) -> Item {
        let (object, action) = (Object::named(&self.name.object), self.name.action.as_str());
        // Twenty sends shortly after the change.
        let changed_at = UnixMillis::from_millis(self.at.as_millis().saturating_sub(127));
        let dates = Dates {
            created: if action == "created" { changed_at } else { days_before(self.at, 30) },
            updated: changed_at,
            deleted: (action == "deleted").then_some(changed_at),
        };
        let mut record = object.sample(&dates, &mut Random::new(self.seed.wrapping_add(number)));
        record.merge(fields);
        let changed = changed.map_or_else(|| usually_changed(&object, fields), <[String]>::to_vec);
        (self.version.record_as_sent(&object.singular, action, record), updated_fields(self.version, action, &changed))
    }

    /// An object of the data model before and after its change, and what changed.
    fn data_model(&self, random: &mut Random) -> (Fields, Fields, Vec<String>) {
        let (id, made, now) = (random.uuid(), iso(days_before(self.at, 30)), iso(self.at));
        let before = metadata_state(&id, "Start", &made, &made);
        let mut after = metadata_state(&id, "Launch date", &made, &now);
        after.merge(&self.record);
        let given: Vec<_> = self.record.keys().cloned().collect();
        let usual = if given.is_empty() { vec!["label".to_owned()] } else { given };
        (before, after, self.changed.clone().unwrap_or(usual))
    }
}

/// The given fields, or else fields that users often change.
fn usually_changed(object: &Object, given: &Map<String, Value>) -> Vec<String> {
    let own = |name: &&String| !["id", "createdAt", "updatedAt", "deletedAt"].contains(&name.as_str());
    let given: Vec<_> = given.keys().filter(own).cloned().collect();
    if !given.is_empty() {
        return given;
    }
    let fields = match object.singular.as_str() {
        "person" => &["emails", "jobTitle"][..],
        "opportunity" => &["stage", "amount"],
        "task" => &["status"],
        "note" => &["title", "bodyV2"],
        _ => &[object.fields.first().map_or("name", |(name, _)| name)],
    };
    fields.iter().map(ToString::to_string).collect()
}

#[track_caller]
fn object(fields: impl Serialize) -> Map<String, Value> {
    match serde_json::to_value(fields) {
        Ok(Value::Object(fields)) => fields,
        _ => panic!("a record is a JSON object, as {}", json!({ "stage": "WON" })),
    }
}
