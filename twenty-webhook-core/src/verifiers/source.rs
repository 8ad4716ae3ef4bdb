use std::error::Error;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use super::{Lookup, SharedVerifier};
use crate::Verifier;

/// Looks up the verifier for a request before its body is read, for example the secrets of many tenants in a database.
///
/// Only requests with well-formed headers and a timestamp within a day cause a look-up. The answer is used for
/// [5 seconds](crate::WebhookConfig::lookup_cache_ttl), or for 10 while the source is asked again or fails. There is one look-up per target at
/// a time, and at most 64 in all: 32 for targets that a delivery was verified for, and 32 for others. A request without a verifier after 3
/// seconds is answered with 503. So a flood of requests does not cause a flood of queries. (A flood of invented targets can delay the first
/// delivery of a tenant after a restart, and lose it if the source is slow.)
///
/// `Ok(None)` means that the tenant does not exist. The request is then checked against a random key, and answered with the same 401 as a wrong
/// signature: the response does not reveal which tenants exist.
///
/// Choose by the path or the host, never by the body, which is not verified yet. The path is not signed either, but that is harmless: a
/// signature does not match on the path of another tenant.
///
/// ```
/// use std::collections::HashMap;
/// use twenty_webhook_core::{Secret, SourceError, Target, Verifier, VerifierSource, WebhookConfig};
///
/// struct Tenants(HashMap<String, Secret>);
///
/// impl VerifierSource for Tenants {
///     async fn verifier(&self, target: &Target<'_>) -> Result<Option<Verifier>, SourceError> {
///         let Some(tenant) = target.path.strip_prefix("/webhooks/") else { return Ok(None) };
///         Ok(self.0.get(tenant).map(|secret| Verifier::new(secret.clone()).tenant(tenant)))
///     }
/// }
///
/// let config = WebhookConfig::new(Tenants(HashMap::new()));
/// ```
pub trait VerifierSource: Send + Sync + 'static {
    /// The verifier for a request to `target`, with its [tenant's name](Verifier::tenant). `None` if the tenant does not exist.
    ///
    /// # Errors
    /// If the look-up fails. Without a recent answer, the request is answered with 503, and Twenty does not resend it.
    fn verifier(&self, target: &Target<'_>) -> impl Future<Output = Result<Option<Verifier>, SourceError>> + Send;
}

/// The destination of a request.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Target<'a> {
    /// The method: always `POST`.
    pub method: &'a str,
    /// The path of the URL, without the query.
    pub path: &'a str,
    /// The host of the URL, else of the `Host` header, in lower case and without a port. The sender chooses it.
    pub host: Option<&'a str>,
}

impl<'a> Target<'a> {
    pub(crate) fn new(method: &'a str, path: &'a str, host: Option<&'a str>) -> Self {
        Self { method, path, host }
    }
}

/// Why a look-up failed. It goes to the log: it should say what failed and where, without secrets.
///
/// `?` converts any error.
#[derive(Clone)]
pub struct SourceError(Arc<dyn Error + Send + Sync>);

impl SourceError {
    /// From an error or a text.
    pub fn new(error: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self(error.into().into())
    }
}

impl<E: Error + Send + Sync + 'static> From<E> for SourceError {
    fn from(error: E) -> Self {
        Self(Arc::new(error))
    }
}

impl fmt::Display for SourceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for SourceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("SourceError").field(&self.0).finish()
    }
}

/// Errors are equal if their texts are equal.
impl PartialEq for SourceError {
    fn eq(&self, other: &Self) -> bool {
        self.to_string() == other.to_string()
    }
}

impl Eq for SourceError {}

/// Where a configuration gets its verifier.
#[derive(Clone)]
pub(crate) enum VerifierProvider {
    Fixed(Verifier),
    Shared(SharedVerifier),
    LookedUp(Lookup),
}

impl fmt::Debug for VerifierProvider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fixed(verifier) => verifier.fmt(f),
            Self::Shared(verifier) => verifier.fmt(f),
            Self::LookedUp(_) => f.write_str("a source"),
        }
    }
}

/// [`VerifierSource`] behind a pointer.
pub(super) trait ErasedSource: Send + Sync {
    fn verifier<'a>(&'a self, target: &'a Target<'a>) -> VerifierFuture<'a>;
}

type VerifierFuture<'a> = Pin<Box<dyn Future<Output = Result<Option<Verifier>, SourceError>> + Send + 'a>>;

impl<S: VerifierSource> ErasedSource for S {
    fn verifier<'a>(&'a self, target: &'a Target<'a>) -> VerifierFuture<'a> {
        Box::pin(VerifierSource::verifier(self, target))
    }
}
