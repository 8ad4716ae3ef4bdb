use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, bail};
use bytes::Bytes;
use clap::Args;
use http::HeaderMap;
use serde_json::{Value, json};
use twenty_webhook_axum::{Delivery, Diagnosis, Finding, Rejection, UnixMillis, Verifier};

use crate::saved::{Saved, header};
use crate::secrets::SecretArgs;
use crate::terminal::{BAD, FAINT, GOOD};
use crate::time::{self, Age};
use crate::{NO, input, reason, terminal};

/// Say whether a request verifies, and if not, why
///
/// It tries common mistakes, also in combination. In the secret: white space, quotes, the secret of another webhook. In the timestamp: seconds,
/// a wrong clock. In the body: parsed and written again, a line end added or removed. In the signed message: no timestamp, a dot in place of
/// the colon. In the signature: base64, a prefix.
#[derive(Debug, Args)]
#[command(after_help = "\
A saved delivery is a text file: comments, the request line, one header a line, an empty line, and the body. It is judged at the time it \
was received. A request from --header is judged at the present time. --at and --age change that.

Give every secret that may have signed the request: --secret-file may be repeated.

Exit status: 0 if all requests verify, 1 if one does not, 2 if that is not known.

Examples:
  twenty-webhook explain deliveries/*.http
  twenty-webhook explain < saved.http
  twenty-webhook explain saved.http --secret-file new --secret-file old
  twenty-webhook explain --body body.json \\
    -H 'X-Twenty-Webhook-Timestamp: 1735066639761' \\
    -H 'X-Twenty-Webhook-Signature: 0f5e…'")]
pub(crate) struct ExplainArgs {
    /// Deliveries saved by `listen --save`, or `-` for one on stdin
    #[arg(default_value = "-", conflicts_with_all = ["body", "header"], value_hint = clap::ValueHint::FilePath)]
    files: Vec<PathBuf>,
    /// The request's body, if there is no saved delivery: a file, or `-` for stdin
    #[arg(long, value_name = "FILE", value_hint = clap::ValueHint::FilePath)]
    body: Option<PathBuf>,
    /// A header of the request, as 'Name: value'. May be repeated
    #[arg(short = 'H', long, value_name = "HEADER", requires = "body")]
    header: Vec<String>,
    /// Judge it as if received at this time: Unix milliseconds, 2026-09-14T10:23:16Z, or now
    #[arg(long, value_name = "TIME", value_parser = time::parse)]
    at: Option<UnixMillis>,
    /// Judge it as if received this long ago: 10m, 90s. For the future: --age=-10m
    #[arg(long, value_name = "DURATION", conflicts_with = "at")]
    age: Option<Age>,
    /// Print one line of JSON for each request
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    secrets: SecretArgs,
}

impl ExplainArgs {
    /// The time that the flags say.
    fn at(&self) -> Option<UnixMillis> {
        self.at.or_else(|| self.age.map(|age| age.before(time::now())))
    }
}

struct Request {
    name: Option<String>,
    headers: HeaderMap,
    body: Bytes,
    at: UnixMillis,
}

pub(crate) fn run(args: &ExplainArgs) -> anyhow::Result<ExitCode> {
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
    Ok(Request { name: None, headers, body: input::read(body)?, at: args.at().unwrap_or_else(time::now) })
}

fn saved(args: &ExplainArgs, path: &Path) -> anyhow::Result<Request> {
    let saved = Saved::find(&input::read(path)?).with_context(|| format!("{} is not a saved delivery", shown(path)))?;
    let Some(saved) = saved else {
        bail!("{} has no headers. If it is a body, give it as --body, and its headers as --header", shown(path));
    };
    let at = args.at().or(saved.received).unwrap_or_else(time::now);
    Ok(Request { name: Some(shown(path)), headers: saved.headers, body: saved.body, at })
}

fn shown(path: &Path) -> String {
    if path == Path::new("-") { "stdin".to_owned() } else { path.display().to_string() }
}

/// Prints the verdict and the findings. Returns whether the request verifies.
fn explain(args: &ExplainArgs, verifier: &Verifier, request: Request) -> anyhow::Result<bool> {
    let Request { name, headers, body, at } = request;
    let diagnosis = verifier.diagnose_at(&headers, body.clone(), at);
    let mut out = terminal::stdout();
    if args.json {
        let line = json!({
            "file": name,
            "verified": diagnosis.verdict().is_ok(),
            "at": time::iso(at),
            "event": diagnosis.verdict().ok().map(|event| event.name().as_str()),
            "code": diagnosis.verdict().err().map(Rejection::code),
            "reason": diagnosis.verdict().err().map(reason::text),
            "numbers": diagnosis.verdict().err().map(reason::numbers),
            "findings": findings_json(diagnosis.findings()),
        });
        writeln!(out, "{}", terminal::json(&line))?;
    } else {
        if let Some(name) = name.filter(|_| args.files.len() > 1) {
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
            let sent = event.delivery().map(Delivery::sent_at).map(time::iso).unwrap_or_default();
            let name = terminal::plain(event.name().as_str(), 80);
            format!("{GOOD}verified{GOOD:#}: {name}, {}, sent {sent}", terminal::size(len))
        }
        Err(rejection) => {
            let why = short_reason(rejection, diagnosis.findings());
            let line = terminal::wrapped(&format!("rejected (as of {}): ", time::iso(at)), &why);
            format!("{BAD}rejected{BAD:#}{}", &line["rejected".len()..])
        }
    }
}

/// Why a request was rejected. Short if there are findings, because they say more.
pub(crate) fn short_reason(rejection: &Rejection, findings: &[Finding]) -> String {
    let reason = reason::text(rejection);
    match reason.split_once(": ") {
        Some((short, _)) if !findings.is_empty() => short.to_owned(),
        _ => reason,
    }
}

/// What was seen and how to fix it, for each finding.
pub(crate) fn findings_text(findings: &[Finding]) -> String {
    let text = |finding: &Finding| {
        terminal::labelled("problem", &finding.problem()) + &terminal::labelled("fix", finding.fix())
    };
    findings.iter().map(text).collect()
}

pub(crate) fn findings_json(findings: &[Finding]) -> Value {
    let one = |finding: &Finding| json!({ "code": finding.code(), "problem": finding.problem(), "fix": finding.fix(), "guess": finding.is_guess() });
    findings.iter().map(one).collect()
}
