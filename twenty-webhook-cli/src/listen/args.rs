use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::path::PathBuf;

use clap::Args;
use reqwest::Url;
use twenty_webhook_axum::EventPattern;

use crate::api::ApiArgs;
use crate::secrets::SecretArgs;
use crate::time::Wait;
use crate::tunnel::TunnelProgram;
use crate::{address, send};

/// Receive deliveries and print each one, with a diagnosis if it does not verify
///
/// It answers like a receiver built with this library: 200 to a delivery that verifies, also to a duplicate, and 401 to others. Without a
/// secret, it makes one for this run and prints it.
#[derive(Debug, Args)]
#[command(after_help = "\
Twenty must be able to reach it. Twenty, self-hosted too, refuses private and loopback addresses by default, so 127.0.0.1 does not work as \
a target even on the same machine. --tunnel starts your own tunnel program and uses its URL. Any path works.

--register creates a webhook in Twenty with a new secret, and removes it at the end, also on Ctrl-C. A `kill -9` leaves it behind, and \
Twenty then waits 5 seconds for it at each event. The next `listen --register` offers to remove it.

--forward-to sends what verifies to your receiver, with the same headers and bytes, and returns your receiver's response. With --register, only the \
signature is new: it is made with the secret that you give, so give your receiver's.

--save writes each delivery to a new file, also rejected ones, for `send --file`, `send --dir` and `explain`; with --events, only those \
that match. The files hold your customers' data.

--ui serves a page that shows each delivery: headers, body, diagnosis, and changes since the last delivery of the same record. It can resend \
a delivery, copy it as curl, and download it. The page is on loopback, and the tunnel leads to the receiver, never to the page. Open the \
printed URL: it contains the token of this run.

Each delivery is one line on stdout. Everything else goes to stderr. Ctrl-C prints a summary.

Exit status: 0 on Ctrl-C, or when --until is reached; 1 if --timeout passes first; 2 if it cannot listen, or if the tunnel ends.

Examples:
  twenty-webhook listen
  twenty-webhook listen --forward-to http://127.0.0.1:8080/twenty
  twenty-webhook listen --register --tunnel cloudflared --operation 'person.*'
  twenty-webhook listen --save deliveries
  twenty-webhook listen --ui
  twenty-webhook listen --until 1 --timeout 30s --events person.created
  twenty-webhook listen --json | jq .event")]
pub(crate) struct ListenArgs {
    /// The address to listen on: 3000, localhost:3000, 0.0.0.0:3000. Port 0 means a free port
    #[arg(long, value_name = "[HOST:]PORT", default_value = "127.0.0.1:3000", value_parser = address::parse)]
    pub(super) addr: SocketAddr,
    /// Forward verified deliveries to this URL
    #[arg(long, value_name = "URL", value_parser = send::url, value_hint = clap::ValueHint::Url)]
    pub(super) forward_to: Option<Url>,
    /// Save each delivery as a file in this directory
    #[arg(long, value_name = "DIR", value_hint = clap::ValueHint::DirPath)]
    pub(super) save: Option<PathBuf>,
    /// Print, show, count, save and forward only events that match: person.*, *.created. May be repeated
    #[arg(long, value_name = "PATTERN")]
    pub(super) events: Vec<EventPattern>,
    /// Print the body of each delivery
    #[arg(long)]
    pub(super) body: bool,
    /// End after this many verified deliveries
    #[arg(long, value_name = "N")]
    pub(super) until: Option<NonZeroUsize>,
    /// End with status 1 if --until is not reached within this time: 30s, 5m
    #[arg(long, value_name = "DURATION", requires = "until")]
    pub(super) timeout: Option<Wait>,
    /// Serve a page that shows the deliveries live, on this local port; 0 means a free port
    #[arg(long, value_name = "[HOST:]PORT", num_args = 0..=1, default_missing_value = "0", value_parser = address::parse_loopback)]
    pub(super) ui: Option<SocketAddr>,
    /// Print one line of JSON for each delivery, with its body
    #[arg(long)]
    pub(super) json: bool,
    /// Start this tunnel program, and use its URL: cloudflared, ngrok, or ssh:HOST
    #[arg(long, value_name = "PROGRAM", conflicts_with = "public_url", help_heading = "Twenty")]
    pub(super) tunnel: Option<TunnelProgram>,
    /// Create a webhook in Twenty for this run, and remove it at the end
    #[arg(long, help_heading = "Twenty")]
    pub(super) register: bool,
    /// The public URL of this command, if you have a tunnel or a proxy
    #[arg(long, value_name = "URL", value_parser = send::url, requires = "register", help_heading = "Twenty")]
    pub(super) public_url: Option<Url>,
    /// What the webhook subscribes to. May be repeated
    #[arg(
        long = "operation",
        value_name = "PATTERN",
        default_value = "*.*",
        requires = "register",
        help_heading = "Twenty"
    )]
    pub(super) operations: Vec<EventPattern>,
    #[command(flatten)]
    pub(super) api: ApiArgs,
    #[command(flatten)]
    pub(super) secrets: SecretArgs,
}
