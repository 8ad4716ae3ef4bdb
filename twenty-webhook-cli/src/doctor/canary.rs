use std::time::{Duration, Instant};

use twenty_webhook_axum::{EventName, EventPattern};
use twenty_webhook_inbox::{Inbox, JobFilter, Store};

use super::args::CanaryArgs;
use super::{Check, Report};
use crate::api::{Api, Webhook};
use crate::database::Database;
use crate::terminal;

const POLL: Duration = Duration::from_millis(100);

/// Creates a note and destroys it, and waits for both deliveries in the inbox.
pub(super) async fn run(args: &CanaryArgs, api: &Api, webhooks: &[Webhook], report: &mut Report) -> anyhow::Result<()> {
    let operations = webhooks.iter().flat_map(|webhook| &webhook.operations);
    let patterns: Vec<EventPattern> = operations.filter_map(|operation| operation.parse().ok()).collect();
    let uncovered = ["note.created", "note.destroyed"]
        .into_iter()
        .find(|name| !patterns.iter().any(|pattern| pattern.subscribes_to(&EventName::from(*name))));
    if let Some(name) = uncovered {
        let check = Check::wrong("canary", format!("no webhook subscribes to {name}, so the canary would not arrive"));
        return report.add(&check.fix("add the operation note.* to a webhook, at least for now"));
    }
    let Some(db) = &args.db else { return Ok(()) };
    match Database::open(db).await? {
        Database::Sqlite(inbox) => send(args, api, &inbox, report).await,
        Database::Postgres(inbox) => send(args, api, &inbox, report).await,
    }
}

async fn send(args: &CanaryArgs, api: &Api, inbox: &Inbox<impl Store>, report: &mut Report) -> anyhow::Result<()> {
    let id = match api.create_note("twenty-webhook doctor: a canary, which is destroyed at once").await {
        Ok(id) => id,
        Err(error) => {
            let check = Check::wrong("canary", format!("the note cannot be created: {error}"));
            return report.add(&check.fix("give the key's role the permission to create and destroy notes"));
        }
    };
    report.add(&arrival(args, inbox, &id, "note.created").await?)?;
    if let Err(error) = api.destroy_note(&id).await {
        let check =
            Check::wrong("canary", format!("the note {} cannot be destroyed: {error}", terminal::plain(&id, 60)));
        return report.add(&check.fix("destroy it in Twenty by hand"));
    }
    report.add(&arrival(args, inbox, &id, "note.destroyed").await?)
}

async fn arrival(args: &CanaryArgs, inbox: &Inbox<impl Store>, id: &str, name: &str) -> anyhow::Result<Check> {
    let filter = JobFilter::all().record("note", id).named(name.parse()?);
    let started = Instant::now();
    while started.elapsed() < Duration::from_secs(args.wait) {
        if !inbox.jobs(&filter.clone().limit(1)).await?.is_empty() {
            return Ok(Check::ok(
                "canary",
                format!("{name} was stored in the inbox after {}", terminal::took(started.elapsed())),
            ));
        }
        tokio::time::sleep(POLL).await;
    }
    Ok(Check::wrong("canary", format!("{name} did not arrive within {} s", args.wait))
        .why("Twenty did not call, or the receiver did not store it here; Twenty never sends it again")
        .fix("look at the checks above, at the receiver's log, and at Twenty's worker: does it run?"))
}
