use std::io::Write;
use std::process::ExitCode;

use clap::Args;
use reqwest::Url;

use crate::sample_args::SampleArgs;
use crate::send::{self, new_body};
use crate::terminal;

/// Print the body of a sample event
///
/// Each sample has new ids and the present date.
#[derive(Debug, Args)]
#[command(after_help = "\
The body is one line, byte by byte as Twenty would send it, with a line end after it. On a terminal it is indented.

Examples:
  twenty-webhook sample opportunity.updated
  twenty-webhook sample company.created --form 2024-08 > body.json
  twenty-webhook sample | twenty-webhook sign")]
pub(crate) struct SampleCommand {
    #[command(flatten)]
    sample: SampleArgs,
    /// The target URL that the body names
    #[arg(long, value_name = "URL", value_parser = send::url, value_hint = clap::ValueHint::Url)]
    target_url: Option<Url>,
}

pub(crate) fn run(args: &SampleCommand) -> anyhow::Result<ExitCode> {
    let mut sample = args.sample.sample();
    if let Some(url) = &args.target_url {
        sample = sample.target_url(url.as_str());
    }
    let body = new_body(&sample, crate::time::now())?;
    let mut out = terminal::stdout();
    if out.is_terminal() {
        writeln!(out, "{}", terminal::pretty_json(&body))?;
    } else {
        out.write_all(&body)?;
        out.write_all(b"\n")?;
    }
    Ok(ExitCode::SUCCESS)
}
