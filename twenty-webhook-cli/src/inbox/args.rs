use clap::{Args, Subcommand, ValueEnum};
use twenty_webhook_axum::EventPattern;
use twenty_webhook_inbox::{JobFilter, JobId, State};

/// Look into an inbox and put it right: list jobs, retry or drop dead letters
#[derive(Debug, Args)]
#[command(after_help = "\
States: pending, running, retrying, done, dead.

Examples:
  twenty-webhook inbox stats
  twenty-webhook inbox list --state dead --name 'person.*'
  twenty-webhook inbox show 4711
  twenty-webhook inbox retry --name 'person.*'
  twenty-webhook inbox drop 4711 --db postgres://twenty@db/inbox")]
pub(crate) struct InboxArgs {
    #[command(subcommand)]
    pub(crate) command: Command,
    /// The inbox: an SQLite file, or a URL of Postgres
    #[arg(
        long,
        global = true,
        value_name = "FILE|URL",
        env = "INBOX_DB",
        default_value = "inbox.db",
        hide_env_values = true
    )]
    pub(crate) db: String,
    /// Print JSON
    #[arg(long, global = true)]
    pub(crate) json: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// How many jobs there are in each state; exit status 1 if any is dead
    Stats,
    /// List jobs, the newest first
    List {
        /// Only those in this state
        #[arg(long, value_enum)]
        state: Option<StateArg>,
        /// Only those whose event has such a name, as in a subscription: person.*, *.created
        #[arg(long, value_name = "PATTERN")]
        name: Option<EventPattern>,
        /// At most so many
        #[arg(long, default_value_t = 100)]
        limit: usize,
    },
    /// Print a job, and the body that Twenty sent
    Show {
        /// The job's id
        id: JobId,
    },
    /// Make dead letters pending again, with all their attempts
    Retry(Which),
    /// Delete dead letters, or other jobs by their ids
    Drop(Which),
}

#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub(crate) struct Which {
    /// The ids of jobs
    ids: Vec<JobId>,
    /// All dead letters whose event has such a name: person.*, *.created, *.*
    #[arg(long, value_name = "PATTERN")]
    name: Option<EventPattern>,
}

impl Which {
    pub(crate) fn filters(&self) -> Vec<JobFilter> {
        match &self.name {
            Some(name) => vec![JobFilter::in_state(State::Dead).named(name.clone())],
            None => self.ids.iter().copied().map(JobFilter::id).collect(),
        }
    }
}

#[derive(Clone, Copy, Debug, ValueEnum)]
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
