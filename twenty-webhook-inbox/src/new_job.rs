use std::collections::BTreeMap;

use bytes::Bytes;
use serde::Deserialize;
use serde_json::Value;
use sha2::{Digest, Sha256};
use twenty_webhook_core::jiff::civil::DateTime;
use twenty_webhook_core::jiff::tz::Offset;
use twenty_webhook_core::{Action, Payload, RawJson, ReplayKey, WebhookEvent, jiff};

use crate::InboxError;
use crate::text::printable;

/// An event to be stored: the raw body, and what the store indexes of it.
#[derive(Clone)]
pub struct NewJob {
    key: ReplayKey,
    body: Bytes,
    tenant: Option<String>,
    workspace: Option<String>,
    name: String,
    object: String,
    action: String,
    record_ids: Vec<String>,
    /// The `updatedAt` of each of these records.
    #[cfg_attr(
        not(any(feature = "sqlite", feature = "postgres")),
        expect(dead_code, reason = "only these two stores read it")
    )]
    states: Vec<Option<i64>>,
    updated_at: Option<i64>,
    event_date: Option<i64>,
}

impl NewJob {
    pub(crate) fn new(event: &WebhookEvent) -> Result<Self, InboxError> {
        let delivery = event.delivery().ok_or(InboxError::Unverified)?;
        let (record_ids, states, updated_at) = records(event);
        Ok(Self {
            key: delivery.replay_key(),
            body: event.body().clone(),
            tenant: delivery.tenant().map(printable),
            workspace: event.workspace_id().map(printable),
            name: printable(event.name().as_str()),
            object: printable(event.object()),
            action: printable(event.action().as_str()),
            record_ids,
            states,
            updated_at,
            event_date: event.event_date().map(jiff::Timestamp::as_millisecond),
        })
    }

    /// An event that was read from Twenty's API, of this tenant or else this workspace. Its key is of the record and its state.
    ///
    /// # Errors
    /// If it was not [caught up](WebhookEvent::is_from_catchup), or is not of one record with a date.
    #[cfg(any(feature = "sqlite", feature = "postgres"))]
    pub(crate) fn caught_up(event: &WebhookEvent, scope: &crate::CatchUpScope) -> Result<Self, InboxError> {
        let (record_ids, states, updated_at) = records(event);
        let ([id], Some(state), true) = (&record_ids[..], updated_at, event.is_from_catchup()) else {
            return Err(InboxError::database("a caught-up event is of one record, and has its date"));
        };
        let mut key = Sha256::new();
        for part in ["caught up", scope.key(), event.object(), id] {
            key.update(part.as_bytes());
            key.update([0]);
        }
        key.update(state.to_be_bytes());
        Ok(Self {
            key: ReplayKey::from_bytes(key.finalize().into()),
            body: event.body().clone(),
            tenant: scope.tenant.as_deref().map(printable),
            workspace: scope.workspace_id.as_deref().map(printable),
            name: printable(event.name().as_str()),
            object: printable(event.object()),
            action: printable(event.action().as_str()),
            updated_at: Some(state),
            record_ids,
            states,
            event_date: event.event_date().map(jiff::Timestamp::as_millisecond),
        })
    }

    /// The idempotency key. A store never holds two jobs with the same key.
    pub fn key(&self) -> ReplayKey {
        self.key
    }

    /// The bytes that were signed.
    pub fn body(&self) -> &Bytes {
        &self.body
    }

    /// The [tenant](twenty_webhook_core::Verifier::tenant) whose secret signed it. `None` without tenants.
    pub fn tenant(&self) -> Option<&str> {
        self.tenant.as_deref()
    }

    /// The tenant, or the workspace if there is no tenant, or empty. Records with the same id in two scopes are two records.
    pub fn scope(&self) -> &str {
        self.tenant.as_deref().or(self.workspace.as_deref()).unwrap_or_default()
    }

    /// The event's name: `person.created`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The object: `person`.
    pub fn object(&self) -> &str {
        &self.object
    }

    /// The action: `created`.
    pub fn action(&self) -> &str {
        &self.action
    }

    /// The ids of its records: none, one, or those of a batch. Jobs of one *lane* (scope, object, id) run in order: the job has a lane for
    /// each id.
    pub fn record_ids(&self) -> &[String] {
        &self.record_ids
    }

    /// Of a batch: each record's lane, id and `updatedAt`, in Unix milliseconds. Of one record there are none.
    #[cfg(any(feature = "sqlite", feature = "postgres"))]
    pub(crate) fn members(&self) -> impl Iterator<Item = (i64, &str, Option<i64>)> {
        let members = self.record_ids.iter().zip(&self.states).filter(|_| self.record_ids.len() > 1);
        members.map(|(id, state)| (lane(&self.object, id), id.as_str(), *state))
    }

    /// The record's `updatedAt` in Unix milliseconds: its place among the jobs of its record. The newest of a batch; [`i64::MAX`] for
    /// `destroyed`, because it is the last that happens to a record, and does not change `updatedAt`. `None` if there is no date: then the
    /// time of arrival is its place.
    pub fn updated_at(&self) -> Option<i64> {
        self.updated_at
    }

    /// The `eventDate` in Unix milliseconds, for jobs with the same [`updated_at`](Self::updated_at).
    pub fn event_date(&self) -> Option<i64> {
        self.event_date
    }
}

/// The name and the size, never the payload.
impl std::fmt::Debug for NewJob {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("NewJob").field("name", &self.name).field("len", &self.body.len()).finish_non_exhaustive()
    }
}

