use std::sync::Arc;

use bytes::Bytes;
use http::HeaderMap;

use crate::{Clock, Delivery, Rejection, Secret, SignatureHeaders, SignedWith, Tolerance, UnixMillis, Verification};

/// Checks that Twenty signed a request, that it is unchanged, and that its timestamp is current. Cheap to clone.
///
/// By default it accepts one secret, and timestamps within [5 minutes](Tolerance) of now, each way.
///
/// ```
/// use twenty_webhook_core::{Rejection, Secret, Signer, Verifier};
///
/// let secret = Secret::new("s3cret")?;
/// let verifier = Verifier::new(secret.clone());
///
/// let body = br#"{"eventName":"person.created","record":{"id":"42"}}"#;
/// let headers = Signer::new(secret).sign(body);
///
/// let event = verifier.verify(&headers, body.as_slice())?.into_event()?;
/// assert_eq!(event.name(), "person.created");
///
/// let forged = verifier.verify(&headers, b"{}".as_slice());
/// assert_eq!(forged.unwrap_err(), Rejection::SignatureMismatch);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Verifier(Arc<Config>);

#[derive(Clone, Debug)]
struct Config {
    current: Secret,
    previous: Vec<Secret>,
    tolerance: Tolerance,
    tenant: Option<Box<str>>,
    clock: Clock,
}

impl Verifier {
    /// Accepts deliveries signed with `current`.
    pub fn new(current: Secret) -> Self {
        Self(Arc::new(Config {
            current,
            previous: Vec::new(),
            tolerance: Tolerance::default(),
            tenant: None,
            clock: Clock::system(),
        }))
    }

    /// Also accepts deliveries signed with `previous`, during the rotation of a secret. Each call adds a secret.
    ///
    /// [`Delivery::signed_with`] says which one matched. Each additional secret costs another pass over the body if the secrets before it
    /// do not match.
    #[must_use]
    pub fn also_accept(mut self, previous: Secret) -> Self {
        Arc::make_mut(&mut self.0).previous.push(previous);
        self
    }

    /// Sets how far a delivery's timestamp may be from now.
    #[must_use]
    pub fn tolerance(mut self, tolerance: Tolerance) -> Self {
        Arc::make_mut(&mut self.0).tolerance = tolerance;
        self
    }

    /// Sets the name of the tenant whose deliveries this verifier accepts: a workspace of Twenty, or one of your customers.
    ///
    /// Each [`Delivery`], log line and outcome has the name. It is part of the [`ReplayKey`](crate::ReplayKey): use the same name for all
    /// verifiers of a tenant, also after a rotation, and different names for different tenants.
    #[must_use]
    pub fn tenant(mut self, name: impl Into<String>) -> Self {
        Arc::make_mut(&mut self.0).tenant = Some(name.into().into_boxed_str());
        self
    }

    /// Sets the clock of [`begin`](Self::begin) and [`verify`](Self::verify). For tests.
    #[must_use]
    pub fn clock(mut self, clock: Clock) -> Self {
        Arc::make_mut(&mut self.0).clock = clock;
        self
    }

    /// Checks the timestamp, before the body is read.
    ///
    /// # Errors
    /// [`Rejection::StaleTimestamp`] or [`Rejection::FutureTimestamp`] if the timestamp is outside the tolerance.
    #[inline]
    pub fn begin(&self, headers: SignatureHeaders) -> Result<Verification, Rejection> {
        self.begin_at(headers, self.0.clock.now())
    }

    /// [`begin`](Self::begin) at a given time.
    ///
    /// # Errors
    /// As [`begin`](Self::begin).
    #[inline]
    pub fn begin_at(&self, headers: SignatureHeaders, now: UnixMillis) -> Result<Verification, Rejection> {
        self.judge_age(headers.sent_at, now)?;
        Ok(self.begin_undated(headers))
    }

    /// [`begin`](Self::begin) without the check of the timestamp, which follows the check of the signature.
    pub(crate) fn begin_undated(&self, headers: SignatureHeaders) -> Verification {
        Verification::new(self.clone(), headers)
    }

    #[inline]
    pub(crate) fn judge_age(&self, sent_at: UnixMillis, now: UnixMillis) -> Result<(), Rejection> {
        self.0.tolerance.judge(sent_at, now)
    }

    /// Verifies a request whose body is in memory. The body may have any length.
    ///
    /// # Errors
    /// If the headers are missing or malformed, the timestamp is outside the tolerance, or the signature does not match.
    pub fn verify(&self, headers: &HeaderMap, body: impl Into<Bytes>) -> Result<Delivery, Rejection> {
        self.verify_at(headers, body, self.0.clock.now())
    }

    /// [`verify`](Self::verify) at a given time.
    ///
    /// # Errors
    /// As [`verify`](Self::verify).
    pub fn verify_at(
        &self,
        headers: &HeaderMap,
        body: impl Into<Bytes>,
        now: UnixMillis,
    ) -> Result<Delivery, Rejection> {
        let mut verification = self.begin_at(SignatureHeaders::from_map(headers)?, now)?.body_limit(usize::MAX);
        verification.push(body.into())?;
        verification.finish()
    }

    pub(crate) fn current(&self) -> &Secret {
        &self.0.current
    }

    pub(crate) fn previous(&self) -> &[Secret] {
        &self.0.previous
    }

    pub(crate) fn own_clock(&self) -> &Clock {
        &self.0.clock
    }

    /// The secret that signed a delivery.
    pub(crate) fn signing_secret(&self, signed_with: SignedWith) -> &Secret {
        match signed_with {
            SignedWith::Previous(index) => self.0.previous.get(index).unwrap_or(&self.0.current),
            SignedWith::Current => &self.0.current,
        }
    }

    pub(crate) fn tenant_name(&self) -> Option<&str> {
        self.0.tenant.as_deref()
    }

    #[cfg(feature = "diagnose")]
    pub(crate) fn tolerated(&self) -> Tolerance {
        self.0.tolerance
    }

    /// The last millisecond at which a delivery sent at `sent_at` is accepted.
    pub(crate) fn expires_at(&self, sent_at: UnixMillis) -> UnixMillis {
        sent_at.saturating_add(self.0.tolerance.past)
    }
}

impl From<Secret> for Verifier {
    fn from(secret: Secret) -> Self {
        Self::new(secret)
    }
}
