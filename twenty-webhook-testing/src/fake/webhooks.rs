use serde_json::{Value, json};
use twenty_webhook_core::UnixMillis;

use super::Faults;
use crate::sample::Version;

/// A webhook in Twenty's settings.
#[derive(Clone, Debug)]
pub(super) struct Webhook {
    pub(super) id: String,
    pub(super) target_url: String,
    pub(super) operations: Vec<String>,
    pub(super) description: Option<String>,
    /// With an empty secret, deliveries are unsigned.
    pub(super) secret: String,
    /// The secret before a change, and when it expires.
    pub(super) cached_secret: Option<(String, UnixMillis)>,
}

impl Webhook {
    /// Whether it subscribes to an event. `operations` must contain one of the matching names exactly.
    pub(super) fn subscribes_to(&self, object: &str, action: &str, version: Version) -> bool {
        let has = |operation: &str| self.operations.iter().any(|own| own == operation);
        let exact = has(&format!("{object}.{action}"));
        if object == "workflowRun" && action == "updated" && version >= Version::V2_43 {
            return exact;
        }
        match object.strip_prefix("metadata.") {
            Some(name) => {
                exact
                    || has(&format!("metadata.{name}.*"))
                    || has(&format!("metadata.*.{action}"))
                    || has("metadata.*.*")
                    || has("*.*")
            }
            None => exact || has(&format!("{object}.*")) || has(&format!("*.{action}")) || has("*.*"),
        }
    }

    pub(super) fn secret_at(&self, now: UnixMillis) -> &str {
        match &self.cached_secret {
            Some((secret, expires_at)) if now < *expires_at => secret,
            _ => &self.secret,
        }
    }

    /// The webhook as the API shows it.
    pub(super) fn to_json(&self, faults: &Faults) -> Value {
        json!({
            "id": self.id,
            "targetUrl": self.target_url,
            "operations": self.operations,
            "description": self.description,
            "secret": (!faults.hide_secrets).then_some(&self.secret),
        })
    }
}
