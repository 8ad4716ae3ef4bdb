use std::fmt;

use bytes::Bytes;
use hmac::Mac;

use crate::body_budget::{BodyBudget, BudgetShare};
use crate::delivery::{Delivery, SignedWith};
use crate::secret::HmacSha256;
use crate::{Rejection, SignatureHeaders, Verifier, WebhookConfig};

/// A request with accepted headers, while its body arrives: push each chunk, then finish.
///
/// It updates the MAC with each chunk, so the result is ready soon after the last byte. A body of one chunk is not copied. `Content-Length`
/// allocates nothing.
///
/// ```
/// use twenty_webhook_core::{Rejection, Secret, SignatureHeaders, Signer, Verifier};
///
/// let secret = Secret::new("s3cret")?;
/// let headers = Signer::new(secret.clone()).sign(b"in two chunks");
///
/// let mut verification = Verifier::new(secret).begin(SignatureHeaders::from_map(&headers)?)?.body_limit(1024);
/// for chunk in ["in two ", "chunks"] {
///     verification.push(chunk.into())?;
/// }
/// assert_eq!(verification.finish()?.body(), "in two chunks");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Verification {
    verifier: Verifier,
    headers: SignatureHeaders,
    mac: HmacSha256,
    limit: usize,
    /// The body's reservation in the shared budget.
    share: Option<BudgetShare>,
    body: Body,
}

impl Verification {
    #[inline]
    pub(crate) fn new(verifier: Verifier, headers: SignatureHeaders) -> Self {
        let mac = verifier.current().mac_over(headers.timestamp_text.as_bytes());
        Self { verifier, headers, mac, limit: WebhookConfig::DEFAULT_BODY_LIMIT, share: None, body: Body::Empty }
    }

    /// Sets the largest accepted body, in bytes, inclusive. The default is
    /// [32 MiB](WebhookConfig::DEFAULT_BODY_LIMIT).
    #[must_use]
    #[inline]
    pub fn body_limit(mut self, bytes: usize) -> Self {
        self.limit = bytes;
        self
    }

    /// Checks the `Content-Length` in bytes, before the body is read.
    ///
    /// # Errors
    /// [`Rejection::BodyTooLarge`] if it exceeds the limit.
    pub fn check_content_length(&self, length: u64) -> Result<(), Rejection> {
        match usize::try_from(length) {
            Ok(length) if length <= self.limit => Ok(()),
            _ => Err(Rejection::BodyTooLarge { limit: self.limit }),
        }
    }

    /// Adds the next chunk of the body, of any length.
    ///
    /// # Errors
    /// [`Rejection::BodyTooLarge`] if the body would exceed the limit. The chunk is then discarded.
    pub fn push(&mut self, chunk: Bytes) -> Result<(), Rejection> {
        let capacity = self.capacity_with(&chunk)?;
        self.push_within(chunk, capacity);
        Ok(())
    }

    /// [`push`](Self::push), with the body's memory and the framework's `read_ahead` bytes reserved in `budget`.
    ///
    /// # Errors
    /// As [`push`](Self::push), and [`Rejection::BodyBudgetExhausted`].
    pub(crate) fn push_on(&mut self, budget: &BodyBudget, read_ahead: usize, chunk: Bytes) -> Result<(), Rejection> {
        let capacity = self.capacity_with(&chunk)?;
        if !budget.cover(&mut self.share, capacity, read_ahead) {
            return Err(Rejection::BodyBudgetExhausted { received: self.body.len() });
        }
        self.push_within(chunk, capacity);
        Ok(())
    }

    /// The body's capacity in bytes once this chunk is added.
    fn capacity_with(&self, chunk: &Bytes) -> Result<usize, Rejection> {
        if chunk.len() > self.limit.saturating_sub(self.body.len()) {
            return Err(Rejection::BodyTooLarge { limit: self.limit });
        }
        Ok(self.body.capacity_with(chunk.len(), self.limit))
    }

    fn push_within(&mut self, chunk: Bytes, capacity: usize) {
        self.mac.update(&chunk);
        self.body.push(chunk, capacity);
    }

    /// Compares the signature, in constant time. Call it at the end of the body.
    ///
    /// # Errors
    /// [`Rejection::SignatureMismatch`] if none of the secrets signed this body.
    pub fn finish(self) -> Result<Delivery, Rejection> {
        let Self { verifier, headers, mac, body, .. } = self;
        let body = body.into_bytes();
        let signed_with = if headers.signature.matches(mac) {
            SignedWith::Current
        } else {
            let signed = |secret: &crate::Secret| {
                let mut mac = secret.mac_over(headers.timestamp_text.as_bytes());
                mac.update(&body);
                headers.signature.matches(mac)
            };
            let index = verifier.previous().iter().position(signed).ok_or(Rejection::SignatureMismatch)?;
            SignedWith::Previous(index)
        };
        Ok(Delivery::new(body, verifier, &headers, signed_with))
    }
}

