mod api;
mod args;
mod canary;
mod operations;
mod report;
mod target;
mod tls;

use std::process::ExitCode;

pub(crate) use args::DoctorArgs;
use report::{Check, Report};

use crate::api::Webhook;
use crate::{NO, terminal};

pub(crate) async fn run(args: DoctorArgs) -> anyhow::Result<ExitCode> {
    let twenty = args.api.api()?;
    let mut report = Report::new(args.json);
    if let Some(webhooks) = api::check(&twenty, &mut report).await? {
        let chosen: Vec<_> = webhooks.iter().filter(|webhook| is_chosen(&args, webhook)).collect();
        if chosen.is_empty() {
            report.add(&none(&args))?;
        }
        for check in operations::wanted(&args.want, &chosen) {
            report.add(&check)?;
        }
        for webhook in chosen {
            let url = terminal::plain(&webhook.target_url, 120);
            report.about(&format!("webhook {} to {url}", terminal::plain(&webhook.id, 60)))?;
            target::check(&args, webhook, &mut report).await?;
        }
        if args.canary.canary {
            report.about("canary")?;
            canary::run(&args.canary, &twenty, &webhooks, &mut report).await?;
        }
    }
    Ok(if report.is_wrong() { ExitCode::from(NO) } else { ExitCode::SUCCESS })
}

fn is_chosen(args: &DoctorArgs, webhook: &Webhook) -> bool {
    args.webhook.as_ref().is_none_or(|wanted| *wanted == webhook.id || *wanted == webhook.target_url)
}

fn none(args: &DoctorArgs) -> Check {
    match &args.webhook {
        Some(wanted) => Check::wrong("webhooks", format!("there is no webhook {}", terminal::plain(wanted, 120)))
            .fix("`twenty-webhook webhooks list` shows those that there are"),
        None => Check::wrong("webhooks", "there is no webhook in this workspace, so Twenty calls no receiver")
            .why("webhooks belong to one workspace, as API keys do")
            .fix("`twenty-webhook register` creates one"),
    }
}
