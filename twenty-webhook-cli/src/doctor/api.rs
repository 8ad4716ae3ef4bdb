use std::time::{Duration, SystemTime};

use super::{Check, Report};
use crate::api::{Api, Webhook, webhooks_in};
use crate::temporary::is_temporary;
use crate::terminal;

const UNKNOWN: &str = "only the API says which webhooks there are, so nothing else is checked";

/// Checks the API, and returns its webhooks; `None` if they cannot be read.
pub(super) async fn check(api: &Api, report: &mut Report) -> anyhow::Result<Option<Vec<Webhook>>> {
    let host = api.base().origin().ascii_serialization();
    let answer = api.webhooks_answer().await.and_then(|answer| Ok((webhooks_in(&answer)?, answer.date)));
    let (webhooks, date) = match answer {
        Ok(answer) => answer,
        Err(error) => {
            report.add(&Check::wrong("api", error.to_string(), UNKNOWN, error.fix()))?;
            return Ok(None);
        }
    };
    report.add(&Check::ok("api", format!("Twenty's API at {host} answers, and accepts the key")))?;
    report.add(&clock(date))?;
    if !webhooks.is_empty() {
        let count = if webhooks.len() == 1 {
            "there is 1 webhook".to_owned()
        } else {
            format!("there are {} webhooks", webhooks.len())
        };
        report.add(&Check::ok("webhooks", count))?;
    }
    for webhook in webhooks.iter().filter(|webhook| is_temporary(webhook)) {
        let id = terminal::plain(&webhook.id, 60);
        let check = Check::warning(
            "temporary_webhook",
            format!("the webhook {id} was created for one run, of `listen --register` or `doctor --canary`"),
            "if that run was killed, nothing answers it, and Twenty waits 5 seconds for it at each event",
            format!("unless a run uses it: twenty-webhook webhooks delete {id}"),
        );
        report.add(&check.of(webhook))?;
    }
    Ok(Some(webhooks))
}

/// A receiver rejects what its clock says is older or newer than 5 minutes.
fn clock(date: Option<SystemTime>) -> Check {
    const TOLERANCE: Duration = Duration::from_secs(300);
    let Some(date) = date else { return Check::skipped("clock", "Twenty's answer has no date") };
    let now = SystemTime::now();
    let off = now.duration_since(date).unwrap_or_else(|ahead| ahead.duration());
    let shown = terminal::age(off);
    if off > TOLERANCE {
        return Check::wrong(
            "clock",
            format!("this machine's clock and Twenty's are {shown} apart"),
            "a receiver with a clock like this machine's rejects every delivery as too old, or from the future",
            "set both clocks by NTP",
        );
    }
    if off > TOLERANCE / 5 {
        return Check::warning(
            "clock",
            format!("this machine's clock and Twenty's are {shown} apart"),
            "if they are 5 minutes apart, a receiver with a clock like this machine's rejects every delivery",
            "set both clocks by NTP",
        );
    }
    Check::ok("clock", "this machine's clock and Twenty's agree")
}
