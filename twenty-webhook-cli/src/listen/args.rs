use std::net::SocketAddr;
use std::path::PathBuf;

use clap::Args;
use reqwest::Url;

use crate::secrets::SecretArgs;
use crate::{address, send};

/// Receive deliveries, and print each as it comes, with a diagnosis of those that do not verify
///
/// It answers as a receiver of this library does: 200 to what verifies, also a second time, 401 to what does not. Without a secret it
/// makes one for this run, and prints it.
#[derive(Debug, Args)]
#[command(after_help = "\
Twenty must be able to reach it: for a Twenty elsewhere, put a tunnel of your choice before it, and the tunnel's URL into \
the webhook's settings. Any path will do.

--forward-to passes on what verifies, with its headers and byte by byte, and answers as the other receiver answers.

--save keeps every delivery in a file of its own, refused ones too, for `send --file` and `explain`. Such a file holds \
your customers' data.

Each delivery is one line on stdout; all else goes to stderr. Ctrl-C prints a summary.

Examples:
  twenty-webhook listen
  twenty-webhook listen --forward-to http://127.0.0.1:8080/twenty
  twenty-webhook listen --save deliveries
  twenty-webhook listen --json | jq .event")]
pub(crate) struct ListenArgs {
    /// Where to listen: 3000, localhost:3000, 0.0.0.0:3000. Port 0 takes a free one
    #[arg(long, value_name = "[HOST:]PORT", default_value = "127.0.0.1:3000", value_parser = address::parse)]
    pub(super) addr: SocketAddr,
    /// Pass verified deliveries on to this URL
    #[arg(long, value_name = "URL", value_parser = send::url)]
    pub(super) forward_to: Option<Url>,
    /// Save each delivery as a file in this directory
    #[arg(long, value_name = "DIR")]
    pub(super) save: Option<PathBuf>,
    /// Print one line of JSON for each delivery
    #[arg(long)]
    pub(super) json: bool,
    #[command(flatten)]
    pub(super) secrets: SecretArgs,
}
