use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use clap::Args;
use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};
use reqwest::Url;
use twenty_webhook_axum::jiff::SignedDuration;
use twenty_webhook_testing::{EventBuilder, Form, SampleError};

use super::tamper::Tamper;
use crate::moment::Age;
use crate::secrets::SecretArgs;

/// Sign a realistic sample of any event, and post it to a receiver as Twenty would
///
/// Each sample has new ids and dates, so that each is a new delivery. As Twenty, it gives up after 5 seconds, and follows a redirect
/// only where the POST stays a POST.
#[derive(Debug, Args)]
#[command(after_help = "\
EVENT is OBJECT.ACTION, with the action created, updated, deleted, restored or destroyed; the object may be one of your own, \
as rocket.created. For a change of the data model it is metadata.NAME.ACTION, as metadata.fieldMetadata.updated.

--tamper shows what a receiver makes of a request that was changed after it was signed. It must refuse a changed body, \
signature or timestamp; the nonce is not signed, so it must not care about that.

The exit status is 0 if the receiver answered 2xx (to every delivery), 1 if it did not, 2 if nothing could be sent.

Examples:
  URL=http://127.0.0.1:3000/webhooks/twenty
  twenty-webhook send $URL
  twenty-webhook send $URL opportunity.updated
  twenty-webhook send $URL company.created --form 2024-08
  twenty-webhook send $URL --file deliveries/saved.http
  twenty-webhook send $URL --tamper body
  twenty-webhook send $URL --age 10m
  twenty-webhook send $URL --count 1000 --concurrency 20 --rate 200")]
pub(crate) struct SendArgs {
    /// The receiver's URL
    #[arg(value_parser = url)]
    pub(super) url: Url,
    /// The event
    #[arg(default_value = "person.created", value_parser = event)]
    pub(super) event: Box<EventBuilder>,
    /// The body's form [default: as Twenty sends the event today]
    #[arg(long, value_parser = form())]
    pub(super) form: Option<Form>,
    /// Send this instead of a sample: a body, a delivery saved by `listen` (it is signed anew), or `-` for stdin
    #[arg(long, value_name = "FILE", conflicts_with_all = ["event", "form"])]
    pub(super) file: Option<PathBuf>,
    /// Change this after signing
    #[arg(long, value_name = "WHAT")]
    pub(super) tamper: Option<Tamper>,
    /// Sign as if sent this long ago: 10m, 90s; with a minus, ahead: --age=-10m
    #[arg(long, value_name = "DURATION")]
    pub(super) age: Option<Age>,
    /// Send the very same request a second time
    #[arg(long, conflicts_with = "count")]
    pub(super) replay: bool,
    /// How many deliveries to send
    #[arg(long, value_name = "N", default_value = "1", help_heading = "Load")]
    pub(super) count: NonZeroUsize,
    /// How many to have under way at once; Twenty has up to 20
    #[arg(long, value_name = "C", default_value = "1", help_heading = "Load")]
    pub(super) concurrency: NonZeroUsize,
    /// How many to send per second at most
    #[arg(long, value_name = "R", value_parser = rate, help_heading = "Load")]
    pub(super) rate: Option<f64>,
    /// How long to wait for an answer
    #[arg(long, value_name = "DURATION", default_value = "5s")]
    pub(super) timeout: Timeout,
    /// Print one line of JSON
    #[arg(long)]
    pub(super) json: bool,
    #[command(flatten)]
    pub(super) secrets: SecretArgs,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Timeout(pub(super) Duration);

impl FromStr for Timeout {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let duration: Option<SignedDuration> = text.parse().ok();
        match duration.map(Duration::try_from) {
            Some(Ok(duration)) if !duration.is_zero() => Ok(Self(duration)),
            _ => Err("write a duration, as 5s or 500ms"),
        }
    }
}

fn event(name: &str) -> Result<Box<EventBuilder>, SampleError> {
    EventBuilder::parse(name).map(Box::new)
}

/// Every form, and what it is.
fn form() -> impl TypedValueParser<Value = Form> {
    let describe = |form: Form| {
        PossibleValue::new(form.as_str()).help(match form {
            Form::Record => "A record's change, as Twenty sends it today",
            Form::Metadata => "A change of the data model, as Twenty sends it today",
            Form::Documented => "What Twenty's docs show, and Twenty does not send",
            Form::Batch => "Several records in one body, as in October 2025",
            Form::EarlyMetadata => "A change of the data model in the form of a record's, as it was at first",
            Form::August2024 => "`company.create`, with edges and type names, as in August 2024",
            Form::January2024 => "`eventType: create.company`, as in January 2024",
            _ => "",
        })
    };
    PossibleValuesParser::new(Form::ALL.map(describe)).try_map(|name| name.parse())
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
