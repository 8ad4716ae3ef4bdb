use std::error::Error;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use super::{Lookup, SharedVerifier};
use crate::Verifier;

/// Looks up the verifier for a request, before its body is read: for secrets of many tenants, in a database say.
///
/// A look-up is made for requests whose headers are well-formed and at most a day old, and its result is used for
/// [5 seconds](crate::WebhookConfig::lookup_cache_ttl), or 10 while the source is asked again. A target is looked up once at a time, and at most 64 targets are: 32 that a delivery
/// was verified for, and 32 others. A request that has no verifier after 3 seconds is answered 503. So a flood of requests is not a flood of
/// queries. (A flood of made-up targets can delay the first delivery of a tenant after a restart, and with a slow source lose it.)
///
/// `Ok(None)` means that there is no such tenant. The request is then judged against a random key, to the same 401 as a wrong signature:
/// the answer does not tell which tenants there are.
///
/// Choose by the path (or the host), never by the body: it is not verified yet. The path is not signed either, which does no harm here:
/// on another tenant's path the signature does not match.
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
    /// The verifier for a request to `target`, named by its [tenant](Verifier::tenant). `None` if there is none.
    ///
    /// # Errors
    /// It cannot be looked up. The request is answered 503, and Twenty does not repeat it.
    fn verifier(&self, target: &Target<'_>) -> impl Future<Output = Result<Option<Verifier>, SourceError>> + Send;
}

/// Where a request is sent to.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Target<'a> {
    /// The method. Only `POST` gets as far as this.
    pub method: &'a str,
    /// The path of the URL, without the query.
    pub path: &'a str,
    /// The host of the URL, else of the `Host` header, in lower case and without a port: whatever the sender says.
    pub host: Option<&'a str>,
}

impl<'a> Target<'a> {
    pub(crate) fn new(method: &'a str, path: &'a str, host: Option<&'a str>) -> Self {
        Self { method, path, host }
    }
}

/// Why a verifier could not be looked up. The operator will read it: it must say what and where, and hold no secret.
///
/// Made of any error by `?`.
#[derive(Clone)]
pub struct SourceError(Arc<dyn Error + Send + Sync>);

impl SourceError {
    /// `error` is an error, or a text.
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

/// Errors are equal if they read the same.
impl PartialEq for SourceError {
    fn eq(&self, other: &Self) -> bool {
        self.to_string() == other.to_string()
    }
}

impl Eq for SourceError {}

/// Where a configuration takes the verifier from.
#[derive(Clone)]
pub(crate) enum Verifiers {
    One(Verifier),
    Shared(SharedVerifier),
    LookedUp(Lookup),
}

impl fmt::Debug for Verifiers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::One(verifier) => verifier.fmt(f),
            Self::Shared(verifier) => verifier.fmt(f),
            Self::LookedUp(_) => f.write_str("a source"),
        }
    }
}

/// [`VerifierSource`] behind a pointer.
pub(super) trait ErasedSource: Send + Sync {
    fn verifier<'a>(&'a self, target: &'a Target<'a>) -> Answer<'a>;
}

type Answer<'a> = Pin<Box<dyn Future<Output = Result<Option<Verifier>, SourceError>> + Send + 'a>>;

impl<S: VerifierSource> ErasedSource for S {
    fn verifier<'a>(&'a self, target: &'a Target<'a>) -> Answer<'a> {
        Box::pin(VerifierSource::verifier(self, target))
    }
}
