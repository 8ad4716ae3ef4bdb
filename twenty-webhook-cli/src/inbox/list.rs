use std::cmp::Reverse;
use std::io::Write;
use std::process::ExitCode;
use std::time::SystemTime;

use serde_json::{Value, json};
use twenty_webhook_inbox::{Inbox, InboxError, JobFilter, JobInfo, State, Store};

use crate::{terminal, time};

pub(super) async fn run(
    inbox: &Inbox<impl Store>,
    filters: &[JobFilter],
    limit: usize,
    as_json: bool,
) -> anyhow::Result<ExitCode> {
    let jobs = find(inbox, filters, limit).await?;
    if as_json {
        let mut out = terminal::stdout();
        for job in &jobs {
            writeln!(out, "{}", terminal::json(&in_json(job)))?;
        }
    } else {
        print(&jobs)?;
        if jobs.len() == limit {
            terminal::note(&format!("There may be more than these {limit}: --limit N, or --all."));
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// The jobs that match any filter, the newest first.
pub(super) async fn find(
    inbox: &Inbox<impl Store>,
    filters: &[JobFilter],
    limit: usize,
) -> Result<Vec<JobInfo>, InboxError> {
    let mut jobs = Vec::new();
    for filter in filters {
        jobs.extend(inbox.jobs(&filter.clone().limit(limit)).await?);
    }
    jobs.sort_by_key(|job| Reverse(job.id));
    jobs.truncate(limit);
    Ok(jobs)
}

/// A table with a header.
pub(super) fn print(jobs: &[JobInfo]) -> anyhow::Result<()> {
    if jobs.is_empty() {
        terminal::note("No job matches.");
        return Ok(());
    }
    let (mut out, now) = (terminal::stdout(), SystemTime::now());
    let faint = terminal::FAINT;
    writeln!(
        out,
        "{faint}{:>8}  {:<8}  {:>7}  {:<24}  {:<36}  {:>8}  {:<9}  ERROR{faint:#}",
        "ID", "STATE", "AGE", "EVENT", "RECORD", "ATTEMPTS", "NEXT"
    )?;
    for job in jobs {
        let style = if job.state == State::Dead { terminal::BAD } else { anstyle::Style::new() };
        let age = terminal::age(now.duration_since(job.stored_at).unwrap_or_default());
        let error = job.last_error.as_deref().filter(|_| job.state != State::Done).unwrap_or_default();
        let line = format!(
            "{:>8}  {style}{:<8}{style:#}  {age:>7}  {:<24}  {:<36}  {:>8}  {:<9}  {}",
            job.id,
            job.state,
            terminal::plain(&job.name, 60),
            terminal::plain(job.record_id.as_deref().unwrap_or("-"), 36),
            job.attempts,
            next(job, now),
            terminal::plain(error.lines().next().unwrap_or_default(), 100)
        );
        writeln!(out, "{}", line.trim_end())?;
    }
    Ok(())
}

/// When the next attempt is.
fn next(job: &JobInfo, now: SystemTime) -> String {
    let Some(due) = job.due_at.filter(|_| matches!(job.state, State::Pending | State::Retrying)) else {
        return "-".to_owned();
    };
    match due.duration_since(now) {
        Ok(wait) if wait.as_secs() > 0 => format!("in {}", terminal::age(wait)),
        _ => "now".to_owned(),
    }
}

/// All commands show a job like this: times in ISO 8601.
pub(super) fn in_json(job: &JobInfo) -> Value {
    let iso = |time: SystemTime| time::iso(time.into());
    json!({
        "id": job.id.number(),
        "state": job.state.as_str(),
        "event": job.name,
        "tenant": job.tenant,
        "record_id": job.record_id,
        "key": job.key.to_string(),
        "attempts": job.attempts,
        "crashes": job.crashes,
        "last_error": job.last_error,
        "stored_at": iso(job.stored_at),
        "due_at": job.due_at.map(iso),
        "finished_at": job.finished_at.map(iso),
        "bytes": job.len,
    })
}