impl fmt::Debug for Verification {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Verification").field("received", &self.body.len()).finish_non_exhaustive()
    }
}

/// The bytes received: one chunk without a copy, or a copy of several.
enum Body {
    Empty,
    One(Bytes),
    Many(Vec<u8>),
}

impl Body {
    fn len(&self) -> usize {
        match self {
            Self::Empty => 0,
            Self::One(chunk) => chunk.len(),
            Self::Many(chunks) => chunks.len(),
        }
    }

    /// The capacity in bytes with `more` bytes added. Several chunks grow by doubling, up to the limit.
    fn capacity_with(&self, more: usize, limit: usize) -> usize {
        let len = self.len() + more;
        match self {
            Self::Empty => more,
            Self::One(_) => len,
            Self::Many(chunks) if len <= chunks.capacity() => chunks.capacity(),
            Self::Many(chunks) => len.max(chunks.capacity().saturating_mul(2).min(limit)),
        }
    }

    /// `capacity` is the result of [`capacity_with`](Self::capacity_with) for this chunk.
    fn push(&mut self, chunk: Bytes, capacity: usize) {
        if chunk.is_empty() {
            return;
        }
        match self {
            Self::Empty => *self = Self::One(chunk),
            // Each chunk would keep its whole read buffer alive.
            Self::One(first) => {
                let mut chunks = Vec::with_capacity(capacity);
                chunks.extend_from_slice(first);
                chunks.extend_from_slice(&chunk);
                *self = Self::Many(chunks);
            }
            Self::Many(chunks) => {
                chunks.reserve_exact(capacity - chunks.len());
                chunks.extend_from_slice(&chunk);
            }
        }
    }

    fn into_bytes(self) -> Bytes {
        match self {
            Self::Empty => Bytes::new(),
            Self::One(chunk) => chunk,
            Self::Many(chunks) => chunks.into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{Secret, Signer, UnixMillis};

    const NOW: UnixMillis = UnixMillis::from_millis(1_789_374_097_412);
    const BUDGET: usize = 1024 * 1024;
    const READ_AHEAD: usize = 100_000;

    #[derive(Clone, Debug)]
    enum Step {
        Begin,
        Push(prop::sample::Index, usize),
        /// The body is complete: it is verified, or does not match.
        Finish(prop::sample::Index),
        /// The sender disconnects, or takes too long.
        Drop(prop::sample::Index),
    }

    fn steps() -> impl Strategy<Value = Vec<Step>> {
        let which = any::<prop::sample::Index>;
        let step = prop_oneof![
            2 => Just(Step::Begin),
            6 => (which(), prop_oneof![0..300_usize, 0..200_000_usize]).prop_map(|(which, len)| Step::Push(which, len)),
            1 => which().prop_map(Step::Finish),
            1 => which().prop_map(Step::Drop),
        ];
        prop::collection::vec(step, 1..120)
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 100, failure_persistence: None, ..ProptestConfig::default() })]

        /// In any order of steps, the budget is what bodies have not reserved, and all of it returns.
        #[test]
        fn the_budget_never_leaks(steps in steps()) {
            let secret = Secret::new("s3cret").unwrap();
            let (verifier, budget) = (Verifier::new(secret.clone()), BodyBudget::new(BUDGET));
            let mut bodies: Vec<Verification> = Vec::new();
            for step in steps {
                match step {
                    Step::Begin => {
                        let headers = Signer::new(secret.clone()).sign_at(b"", NOW);
                        let begun = verifier.begin_at(SignatureHeaders::from_map(&headers).unwrap(), NOW).unwrap();
                        bodies.push(begun);
                    }
                    Step::Push(which, len) if !bodies.is_empty() => {
                        let which = which.index(bodies.len());
                        match bodies[which].push_on(&budget, READ_AHEAD, vec![b'x'; len].into()) {
                            Ok(()) => {}
                            Err(Rejection::BodyBudgetExhausted { .. }) => drop(bodies.swap_remove(which)),
                            Err(other) => panic!("{other}"),
                        }
                    }
                    Step::Finish(which) if !bodies.is_empty() => {
                        let _ = bodies.swap_remove(which.index(bodies.len())).finish();
                    }
                    Step::Drop(which) if !bodies.is_empty() => drop(bodies.swap_remove(which.index(bodies.len()))),
                    _ => {}
                }
                let held = |body: &Verification| match &body.body {
                    Body::Many(chunks) => chunks.capacity(),
                    one => one.len(),
                };
                let pays = |bytes: usize| if bytes > BodyBudget::FREE { bytes - BodyBudget::FREE + READ_AHEAD } else { 0 };
                let paid: usize = bodies.iter().map(|body| pays(held(body))).sum();
                prop_assert_eq!(budget.left() + paid, BUDGET);
            }
            drop(bodies);
            prop_assert_eq!(budget.left(), BUDGET);
        }
    }
}
