//! `inbox`: what an operator asks an inbox. All of it is in `twenty-webhook-inbox`; this is how it is spelled and printed.

mod args;

use std::io::Write;
use std::process::ExitCode;
use std::time::SystemTime;

use anyhow::Context as _;
use serde_json::{Value, json};
use twenty_webhook_inbox::{Inbox, JobFilter, JobId, JobInfo, PostgresConfig, SqliteConfig, State, Store};

pub(crate) use args::InboxArgs;
use args::{Command, Which};

use crate::{NO, terminal};

pub(crate) async fn run(args: InboxArgs) -> anyhow::Result<ExitCode> {
    if args.db.starts_with("postgres://") || args.db.starts_with("postgresql://") {
        // Without the URL: it holds a password.
        let inbox = async { PostgresConfig::new(&args.db)?.open_existing().await };
        return operate(&inbox.await.context("cannot open the inbox on Postgres")?, &args).await;
    }
    let inbox = SqliteConfig::new(&args.db).open_existing().await;
    operate(&inbox.context("cannot open the inbox; say with --db where it is")?, &args).await
}

async fn operate(inbox: &Inbox<impl Store>, args: &InboxArgs) -> anyhow::Result<ExitCode> {
    match &args.command {
        Command::Stats => stats(inbox, args.json).await,
        Command::List { state, name, limit } => {
            let mut select = state.map_or_else(JobFilter::all, |state| JobFilter::in_state(state.into())).limit(*limit);
            if let Some(name) = name {
                select = select.named(name.clone());
            }
            list(&inbox.jobs(&select).await?, args.json)
        }
        Command::Show { id } => show(inbox, *id, args.json).await,
        Command::Retry(which) => change(inbox, which, true, args.json).await,
        Command::Drop(which) => change(inbox, which, false, args.json).await,
    }
}

async fn stats(inbox: &Inbox<impl Store>, as_json: bool) -> anyhow::Result<ExitCode> {
    let counts = inbox.counts().await?;
    let rows = State::ALL.map(|state| (state, counts.of(state)));
    let mut out = terminal::stdout();
    if as_json {
        let rows = rows
            .iter()
            .map(|(state, count)| (state.to_string(), Value::from(*count)))
            .collect::<serde_json::Map<_, _>>();
        writeln!(out, "{}", Value::from(rows))?;
    } else {
        for (state, count) in rows {
            let style = if state == State::Dead && count > 0 { terminal::BAD } else { anstyle::Style::new() };
            writeln!(out, "{style}{state:<9}{count:>9}{style:#}")?;
        }
    }
    Ok(if counts.dead > 0 { ExitCode::from(NO) } else { ExitCode::SUCCESS })
}

fn list(jobs: &[JobInfo], as_json: bool) -> anyhow::Result<ExitCode> {
    let mut out = terminal::stdout();
    for job in jobs {
        if as_json {
            writeln!(out, "{}", in_json(job))?;
            continue;
        }
        let style = if job.state == State::Dead { terminal::BAD } else { anstyle::Style::new() };
        write!(
            out,
            "{:>8}  {style}{:<9}{style:#}{:>3}  {}",
            job.id,
            job.state,
            job.attempts,
            terminal::plain(&job.name, 60)
        )?;
        if let Some(error) = job.last_error.as_ref().filter(|_| job.state != State::Done) {
            write!(out, "  {0}{1}{0:#}", terminal::FAINT, terminal::plain(error, 100))?;
        }
        writeln!(out)?;
    }
    Ok(ExitCode::SUCCESS)
}

async fn show(inbox: &Inbox<impl Store>, id: JobId, as_json: bool) -> anyhow::Result<ExitCode> {
    let Some((job, event)) = inbox.job(id).await? else {
        writeln!(anstream::stderr(), "no job has the id {id}")?;
        return Ok(ExitCode::from(NO));
    };
    let body = event.as_ref().map(|event| String::from_utf8_lossy(event.body()));
    let mut out = terminal::stdout();
    if as_json {
        let mut shown = in_json(&job);
        shown["body"] = body.as_deref().into();
        writeln!(out, "{shown}")?;
        return Ok(ExitCode::SUCCESS);
    }
    writeln!(
        out,
        "state     {}\nattempts  {}\nname      {}",
        job.state,
        job.attempts,
        terminal::plain(&job.name, 200)
    )?;
    writeln!(out, "stored    {}\ndelivery  {}", stored(&job).unwrap_or_default(), job.key)?;
    if let Some(error) = &job.last_error {
        writeln!(out, "error     {}", terminal::plain(error, 2_000))?;
    }
    let (Some(event), Some(body)) = (&event, body) else {
        writeln!(out, "\nthe body was erased")?;
        return Ok(ExitCode::SUCCESS);
    };
    if out.is_terminal() {
        writeln!(out, "\n{}", terminal::harmless(&body))?;
    } else {
        writeln!(out)?;
        // To the byte: a file or another program takes no orders.
        let mut out = out.into_inner();
        out.write_all(event.body())?;
        out.write_all(b"\n")?;
    }
    Ok(ExitCode::SUCCESS)
}

async fn change(inbox: &Inbox<impl Store>, which: &Which, retry: bool, as_json: bool) -> anyhow::Result<ExitCode> {
    let mut changed = 0;
    for select in which.filters() {
        changed += if retry { inbox.retry(&select).await? } else { inbox.delete(&select).await? };
    }
    let done = if retry { "retried" } else { "dropped" };
    let mut out = terminal::stdout();
    if as_json {
        writeln!(out, "{}", json!({ done: changed }))?;
    } else {
        writeln!(out, "{changed} {done}")?;
    }
    Ok(if changed == 0 { ExitCode::from(NO) } else { ExitCode::SUCCESS })
}

fn stored(job: &JobInfo) -> Option<String> {
    Some(jiff::Timestamp::try_from(job.stored_at).ok()?.to_string())
}

fn in_json(job: &JobInfo) -> Value {
    json!({
        "id": job.id.number(), "state": job.state.as_str(), "name": job.name, "tenant": job.tenant, "record_id": job.record_id,
        "key": job.key.to_string(), "attempts": job.attempts, "crashes": job.crashes, "last_error": job.last_error, "stored_at": stored(job),
        "due_at": job.due_at.map(unix_seconds), "bytes": job.len,
    })
}

fn unix_seconds(time: SystemTime) -> u64 {
    time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs()
}
