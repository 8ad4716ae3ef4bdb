use std::borrow::Cow;

use bytes::Bytes;
use serde::Deserialize;
use serde_json::value::RawValue;

/// The envelope that a hand-written receiver would read: the current form, with the record as text.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
#[allow(missing_docs)]
pub struct HandEnvelope<'a> {
    #[serde(borrow)]
    pub event_name: Cow<'a, str>,
    #[serde(borrow)]
    pub object_metadata: HandObject<'a>,
    #[serde(borrow)]
    pub workspace_id: Cow<'a, str>,
    #[serde(borrow)]
    pub webhook_id: Option<Cow<'a, str>>,
    #[serde(borrow)]
    pub event_date: Cow<'a, str>,
    #[serde(borrow)]
    pub user_id: Option<Cow<'a, str>>,
    #[serde(borrow)]
    pub record: &'a RawValue,
    pub updated_fields: Option<Vec<String>>,
}

/// `objectMetadata`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
#[allow(missing_docs)]
pub struct HandObject<'a> {
    #[serde(borrow)]
    pub id: Cow<'a, str>,
    #[serde(borrow)]
    pub name_singular: Cow<'a, str>,
}

/// An event as a hand-written layer would pass it on: short texts are copied, and the record is a slice of the body.
#[allow(missing_docs)]
pub struct HandEvent {
    pub event_name: String,
    pub object: String,
    pub workspace_id: String,
    pub webhook_id: Option<String>,
    pub event_date: String,
    pub user_id: Option<String>,
    pub record: Bytes,
    pub updated_fields: Option<Vec<String>>,
    pub body: Bytes,
}

impl HandEvent {
    /// Reads the event in `body`.
    pub fn read(body: &Bytes) -> Option<Self> {
        let event = envelope(body)?;
        Some(Self {
            event_name: event.event_name.into_owned(),
            object: event.object_metadata.name_singular.into_owned(),
            workspace_id: event.workspace_id.into_owned(),
            webhook_id: event.webhook_id.map(Cow::into_owned),
            event_date: event.event_date.into_owned(),
            user_id: event.user_id.map(Cow::into_owned),
            record: body.slice_ref(event.record.get().as_bytes()),
            updated_fields: event.updated_fields,
            body: body.clone(),
        })
    }
}

/// Reads the envelope.
pub fn envelope(body: &[u8]) -> Option<HandEnvelope<'_>> {
    serde_json::from_slice(body).ok()
}

/// The person that a hand-written receiver would decode: the same fields as `records::Person`, with serde's derive.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
#[allow(missing_docs)]
pub struct HandPerson {
    pub id: String,
    pub created_at: Option<jiff::Timestamp>,
    pub updated_at: Option<jiff::Timestamp>,
    pub deleted_at: Option<jiff::Timestamp>,
    pub name: Option<HandName>,
    pub emails: Option<HandEmails>,
    pub phones: Option<HandPhones>,
    pub linkedin_link: Option<HandLinks>,
    pub x_link: Option<HandLinks>,
    pub created_by: Option<HandActor>,
    pub updated_by: Option<HandActor>,
    pub job_title: Option<String>,
    pub city: Option<String>,
    pub avatar_url: Option<String>,
    pub company_id: Option<String>,
    pub position: Option<f64>,
    pub search_vector: Option<String>,
}

macro_rules! composites {
    ($($name:ident { $($field:ident: $type:ty),* })*) => {$(
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        #[allow(missing_docs)]
        pub struct $name { $(pub $field: $type),* }
    )*};
}

composites! {
    HandName { first_name: Option<String>, last_name: Option<String> }
    HandEmails { primary_email: Option<String>, additional_emails: Option<Vec<String>> }
    HandPhones {
        primary_phone_number: Option<String>,
        primary_phone_country_code: Option<String>,
        primary_phone_calling_code: Option<String>,
        additional_phones: Option<Vec<HandPhone>>
    }
    HandPhone { number: Option<String>, country_code: Option<String>, calling_code: Option<String> }
    HandLinks {
        primary_link_label: Option<String>,
        primary_link_url: Option<String>,
        secondary_links: Option<Vec<HandLink>>
    }
    HandLink { label: Option<String>, url: Option<String> }
    HandActor { source: Option<String>, workspace_member_id: Option<String>, name: Option<String> }
}
