use std::fmt;
use std::str::FromStr;
use std::sync::OnceLock;

use bytes::Bytes;
use sha2::{Digest, Sha256};

use crate::headers::Verbatim;
use crate::{Rejection, UnixMillis, WebhookEvent};

/// The proof that these bytes were signed by Twenty and sent just now. It comes out of [`Verification::finish`] and nowhere else.
///
/// [`Verification::finish`]: crate::Verification::finish
#[derive(Clone)]
pub struct Delivery {
    body: Bytes,
    sent_at: UnixMillis,
    fresh_until: UnixMillis,
    signed_with: SignedWith,
    nonce: Verbatim<32>,
    id: OnceLock<DeliveryId>,
}

impl Delivery {
    pub(crate) fn new(
        body: Bytes,
        sent_at: UnixMillis,
        fresh_until: UnixMillis,
        signed_with: SignedWith,
        nonce: Verbatim<32>,
        id: Option<DeliveryId>,
    ) -> Self {
        Self { body, sent_at, fresh_until, signed_with, nonce, id: id.map(OnceLock::from).unwrap_or_default() }
    }

    /// The signed bytes, as they were on the wire.
    pub fn body(&self) -> &Bytes {
        &self.body
    }

    /// When Twenty sent it. Not when the change happened: that is the event's date.
    pub fn sent_at(&self) -> UnixMillis {
        self.sent_at
    }

    /// The last millisecond at which these headers are accepted; a replay guard must remember the delivery until then.
    pub fn fresh_until(&self) -> UnixMillis {
        self.fresh_until
    }

    /// Which of the verifier's secrets signed it.
    pub fn signed_with(&self) -> SignedWith {
        self.signed_with
    }

    /// The nonce's 16 bytes, if it was there and well-formed. It is *not signed*: anyone on the wire can change it, so it is good
    /// for finding a request in a log, and for nothing else.
    pub fn untrusted_nonce(&self) -> Option<[u8; 16]> {
        let mut nonce = [0; 16];
        hex::decode_to_slice(self.nonce.as_bytes(), &mut nonce).ok()?;
        Some(nonce)
    }

    /// What makes two deliveries the same one.
    pub fn id(&self) -> DeliveryId {
        *self.id.get_or_init(|| DeliveryId::of(&self.body))
    }

    /// Reads the body.
    ///
    /// # Errors
    /// [`Rejection::NotAnEvent`] if it is not an event of Twenty's.
    pub fn into_event(self) -> Result<WebhookEvent, Rejection> {
        WebhookEvent::from_delivery(self).map_err(Rejection::NotAnEvent)
    }
}

impl fmt::Debug for Delivery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Delivery")
            .field("len", &self.body.len())
            .field("sent_at", &self.sent_at)
            .field("signed_with", &self.signed_with)
            .finish_non_exhaustive()
    }
}

/// Which of a verifier's secrets signed a delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SignedWith {
    /// The one it was made with.
    Current,
    /// The one that this call of [`Verifier::also_accept`](crate::Verifier::also_accept) added, counted from 0.
    Previous(usize),
}

/// The SHA-256 of a delivery's body: the idempotency key.
///
/// Twenty sends no signed delivery id. When its queue runs a crashed job again, the same body arrives under a new timestamp, nonce
/// and signature, and is still the same delivery; so the key is the body, and nothing else.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DeliveryId([u8; 32]);

impl DeliveryId {
    /// The id of these bytes.
    pub fn of(body: &[u8]) -> Self {
        Self(Sha256::digest(body).into())
    }

    pub(crate) fn from_hash(hash: Sha256) -> Self {
        Self(hash.finalize().into())
    }

    /// Its 32 bytes, uniformly distributed.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

/// From what [`Display`](fmt::Display) writes: an id that was kept as text, say as an idempotency key.
impl FromStr for DeliveryId {
    type Err = InvalidDeliveryId;

    fn from_str(text: &str) -> Result<Self, InvalidDeliveryId> {
        let mut id = [0; 32];
        hex::decode_to_slice(text, &mut id).map_err(|_| InvalidDeliveryId)?;
        Ok(Self(id))
    }
}

/// The text is not 64 hex digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a delivery id is 64 hex digits")]
pub struct InvalidDeliveryId;

/// 64 lower-case hex digits.
impl fmt::Display for DeliveryId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = [0; 64];
        hex::encode_to_slice(self.0, &mut text).map_err(|_| fmt::Error)?;
        f.write_str(std::str::from_utf8(&text).map_err(|_| fmt::Error)?)
    }
}

impl fmt::Debug for DeliveryId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DeliveryId({self})")
    }
}
