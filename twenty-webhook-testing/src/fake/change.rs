use serde_json::{Map, Value};
use twenty_webhook_core::UnixMillis;

use super::jobs::{FanOut, Job};
use super::state::{Shared, State};
use super::{Change, Fate};
use crate::sample::{Dates, Fields, Name, Object, Version, iso, metadata_state};

/// Why nothing was changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum ChangeError {
    #[error("there is no object `{0}`; a custom one is made by `add_object`")]
    NoObject(String),
    #[error("there is no {object} with the id {id}")]
    NoRecord { object: String, id: String },
    #[error("there is a {object} with the id {id} already")]
    Exists { object: String, id: String },
}

impl Shared {
    /// Creates records in one call.
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
            created.push((id, record, Vec::new(), Fate::Announced));
        }
        let ids = created.iter().map(|(id, ..)| id.clone()).collect();
        self.announce(&mut state, object, "created", created, now);
        Ok(ids)
    }

    /// Sets the same fields of records in one call.
    pub(super) fn update(&self, object: &str, ids: &[String], fields: &Map<String, Value>) -> Result<(), ChangeError> {
        self.change(object, ids, "updated", |record, now| {
            let changed = |(name, value): &(&String, &Value)| record.get(name) != Some(*value);
            let changed: Vec<_> = fields.iter().filter(changed).map(|(name, _)| name.clone()).collect();
            // Before the fields: a writer may set the date itself.
            record.set("updatedAt", iso(now));
            record.merge(fields);
            let fate = if changed.is_empty() { Fate::NothingChanged } else { Fate::Announced };
            (with_relations(changed), fate)
        })
    }

    /// Moves records to the trash in one call.
    pub(super) fn delete(&self, object: &str, ids: &[String]) -> Result<(), ChangeError> {
        let silent = self.state().faults.no_deleted;
        self.change(object, ids, "deleted", |record, now| {
            record.set("deletedAt", iso(now));
            record.set("updatedAt", iso(now));
            (Vec::new(), if silent { Fate::NoSuchEvent } else { Fate::Announced })
        })
    }

    /// Takes records out of the trash in one call.
    pub(super) fn restore(&self, object: &str, ids: &[String]) -> Result<(), ChangeError> {
        let silent = self.state().faults.no_restored;
        self.change(object, ids, "restored", |record, now| {
            record.set("deletedAt", Value::Null);
            record.set("updatedAt", iso(now));
            (Vec::new(), if silent { Fate::NoSuchEvent } else { Fate::Announced })
        })
    }

    /// Destroys records in one call.
    pub(super) fn destroy(&self, object: &str, ids: &[String]) -> Result<(), ChangeError> {
        let one_for_many = self.state().faults.one_destroyed_for_many && self.version > Version::V0_42;
        let mut is_first = true;
        self.change(object, ids, "destroyed", |_, _| {
            let fate = if one_for_many && !is_first { Fate::OneForMany } else { Fate::Announced };
            is_first = false;
            (Vec::new(), fate)
        })
    }

    /// Changes records, all or none, and announces it. `change` says which fields changed.
    fn change(
        &self,
        object: &str,
        ids: &[String],
        action: &str,
        mut change: impl FnMut(&mut Fields, UnixMillis) -> (Vec<String>, Fate),
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
            let (changed, fate) = change(record, now);
            done.push((id.clone(), record.clone(), changed, fate));
            if action == "destroyed" {
                table.rows.remove(id);
            }
        }
        self.announce(&mut state, object, action, done, now);
        Ok(())
    }

    /// Writes changes into the ledger, and queues their fan-out.
    fn announce(
        &self,
        state: &mut State,
        object: &str,
        action: &str,
        changes: Vec<(String, Fields, Vec<String>, Fate)>,
        now: UnixMillis,
    ) {
        let never_sent = object == "timelineActivity";
        let mut items = Vec::new();
        for (record_id, record, changed, fate) in changes {
            let is_private = state.data.table(object).is_some_and(|table| table.private.contains(&record_id));
            let fate = if is_private || never_sent { Fate::Private } else { fate };
            let updated_at = record.text("updatedAt").unwrap_or_default().to_owned();
            let name = format!("{object}.{action}");
            if fate == Fate::Announced {
                items.push((state.ledger.changes.len(), record, changed));
            }
            state.ledger.changes.push(Change { name, object: object.to_owned(), record_id, updated_at, fate });
        }
        if !items.is_empty() {
            let name = Name { object: object.to_owned(), action: action.to_owned() };
            self.enqueue(state, now, Job::FanOut(FanOut { name, items, is_rerun: false }));
        }
    }

    /// Announces a change of the data model.
    pub(super) fn change_data_model(&self, metadata_name: &str, action: &str, label: &str) {
        let mut state = self.state();
        let now = self.now(&state.faults);
        let record = metadata_state(&state.random.uuid(), label, &iso(now), &iso(now));
        let id = record.text("id").unwrap_or_default().to_owned();
        let change = (id, record, vec!["label".to_owned()], Fate::Announced);
        self.announce(&mut state, &format!("metadata.{metadata_name}"), action, vec![change], now);
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
