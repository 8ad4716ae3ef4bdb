use std::path::PathBuf;

use anyhow::{Context, bail};
use clap::Args;
use twenty_webhook_axum::{Secret, Verifier};

pub(crate) const VARIABLE: &str = "TWENTY_WEBHOOK_SECRET";

/// The secret's source.
#[derive(Debug, Args)]
#[command(next_help_heading = "Secret")]
pub(crate) struct SecretArgs {
    #[arg(
        long,
        value_name = "NAME",
        help = "Read the secret from this environment variable [default: TWENTY_WEBHOOK_SECRET]"
    )]
    secret_env: Vec<String>,
    /// Read the secret from this file; one line end at its end is removed
    #[arg(long, value_name = "FILE", value_hint = clap::ValueHint::FilePath)]
    secret_file: Vec<PathBuf>,
    /// The secret itself. Other users of the machine can see it, so prefer --secret-env or --secret-file
    #[arg(long, value_name = "TEXT")]
    secret: Vec<Text>,
}

/// A secret's text, which `Debug` does not show.
#[derive(Clone)]
struct Text(String);

impl From<String> for Text {
    fn from(text: String) -> Self {
        Self(text)
    }
}

impl std::fmt::Debug for Text {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("REDACTED")
    }
}

impl SecretArgs {
    /// The secret to sign with.
    pub(crate) fn one(&self) -> anyhow::Result<Secret> {
        let mut secrets = self.all()?;
        match (secrets.pop(), secrets.is_empty()) {
            (Some(secret), true) => Ok(secret),
            _ => bail!("more than one secret is given, but a request is signed with one; give one"),
        }
    }

    /// The current secret: the first that is given.
    pub(crate) fn first(&self) -> anyhow::Result<Secret> {
        self.all()?.into_iter().next().context("no secret is given")
    }

    /// Accepts a signature by any of them. The first is the current one.
    pub(crate) fn verifier(&self) -> anyhow::Result<Verifier> {
        let mut secrets = self.all()?.into_iter();
        let first = Verifier::new(secrets.next().context("no secret is given")?);
        Ok(secrets.fold(first, Verifier::also_accept))
    }

    /// Whether none of the flags is given, and the usual variable is not set.
    pub(crate) fn are_absent(&self) -> bool {
        self.are_defaulted() && std::env::var_os(VARIABLE).is_none()
    }

    fn are_defaulted(&self) -> bool {
        self.secret.is_empty() && self.secret_env.is_empty() && self.secret_file.is_empty()
    }

    fn all(&self) -> anyhow::Result<Vec<Secret>> {
        if self.are_defaulted() {
            let secret = Secret::from_env(VARIABLE).context("no secret is given, by --secret-env or --secret-file")?;
            return Ok(vec![secret]);
        }
        let mut secrets = Vec::new();
        for text in &self.secret {
            secrets.push(Secret::new(text.0.clone()).context("--secret")?);
        }
        for name in &self.secret_env {
            secrets.push(Secret::from_env(name)?);
        }
        for path in &self.secret_file {
            secrets.push(Secret::from_file(path)?);
        }
        Ok(secrets)
    }
}
