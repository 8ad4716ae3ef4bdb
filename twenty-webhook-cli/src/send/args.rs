use std::num::NonZeroUsize;
use std::path::PathBuf;

use clap::Args;
use reqwest::Url;

use super::tamper::Tamper;
use crate::sample_args::SampleArgs;
use crate::secrets::SecretArgs;
use crate::time::{Age, Wait};

/// Sign a sample event, and post it to a receiver as Twenty would
///
/// Each sample has new ids and dates, so it is a new delivery. Like Twenty, `send` gives up after 5 seconds, and follows a redirect only if
/// the request stays a POST.
#[derive(Debug, Args)]
#[command(after_help = "\
EVENT is OBJECT.ACTION. The action is created, updated, deleted, restored or destroyed. The object can be one of your own, as in \
rocket.created. A change of the data model is metadata.NAME.ACTION, as in metadata.fieldMetadata.updated.

--tamper changes the request after it was signed. A receiver must reject a changed body, signature or timestamp. It must accept a \
changed nonce, because the nonce is not signed.

--dir sends the deliveries that `listen --save` has saved, in the order of their file names, which is the order of arrival. Each is \
signed again with the secret given here. So requests that did not verify when they were saved are skipped: any stranger can have sent them. \
--include-rejected sends them too.

Exit status: 0 if the receiver answered 2xx to every delivery, 1 if it did not, 2 if nothing could be sent.

Examples:
  URL=http://127.0.0.1:3000/webhooks/twenty
  twenty-webhook send $URL
  twenty-webhook send $URL opportunity.updated
  twenty-webhook send $URL company.created --form 2024-08
  twenty-webhook send $URL --file deliveries/saved.http
  twenty-webhook send $URL --dir deliveries
  twenty-webhook send $URL --tamper body
  twenty-webhook send $URL --age 10m
  twenty-webhook send $URL --count 1000 --concurrency 20 --rate 200")]
pub(crate) struct SendArgs {
    /// The receiver's URL
    #[arg(value_parser = url, value_hint = clap::ValueHint::Url)]
    pub(super) url: Url,
    #[command(flatten)]
    pub(super) sample: SampleArgs,
    /// Send this file: a body, a delivery saved by `listen`, or `-` for stdin
    #[arg(long, value_name = "FILE", conflicts_with_all = ["event", "form"], value_hint = clap::ValueHint::FilePath)]
    pub(super) file: Option<PathBuf>,
    /// Send all saved deliveries (*.http) in this directory, in order
    #[arg(
        long,
        value_name = "DIR",
        conflicts_with_all = ["event", "form", "file", "count", "concurrency", "replay"],
        value_hint = clap::ValueHint::DirPath
    )]
    pub(super) dir: Option<PathBuf>,
    /// With --dir: send also what did not verify when it was saved
    #[arg(long, requires = "dir")]
    pub(super) include_rejected: bool,
    /// Change this after signing
    #[arg(long, value_name = "WHAT")]
    pub(super) tamper: Option<Tamper>,
    /// Sign as if sent this long ago: 10m, 90s. For the future: --age=-10m
    #[arg(long, value_name = "DURATION")]
    pub(super) age: Option<Age>,
    /// Send the same request a second time
    #[arg(long, conflicts_with = "count")]
    pub(super) replay: bool,
    /// How many deliveries to send
    #[arg(long, value_name = "N", default_value = "1", help_heading = "Load")]
    pub(super) count: NonZeroUsize,
    /// Maximum number of parallel requests; Twenty uses up to 20
    #[arg(long, value_name = "C", default_value = "1", help_heading = "Load")]
    pub(super) concurrency: NonZeroUsize,
    /// How many to send in a second, at most
    #[arg(long, value_name = "R", value_parser = rate, help_heading = "Load")]
    pub(super) rate: Option<f64>,
    /// How long to wait for an answer. The connection must be open after four fifths of it
    #[arg(long, value_name = "DURATION", default_value = "5s")]
    pub(super) timeout: Wait,
    /// Print one line of JSON
    #[arg(long)]
    pub(super) json: bool,
    #[command(flatten)]
    pub(super) secrets: SecretArgs,
}

pub(crate) fn url(text: &str) -> Result<Url, String> {
    match Url::parse(text) {
        Ok(url) if matches!(url.scheme(), "http" | "https") && url.has_host() => Ok(url),
        _ => Err("write a whole URL, as http://127.0.0.1:3000/webhooks/twenty".into()),
    }
}

fn rate(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(rate) if (0.001..=1e6).contains(&rate) => Ok(rate),
        _ => Err("write a number of deliveries per second, from 0.001 to 1000000".into()),
    }
}
