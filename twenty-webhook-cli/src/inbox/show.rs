use std::io::Write;
use std::process::ExitCode;

use serde::Serialize;
use serde_json::Value;
use serde_json::value::RawValue;
use twenty_webhook_inbox::{Inbox, JobId, State, Store};

use super::list::in_json;
use crate::{NO, terminal, time};

/// A job with its body as JSON, exactly as Twenty wrote its numbers and strings.
#[derive(Serialize)]
struct Shown<'a> {
    #[serde(flatten)]
    job: Value,
    body: Option<&'a RawValue>,
}

pub(super) async fn run(inbox: &Inbox<impl Store>, id: JobId, as_json: bool) -> anyhow::Result<ExitCode> {
    let Some((job, event)) = inbox.job(id).await? else {
        terminal::error(&format!("no job has the id {id}"));
        return Ok(ExitCode::from(NO));
    };
    let body = event.as_ref().map(twenty_webhook_inbox::WebhookEvent::body);
    let mut out = terminal::stdout();
    if as_json {
        let body = body.map(|body| serde_json::from_slice(body)).transpose()?;
        let line = serde_json::to_string(&Shown { job: in_json(&job), body })?;
        writeln!(out, "{}", terminal::one_line(&line))?;
        return Ok(ExitCode::SUCCESS);
    }
    // Such a job is not finished.
    let is_open = matches!(job.state, State::Pending | State::Retrying | State::Running);
    let ended = if is_open { "last attempt ended" } else { "finished" };
    let rows = [
        ("state", Some(job.state.to_string())),
        ("event", Some(terminal::plain(&job.name, 200))),
        ("record", job.record_id.as_deref().map(|id| terminal::plain(id, 200))),
        ("tenant", job.tenant.as_deref().map(|tenant| terminal::plain(tenant, 200))),
        ("attempts", Some(job.attempts.to_string())),
        ("crashes", (job.crashes > 0).then(|| job.crashes.to_string())),
        ("stored", Some(time::iso(job.stored_at.into()))),
        ("due", job.due_at.map(|time| time::iso(time.into()))),
        (ended, job.finished_at.map(|time| time::iso(time.into()))),
        ("key", Some(job.key.to_string())),
        ("error", job.last_error.as_deref().map(|error| terminal::plain(error, 2_000))),
    ];
    let rows = || rows.iter().filter_map(|(label, value)| Some((label, value.as_ref()?)));
    let width = rows().map(|(label, _)| label.len()).max().unwrap_or_default() + 2;
    for (label, value) in rows() {
        writeln!(out, "{}", terminal::wrapped(&format!("{label:<width$}"), value))?;
    }
    match body {
        Some(body) => writeln!(out, "\n{}", terminal::pretty_json(body))?,
        None => writeln!(out, "\nThe body was erased.")?,
    }
    Ok(ExitCode::SUCCESS)
}
