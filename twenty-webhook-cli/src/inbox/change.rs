use std::collections::BTreeSet;
use std::io::Write;
use std::process::ExitCode;

use anyhow::bail;
use serde_json::json;
use twenty_webhook_inbox::{Inbox, JobFilter, JobInfo, State, Store};

use super::args::Which;
use super::list;
use crate::{NO, terminal};

/// A command that changes jobs.
#[derive(Clone, Copy)]
enum Action {
    Retry,
    Rerun,
    Delete,
}

const ERASED: &str = "its body was erased, so it cannot be handled again";

impl Action {
    fn done(self) -> &'static str {
        match self {
            Self::Retry => "retried",
            Self::Rerun => "rerun",
            Self::Delete => "deleted",
        }
    }

    /// The states that it changes without --state.
    fn states(self) -> &'static [State] {
        match self {
            Self::Retry => &[State::Dead, State::Retrying],
            Self::Rerun => &[State::Done],
            Self::Delete => &[State::Dead, State::Done],
        }
    }

    /// Why it leaves a job alone, or `None` if it changes it. `wanted` are the states of --state.
    fn refusal(self, job: &JobInfo, wanted: &[State]) -> Option<&'static str> {
        let is_wanted = wanted.contains(&job.state);
        match (self, job.state) {
            (_, State::Running) => Some("a worker is handling it"),
            _ if !is_wanted && !wanted.is_empty() => Some("--state leaves it out"),
            (Self::Retry | Self::Rerun, _) if job.len.is_none() => Some(ERASED),
            (Self::Retry, State::Done) => Some("`rerun` handles it again"),
            // After a crash it waits for up to 512 seconds.
            (Self::Retry, State::Pending) if job.crashes == 0 => {
                Some("it is due already, or waits for an earlier job of its record")
            }
            (Self::Rerun, State::Dead | State::Retrying) => Some("`retry` makes it due"),
            (Self::Rerun, State::Pending) => Some("it was not handled yet"),
            (Self::Delete, State::Retrying) if !is_wanted => {
                Some("it was not handled yet; --state retrying deletes it anyway")
            }
            (Self::Delete, State::Pending) if !is_wanted => {
                Some("it was not handled yet; --state pending deletes it anyway")
            }
            _ => None,
        }
    }
}

pub(super) async fn retry(inbox: &Inbox<impl Store>, which: &Which, as_json: bool) -> anyhow::Result<ExitCode> {
    let mut changed = 0;
    let chosen = Chosen::of(inbox, which, Action::Retry).await?;
    for filter in chosen.filters() {
        changed += inbox.retry(&filter).await?;
    }
    chosen.report(inbox, changed, as_json).await
}

pub(super) async fn rerun(inbox: &Inbox<impl Store>, which: &Which, as_json: bool) -> anyhow::Result<ExitCode> {
    let mut changed = 0;
    let chosen = Chosen::of(inbox, which, Action::Rerun).await?;
    for filter in chosen.filters() {
        changed += inbox.rerun(&filter).await?;
    }
    chosen.report(inbox, changed, as_json).await
}

pub(super) async fn delete(
    inbox: &Inbox<impl Store>,
    which: &Which,
    yes: bool,
    dry_run: bool,
    as_json: bool,
) -> anyhow::Result<ExitCode> {
    if which.filter.states().contains(&State::Running) {
        bail!("a running job cannot be deleted: a worker is handling it");
    }
    let mut chosen = Chosen::of(inbox, which, Action::Delete).await?;
    let jobs = chosen.find(inbox).await?;
    if dry_run {
        if as_json {
            let mut out = terminal::stdout();
            for job in jobs {
                writeln!(out, "{}", terminal::json(&list::in_json(job)))?;
            }
        } else {
            list::print(jobs)?;
            terminal::note(&format!("{} would be deleted.", counted(jobs)));
        }
        return Ok(if jobs.is_empty() { ExitCode::from(NO) } else { ExitCode::SUCCESS });
    }
    if !jobs.is_empty() && !confirm(&format!("Delete {}?", counted(jobs)), yes)? {
        return print(Action::Delete.done(), 0, as_json);
    }
    let mut changed = 0;
    for filter in chosen.filters() {
        changed += inbox.delete(&filter).await?;
    }
    chosen.report(inbox, changed, as_json).await
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

/// The jobs that a command is to change.
struct Chosen<'a> {
    which: &'a Which,
    action: Action,
    /// The jobs, if they are known one by one. Else all that match are chosen.
    jobs: Option<Vec<JobInfo>>,
}

impl<'a> Chosen<'a> {
    /// Says why a job whose id is given is not among them.
    async fn of(inbox: &Inbox<impl Store>, which: &'a Which, action: Action) -> anyhow::Result<Self> {
        if which.is_empty() {
            bail!("which jobs? Give their ids, or --name '*.*', --state, --record, --since, --until");
        }
        if which.ids.is_empty() {
            return Ok(Self { which, action, jobs: None });
        }
        let (mut jobs, wanted) = (Vec::new(), which.filter.states());
        // Each once, the newest first.
        for id in which.ids.iter().collect::<BTreeSet<_>>().into_iter().rev() {
            match inbox.jobs(&JobFilter::id(*id)).await?.pop() {
                None => terminal::note(&format!("{id}: there is no such job")),
                Some(job) => match action.refusal(&job, &wanted) {
                    None => jobs.push(job),
                    Some(why) => terminal::note(&format!("{id} is {}: {why}", job.state)),
                },
            }
        }
        Ok(Self { which, action, jobs: Some(jobs) })
    }

    /// Finds the jobs, so that no others are changed.
    async fn find(&mut self, inbox: &Inbox<impl Store>) -> anyhow::Result<&[JobInfo]> {
        if self.jobs.is_none() {
            self.jobs = Some(list::find(inbox, &self.filters(), usize::MAX).await?);
        }
        Ok(self.jobs.as_deref().unwrap_or_default())
    }

    /// Each job in the state in which it was found: meanwhile it may have been retried.
    fn filters(&self) -> Vec<JobFilter> {
        match &self.jobs {
            Some(jobs) => jobs.iter().map(|job| JobFilter::id(job.id).state(job.state)).collect(),
            None => self.which.filter.filters(self.action.states()),
        }
    }

    /// Prints how many were changed, and why others were not.
    async fn report(&self, inbox: &Inbox<impl Store>, changed: u64, as_json: bool) -> anyhow::Result<ExitCode> {
        let done = self.action.done();
        let missed = self.jobs.as_ref().map_or(0, |jobs| (jobs.len() as u64).saturating_sub(changed));
        if missed > 0 {
            terminal::note(&format!("Not {done}, because the state changed meanwhile: {missed}."));
        } else if changed == 0 && self.which.ids.is_empty() {
            self.say_why_none(inbox).await?;
        }
        print(done, changed, as_json)
    }

    async fn say_why_none(&self, inbox: &Inbox<impl Store>) -> anyhow::Result<()> {
        let wanted = self.which.filter.states();
        let states = if wanted.is_empty() { self.action.states() } else { &wanted };
        match list::find(inbox, &self.which.filter.filters(self.action.states()), 1).await?.first() {
            None => {
                let states: Vec<_> = states.iter().map(State::to_string).collect();
                terminal::note(&format!("No job that matches is {}.", states.join(" or ")));
            }
            Some(job) => {
                if let Some(why) = self.action.refusal(job, &wanted) {
                    terminal::note(&format!("The newest job that matches, {}, is {}: {why}", job.id, job.state));
                }
            }
        }
        Ok(())
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
