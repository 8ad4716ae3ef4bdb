//! `inbox`: an operator's commands. `twenty-webhook-inbox` does the work; this reads arguments and prints results.

mod args;
mod change;
mod dashboard;
mod list;
mod show;

use std::io::Write;
use std::process::ExitCode;

use serde_json::{Map, Value, json};
use twenty_webhook_inbox::{Inbox, State, Store};

pub(crate) use args::InboxArgs;
use args::{Command, StateArg};

use crate::database::Database;
use crate::{NO, terminal};

pub(crate) async fn run(args: InboxArgs) -> anyhow::Result<ExitCode> {
    match Database::open(&args.db).await? {
        Database::Sqlite(inbox) => operate(&inbox, &args).await,
        Database::Postgres(inbox) => operate(&inbox, &args).await,
    }
}

async fn operate(inbox: &Inbox<impl Store>, args: &InboxArgs) -> anyhow::Result<ExitCode> {
    let json = args.json;
    match &args.command {
        Command::Stats { fail_on } => stats(inbox, fail_on, json).await,
        Command::List { filter, limit, all } => {
            list::run(inbox, &filter.filters(&[]), if *all { usize::MAX } else { *limit }, json).await
        }
        Command::Show { id } => show::run(inbox, *id, json).await,
        Command::Retry(which) => change::retry(inbox, which, json).await,
        Command::Rerun(which) => change::rerun(inbox, which, json).await,
        Command::Delete { which, yes, dry_run } => change::delete(inbox, which, *yes, *dry_run, json).await,
        Command::Erase { record: (object, id), yes } => change::erase(inbox, object, id, *yes, json).await,
        Command::Pause => {
            inbox.pause().await?;
            print(&json!({ "paused": true }), "Paused: workers finish their running jobs, and start no others.", json)
        }
        Command::Resume => {
            inbox.resume().await?;
            print(&json!({ "paused": false }), "Resumed.", json)
        }
        Command::Dashboard(args) => dashboard::run(inbox, args).await,
    }
}

fn print(value: &Value, text: &str, as_json: bool) -> anyhow::Result<ExitCode> {
    let mut out = terminal::stdout();
    if as_json {
        writeln!(out, "{value}")?;
    } else {
        writeln!(out, "{text}")?;
    }
    Ok(ExitCode::SUCCESS)
}

async fn stats(inbox: &Inbox<impl Store>, fail_on: &[StateArg], as_json: bool) -> anyhow::Result<ExitCode> {
    let (counts, paused) = (inbox.counts().await?, inbox.is_paused().await?);
    let mut out = terminal::stdout();
    if as_json {
        let mut rows: Map<_, _> =
            State::ALL.map(|state| (state.to_string(), Value::from(counts.of(state)))).into_iter().collect();
        for state in State::ALL {
            if let Some(oldest) = counts.oldest(state) {
                rows.insert(format!("oldest_{state}_seconds"), oldest.as_secs().into());
            }
        }
        rows.insert("paused".to_owned(), paused.into());
        writeln!(out, "{}", Value::from(rows))?;
    } else {
        for state in State::ALL {
            let count = counts.of(state);
            let style = if state == State::Dead && count > 0 { terminal::BAD } else { anstyle::Style::new() };
            write!(out, "{style}{state:<9}{count:>9}{style:#}")?;
            match counts.oldest(state) {
                Some(oldest) => writeln!(out, "  the oldest {} old", terminal::age(oldest))?,
                None => writeln!(out)?,
            }
        }
        if paused {
            writeln!(
                out,
                "{0}paused{0:#}: workers start no jobs; end it with `twenty-webhook inbox resume`",
                terminal::WARNING
            )?;
        }
    }
    let fails = fail_on.iter().any(|state| counts.of((*state).into()) > 0);
    Ok(if fails { ExitCode::from(NO) } else { ExitCode::SUCCESS })
}
