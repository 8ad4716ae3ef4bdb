//! The part of Twenty's REST API that these commands use.

mod args;
mod client;
mod error;
mod webhook;

pub(crate) use args::ApiArgs;
pub(crate) use client::{Answer, Api};
pub(crate) use error::ApiError;
pub(crate) use webhook::{NewWebhook, Webhook};

/// The webhooks in the answer to [`Api::webhooks_answer`].
pub(crate) fn webhooks_in(answer: &Answer) -> Result<Vec<Webhook>, ApiError> {
    webhook::list(&answer.body)
}
