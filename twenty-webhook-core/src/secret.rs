use std::env::{self, VarError};
use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use zeroize::Zeroizing;

pub(crate) type HmacSha256 = Hmac<Sha256>;

/// A webhook's secret, as shown in Twenty's settings.
///
/// The text itself is the HMAC key: the 64 hex characters that Twenty generates are *not* decoded. The constructor makes an HMAC state of it
/// and wipes the text. `Debug` never prints the state.
///
/// ```
/// use twenty_webhook_core::Secret;
///
/// let secret = Secret::new("whatever Twenty shows")?;
/// assert_eq!(format!("{secret:?}"), "Secret(REDACTED)");
/// assert!(Secret::new(" \n").is_err(), "a blank secret is a configuration error");
/// # Ok::<(), twenty_webhook_core::SecretError>(())
/// ```
#[derive(Clone)]
pub struct Secret {
    keyed: HmacSha256,
    tag: [u8; 16],
    #[cfg(feature = "diagnose")]
    variants: std::sync::Arc<[crate::diagnose::KeyVariant]>,
}

impl Secret {
    /// Uses the secret's text as it is.
    ///
    /// # Errors
    /// [`SecretError::Blank`] if it is empty or only white space.
    #[expect(clippy::missing_panics_doc, reason = "HMAC takes a key of any length")]
    pub fn new(text: impl Into<String>) -> Result<Self, SecretError> {
        let text = Zeroizing::new(text.into());
        if text.trim().is_empty() {
            return Err(SecretError::Blank);
        }
        let keyed = HmacSha256::new_from_slice(text.as_bytes()).expect("HMAC takes a key of any length");
        let mut tag = [0; 16];
        // Messages signed by Twenty begin with a digit, so this is never one.
        tag.copy_from_slice(&keyed.clone().chain_update(b"tag of this secret").finalize().into_bytes()[..16]);
        Ok(Self {
            keyed,
            tag,
            #[cfg(feature = "diagnose")]
            variants: crate::diagnose::KeyVariant::all_of(&text),
        })
    }

    /// Reads the environment variable `name`, and removes one trailing line end (`\n` or `\r\n`).
    ///
    /// ```
    /// use twenty_webhook_core::{Secret, SecretError};
    ///
    /// let error = Secret::from_env("TWENTY_WEBHOOK_SECRET_THAT_IS_NOT_SET").unwrap_err();
    /// assert!(matches!(error, SecretError::Unset(_)));
    /// ```
    ///
    /// # Errors
    /// If the variable is unset, not Unicode, or blank. The error names the variable.
    pub fn from_env(name: &str) -> Result<Self, SecretError> {
        let text = env::var(name).map_err(|error| match error {
            VarError::NotPresent => SecretError::Unset(name.to_owned()),
            VarError::NotUnicode(_) => SecretError::NotUnicode(name.to_owned()),
        })?;
        Self::from_pasted(text).map_err(|_| SecretError::BlankVariable(name.to_owned()))
    }

    /// Reads the file at `path`, such as a mounted Docker or Kubernetes secret, and removes one trailing line end.
    ///
    /// # Errors
    /// If the file cannot be read, is not UTF-8, or is blank. The error names the file.
    pub fn from_file(path: impl AsRef<Path>) -> Result<Self, SecretError> {
        let path = path.as_ref();
        let text = fs::read_to_string(path).map_err(|source| SecretError::Unreadable { path: path.into(), source })?;
        Self::from_pasted(text).map_err(|_| SecretError::BlankFile(path.into()))
    }

    fn from_pasted(text: String) -> Result<Self, SecretError> {
        let text = Zeroizing::new(text);
        let line = text.strip_suffix('\n').map_or(text.as_str(), |line| line.strip_suffix('\r').unwrap_or(line));
        Self::new(line)
    }

    /// Identifies this secret without revealing it: a MAC of a fixed text, cut to 16 bytes.
    pub(crate) fn tag(&self) -> &[u8; 16] {
        &self.tag
    }

    #[cfg(feature = "diagnose")]
    pub(crate) fn keyed(&self) -> &HmacSha256 {
        &self.keyed
    }

    #[cfg(feature = "diagnose")]
    pub(crate) fn variants(&self) -> &[crate::diagnose::KeyVariant] {
        &self.variants
    }

    /// The MAC of Twenty's signed message, ready for the body: the timestamp header's text and a colon.
    #[inline]
    pub(crate) fn mac_over(&self, timestamp_text: &[u8]) -> HmacSha256 {
        let mut mac = self.keyed.clone();
        mac.update(timestamp_text);
        mac.update(b":");
        mac
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(REDACTED)")
    }
}

/// Why a secret is not usable. A configuration error, found at start-up. `Debug` prints the sentence too, because a `main` that returns the
/// error prints that.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum SecretError {
    /// The text is empty or only white space.
    #[error("the webhook secret is blank")]
    Blank,
    /// The environment variable is not set.
    #[error("the environment variable {0} is not set; put the webhook's secret from Twenty's settings there")]
    Unset(String),
    /// The environment variable is empty or only white space.
    #[error("the environment variable {0} is blank; put the webhook's secret from Twenty's settings there")]
    BlankVariable(String),
    /// The environment variable is not Unicode.
    #[error("the environment variable {0} is not Unicode text")]
    NotUnicode(String),
    /// The file cannot be read as UTF-8 text.
    #[error("cannot read the webhook secret from {}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// The error of the read.
        source: io::Error,
    },
    /// The file is empty or only white space.
    #[error("the webhook secret in {} is blank", .0.display())]
    BlankFile(PathBuf),
}

impl fmt::Debug for SecretError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreadable { source, .. } => write!(f, "{self}: {source}"),
            _ => write!(f, "{self}"),
        }
    }
}
