use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, bail};
use clap::Args;
use reqwest::Url;
use serde_json::json;
use twenty_webhook_axum::EventPattern;

use crate::api::{Api, ApiArgs, ApiError, NewWebhook, Webhook};
use crate::{private_target, send, terminal};

/// Create a webhook in Twenty, with a new secret in a file
///
/// The secret is written to the file before the webhook is created, so that it is never lost. If Twenty refuses the webhook, the file is
/// removed. If Twenty may still create it, as after a timeout, the file is kept.
#[derive(Debug, Args)]
#[command(after_help = "\
The file is new and readable by you only. An existing file is never overwritten. Give it to the receiver, and to the other commands with \
--secret-file.

Twenty, self-hosted too, refuses targets at private and loopback addresses by default. For development: `twenty-webhook listen --tunnel`.

Examples:
  export TWENTY_URL=https://crm.example.com TWENTY_API_KEY=…
  twenty-webhook register https://hooks.example.com/webhooks/twenty \\
    --operation 'person.*' --operation opportunity.updated --secret-out secret
  twenty-webhook doctor --secret-file secret")]
pub(crate) struct RegisterArgs {
    /// The URL that Twenty is to call
    #[arg(value_name = "TARGET_URL", value_parser = send::url, value_hint = clap::ValueHint::Url)]
    target: Url,
    /// What to subscribe to: person.*, *.created, opportunity.updated. May be repeated
    #[arg(long = "operation", value_name = "PATTERN", required = true)]
    operations: Vec<EventPattern>,
    /// Write the secret to this new file
    #[arg(long, value_name = "FILE", value_hint = clap::ValueHint::FilePath)]
    secret_out: PathBuf,
    /// Print the secret too
    #[arg(long)]
    print_secret: bool,
    /// The webhook's description in Twenty
    #[arg(long, default_value = "")]
    description: String,
    /// Create the webhook even if another one has the same target
    #[arg(long)]
    again: bool,
    /// Print one line of JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    api: ApiArgs,
}

pub(crate) async fn run(args: RegisterArgs) -> anyhow::Result<ExitCode> {
    let api = args.api.api()?;
    let target = args.target.as_str();
    let before = api.webhooks().await.map_err(with_fix)?;
    if let Some(same) = before.iter().find(|webhook| webhook.has_target(&args.target)).filter(|_| !args.again) {
        bail!("the webhook {} has this target already. Delete it, or add --again", terminal::plain(&same.id, 60));
    }
    let secret = new_secret()?;
    write_new(&args.secret_out, &secret)?;
    let operations: Vec<_> = args.operations.iter().map(ToString::to_string).collect();
    let new =
        NewWebhook { target_url: target, operations: &operations, description: &args.description, secret: &secret };
    let webhook = match api.create_webhook(&new).await {
        Ok(webhook) => webhook,
        Err(error) if error.is_uncertain() => {
            find_created(&api, &before, &args.target, &args.secret_out, error).await?
        }
        Err(error) => {
            remove(&args.secret_out);
            return Err(with_fix(error));
        }
    };
    warn_if_private(&args.target).await;
    let mut out = terminal::stdout();
    if args.json {
        let mut line = webhook.to_json();
        line["secret_file"] = json!(args.secret_out);
        if args.print_secret {
            line["secret"] = json!(secret);
        }
        writeln!(out, "{}", terminal::json(&line))?;
        return Ok(ExitCode::SUCCESS);
    }
    writeln!(out, "{0}created{0:#} the webhook {1}", terminal::GOOD, terminal::plain(&webhook.id, 60))?;
    writeln!(out, "target      {target}\noperations  {}", operations.join(" "))?;
    writeln!(out, "secret      in {}", args.secret_out.display())?;
    if args.print_secret {
        writeln!(out, "            {secret}")?;
    }
    Ok(ExitCode::SUCCESS)
}

/// A name that cannot be resolved here may be resolved by Twenty.
async fn warn_if_private(target: &Url) {
    let private = private_target::addresses(target).await.unwrap_or_default();
    if !private.is_empty() {
        let problem = private_target::problem(&private_target::list(&private));
        terminal::warn(&format!("{problem}. {}. Fix: {}.", private_target::WHY, private_target::FIX));
    }
}

/// Twenty may have created it although its answer did not arrive.
async fn find_created(
    api: &Api,
    before: &[Webhook],
    target: &Url,
    secret: &Path,
    error: ApiError,
) -> anyhow::Result<Webhook> {
    let now = api.webhooks().await;
    let is_known = now.is_ok() && !error.may_be_under_way();
    let is_new = |webhook: &Webhook| webhook.has_target(target) && before.iter().all(|old| old.id != webhook.id);
    if let Some(webhook) = now.unwrap_or_default().into_iter().find(is_new) {
        return Ok(webhook);
    }
    if is_known {
        remove(secret);
        return Err(with_fix(error));
    }
    Err(with_fix(error).context(format!(
        "Twenty may have created the webhook, or may still do so, so its secret is kept in {}. Check with `twenty-webhook webhooks list`: if \
         the webhook is not there after a minute, remove the file, and register again",
        secret.display()
    )))
}

/// The error, and how to fix it.
#[expect(clippy::needless_pass_by_value, reason = "for map_err")]
pub(crate) fn with_fix(error: ApiError) -> anyhow::Error {
    let fix = error.fix();
    anyhow::anyhow!("{error}. Fix: {fix}")
}

/// 32 random bytes in hex.
pub(crate) fn new_secret() -> anyhow::Result<String> {
    let mut random = [0; 32];
    getrandom::fill(&mut random).context("the system has no randomness")?;
    Ok(hex::encode(random))
}

/// Creates a file that only its owner can read. Refuses an existing file or symbolic link.
fn write_new(path: &Path, secret: &str) -> anyhow::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = match options.open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            bail!("{} exists, and is never overwritten: choose another name for --secret-out", path.display())
        }
        Err(error) => return Err(error).with_context(|| format!("cannot create {}", path.display())),
    };
    let written = file.write_all(format!("{secret}\n").as_bytes()).and_then(|()| file.sync_all());
    if written.is_err() {
        remove(path);
    }
    written.with_context(|| format!("cannot write {}", path.display()))
}

fn remove(path: &Path) {
    if let Err(error) = fs::remove_file(path) {
        terminal::warn(&format!(
            "{} has a secret that no webhook uses, and cannot be removed: {error}",
            path.display()
        ));
    }
}
