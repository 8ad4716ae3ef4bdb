use serde_json::{Value, json};

use super::fields::Fields;

/// Versions of Twenty that send different bodies.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Version {
    /// Early 2025: money and coordinates are text, the text of a note is `body`, `deleted` and `destroyed` carry `"record": null`.
    V0_42,
    /// October 2025: money and coordinates are text, lists of additional values are null, a restore is sent as `deleted`, and the record of
    /// a delete or restore holds only its id.
    V1_8,
    /// 2026: numbers are numbers; `deleted` and `restored` list their changed field.
    V2_21,
    /// The newest: `workflowRun.updated` matches no wildcard.
    #[default]
    V2_43,
}

impl Version {
    /// The name that this version sends for `action`.
    pub(crate) fn action_as_sent(self, action: &str) -> &str {
        match (self, action) {
            (Self::V1_8, "restored") => "deleted",
            _ => action,
        }
    }

    /// The fields of a record that this version sends for `action`. `None` for `"record": null`.
    pub(crate) fn record_as_sent(self, object: &str, action: &str, mut record: Fields) -> Option<Fields> {
        match (self, action) {
            (Self::V0_42, "deleted" | "destroyed") => return None,
            (Self::V1_8, "deleted" | "restored") => record.retain(&["id"]),
            _ => self.shape(object, &mut record),
        }
        Some(record)
    }

    /// Whether `deleted` and `restored` list `deletedAt` as changed.
    pub(crate) fn lists_deleted_at(self) -> bool {
        self >= Self::V2_21
    }

    /// Converts a record to the shape of this version.
    pub(crate) fn shape(self, object: &str, record: &mut Fields) {
        if self >= Self::V2_21 {
            return;
        }
        record.remove("updatedBy");
        for value in record.values_mut() {
            let Value::Object(composite) = value else { continue };
            for name in ["amountMicros", "addressLat", "addressLng"] {
                if let Some(number @ Value::Number(_)) = composite.get_mut(name) {
                    *number = number.to_string().into();
                }
            }
            for name in ["additionalEmails", "secondaryLinks", "additionalPhones"] {
                if let Some(list) = composite.get_mut(name).filter(|list| **list == json!([])) {
                    *list = Value::Null;
                }
            }
        }
        if self == Self::V0_42
            && matches!(object, "note" | "task")
            && let Some(text) = record.get("bodyV2").map(|body| body["markdown"].clone())
        {
            record.remove("bodyV2");
            record.set("body", text);
        }
    }
}
