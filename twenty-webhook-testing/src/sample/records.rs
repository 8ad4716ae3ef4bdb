use serde_json::{Value, json};
use twenty_webhook_core::UnixMillis;

use super::dates::iso;
use super::fields::Fields;
use super::objects::Object;
use super::random::Random;
use super::values::sample_value;

/// The times at which a record was created, updated and moved to the trash.
pub(crate) struct Dates {
    pub(crate) created: UnixMillis,
    pub(crate) updated: UnixMillis,
    pub(crate) deleted: Option<UnixMillis>,
}

impl Object {
    /// A record with a made-up value for each field.
    pub(crate) fn sample(&self, dates: &Dates, random: &mut Random) -> Fields {
        let mut record = Self::bare(random.uuid(), dates);
        for (name, kind) in &self.fields {
            record.set(name, sample_value(self, name, *kind, dates, random));
        }
        if self.has_common_fields {
            let actor = actor(random);
            record.set("position", json!(i64::from(random.below(2000)) - 1000));
            record.set("createdBy", actor.clone());
            record.set("updatedBy", actor);
            record.set("searchVector", json!(format!("'{}':1", self.singular.to_lowercase())));
        }
        record
    }

    /// A record with id and dates only.
    pub(crate) fn bare(id: String, dates: &Dates) -> Fields {
        let mut record = Fields::default();
        record.set("id", id);
        record.set("createdAt", iso(dates.created));
        record.set("updatedAt", iso(dates.updated));
        record.set("deletedAt", dates.deleted.map(iso));
        record
    }
}

fn actor(random: &mut Random) -> Value {
    json!({ "source": "MANUAL", "workspaceMemberId": random.uuid(), "name": "Zoë Blanc", "context": null })
}
