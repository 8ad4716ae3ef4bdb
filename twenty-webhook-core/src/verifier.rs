use std::sync::Arc;

use bytes::Bytes;
use http::HeaderMap;

use crate::{Clock, Delivery, Rejection, Secret, SignatureHeaders, Tolerance, UnixMillis, Verification};

/// Decides whether a request was sent by Twenty, now, and is whole. Cheap to clone.
///
/// The defaults: the one secret, [5 minutes](Tolerance) each way, bodies up to [1 MiB](Self::DEFAULT_BODY_LIMIT).
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
    body_limit: usize,
    clock: Clock,
}

impl Verifier {
    /// 1 MiB. About 23 KB has been seen for a large event in production; the sender's own cap is 50 MB, and a body over the
    /// limit is lost for good, so this leaves room for forty times that, at a bounded cost of memory per connection.
    pub const DEFAULT_BODY_LIMIT: usize = 1024 * 1024;

    /// Accepts deliveries signed with `current`.
    pub fn new(current: Secret) -> Self {
        Self(Arc::new(Config {
            current,
            previous: Vec::new(),
            tolerance: Tolerance::default(),
            body_limit: Self::DEFAULT_BODY_LIMIT,
            clock: Clock::system(),
        }))
    }

    /// Accepts deliveries signed with `previous` as well, while a secret is being rotated. Every call adds one.
    ///
    /// [`Delivery::signed_with`] tells which one matched. Each further secret costs another pass over the body of a request that
    /// the ones before it did not sign.
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

    /// Sets the largest body that is accepted, in bytes, inclusive.
    #[must_use]
    pub fn body_limit(mut self, bytes: usize) -> Self {
        Arc::make_mut(&mut self.0).body_limit = bytes;
        self
    }

    /// Sets what [`begin`](Self::begin) and [`verify`](Self::verify) take for now. For tests.
    #[must_use]
    pub fn clock(mut self, clock: Clock) -> Self {
        Arc::make_mut(&mut self.0).clock = clock;
        self
    }

    /// Judges the headers, before any of the body is read.
    ///
    /// # Errors
    /// Refuses a timestamp outside the tolerance.
    pub fn begin(&self, headers: SignatureHeaders) -> Result<Verification, Rejection> {
        self.begin_at(headers, self.0.clock.now())
    }

    /// [`begin`](Self::begin), at a given time.
    ///
    /// # Errors
    /// As [`begin`](Self::begin).
    #[inline]
    pub fn begin_at(&self, headers: SignatureHeaders, now: UnixMillis) -> Result<Verification, Rejection> {
        let Tolerance { past, future } = self.0.tolerance;
        let age = now.saturating_since(headers.sent_at);
        if age > past {
            return Err(Rejection::StaleTimestamp { age, tolerance: past });
        }
        let ahead = headers.sent_at.saturating_since(now);
        if ahead > future {
            return Err(Rejection::FutureTimestamp { ahead, tolerance: future });
        }
        Ok(Verification::new(self.clone(), headers))
    }

    /// The whole road in one call, for a body that is already in memory.
    ///
    /// # Errors
    /// Refuses what was not sent by Twenty, now, and whole.
    pub fn verify(&self, headers: &HeaderMap, body: impl Into<Bytes>) -> Result<Delivery, Rejection> {
        self.verify_at(headers, body, self.0.clock.now())
    }

    /// [`verify`](Self::verify), at a given time.
    ///
    /// # Errors
    /// As [`verify`](Self::verify).
    pub fn verify_at(
        &self,
        headers: &HeaderMap,
        body: impl Into<Bytes>,
        now: UnixMillis,
    ) -> Result<Delivery, Rejection> {
        let mut verification = self.begin_at(SignatureHeaders::from_map(headers)?, now)?;
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

    /// The largest body that is accepted, in bytes.
    pub fn limit(&self) -> usize {
        self.0.body_limit
    }

    #[cfg(feature = "diagnose")]
    pub(crate) fn tolerated(&self) -> Tolerance {
        self.0.tolerance
    }

    /// When a delivery sent at `sent_at` stops being fresh.
    pub(crate) fn fresh_until(&self, sent_at: UnixMillis) -> UnixMillis {
        sent_at.saturating_add(self.0.tolerance.past)
    }
}

impl From<Secret> for Verifier {
    fn from(secret: Secret) -> Self {
        Self::new(secret)
    }
}
