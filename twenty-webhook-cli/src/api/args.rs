use std::path::PathBuf;

use anyhow::{Context, bail};
use clap::Args;
use reqwest::Url;

use super::Api;
use crate::send::{self, is_loopback};
use crate::terminal;

pub(crate) const VARIABLE: &str = "TWENTY_API_KEY";

/// Which Twenty, and the API key for it.
#[derive(Debug, Args)]
#[command(next_help_heading = "Twenty")]
pub(crate) struct ApiArgs {
    #[arg(
        long = "url",
        id = "twenty_url",
        value_name = "URL",
        env = "TWENTY_URL",
        value_parser = send::url,
        value_hint = clap::ValueHint::Url,
        help = "The address of your Twenty: https://crm.example.com, or https://api.twenty.com"
    )]
    url: Option<Url>,
    #[arg(
        long,
        value_name = "NAME",
        help = "Read the API key from this environment variable [default: TWENTY_API_KEY]"
    )]
    api_key_env: Option<String>,
    /// Read the API key from this file
    #[arg(long, value_name = "FILE", conflicts_with = "api_key_env", value_hint = clap::ValueHint::FilePath)]
    api_key_file: Option<PathBuf>,
}

impl ApiArgs {
    /// A client for it.
    ///
    /// # Errors
    /// If the URL or the key is not given.
    pub(crate) fn api(&self) -> anyhow::Result<Api> {
        let (url, key) = self.url_and_key()?;
        Api::new(url, &key)
    }

    /// Both, for another client. Warns if the key would go over plain http.
    ///
    /// # Errors
    /// If the URL or the key is not given.
    pub(crate) fn url_and_key(&self) -> anyhow::Result<(&Url, String)> {
        let Some(url) = &self.url else {
            bail!("which Twenty? Give its address as --url https://crm.example.com, or in the variable TWENTY_URL");
        };
        let key = self.key()?;
        if url.scheme() == "http" && !is_loopback(url) {
            terminal::warn("The API key goes over plain http: anyone on the network path can read it.");
        }
        Ok((url, key))
    }

    fn key(&self) -> anyhow::Result<String> {
        let key = if let Some(path) = &self.api_key_file {
            std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?
        } else {
            let name = self.api_key_env.as_deref().unwrap_or(VARIABLE);
            std::env::var(name).ok().with_context(|| {
                format!(
                    "no API key: the environment variable {name} is not set. Make a key in Twenty, in Settings → API & \
                     Webhooks, with a role that has the permission \"API keys & webhooks\""
                )
            })?
        };
        let key = key.trim().to_owned();
        anyhow::ensure!(!key.is_empty(), "the API key is empty");
        Ok(key)
    }
}
