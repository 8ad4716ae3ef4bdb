use std::io::Write;

use serde_json::{Value, json};
use twenty_webhook_catchup::{ObjectReport, Report};

use super::CatchUpArgs;
use super::exit::object_message;
use crate::terminal::{self, BAD, FAINT};

/// Prints what was done, object by object.
pub(super) fn print(report: &Report, args: &CatchUpArgs) -> anyhow::Result<()> {
    let mut out = terminal::stdout();
    if args.json {
        for object in &report.objects {
            writeln!(out, "{}", terminal::json(&in_json(object)))?;
        }
        return Ok(());
    }
    writeln!(
        out,
        "{FAINT}{:<20}  {:>8}  {:>8}  {:>8}  {:>8}  {:>9}  {:>8}{FAINT:#}",
        "OBJECT", "READ", "CREATED", "UPDATED", "DELETED", "DESTROYED", "KNOWN"
    )?;
    for object in &report.objects {
        let name = terminal::plain(&object.object, 60);
        let ObjectReport { read, created, updated, deleted, destroyed, known, .. } = object;
        writeln!(out, "{name:<20}  {read:>8}  {created:>8}  {updated:>8}  {deleted:>8}  {destroyed:>9}  {known:>8}")?;
        for note in notes(object) {
            writeln!(out, "{}", terminal::wrapped("  ", &note))?;
        }
        if let Some(error) = &object.error {
            let line = terminal::wrapped("  error: ", &terminal::plain(&object_message(error), 600));
            writeln!(out, "  {BAD}error:{BAD:#}{}", &line["  error:".len()..])?;
        }
    }
    let events = if report.events() == 1 { "1 event".to_owned() } else { format!("{} events", report.events()) };
    let requests = if report.requests == 1 { "1 request".to_owned() } else { format!("{} requests", report.requests) };
    let done = if args.dry_run { "a run would store" } else { "stored" };
    writeln!(out, "{requests}; {done} {events}")?;
    Ok(())
}

/// Explanations of the numbers.
fn notes(object: &ObjectReport) -> Vec<String> {
    let mut notes = Vec::new();
    if object.is_first && object.events() == 0 && object.error.is_none() {
        notes.push("the first run only remembers the existing records: --backfill or --since handles them".to_owned());
    }
    if object.too_recent > 0 {
        notes.push(format!(
            "{} changed in the last 10 seconds: left to the deliveries, and to the next run",
            object.too_recent
        ));
    }
    if !object.dead.is_empty() {
        let ids = object.dead.iter().take(5).map(ToString::to_string).collect::<Vec<_>>().join(" ");
        let more = object.dead.len().saturating_sub(5);
        let more = if more > 0 { format!(", and {more} more") } else { String::new() };
        notes.push(format!("{} failed in the worker: `twenty-webhook inbox retry {ids}`{more}", object.dead.len()));
    }
    if object.is_capped {
        notes.push("its records have more than 200 fields, and Twenty's API leaves out the others".to_owned());
    }
    if object.unproven > 0 {
        notes.push(format!(
            "{} are missing that this API key has never read, so they are not reported as destroyed: --accept-destroys reports them",
            object.unproven
        ));
    }
    if object.unconfirmed > 0 {
        notes.push(format!("{} are missing, and Twenty did not confirm that they are gone", object.unconfirmed));
    }
    notes
}

fn in_json(object: &ObjectReport) -> Value {
    json!({
        "object": object.object,
        "read": object.read,
        "created": object.created,
        "updated": object.updated,
        "deleted": object.deleted,
        "destroyed": object.destroyed,
        "known": object.known,
        "too_recent": object.too_recent,
        "dead": object.dead.iter().map(|id| id.number()).collect::<Vec<_>>(),
        "unproven": object.unproven,
        "unconfirmed": object.unconfirmed,
        "first_run": object.is_first,
        "fields_left_out": object.is_capped,
        "ids_listed": object.compared_ids,
        "error": object.error.as_ref().map(object_message),
    })
}
