use std::io::{self, Write};
use std::sync::{Mutex, PoisonError};
use std::time::SystemTime;

use serde_json::json;
use twenty_webhook_catchup::WebhookEvent;

use crate::{terminal, time};

/// Prints what a dry run finds, as it is found.
pub(super) struct Missed {
    as_json: bool,
    /// After an error nothing more is printed.
    result: Mutex<io::Result<()>>,
}

impl Missed {
    pub(super) fn new(as_json: bool) -> Self {
        Self { as_json, result: Mutex::new(Ok(())) }
    }

    pub(super) fn print(&self, event: &WebhookEvent) {
        let mut result = self.result.lock().unwrap_or_else(PoisonError::into_inner);
        if result.is_ok() {
            *result = self.write(event);
        }
    }

    /// Whether all could be printed.
    pub(super) fn result(&self) -> io::Result<()> {
        std::mem::replace(&mut *self.result.lock().unwrap_or_else(PoisonError::into_inner), Ok(()))
    }

    fn write(&self, event: &WebhookEvent) -> io::Result<()> {
        let updated_at = event.record_updated_at().map(|at| time::iso(SystemTime::from(at).into()));
        let mut out = terminal::stdout();
        if self.as_json {
            let line =
                json!({ "event": event.name().as_str(), "record_id": event.record_id(), "updated_at": updated_at });
            return writeln!(out, "{}", terminal::json(&line));
        }
        let name = terminal::plain(event.name().as_str(), 80);
        let id = terminal::plain(event.record_id().unwrap_or("-"), 60);
        writeln!(out, "{name:<24}  {id:<36}  {}", updated_at.as_deref().unwrap_or("-"))
    }
}
