use serde_json::{Value, json};
use twenty_webhook_core::UnixMillis;

use super::body::Body;
use super::dates::iso;
use super::fields::Fields;
use super::name::Name;
use super::random::Random;
use super::version::Version;

/// The members of a body other than the record: the webhook, the date, the author.
#[derive(Clone, Debug)]
pub(crate) struct Envelope {
    pub(crate) target_url: String,
    pub(crate) workspace_id: String,
    pub(crate) webhook_id: String,
    pub(crate) event_date: UnixMillis,
    /// `userId`, `workspaceMemberId` or `apiKeyId`.
    pub(crate) author: Vec<(&'static str, String)>,
}

/// A record as it is sent, and its changed fields.
pub(crate) type Item = (Option<Fields>, Option<Vec<String>>);

impl Envelope {
    /// The body for a change of one record, as it is sent today.
    pub(crate) fn record(&self, name: &Name, (record, updated_fields): &Item) -> Body {
        self.head("eventName", &name.to_string(), &name.object)
            .with("record", record)
            .with_some("updatedFields", updated_fields.as_ref())
    }

    /// The body for changes of several records, as it was sent in October 2025.
    pub(crate) fn batch(&self, name: &Name, items: &[Item]) -> Body {
        let item = |(record, updated_fields): &Item| {
            Body::default().with("record", record).with_some("updatedFields", updated_fields.as_ref())
        };
        let list: Vec<_> = items.iter().map(item).collect();
        self.head("eventName", &name.to_string(), &name.object).with("items", list).with("batchSize", items.len())
    }

    /// The body for a change of the data model, as it is sent today. `before` and `state` are the object before and after the change.
    pub(crate) fn metadata(&self, name: &Name, before: &Fields, state: &Fields, changed: &[String]) -> Body {
        let mut properties = Body::default();
        if name.action == "updated" {
            let diff = changed.iter().fold(Fields::default(), |mut diff, field| {
                diff.set(field, json!({ "before": before.get(field), "after": state.get(field) }));
                diff
            });
            properties = properties.with("updatedFields", changed).with("diff", diff);
        }
        if name.action != "created" {
            properties = properties.with("before", before);
        }
        if name.action != "deleted" {
            properties = properties.with("after", state);
        }
        let event = Body::default()
            .with("type", &name.action)
            .with("metadataName", name.metadata())
            .with("recordId", state.get("id"))
            .with("properties", properties);
        self.named("eventName", &name.to_string())
            .with("workspaceId", &self.workspace_id)
            .with("webhookId", &self.webhook_id)
            .with("eventDate", iso(self.event_date))
            .with_some("userId", self.author.iter().find(|(key, _)| *key == "userId").map(|(_, id)| id))
            .with_some("apiKeyId", self.author.iter().find(|(key, _)| *key == "apiKeyId").map(|(_, id)| id))
            .with("event", event)
    }

    /// The members before the record. `key` is `eventName` or its earlier name.
    pub(super) fn head(&self, key: &str, name: &str, object: &str) -> Body {
        let mut body = self
            .named(key, name)
            .with("objectMetadata", json!({ "id": object_metadata_id(object), "nameSingular": object }))
            .with("workspaceId", &self.workspace_id)
            .with("webhookId", &self.webhook_id)
            .with("eventDate", iso(self.event_date));
        for (key, id) in &self.author {
            body = body.with(key, id);
        }
        body
    }

    fn named(&self, key: &str, name: &str) -> Body {
        Body::default().with("targetUrl", &self.target_url).with(key, name)
    }
}

/// The id of an object in the data model. The same name gives the same id.
pub(crate) fn object_metadata_id(object: &str) -> String {
    let seed = object
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
    Random::new(seed).uuid()
}

/// The `updatedFields` that `version` sends for `action`. `changed` are the fields of an update.
pub(crate) fn updated_fields(version: Version, action: &str, changed: &[String]) -> Option<Vec<String>> {
    match action {
        "updated" => Some(changed.to_vec()),
        "deleted" | "restored" if version.lists_deleted_at() => Some(vec!["deletedAt".to_owned()]),
        _ => None,
    }
}

/// A made-up object of the data model.
pub(crate) fn metadata_state(id: &str, label: &str, created_at: &str, updated_at: &str) -> Fields {
    let mut state = Fields::default();
    for (name, value) in [
        ("id", Value::from(id)),
        ("universalIdentifier", id.into()),
        ("name", "launchDate".into()),
        ("label", label.into()),
        ("description", Value::Null),
        ("icon", "IconRocket".into()),
        ("isCustom", true.into()),
        ("isActive", true.into()),
        ("createdAt", created_at.into()),
        ("updatedAt", updated_at.into()),
    ] {
        state.set(name, value);
    }
    state
}
