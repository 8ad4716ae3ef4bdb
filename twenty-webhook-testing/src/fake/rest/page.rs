use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::Failure;
use crate::fake::Faults;

/// A page of a list, and its cursors.
#[derive(Debug)]
pub(super) struct Page {
    pub(super) items: Vec<Value>,
    pub(super) has_next: bool,
    pub(super) start: Option<String>,
    pub(super) end: Option<String>,
    pub(super) total: usize,
}

impl Page {
    /// The answer, with `pageInfo` in the configured place. `sent` is the cursor that the client sent.
    pub(super) fn to_json(&self, name: &str, sent: Option<&str>, faults: &Faults) -> Value {
        let end = match sent {
            Some(sent) if faults.repeat_cursor => Some(sent),
            _ => self.end.as_deref(),
        };
        let info = json!({
            "hasNextPage": self.has_next || (faults.repeat_cursor && sent.is_some()),
            "hasPreviousPage": sent.is_some(),
            "startCursor": self.start,
            "endCursor": end,
        });
        if faults.page_info_in_data {
            json!({ "data": { name: self.items, "pageInfo": info, "totalCount": self.total } })
        } else {
            json!({ "data": { name: self.items }, "pageInfo": info, "totalCount": self.total })
        }
    }
}

/// A cursor. Clients must treat it as opaque.
pub(super) fn cursor(key: &[Value]) -> String {
    STANDARD.encode(Value::from(key).to_string())
}

pub(super) fn parse_cursor(text: &str) -> Result<Vec<Value>, Failure> {
    let invalid = || Failure::bad_request(format!("Invalid cursor: {text}"));
    let bytes = STANDARD.decode(text).map_err(|_| invalid())?;
    serde_json::from_slice(&bytes).map_err(|_| invalid())
}
