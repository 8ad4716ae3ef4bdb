use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;

use bytes::Bytes;
use http::HeaderMap;
use serde_json::{Value, json};
use twenty_webhook_axum::UnixMillis;

use crate::listen::report::{Report, Verdict};
use crate::saved;

/// The limits of the history: deliveries, and bytes of bodies.
const MAX_ENTRIES: usize = 1_000;
const MAX_BYTES: usize = 64 << 20;

/// One delivery.
pub(super) struct Entry {
    id: u64,
    pub(super) received: UnixMillis,
    /// The report as JSON, with the id, without the body.
    pub(super) summary: Value,
    verdict: Verdict,
    code: &'static str,
    status: u16,
    path: String,
    record: Option<(String, String)>,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

impl Entry {
    /// As `listen --save` writes it.
    pub(super) fn to_file(&self) -> Vec<u8> {
        let verdict = format!("{} {}", self.status, self.code);
        let request = saved::Request {
            received: self.received,
            verdict,
            path: &self.path,
            headers: &self.headers,
            body: &self.body,
        };
        request.bytes()
    }

    /// The body, if a command in a shell can hold it.
    pub(super) fn text(&self) -> Option<&str> {
        std::str::from_utf8(&self.body).ok().filter(|body| !body.contains('\0'))
    }

    fn record_json(&self) -> Option<Value> {
        serde_json::from_slice::<Value>(&self.body).ok().map(|mut body| body["record"].take())
    }
}

/// The newest deliveries.
#[derive(Default)]
pub(super) struct History {
    entries: VecDeque<Arc<Entry>>,
    bytes: usize,
    last_id: u64,
}

impl History {
    pub(super) fn add(&mut self, report: &Report) -> Arc<Entry> {
        self.last_id += 1;
        let mut summary = report.to_json();
        summary["id"] = json!(self.last_id);
        let record =
            report.event.as_ref().and_then(|event| Some((event.object().to_owned(), event.record_id()?.to_owned())));
        let entry = Arc::new(Entry {
            id: self.last_id,
            received: report.received,
            summary,
            verdict: report.verdict(),
            code: report.code().unwrap_or("verified"),
            status: report.status.as_u16(),
            path: report.path.clone(),
            record,
            headers: report.headers.clone(),
            body: report.body.clone(),
        });
        self.bytes += entry.body.len();
        self.entries.push_back(Arc::clone(&entry));
        while self.entries.len() > MAX_ENTRIES || (self.bytes > MAX_BYTES && self.entries.len() > 1) {
            if let Some(oldest) = self.entries.pop_front() {
                self.bytes -= oldest.body.len();
            }
        }
        entry
    }

    pub(super) fn all(&self) -> Vec<Arc<Entry>> {
        self.entries.iter().cloned().collect()
    }

    pub(super) fn find(&self, id: u64) -> Option<Arc<Entry>> {
        self.entries.iter().find(|entry| entry.id == id).cloned()
    }

    /// The last verified delivery of the same record before this one.
    pub(super) fn before(&self, entry: &Entry) -> Option<Arc<Entry>> {
        let record = entry.record.as_ref()?;
        let same = |other: &&Arc<Entry>| {
            other.id < entry.id && other.verdict == Verdict::Verified && other.record.as_ref() == Some(record)
        };
        self.entries.iter().rev().find(same).cloned()
    }
}

/// The fields of the record that differ, with their JSON before and after.
pub(super) fn changes(before: &Entry, after: &Entry) -> Vec<Value> {
    let (before, after) = (before.record_json().unwrap_or_default(), after.record_json().unwrap_or_default());
    let mut changes = Vec::new();
    collect("", &before, &after, &mut changes);
    changes
}

/// Goes into objects, as `name.firstName`.
fn collect(path: &str, before: &Value, after: &Value, changes: &mut Vec<Value>) {
    if before == after {
        return;
    }
    if let (Value::Object(old), Value::Object(new)) = (before, after) {
        let names: BTreeSet<_> = old.keys().chain(new.keys()).collect();
        for name in names {
            let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
            let member = |of: &serde_json::Map<String, Value>| of.get(name).cloned();
            match (member(old), member(new)) {
                (Some(old), Some(new)) => collect(&path, &old, &new, changes),
                (old, new) => changes.push(change(&path, old.as_ref(), new.as_ref())),
            }
        }
    } else {
        changes.push(change(path, Some(before), Some(after)));
    }
}

fn change(field: &str, before: Option<&Value>, after: Option<&Value>) -> Value {
    json!({ "field": field, "before": before.map(Value::to_string), "after": after.map(Value::to_string) })
}