/// The ids of an event's records, each once, with the newest `updatedAt` of each, and the newest of all. `destroyed` is the last that
/// happens to a record, whatever its date.
fn records(event: &WebhookEvent) -> (Vec<String>, Vec<Option<i64>>, Option<i64>) {
    let date = |dates: &Dates| if *event.action() == Action::Destroyed { Some(i64::MAX) } else { dates.updated_at() };
    let one = |dates: Dates| {
        let ids: Vec<_> = event.record_id().filter(|id| !id.is_empty()).map(printable).into_iter().collect();
        let updated_at = date(&dates);
        (ids, vec![updated_at], updated_at)
    };
    match event.payload() {
        Payload::Batch { items, .. } => {
            let records: Vec<_> = items.iter().map(|item| Dates::of(&item.record)).collect();
            let updated_at = records.iter().filter_map(date).max();
            let mut states = BTreeMap::new();
            for (id, state) in records.iter().filter_map(|dates| Some((dates.id()?, date(dates)))) {
                let newest = states.entry(id).or_insert(state);
                *newest = (*newest).max(state);
            }
            let (ids, states) = states.into_iter().unzip();
            (ids, states, updated_at)
        }
        Payload::Metadata(change) => {
            one(change.after.as_ref().or(change.before.as_ref()).map(Dates::of).unwrap_or_default())
        }
        Payload::Record { record, .. } => one(Dates::of(record)),
        _ => one(Dates::default()),
    }
}

/// A record's id and date, of whatever JSON type they are.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Dates {
    id: Value,
    #[serde(rename = "updatedAt")]
    updated_at: Value,
}

impl Dates {
    fn of(record: &RawJson) -> Self {
        record.decode().unwrap_or_default()
    }

    fn id(&self) -> Option<String> {
        self.id.as_str().filter(|id| !id.is_empty()).map(printable)
    }

    /// Some versions of Twenty write no offset: then it is UTC.
    fn updated_at(&self) -> Option<i64> {
        let text = self.updated_at.as_str()?;
        let date = text.parse::<jiff::Timestamp>().ok();
        let date = date.or_else(|| Offset::UTC.to_timestamp(text.parse::<DateTime>().ok()?).ok())?;
        Some(date.as_millisecond())
    }
}

/// A hash of (object, record id), for indexes. Two records with the same hash may wait for each other, and nothing worse: the scope is
/// compared too, and jobs are merged only if object and id are equal.
pub(crate) fn lane(object: &str, record_id: &str) -> i64 {
    let mut hash = Sha256::new();
    hash.update(object.as_bytes());
    hash.update([0]);
    hash.update(record_id.as_bytes());
    let hash: [u8; 32] = hash.finalize().into();
    hash[..8].iter().fold(0, |lane, byte| lane << 8 | i64::from(*byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(body: &str) -> (Vec<String>, Option<i64>) {
        let (ids, _, updated_at) = records(&WebhookEvent::from_stored(body.to_owned()).unwrap());
        (ids, updated_at)
    }

    #[test]
    fn the_record_and_its_date_are_found_in_every_form() {
        let id = |id: &str| vec![id.to_owned()];
        let record = r#"{"eventName":"person.updated","record":{"note":"\ud83d","id":"7","updatedAt":"2026-09-14T09:02:12.004Z"}}"#;
        assert_eq!(read(record), (id("7"), Some(1_789_376_532_004)));
        let documented = r#"{"event":"person.created","data":{"id":"a","updatedAt":"2026-09-14T09:02:12.004"}}"#;
        assert_eq!(read(documented), (id("a"), Some(1_789_376_532_004)));
        let metadata = r#"{"eventName":"metadata.fieldMetadata.updated","event":{"type":"updated","metadataName":"fieldMetadata","recordId":"f","properties":{"after":{"updatedAt":"2026-09-14T09:02:12.004Z"}}}}"#;
        assert_eq!(read(metadata), (id("f"), Some(1_789_376_532_004)));
        let batch = r#"{"eventName":"person.updated","items":[{"record":{"id":"2","updatedAt":"2026-09-14T09:02:12.004Z"}},{"record":{"id":"1","updatedAt":"2025-09-14T09:02:12.004Z"}},{"record":{"id":"2"}},{"record":{}}]}"#;
        assert_eq!(read(batch), (vec!["1".to_owned(), "2".to_owned()], Some(1_789_376_532_004)));
        for without in [
            r#"{"eventName":"person.updated","record":{"id":"","updatedAt":"soon"}}"#,
            r#"{"eventName":"person.updated","record":{"id":7,"updatedAt":7}}"#,
        ] {
            assert_eq!(read(without), (vec![], None), "{without}");
        }
        assert_eq!(read(r#"{"eventName":"person.destroyed","record":null}"#), (vec![], Some(i64::MAX)));
    }

    #[test]
    fn each_record_of_a_batch_has_its_own_date() {
        let batch = |action: &str| {
            let body = format!(
                r#"{{"eventName":"person.{action}","items":[{{"record":{{"id":"2","updatedAt":"2026-09-14T09:02:12.004Z"}}}},{{"record":{{"id":"1","updatedAt":"2025-09-14T09:02:12.004Z"}}}},{{"record":{{"id":"2"}}}},{{"record":{{"id":"3"}}}}]}}"#
            );
            records(&WebhookEvent::from_stored(body).unwrap()).1
        };
        assert_eq!(batch("updated"), [Some(1_757_840_532_004), Some(1_789_376_532_004), None]);
        assert_eq!(batch("destroyed"), [Some(i64::MAX); 3]);
    }

    #[test]
    fn a_lane_is_of_an_object_and_an_id() {
        assert_ne!(lane("person", "1"), lane("company", "1"));
        assert_ne!(lane("person1", ""), lane("person", "1"));
        assert_eq!(lane("person", "1"), lane("person", "1"));
    }
}
