use std::collections::{BTreeMap, BTreeSet};

use crate::sample::{Fields, Kind, OBJECTS, Object};

/// An object and its records, including those in the trash.
#[derive(Debug)]
pub(super) struct Table {
    pub(super) object: Object,
    pub(super) rows: BTreeMap<String, Fields>,
    /// The ids of records that are hidden from all webhooks and API keys.
    pub(super) private: BTreeSet<String>,
}

/// All objects by singular name.
#[derive(Debug)]
pub(super) struct Data(BTreeMap<String, Table>);

/// The fields that every record has.
const BASE_FIELDS: [(&str, &str); 4] =
    [("id", "UUID"), ("createdAt", "DATE_TIME"), ("updatedAt", "DATE_TIME"), ("deletedAt", "DATE_TIME")];

/// The fields that the records of most objects have.
const COMMON_FIELDS: [(&str, &str); 4] =
    [("createdBy", "ACTOR"), ("updatedBy", "ACTOR"), ("position", "POSITION"), ("searchVector", "TS_VECTOR")];

impl Data {
    pub(super) fn standard() -> Self {
        let table = |object: &Object| (object.singular.clone(), Table::of(object.clone()));
        Self(OBJECTS.values().map(table).collect())
    }

    pub(super) fn add(&mut self, object: Object) {
        self.0.entry(object.singular.clone()).or_insert_with(|| Table::of(object));
    }

    pub(super) fn table(&self, singular: &str) -> Option<&Table> {
        self.0.get(singular)
    }

    pub(super) fn table_mut(&mut self, singular: &str) -> Option<&mut Table> {
        self.0.get_mut(singular)
    }

    pub(super) fn of_plural(&self, plural: &str) -> Option<&Table> {
        self.0.values().find(|table| table.object.plural == plural)
    }

    pub(super) fn tables(&self) -> impl Iterator<Item = &Table> {
        self.0.values()
    }
}

impl Table {
    fn of(object: Object) -> Self {
        Self { object, rows: BTreeMap::new(), private: BTreeSet::new() }
    }

    /// The names and types of all fields.
    pub(super) fn fields(&self) -> impl Iterator<Item = (&str, &'static str)> {
        let own = self.object.fields.iter().map(|(name, kind)| (name.as_str(), kind.as_metadata()));
        let common = COMMON_FIELDS.into_iter().filter(|_| self.object.has_common_fields);
        BASE_FIELDS.into_iter().chain(common).chain(own)
    }

    pub(super) fn has_field(&self, name: &str) -> bool {
        self.fields().any(|(field, _)| field == name)
    }

    /// Adds a custom field for each name that the object does not have.
    pub(super) fn add_fields<'a>(&mut self, names: impl IntoIterator<Item = &'a String>) {
        for name in names {
            if !self.has_field(name) {
                self.object.fields.push((name.clone(), Kind::Text));
            }
        }
    }
}
