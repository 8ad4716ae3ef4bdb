use std::io::Write;
use std::process::ExitCode;

use anyhow::bail;
use serde_json::json;
use twenty_webhook_inbox::{Inbox, JobFilter, JobId, JobInfo, State, Store};

use super::args::Which;
use super::list;
use crate::{NO, terminal};

/// A command that changes jobs, and the states that it changes.
struct Action {
    /// `retried`
    done: &'static str,
    states: &'static [State],
    /// What to do about jobs in another state.
    advice: fn(State) -> &'static str,
}

const RETRY: Action = Action {
    done: "retried",
    states: &[State::Dead, State::Retrying],
    advice: |state| match state {
        State::Done => "`rerun` handles it again",
        State::Pending => "it is due already, or waits for an earlier job of its record",
        _ => "a worker is handling it",
    },
};

const RERUN: Action = Action {
    done: "rerun",
    states: &[State::Done],
    advice: |state| match state {
        State::Dead | State::Retrying => "`retry` makes it due",
        State::Pending => "it was not handled yet",
        _ => "a worker is handling it",
    },
};

const DELETE: Action = Action {
    done: "deleted",
    states: &[State::Dead, State::Done],
    advice: |state| match state {
        State::Running => "a worker is handling it",
        State::Retrying => "it was not handled yet; --state retrying deletes it anyway",
        _ => "it was not handled yet; --state pending deletes it anyway",
    },
};

pub(super) async fn retry(inbox: &Inbox<impl Store>, which: &Which, as_json: bool) -> anyhow::Result<ExitCode> {
    let mut changed = 0;
    let chosen = Chosen::of(inbox, which, &RETRY).await?;
    for filter in &chosen.filters {
        changed += inbox.retry(filter).await?;
    }
    chosen.report(&RETRY, changed, as_json)
}

pub(super) async fn rerun(inbox: &Inbox<impl Store>, which: &Which, as_json: bool) -> anyhow::Result<ExitCode> {
    let mut changed = 0;
    let chosen = Chosen::of(inbox, which, &RERUN).await?;
    for filter in &chosen.filters {
        changed += inbox.rerun(filter).await?;
    }
    chosen.report(&RERUN, changed, as_json)
}

pub(super) async fn delete(
    inbox: &Inbox<impl Store>,
    which: &Which,
    yes: bool,
    dry_run: bool,
    as_json: bool,
) -> anyhow::Result<ExitCode> {
    if which.filter.state.iter().any(|state| State::from(*state) == State::Running) {
        bail!("a running job cannot be deleted: a worker is handling it");
    }
    let chosen = Chosen::of(inbox, which, &DELETE).await?;
    let jobs = list::find(inbox, &chosen.filters, usize::MAX).await?;
    if dry_run {
        if as_json {
            let mut out = terminal::stdout();
            for job in &jobs {
                writeln!(out, "{}", terminal::json(&list::in_json(job)))?;
            }
        } else {
            list::print(&jobs)?;
            terminal::note(&format!("{} would be deleted.", counted(&jobs)));
        }
        return Ok(if jobs.is_empty() { ExitCode::from(NO) } else { ExitCode::SUCCESS });
    }
    if !jobs.is_empty() && !confirm(&format!("Delete {}?", counted(&jobs)), yes)? {
        return print(DELETE.done, 0, as_json);
    }
    // Only the jobs that were counted, in the states that were shown: meanwhile one may have been retried.
    let mut changed = 0;
    for job in &jobs {
        changed += inbox.delete(&JobFilter::id(job.id).state(job.state)).await?;
    }
    let others = (jobs.len() as u64).saturating_sub(changed);
    if others > 0 {
        terminal::note(&format!("Not deleted, because the state changed meanwhile: {others}."));
    }
    chosen.report(&DELETE, changed, as_json)
}

pub(super) async fn erase(
    inbox: &Inbox<impl Store>,
    object: &str,
    id: &str,
    yes: bool,
    as_json: bool,
) -> anyhow::Result<ExitCode> {
    let jobs = inbox.jobs(&JobFilter::all().record(object, id)).await?;
    if !jobs.is_empty() && !confirm(&format!("Erase the bodies of {}?", counted(&jobs)), yes)? {
        return print("erased", 0, as_json);
    }
    let erased = inbox.erase(object, id).await?;
    if erased == 0 {
        terminal::note("No job is about this record, or all are erased.");
    }
    print("erased", erased, as_json)
}

/// `3 jobs (2 dead, 1 done)`
fn counted(jobs: &[JobInfo]) -> String {
    let count = |state| jobs.iter().filter(|job| job.state == state).count();
    let states: Vec<_> = State::ALL
        .into_iter()
        .filter(|state| count(*state) > 0)
        .map(|state| format!("{} {state}", count(state)))
        .collect();
    let noun = if jobs.len() == 1 { "job" } else { "jobs" };
    if states.is_empty() { "0 jobs".to_owned() } else { format!("{} {noun} ({})", jobs.len(), states.join(", ")) }
}

fn confirm(question: &str, yes: bool) -> anyhow::Result<bool> {
    let is_confirmed = yes || terminal::ask(question, "give --yes")?;
    if !is_confirmed {
        terminal::note("Nothing was changed.");
    }
    Ok(is_confirmed)
}

/// The jobs that a command may change.
struct Chosen {
    filters: Vec<JobFilter>,
    /// The ids that are skipped, with the job's state if the job exists.
    skipped: Vec<(JobId, Option<State>)>,
}

impl Chosen {
    async fn of(inbox: &Inbox<impl Store>, which: &Which, action: &Action) -> anyhow::Result<Self> {
        if which.is_empty() {
            bail!("which jobs? Give their ids, or --name '*.*', --state, --record, --since, --until");
        }
        let mut chosen = Self { filters: Vec::new(), skipped: Vec::new() };
        if which.ids.is_empty() {
            chosen.filters = which.filter.filters(action.states);
            return Ok(chosen);
        }
        let states: Vec<State> = which.filter.state.iter().copied().map(State::from).collect();
        for id in &which.ids {
            match inbox.job(*id).await?.map(|(job, _)| job.state) {
                Some(state) if action.states.contains(&state) || states.contains(&state) => {
                    chosen.filters.push(JobFilter::id(*id));
                }
                state => chosen.skipped.push((*id, state)),
            }
        }
        Ok(chosen)
    }

    /// Prints how many were changed, and why others were not.
    fn report(&self, action: &Action, changed: u64, as_json: bool) -> anyhow::Result<ExitCode> {
        for (id, state) in &self.skipped {
            match state {
                Some(state) => terminal::note(&format!("{id} is {state}: {}", (action.advice)(*state))),
                None => terminal::note(&format!("{id}: there is no such job")),
            }
        }
        if changed == 0 && self.skipped.is_empty() {
            let states: Vec<_> = action.states.iter().map(State::to_string).collect();
            terminal::note(&format!("No job that matches is {}.", states.join(" or ")));
        }
        print(action.done, changed, as_json)
    }
}

fn print(done: &str, changed: u64, as_json: bool) -> anyhow::Result<ExitCode> {
    let mut out = terminal::stdout();
    if as_json {
        writeln!(out, "{}", json!({ done: changed }))?;
    } else {
        writeln!(out, "{changed} {done}")?;
    }
    Ok(if changed == 0 { ExitCode::from(NO) } else { ExitCode::SUCCESS })
}
