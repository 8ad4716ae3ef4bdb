use std::io::Write;
use std::process::ExitCode;

use clap::{Args, Subcommand};
use http::StatusCode;

use crate::api::{Api, ApiArgs, ApiError, Webhook};
use crate::register::with_fix;
use crate::{NO, terminal};

/// List or delete the webhooks of a Twenty
#[derive(Debug, Args)]
#[command(after_help = "\
Exit status: 0 if it is done, 1 if there is no such webhook or if you answered no, 2 if Twenty cannot be asked.

Examples:
  twenty-webhook webhooks list --url https://crm.example.com
  twenty-webhook webhooks delete e4a0f7d3-62b9-4c15-8d7e-31f5a9c0b826 --yes")]
pub(crate) struct WebhooksArgs {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// List the webhooks, without their secrets
    List {
        /// Print one line of JSON for each
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        api: ApiArgs,
    },
    /// Delete webhooks
    Delete {
        /// The ids of the webhooks
        #[arg(required = true)]
        ids: Vec<String>,
        /// Do not ask for confirmation
        #[arg(long, short)]
        yes: bool,
        #[command(flatten)]
        api: ApiArgs,
    },
}

pub(crate) async fn run(args: WebhooksArgs) -> anyhow::Result<ExitCode> {
    match args.command {
        Command::List { json, api } => list(&api.api()?, json).await,
        Command::Delete { ids, yes, api } => delete(&api.api()?, &ids, yes).await,
    }
}

async fn list(api: &Api, as_json: bool) -> anyhow::Result<ExitCode> {
    let webhooks = api.webhooks().await.map_err(with_fix)?;
    let mut out = terminal::stdout();
    for webhook in &webhooks {
        if as_json {
            writeln!(out, "{}", terminal::json(&webhook.to_json()))?;
        } else {
            writeln!(out, "{}", line(webhook))?;
        }
    }
    if webhooks.is_empty() && !as_json {
        terminal::note("There is no webhook. `twenty-webhook register` creates one.");
    }
    Ok(ExitCode::SUCCESS)
}

fn line(webhook: &Webhook) -> String {
    let description = webhook.description.as_deref().map(|text| format!("  ({})", terminal::plain(text, 80)));
    format!(
        "{}  {}  {}{}",
        terminal::plain(&webhook.id, 60),
        terminal::plain(&webhook.target_url, 120),
        terminal::plain(&webhook.operations.join(" "), 120),
        description.unwrap_or_default()
    )
}

async fn delete(api: &Api, ids: &[String], yes: bool) -> anyhow::Result<ExitCode> {
    let (mut code, webhooks) = (ExitCode::SUCCESS, api.webhooks().await.map_err(with_fix)?);
    for id in ids {
        let Some(webhook) = webhooks.iter().find(|webhook| webhook.id == *id) else {
            terminal::error(&format!("there is no webhook {}", terminal::plain(id, 60)));
            code = ExitCode::from(NO);
            continue;
        };
        if !yes && !terminal::ask(&format!("Delete {}?", line(webhook)), "give --yes")? {
            code = ExitCode::from(NO);
            continue;
        }
        match api.delete_webhook(&webhook.id).await {
            Ok(()) => writeln!(terminal::stdout(), "deleted {}", terminal::plain(id, 60))?,
            Err(ApiError::Status { status: StatusCode::NOT_FOUND, .. }) => {
                writeln!(terminal::stdout(), "{} is gone already", terminal::plain(id, 60))?;
            }
            Err(error) => return Err(with_fix(error)),
        }
    }
    Ok(code)
}
