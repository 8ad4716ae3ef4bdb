use std::fmt;

use bytes::{Bytes, BytesMut};
use hmac::Mac;
use sha2::{Digest, Sha256};

use crate::delivery::{Delivery, DeliveryId, SignedWith};
use crate::secret::HmacSha256;
use crate::{Rejection, SignatureHeaders, Verifier};

/// A request whose headers were accepted and whose body is on its way: push the chunks as they come, then finish.
///
/// The MAC is fed as chunks arrive, so the answer is ready soon after the last byte. A body that comes in one chunk is not copied,
/// and nothing is allocated for bytes that have only been announced.
pub struct Verification {
    verifier: Verifier,
    headers: SignatureHeaders,
    mac: HmacSha256,
    id: Option<Sha256>,
    body: Body,
}

impl Verification {
    #[inline]
    pub(crate) fn new(verifier: Verifier, headers: SignatureHeaders) -> Self {
        let mac = verifier.current().mac_over(headers.timestamp_text.as_bytes());
        Self { verifier, headers, mac, id: None, body: Body::Empty }
    }

    /// Computes the [`DeliveryId`] as the body arrives, for a caller who will ask for it; otherwise it is computed when asked.
    #[must_use]
    pub fn identify(mut self) -> Self {
        self.id = Some(Sha256::new());
        self
    }

    /// Judges the length that the sender announces (`Content-Length`), before the body is read.
    ///
    /// # Errors
    /// [`Rejection::BodyTooLarge`] if it is over the limit.
    pub fn announce(&self, length: u64) -> Result<(), Rejection> {
        let limit = self.verifier.limit();
        match usize::try_from(length) {
            Ok(length) if length <= limit => Ok(()),
            _ => Err(Rejection::BodyTooLarge { limit }),
        }
    }

    /// Takes the next piece of the body, which may be of any length.
    ///
    /// # Errors
    /// [`Rejection::BodyTooLarge`] as soon as the body is over the limit; the piece is not kept.
    pub fn push(&mut self, chunk: Bytes) -> Result<(), Rejection> {
        let limit = self.verifier.limit();
        if chunk.len() > limit - self.body.len() {
            return Err(Rejection::BodyTooLarge { limit });
        }
        self.mac.update(&chunk);
        if let Some(id) = &mut self.id {
            id.update(&chunk);
        }
        self.body.push(chunk);
        Ok(())
    }

    /// Compares the signature, in constant time. The body is whole.
    ///
    /// # Errors
    /// [`Rejection::SignatureMismatch`] if none of the secrets signed this body.
    pub fn finish(self) -> Result<Delivery, Rejection> {
        let Self { verifier, headers, mac, id, body } = self;
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
        let id = id.map(DeliveryId::from_hash);
        let fresh_until = verifier.fresh_until(headers.sent_at);
        Ok(Delivery::new(body, headers.sent_at, fresh_until, signed_with, headers.nonce, id))
    }
}

impl fmt::Debug for Verification {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Verification").field("received", &self.body.len()).finish_non_exhaustive()
    }
}

/// The bytes so far: a lone chunk as it came, or a copy of several.
enum Body {
    Empty,
    One(Bytes),
    Many(BytesMut),
}

impl Body {
    fn len(&self) -> usize {
        match self {
            Self::Empty => 0,
            Self::One(chunk) => chunk.len(),
            Self::Many(chunks) => chunks.len(),
        }
    }

    fn push(&mut self, chunk: Bytes) {
        if chunk.is_empty() {
            return;
        }
        match self {
            Self::Empty => *self = Self::One(chunk),
            // Keeping the chunks instead would keep the whole read buffer behind each of them alive.
            Self::One(first) => {
                let mut chunks = BytesMut::with_capacity(first.len() + chunk.len());
                chunks.extend_from_slice(first);
                chunks.extend_from_slice(&chunk);
                *self = Self::Many(chunks);
            }
            Self::Many(chunks) => chunks.extend_from_slice(&chunk),
        }
    }

    fn into_bytes(self) -> Bytes {
        match self {
            Self::Empty => Bytes::new(),
            Self::One(chunk) => chunk,
            Self::Many(chunks) => chunks.freeze(),
        }
    }
}
