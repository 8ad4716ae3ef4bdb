use std::io::IsTerminal;

use http::StatusCode;
use reqwest::Url;

use crate::api::{Api, ApiError, NewWebhook, Webhook};
use crate::register::with_fix;
use crate::{terminal, time};

/// The start of a temporary webhook's description.
const DESCRIPTION: &str = "twenty-webhook: temporary";

/// A webhook that exists during this run.
pub(crate) struct Temporary<'a> {
    api: &'a Api,
    id: String,
}

impl<'a> Temporary<'a> {
    /// Creates one for this command.
    pub(crate) async fn create(
        api: &'a Api,
        command: &str,
        target: &Url,
        operations: &[String],
        secret: &str,
    ) -> anyhow::Result<Self> {
        let (process, now) = (std::process::id(), time::iso(time::now()));
        let description = format!("{DESCRIPTION}, of `{command}`, process {process}, since {now}");
        let new = NewWebhook { target_url: target.as_str(), operations, description: &description, secret };
        match api.create_webhook(&new).await {
            Ok(webhook) => Ok(Self { id: webhook.id, api }),
            Err(error) if error.is_uncertain() && may_exist(api, &description, &error).await => {
                Err(with_fix(error).context(format!(
                    "cannot create a webhook, but Twenty may have created it, or may still do so. If `twenty-webhook webhooks list` shows \
                     one with the description \"{description}\", remove it with `twenty-webhook webhooks delete ID`"
                )))
            }
            Err(error) => Err(with_fix(error).context("cannot create a webhook")),
        }
    }

    pub(crate) fn id(&self) -> &str {
        &self.id
    }

    pub(crate) async fn remove(self) {
        match delete(self.api, &self.id).await {
            Ok(()) => terminal::note("Removed the temporary webhook."),
            Err(error) => terminal::warn(&format!(
                "The temporary webhook {} is not removed: {error}. Remove it with `twenty-webhook webhooks delete {0}`: Twenty waits 5 \
                 seconds for it at each event.",
                self.id
            )),
        }
    }
}

/// Removes what Twenty created although it answered with an error. Returns whether there may be more.
async fn may_exist(api: &Api, description: &str, error: &ApiError) -> bool {
    let Ok(now) = api.webhooks().await else { return true };
    let mut created = now.iter().filter(|webhook| webhook.description.as_deref() == Some(description));
    match created.next() {
        Some(webhook) => delete(api, &webhook.id).await.is_err(),
        None => error.may_be_under_way(),
    }
}

/// Deletes it, unless it was deleted elsewhere.
async fn delete(api: &Api, id: &str) -> Result<(), ApiError> {
    match api.delete_webhook(id).await {
        Err(ApiError::Status { status: StatusCode::NOT_FOUND, .. }) => Ok(()),
        deleted => deleted,
    }
}

/// Whether a run created it as a temporary webhook.
pub(crate) fn is_temporary(webhook: &Webhook) -> bool {
    webhook.description.as_deref().is_some_and(|text| text.starts_with(DESCRIPTION))
}

/// Offers to remove the temporary webhooks of killed runs.
pub(crate) async fn offer_to_remove_left(api: &Api) -> anyhow::Result<()> {
    let left = api.webhooks().await.map_err(with_fix)?;
    for webhook in left.iter().filter(|webhook| is_temporary(webhook)) {
        remove_left(api, webhook).await?;
    }
    Ok(())
}

/// Another run may be using it, so the user decides.
async fn remove_left(api: &Api, webhook: &Webhook) -> anyhow::Result<()> {
    let (id, description) = (terminal::plain(&webhook.id, 60), webhook.description.as_deref().unwrap_or_default());
    let what = format!("There is a temporary webhook already: {id} ({})", terminal::plain(description, 120));
    if !std::io::stdin().is_terminal() {
        terminal::warn(&format!(
            "{what}. If its process was killed, it delays all other webhooks: `twenty-webhook webhooks delete {id}`."
        ));
        return Ok(());
    }
    let question = format!("{what}. If its process was killed, it delays all other webhooks. Remove it?");
    if terminal::ask_in_background(question).await? {
        // It does not stop this run from creating its own.
        if let Err(error) = delete(api, &webhook.id).await {
            terminal::warn(&format!("The webhook {id} is not removed: {}", with_fix(error)));
        }
    }
    Ok(())
}
