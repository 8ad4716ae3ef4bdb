use serde_json::{Map, Value};
use twenty_webhook_core::UnixMillis;

use super::jobs::{FanOut, Job};
use super::state::{Shared, State};
use super::{Change, Emission};
use crate::sample::{Dates, Fields, Name, Object, Version, iso, metadata_state};

/// Why nothing was changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum ChangeError {
    #[error("there is no object `{0}`; make a custom one with `add_object`")]
    NoObject(String),
    #[error("there is no {object} with the id {id}")]
    NoRecord { object: String, id: String },
    #[error("there is a {object} with the id {id} already")]
    Exists { object: String, id: String },
}

impl Shared {
    /// Creates records, as one call of the API.
    pub(super) fn create(&self, object: &str, records: Vec<Map<String, Value>>) -> Result<Vec<String>, ChangeError> {
        let mut state = self.state();
        let now = self.now(&state.faults);
        let State { data, random, .. } = &mut *state;
        let table = data.table_mut(object).ok_or_else(|| ChangeError::NoObject(object.to_owned()))?;
        let given = |record: &Map<String, Value>| record.get("id").and_then(Value::as_str).map(str::to_owned);
        if let Some(id) = records.iter().filter_map(given).find(|id| table.rows.contains_key(id)) {
            return Err(ChangeError::Exists { object: object.to_owned(), id });
        }
        let dates = Dates { created: now, updated: now, deleted: None };
        let mut created = Vec::new();
        for fields in records {
            table.add_fields(fields.keys());
            let mut record = if self.bare_records {
                Object::bare(random.uuid(), &dates)
            } else {
                table.object.sample(&dates, random)
            };
            record.merge(&fields);
            let id = record.text("id").unwrap_or_default().to_owned();
            table.rows.insert(id.clone(), record.clone());
            created.push((id, record, Vec::new(), Emission::Emitted));
        }
        let ids = created.iter().map(|(id, ..)| id.clone()).collect();
        self.emit(&mut state, object, "created", created, now);
        Ok(ids)
    }

    /// Sets the same fields in several records, as one call of the API.
    pub(super) fn update(&self, object: &str, ids: &[String], fields: &Map<String, Value>) -> Result<(), ChangeError> {
        self.change(object, ids, "updated", |record, now| {
            let changed = |(name, value): &(&String, &Value)| record.get(name) != Some(*value);
            let changed: Vec<_> = fields.iter().filter(changed).map(|(name, _)| name.clone()).collect();
            // Before the fields, because a writer may set this date itself.
            record.set("updatedAt", iso(now));
            record.merge(fields);
            let emission = if changed.is_empty() { Emission::NothingChanged } else { Emission::Emitted };
            (with_relations(changed), emission)
        })
    }

    /// Moves records to the trash, as one call of the API.
    pub(super) fn delete(&self, object: &str, ids: &[String]) -> Result<(), ChangeError> {
        let silent = self.state().faults.no_deleted;
        self.change(object, ids, "deleted", |record, now| {
            record.set("deletedAt", iso(now));
            record.set("updatedAt", iso(now));
            (Vec::new(), if silent { Emission::NoSuchEvent } else { Emission::Emitted })
        })
    }

    /// Restores records from the trash, as one call of the API.
    pub(super) fn restore(&self, object: &str, ids: &[String]) -> Result<(), ChangeError> {
        let silent = self.state().faults.no_restored;
        self.change(object, ids, "restored", |record, now| {
            record.set("deletedAt", Value::Null);
            record.set("updatedAt", iso(now));
            (Vec::new(), if silent { Emission::NoSuchEvent } else { Emission::Emitted })
        })
    }

    /// Destroys records, as one call of the API.
    pub(super) fn destroy(&self, object: &str, ids: &[String]) -> Result<(), ChangeError> {
        let one_for_many = self.state().faults.one_destroyed_for_many && self.version > Version::V0_42;
        let mut is_first = true;
        self.change(object, ids, "destroyed", |_, _| {
            let emission = if one_for_many && !is_first { Emission::OnlyFirstOfMany } else { Emission::Emitted };
            is_first = false;
            (Vec::new(), emission)
        })
    }

    /// Changes all records or none, and emits the event. `change` returns the changed fields.
    fn change(
        &self,
        object: &str,
        ids: &[String],
        action: &str,
        mut change: impl FnMut(&mut Fields, UnixMillis) -> (Vec<String>, Emission),
    ) -> Result<(), ChangeError> {
        let mut state = self.state();
        let now = self.now(&state.faults);
        let table = state.data.table_mut(object).ok_or_else(|| ChangeError::NoObject(object.to_owned()))?;
        if let Some(id) = ids.iter().find(|id| !table.rows.contains_key(*id)) {
            return Err(ChangeError::NoRecord { object: object.to_owned(), id: id.clone() });
        }
        let mut done = Vec::new();
        for id in ids {
            let Some(record) = table.rows.get_mut(id) else { continue };
            let (changed, emission) = change(record, now);
            done.push((id.clone(), record.clone(), changed, emission));
            if action == "destroyed" {
                table.rows.remove(id);
            }
        }
        self.emit(&mut state, object, action, done, now);
        Ok(())
    }

    /// Adds changes to the ledger, and queues the fan-out of those that are emitted.
    fn emit(
        &self,
        state: &mut State,
        object: &str,
        action: &str,
        changes: Vec<(String, Fields, Vec<String>, Emission)>,
        now: UnixMillis,
    ) {
        let never_sent = object == "timelineActivity";
        let mut items = Vec::new();
        for (record_id, record, changed, emission) in changes {
            let is_private = state.data.table(object).is_some_and(|table| table.private.contains(&record_id));
            let emission = if is_private || never_sent { Emission::Private } else { emission };
            let updated_at = record.text("updatedAt").unwrap_or_default().to_owned();
            let name = format!("{object}.{action}");
            if emission == Emission::Emitted {
                items.push((state.ledger.changes.len(), record, changed));
            }
            state.ledger.changes.push(Change { name, object: object.to_owned(), record_id, updated_at, emission });
        }
        if !items.is_empty() {
            let name = Name { object: object.to_owned(), action: action.to_owned() };
            self.enqueue(state, now, Job::FanOut(FanOut { name, items, is_rerun: false }));
        }
    }

    /// Emits an event for a change of the data model.
    pub(super) fn change_data_model(&self, metadata_name: &str, action: &str, label: &str) {
        let mut state = self.state();
        let now = self.now(&state.faults);
        let record = metadata_state(&state.random.uuid(), label, &iso(now), &iso(now));
        let id = record.text("id").unwrap_or_default().to_owned();
        let change = (id, record, vec!["label".to_owned()], Emission::Emitted);
        self.emit(&mut state, &format!("metadata.{metadata_name}"), action, vec![change], now);
    }

    pub(super) fn add_object(&self, singular: &str, plural: &str) {
        self.state().data.add(Object::custom(singular, plural));
        self.change_data_model("objectMetadata", "created", singular);
    }
}

/// A change of a relation lists both of its names: `company` and `companyId`.
fn with_relations(changed: Vec<String>) -> Vec<String> {
    let both = |name: String| match name.strip_suffix("Id").filter(|relation| !relation.is_empty()) {
        Some(relation) => vec![relation.to_owned(), name],
        None => vec![name],
    };
    changed.into_iter().flat_map(both).collect()
}
