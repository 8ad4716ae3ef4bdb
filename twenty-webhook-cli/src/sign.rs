use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::bail;
use clap::Args;
use http::HeaderMap;
use twenty_webhook_axum::{Signer, UnixMillis};

use crate::saved::Saved;
use crate::secrets::SecretArgs;
use crate::time::{self, Age};
use crate::{input, terminal};

/// Print the three headers that Twenty would send with a body
#[derive(Debug, Args)]
#[command(after_help = "\
The body is signed byte by byte. To send the same bytes with curl, use --data-binary: -d removes line ends.

Examples:
  twenty-webhook sign body.json
  printf %s '{\"eventName\":\"person.created\"}' | twenty-webhook sign
  twenty-webhook sample | twenty-webhook sign
  twenty-webhook sign body.json --curl http://127.0.0.1:3000/ | sh")]
pub(crate) struct SignArgs {
    /// The body: a file, a delivery saved by `listen`, or `-` for stdin
    #[arg(default_value = "-", value_hint = clap::ValueHint::FilePath)]
    file: PathBuf,
    /// Print a curl command that sends it to this URL, instead of the headers
    #[arg(long, value_name = "URL", value_hint = clap::ValueHint::Url)]
    curl: Option<String>,
    /// Sign as if sent at this time: Unix milliseconds, 2026-09-14T10:23:16Z, or now
    #[arg(long, value_name = "TIME", value_parser = time::parse)]
    at: Option<UnixMillis>,
    /// Sign as if sent this long ago: 10m, 90s. For the future: --age=-10m
    #[arg(long, value_name = "DURATION", conflicts_with = "at")]
    age: Option<Age>,
    #[command(flatten)]
    secrets: SecretArgs,
}

pub(crate) fn run(args: &SignArgs) -> anyhow::Result<ExitCode> {
    let signer = Signer::new(args.secrets.one()?);
    let body = Saved::body_of(input::read(&args.file)?)?;
    let now = args.at.unwrap_or_else(time::now);
    let headers = signer.sign_at(&body, args.age.map_or(now, |age| age.before(now)));

    let mut out = terminal::stdout();
    if let Some(url) = &args.curl {
        let Ok(body) = std::str::from_utf8(&body) else {
            bail!(
                "the body is not UTF-8, so it cannot be written into a command; send it with `twenty-webhook send --file`"
            );
        };
        if body.contains('\0') {
            bail!("the body has a zero byte, which no command can hold; send it with `twenty-webhook send --file`");
        }
        writeln!(out, "{}", curl(url, &headers, body))?;
    } else {
        for (name, value) in lines(&headers) {
            writeln!(out, "{name}: {value}")?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// A command for a POSIX shell.
pub(crate) fn curl(url: &str, headers: &HeaderMap, body: &str) -> String {
    let mut parts = vec![format!("curl -i {} -H 'Content-Type: application/json'", quoted(url))];
    parts.extend(lines(headers).map(|(name, value)| format!("-H '{name}: {value}'")));
    // To --data and --data-binary a body that begins with @ is a file's name; and --data removes line ends from that file.
    parts.push(format!("--data-raw {}", quoted(body)));
    parts.join(" \\\n  ")
}

/// The headers, spelled as in Twenty's docs.
fn lines(headers: &HeaderMap) -> impl Iterator<Item = (&'static str, &str)> {
    ["X-Twenty-Webhook-Timestamp", "X-Twenty-Webhook-Signature", "X-Twenty-Webhook-Nonce"]
        .into_iter()
        .filter_map(|name| Some((name, headers.get(name)?.to_str().ok()?)))
}

fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}
