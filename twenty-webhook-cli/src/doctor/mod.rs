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
use reqwest::Url;

use crate::api::Webhook;
use crate::{NO, terminal};

pub(crate) async fn run(args: DoctorArgs) -> anyhow::Result<ExitCode> {
    let (twenty, place) = (args.api.api()?, args.canary.place()?);
    let mut report = Report::new(args.json);
    if let Some(webhooks) = api::check(&twenty, &mut report).await? {
        let chosen: Vec<_> = webhooks.iter().filter(|webhook| is_chosen(&args, webhook)).collect();
        if chosen.is_empty() {
            report.add(&none(&args))?;
        }
        for check in operations::wanted(&args.want, &chosen) {
            report.add(&check)?;
        }
        let is_ambiguous = args.send_sample && chosen.len() > 1;
        if is_ambiguous {
            report.add(&Check::wrong(
                "sample",
                format!("no sample is sent, because there are {} webhooks", chosen.len()),
                "a sample is a real event to the receiver, and a target may be of another party",
                "choose one by its id, with --webhook",
            ))?;
        }
        for webhook in chosen {
            let url = terminal::plain(&webhook.target_url, 120);
            report.about(&format!("webhook {} to {url}", terminal::plain(&webhook.id, 60)))?;
            target::check(&args, webhook, args.send_sample && !is_ambiguous, &mut report).await?;
        }
        if let Some(place) = place {
            report.about("canary")?;
            canary::run(&args.canary, &place, &twenty, &webhooks, &mut report).await?;
        }
    }
    Ok(if report.is_wrong() { ExitCode::from(NO) } else { ExitCode::SUCCESS })
}

fn is_chosen(args: &DoctorArgs, webhook: &Webhook) -> bool {
    args.webhook.as_ref().is_none_or(|wanted| {
        let has_target = Url::parse(wanted).is_ok_and(|url| webhook.has_target(&url));
        has_target || *wanted == webhook.id || *wanted == webhook.target_url
    })
}

fn none(args: &DoctorArgs) -> Check {
    match &args.webhook {
        Some(wanted) => Check::wrong(
            "webhooks",
            format!("there is no webhook {}", terminal::plain(wanted, 120)),
            "no webhook of this workspace has this id or this target URL",
            "`twenty-webhook webhooks list` shows those that there are",
        ),
        None => Check::wrong(
            "webhooks",
            "there is no webhook in this workspace, so Twenty calls no receiver",
            "webhooks belong to one workspace, as API keys do",
            "`twenty-webhook register` creates one",
        ),
    }
}
