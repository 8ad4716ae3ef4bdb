use anyhow::bail;
use clap::Args;
use twenty_webhook_axum::EventPattern;

use crate::api::ApiArgs;
use crate::secrets::SecretArgs;
use crate::time::Wait;
use crate::tunnel::TunnelProgram;

/// Find out why no delivery arrives
///
/// It asks Twenty's API which webhooks there are, and calls their targets as Twenty would. Each line of the answer is `ok`, or says what is
/// wrong, why, and how to fix it.
#[derive(Debug, Args)]
#[command(after_help = "\
Without --send-sample and --canary it changes nothing, and the receivers handle nothing: it sends a GET, and a POST without a signature, \
which a receiver rejects.

--send-sample signs a sample with the secret, the first one if there are several. To the receiver it is a real event: a person that does \
not exist is created. Its id begins with d0c70000, and it names no workspace. It is sent to one webhook's target: if there are several \
webhooks, choose one with --webhook.

--canary creates a note in Twenty and destroys it, and waits until both deliveries are in the inbox at --db; or, with --tunnel, until they \
arrive here, on a temporary webhook. All subscribers of notes see them. Ctrl-C destroys the note and removes the webhook, too.

Exit status: 0 if nothing is wrong, 1 if something is wrong, also if Twenty's API cannot be read, 2 if it could not start, for example \
without an API key, or if it was stopped.

Examples:
  export TWENTY_URL=https://crm.example.com TWENTY_API_KEY=…
  twenty-webhook doctor
  twenty-webhook doctor --want 'person.*' --secret-file secret
  twenty-webhook doctor --secret-file secret --send-sample
  twenty-webhook doctor --canary --db inbox.db
  twenty-webhook doctor --canary --tunnel cloudflared")]
pub(crate) struct DoctorArgs {
    /// Events that you want, as person.* or opportunity.updated. May be repeated
    #[arg(long, value_name = "PATTERN")]
    pub(super) want: Vec<EventPattern>,
    /// Check only the webhook with this id or this target URL
    #[arg(long, value_name = "ID|URL")]
    pub(super) webhook: Option<String>,
    /// Twenty's operator allows private addresses, so they are not reported as wrong
    #[arg(long)]
    pub(super) private_allowed: bool,
    /// Send a signed sample, which the receiver handles. With several webhooks, it needs --webhook
    #[arg(long)]
    pub(super) send_sample: bool,
    /// Print one line of JSON for each check
    #[arg(long)]
    pub(super) json: bool,
    #[command(flatten)]
    pub(super) canary: CanaryArgs,
    #[command(flatten)]
    pub(super) api: ApiArgs,
    #[command(flatten)]
    pub(super) secrets: SecretArgs,
}

/// An end-to-end test.
#[derive(Debug, Args)]
#[command(next_help_heading = "Canary")]
pub(crate) struct CanaryArgs {
    /// Create and destroy a note, and wait for its deliveries
    #[arg(long)]
    pub(super) canary: bool,
    #[cfg(feature = "inbox")]
    #[arg(
        long,
        value_name = "FILE|URL",
        group = "place",
        requires = "canary",
        value_hint = clap::ValueHint::FilePath,
        help = "Wait for them in this inbox: an SQLite file, or a Postgres URL [env: INBOX_DB]"
    )]
    pub(super) db: Option<String>,
    /// Wait for them here, on a temporary webhook through this tunnel program: cloudflared, ngrok, or ssh:HOST
    #[arg(long, value_name = "PROGRAM", group = "place", requires = "canary")]
    pub(super) tunnel: Option<TunnelProgram>,
    /// How long to wait before the note is created: Twenty caches its list of webhooks for up to 10 seconds
    #[arg(long, value_name = "DURATION", default_value = "10s", requires = "tunnel")]
    pub(super) cache_wait: Wait,
    /// How many seconds to wait for each delivery of the canary
    #[arg(long, value_name = "SECONDS", default_value_t = 30, requires = "canary")]
    pub(super) wait: u64,
}

/// Where the canary's deliveries arrive.
pub(super) enum Place<'a> {
    Tunnel(&'a TunnelProgram),
    #[cfg(feature = "inbox")]
    Inbox(String),
}

impl CanaryArgs {
    /// `None` without --canary.
    ///
    /// # Errors
    /// If the place is not given.
    pub(super) fn place(&self) -> anyhow::Result<Option<Place<'_>>> {
        if !self.canary {
            return Ok(None);
        }
        if let Some(program) = &self.tunnel {
            return Ok(Some(Place::Tunnel(program)));
        }
        // Not by clap: there a variable that is set would need --canary, and forbid --tunnel.
        #[cfg(feature = "inbox")]
        if let Some(db) = self.db.clone().or_else(|| std::env::var("INBOX_DB").ok()) {
            return Ok(Some(Place::Inbox(db)));
        }
        let places =
            if cfg!(feature = "inbox") { "the inbox as --db, or a tunnel program as --tunnel" } else { "--tunnel" };
        bail!("where do the deliveries of --canary arrive? Give {places}");
    }
}
