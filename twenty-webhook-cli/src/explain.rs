use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, bail};
use bytes::Bytes;
use clap::Args;
use http::HeaderMap;
use serde_json::{Value, json};
use twenty_webhook_axum::{Delivery, Diagnosis, Finding, UnixMillis, Verifier};

use crate::saved::{Saved, header};
use crate::secrets::SecretArgs;
use crate::terminal::{BAD, FAINT, GOOD};
use crate::{NO, input, moment, terminal};

/// Say whether a request verifies, and if not, why
///
/// It tries the mistakes that people make: with the secret (white space, quotes, another webhook's), the timestamp (seconds, a clock
/// that is off), the body (parsed and rewritten, a line end more or less), the signed message (without timestamp, a dot for the
/// colon) and the signature's form (base64, prefixed), also several at once.
#[derive(Debug, Args)]
#[command(after_help = "\
A saved delivery is judged at the time it was received, unless --at says otherwise; a request from --header at the present time. \
Give each secret that it may be signed with: --secret-file may be repeated.

A saved delivery is a text file: comments, the request line, one header a line, an empty line, and the body.

The exit status is 0 if it verifies (all of them), 1 if not, 2 if that could not be told.

Examples:
  twenty-webhook explain deliveries/*.http
  twenty-webhook explain saved.http --secret-file new --secret-file old
  twenty-webhook explain --body body.json \\
    -H 'X-Twenty-Webhook-Timestamp: 1735066639761' \\
    -H 'X-Twenty-Webhook-Signature: 0f5e…'")]
pub(crate) struct ExplainArgs {
    /// Deliveries saved by `listen --save`, or `-` for one on stdin
    #[arg(required_unless_present = "body", conflicts_with_all = ["body", "header"])]
    files: Vec<PathBuf>,
    /// The request's body, if there is no saved delivery: a file, or `-` for stdin
    #[arg(long, value_name = "FILE")]
    body: Option<PathBuf>,
    /// A header of the request, as 'Name: value'; may be repeated
    #[arg(short = 'H', long, value_name = "HEADER", requires = "body")]
    header: Vec<String>,
    /// Judge it as if received at this time: Unix milliseconds, 2026-09-14T10:23:16Z, or now
    #[arg(long, value_name = "TIME", value_parser = moment::parse)]
    at: Option<UnixMillis>,
    /// Print one line of JSON for each request
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    secrets: SecretArgs,
}

struct Request {
    name: Option<String>,
    headers: HeaderMap,
    body: Bytes,
    at: UnixMillis,
}

pub(crate) fn run(args: &ExplainArgs) -> anyhow::Result<ExitCode> {
    // As large as Twenty sends: here the receiver's limit is not the question.
    let verifier = args.secrets.verifier()?;
    let mut code = ExitCode::SUCCESS;
    let requests: Vec<_> = match &args.body {
        Some(body) => vec![request(args, body)],
        None => args.files.iter().map(|file| saved(args, file)).collect(),
    };
    for request in requests {
        if !explain(args, &verifier, request?)? {
            code = ExitCode::from(NO);
        }
    }
    Ok(code)
}

fn request(args: &ExplainArgs, body: &Path) -> anyhow::Result<Request> {
    let mut headers = HeaderMap::new();
    for line in &args.header {
        let (name, value) = header(line.as_bytes())?;
        headers.append(name, value);
    }
    Ok(Request { name: None, headers, body: input::read(body)?, at: args.at.unwrap_or_else(moment::now) })
}

fn saved(args: &ExplainArgs, path: &Path) -> anyhow::Result<Request> {
    let file = input::read(path)?;
    if file.starts_with(b"{") {
        bail!("{} is a body without headers; give it as --body, and its headers as --header", path.display());
    }
    let saved = Saved::read(&file).with_context(|| format!("{} is not a saved delivery", path.display()))?;
    let at = args.at.or(saved.received).unwrap_or_else(moment::now);
    let name = (args.files.len() > 1).then(|| path.display().to_string());
    Ok(Request { name, headers: saved.headers, body: saved.body, at })
}

/// Prints what there is to say; whether it verifies.
fn explain(args: &ExplainArgs, verifier: &Verifier, request: Request) -> anyhow::Result<bool> {
    let Request { name, headers, body, at } = request;
    let diagnosis = verifier.diagnose_at(&headers, body.clone(), at);
    let mut out = terminal::stdout();
    if args.json {
        let line = json!({
            "file": name,
            "verified": diagnosis.verdict().is_ok(),
            "at": moment::iso(at),
            "event": diagnosis.verdict().ok().map(|event| event.name().as_str()),
            "code": diagnosis.verdict().err().map(twenty_webhook_axum::Rejection::code),
            "reason": diagnosis.verdict().err().map(ToString::to_string),
            "findings": findings_json(diagnosis.findings()),
        });
        writeln!(out, "{line}")?;
    } else {
        if let Some(name) = name {
            writeln!(out, "{FAINT}{name}{FAINT:#}")?;
        }
        writeln!(out, "{}", verdict(&diagnosis, body.len(), at))?;
        write!(out, "{}", findings_text(diagnosis.findings()))?;
    }
    Ok(diagnosis.verdict().is_ok())
}

fn verdict(diagnosis: &Diagnosis, len: usize, at: UnixMillis) -> String {
    match diagnosis.verdict() {
        Ok(event) => {
            let sent = event.delivery().map(Delivery::sent_at).map(moment::iso).unwrap_or_default();
            let name = terminal::plain(event.name().as_str(), 80);
            format!("{GOOD}verified{GOOD:#}: {name}, {}, sent {sent}", terminal::size(len))
        }
        Err(rejection) => format!("{BAD}refused{BAD:#} (as of {}): {rejection}", moment::iso(at)),
    }
}

/// Two lines for each, indented.
pub(crate) fn findings_text(findings: &[Finding]) -> String {
    let text = |finding: &Finding| {
        format!("  {FAINT}seen{FAINT:#}  {}\n  {FAINT}fix{FAINT:#}   {}\n", finding.seen(), finding.fix())
    };
    findings.iter().map(text).collect()
}

pub(crate) fn findings_json(findings: &[Finding]) -> Value {
    let one = |finding: &Finding| json!({ "code": finding.code(), "seen": finding.seen(), "fix": finding.fix(), "guess": finding.is_guess() });
    findings.iter().map(one).collect()
}
