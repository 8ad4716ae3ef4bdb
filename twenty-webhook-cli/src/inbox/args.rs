use std::time::SystemTime;

use clap::{Args, Subcommand, ValueEnum};
use twenty_webhook_axum::EventPattern;
use twenty_webhook_inbox::{JobFilter, JobId, State};

use super::dashboard::DashboardArgs;
use crate::time;

/// Inspect and repair an inbox
#[derive(Debug, Args)]
#[command(after_help = "\
States: pending, running, retrying, done, dead.

Behind PgBouncer in transaction mode, the URL has pgbouncer=true in its query: postgres://twenty@pooler:6432/inbox?pgbouncer=true

Exit status: 0 if it is done, also if `list` finds no job; 1 if there was no job to show or to change, if you answered no, or if --fail-on \
found a job; 2 if the inbox cannot be used.

Examples:
  twenty-webhook inbox stats --fail-on dead
  twenty-webhook inbox list --state dead --name 'person.*' --since 2h
  twenty-webhook inbox show 4711
  twenty-webhook inbox retry --name 'person.*'
  twenty-webhook inbox rerun --record person/b1d6c7a2-0f3e-4a58-9c41-7e2b90d4f613
  twenty-webhook inbox delete --state dead --until 30d --dry-run
  twenty-webhook inbox dashboard --db postgres://twenty@db/inbox")]
pub(crate) struct InboxArgs {
    #[command(subcommand)]
    pub(crate) command: Command,
    /// The inbox: an SQLite file, or a Postgres URL
    #[arg(
        long,
        global = true,
        value_name = "FILE|URL",
        env = "INBOX_DB",
        default_value = "inbox.db",
        hide_env_values = true,
        value_hint = clap::ValueHint::FilePath
    )]
    pub(crate) db: String,
    /// Print JSON, one line for each job
    #[arg(long, global = true)]
    pub(crate) json: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Count the jobs in each state
    Stats {
        /// Exit with status 1 if there is a job in this state
        #[arg(long, value_enum, value_name = "STATE")]
        fail_on: Vec<StateArg>,
    },
    /// List jobs, the newest first
    List {
        #[command(flatten)]
        filter: FilterArgs,
        /// The largest number of jobs to list
        #[arg(long, value_name = "N", default_value_t = 100)]
        limit: usize,
        /// List all of them
        #[arg(long, conflicts_with = "limit")]
        all: bool,
    },
    /// Print a job, and the body that Twenty sent
    Show {
        /// The job's id
        id: JobId,
    },
    /// Make dead and retrying jobs due now, and reset their attempts
    ///
    /// A pending job waits for up to 512 seconds if its process crashed. It is retried by its id, or with --state pending.
    Retry(Which),
    /// Handle done jobs again, as after a mistake in the handler was fixed
    Rerun(Which),
    /// Delete jobs. Without --state only dead and done ones; never running ones
    Delete {
        #[command(flatten)]
        which: Which,
        /// Do not ask for confirmation
        #[arg(long, short)]
        yes: bool,
        /// Print what would be deleted, and delete nothing
        #[arg(long)]
        dry_run: bool,
    },
    /// Erase the bodies and errors that are stored about a record
    #[command(after_help = "\
The rows and the keys stay, so that a duplicate is still recognized. A job that was not handled yet is never handled. It does not erase \
backups, or events of other records that mention this one.")]
    Erase {
        /// The record: OBJECT/ID, as person/b1d6c7a2-0f3e-4a58-9c41-7e2b90d4f613
        #[arg(value_parser = record)]
        record: (String, String),
        /// Do not ask for confirmation
        #[arg(long, short)]
        yes: bool,
    },
    /// Stop all workers: they finish their running jobs, and start no others. Deliveries are still stored
    Pause,
    /// End a pause
    Resume,
    /// Serve a web page that shows the jobs, on this machine only
    Dashboard(DashboardArgs),
}

/// Which jobs.
#[derive(Debug, Default, Args)]
pub(crate) struct FilterArgs {
    /// Only jobs in this state. May be repeated
    #[arg(long, value_enum)]
    state: Vec<StateArg>,
    /// Only jobs whose event matches, as in a subscription: person.*, *.created
    #[arg(long, value_name = "PATTERN")]
    name: Option<EventPattern>,
    /// Only jobs about this record: OBJECT/ID
    #[arg(long, value_name = "OBJECT/ID", value_parser = record)]
    record: Option<(String, String)>,
    /// Only jobs that were stored at this time or later: 2h, 2026-09-14T10:23:16Z
    #[arg(long, value_name = "TIME", value_parser = time::parse_past)]
    since: Option<SystemTime>,
    /// Only jobs that were stored before this time: 30d, 2026-09-14T10:23:16Z
    #[arg(long, value_name = "TIME", value_parser = time::parse_past)]
    until: Option<SystemTime>,
}

impl FilterArgs {
    /// The states that are given, each once.
    pub(super) fn states(&self) -> Vec<State> {
        State::ALL.into_iter().filter(|state| self.state.iter().any(|own| State::from(*own) == *state)).collect()
    }

    /// A filter for each state that is given, or else for each of `usual`; one for all states where that is empty.
    pub(super) fn filters(&self, usual: &[State]) -> Vec<JobFilter> {
        let given = self.states();
        let states = if given.is_empty() { usual } else { &given };
        if states.is_empty() {
            return vec![self.narrow(JobFilter::all())];
        }
        states.iter().map(|state| self.narrow(JobFilter::in_state(*state))).collect()
    }

    fn narrow(&self, mut filter: JobFilter) -> JobFilter {
        if let Some(name) = &self.name {
            filter = filter.named(name.clone());
        }
        if let Some((object, id)) = &self.record {
            filter = filter.record(object, id);
        }
        if let Some(since) = self.since {
            filter = filter.since(since);
        }
        if let Some(until) = self.until {
            filter = filter.until(until);
        }
        filter
    }
}

/// Which jobs to change: by their ids, or by what they are about.
#[derive(Debug, Args)]
pub(crate) struct Which {
    /// The ids of jobs
    #[arg(conflicts_with_all = ["name", "record", "since", "until"])]
    pub(super) ids: Vec<JobId>,
    #[command(flatten)]
    pub(super) filter: FilterArgs,
}

impl Which {
    /// Whether nothing is chosen. A command without arguments must not change all jobs.
    pub(super) fn is_empty(&self) -> bool {
        let FilterArgs { state, name, record, since, until } = &self.filter;
        let narrowed = name.is_some() || record.is_some() || since.is_some() || until.is_some();
        self.ids.is_empty() && state.is_empty() && !narrowed
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum StateArg {
    Pending,
    Running,
    Retrying,
    Done,
    Dead,
}

impl From<StateArg> for State {
    fn from(state: StateArg) -> Self {
        match state {
            StateArg::Pending => Self::Pending,
            StateArg::Running => Self::Running,
            StateArg::Retrying => Self::Retrying,
            StateArg::Done => Self::Done,
            StateArg::Dead => Self::Dead,
        }
    }
}

fn record(text: &str) -> Result<(String, String), String> {
    match text.split_once('/') {
        Some((object, id)) if !object.is_empty() && !id.is_empty() => Ok((object.to_owned(), id.to_owned())),
        _ => Err("write OBJECT/ID, as person/b1d6c7a2-0f3e-4a58-9c41-7e2b90d4f613".to_owned()),
    }
}
