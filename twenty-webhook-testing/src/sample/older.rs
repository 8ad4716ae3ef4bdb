//! The forms of 2024, and the one of Twenty's docs.

use serde_json::{Map, Value, json};
use twenty_webhook_core::UnixMillis;

use super::body::Body;
use super::dates::{in_seconds, with_offset};
use super::fields::Fields;
use super::name::Name;
use super::random::Random;

/// The body that the docs show for a person, used for every object.
pub(super) fn documented(name: &Name, at: UnixMillis, changes: &Map<String, Value>, random: &mut Random) -> Body {
    let mut data = Fields::default();
    data.set("id", random.hex(4));
    data.set("firstName", "Alice");
    data.set("lastName", "Doe");
    data.set("email", "alice@example.com");
    data.set("createdAt", in_seconds(at));
    data.set("createdBy", "user_123");
    data.merge(changes);
    Body::default().with("event", name.to_string()).with("data", data).with("timestamp", in_seconds(at))
}

/// A record as `pg_graphql` returned it: with edges, type names, and other dates.
pub(super) fn record_of_2024(name: &Name, at: UnixMillis, changes: &Map<String, Value>, random: &mut Random) -> Fields {
    let links = json!({ "primaryLinkLabel": "", "primaryLinkUrl": "", "secondaryLinks": null, "__typename": "Links" });
    let mut record = Fields::default();
    record.set("id", random.uuid());
    record.set("name", "Harbour & Sons");
    record.set("position", 0);
    record.set("createdAt", with_offset(at));
    record.set("updatedAt", with_offset(at));
    record.set("deletedAt", Value::Null);
    record.set("domainName", links);
    record.set("people", json!({ "edges": [], "__typename": "personConnection" }));
    record.set("__typename", name.object.as_str());
    record.merge(changes);
    record
}
