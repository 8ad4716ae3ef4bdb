use std::fmt;
use std::str::FromStr;
use std::sync::OnceLock;

use bytes::Bytes;
use serde::{Serialize, Serializer};
use sha2::{Digest, Sha256};

use crate::headers::{SignatureHeaders, Verbatim};
use crate::replay::Scope;
use crate::{Clock, Rejection, ReplayKey, UnixMillis, Verifier, WebhookEvent};

/// Proof that Twenty signed these bytes, within the tolerance of now. Only [`Verification::finish`] makes it.
///
/// ```
/// use twenty_webhook_core::{Delivery, SignedWith};
///
/// fn log(delivery: &Delivery) {
///     println!("{} bytes, key {}", delivery.body().len(), delivery.replay_key());
///     if let SignedWith::Previous(_) = delivery.signed_with() {
///         println!("still signed with an old secret");
///     }
/// }
/// ```
///
/// [`Verification::finish`]: crate::Verification::finish
#[derive(Clone)]
pub struct Delivery {
    body: Bytes,
    verifier: Verifier,
    sent_at: UnixMillis,
    signed_with: SignedWith,
    nonce: Option<Verbatim<32>>,
    id: OnceLock<DeliveryId>,
}

impl Delivery {
    pub(crate) fn new(body: Bytes, verifier: Verifier, headers: &SignatureHeaders, signed_with: SignedWith) -> Self {
        let (sent_at, nonce) = (headers.sent_at, headers.nonce);
        Self { body, verifier, sent_at, signed_with, nonce, id: OnceLock::new() }
    }

    /// The signed bytes, exactly as received.
    pub fn body(&self) -> &Bytes {
        &self.body
    }

    /// When Twenty sent it. For the time of the change see [`WebhookEvent::event_date`].
    pub fn sent_at(&self) -> UnixMillis {
        self.sent_at
    }

    /// The last millisecond at which these headers are accepted. A replay guard must remember the delivery until then, inclusive.
    pub fn expires_at(&self) -> UnixMillis {
        self.verifier.expires_at(self.sent_at)
    }

    /// Which of the verifier's secrets signed it.
    pub fn signed_with(&self) -> SignedWith {
        self.signed_with
    }

    /// The nonce's 16 bytes, if it was present and well-formed. It is *not signed*, and anything between Twenty and the receiver can change
    /// it. Use it only to find a request in a log.
    pub fn untrusted_nonce(&self) -> Option<[u8; 16]> {
        let mut nonce = [0; 16];
        hex::decode_to_slice(self.nonce.as_ref()?.as_bytes(), &mut nonce).ok()?;
        Some(nonce)
    }

    /// The tenant's name, as set with [`Verifier::tenant`].
    pub fn tenant(&self) -> Option<&str> {
        self.verifier.tenant_name()
    }

    /// The hash of the body. Two tenants can send the same bytes; [`replay_key`](Self::replay_key) tells them apart.
    pub fn id(&self) -> DeliveryId {
        *self.id.get_or_init(|| DeliveryId::of(&self.body))
    }

    /// The idempotency key, for handlers, databases and message ids. Copies of one delivery have the same key.
    pub fn replay_key(&self) -> ReplayKey {
        ReplayKey::new(self.scope(), self.id())
    }

    pub(crate) fn scope(&self) -> Scope<'_> {
        match self.tenant() {
            Some(name) => Scope::Tenant(name),
            None => Scope::Secret(self.verifier.signing_secret(self.signed_with).tag()),
        }
    }

    /// Checks the age after the signature was verified.
    pub(crate) fn judge_age(&self) -> Result<(), Rejection> {
        self.verifier.judge_age(self.sent_at, self.clock().now())
    }

    /// The verifier's clock.
    pub(crate) fn clock(&self) -> &Clock {
        self.verifier.own_clock()
    }

    /// Reads the body as an event.
    ///
    /// # Errors
    /// [`Rejection::NotAnEvent`] if the body is not an event of Twenty.
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
            .field("tenant", &self.tenant())
            .finish_non_exhaustive()
    }
}

/// Which of a verifier's secrets signed a delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SignedWith {
    /// The secret that the verifier was made with.
    Current,
    /// The secret that this call of [`Verifier::also_accept`](crate::Verifier::also_accept) added, counted from 0.
    Previous(usize),
}

/// The SHA-256 of a delivery's body.
///
/// Twenty sends no signed delivery id. When its queue reruns a crashed job, the same body arrives with a new timestamp, nonce and
/// signature, and is still the same delivery. The [`ReplayKey`] also contains the tenant.
///
/// ```
/// use twenty_webhook_core::DeliveryId;
///
/// let id = DeliveryId::of(b"abc");
/// assert_eq!(id.to_string(), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"); // FIPS 180-2, B.1
/// assert_eq!(id.to_string().parse::<DeliveryId>()?, id);
/// # Ok::<(), twenty_webhook_core::InvalidDeliveryId>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DeliveryId([u8; 32]);

impl DeliveryId {
    /// The id of these bytes.
    pub fn of(body: &[u8]) -> Self {
        Self(Sha256::digest(body).into())
    }

    /// Restores an id from its bytes.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// Its 32 bytes, uniformly distributed.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl AsRef<[u8]> for DeliveryId {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

/// Parses what [`Display`](fmt::Display) writes: 64 hex digits.
impl FromStr for DeliveryId {
    type Err = InvalidDeliveryId;

    fn from_str(text: &str) -> Result<Self, InvalidDeliveryId> {
        let mut id = [0; 32];
        hex::decode_to_slice(text, &mut id).map_err(|_| InvalidDeliveryId(()))?;
        Ok(Self(id))
    }
}

/// The text is not 64 hex digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a delivery id is 64 hex digits")]
pub struct InvalidDeliveryId(());

/// 64 lower-case hex digits.
impl fmt::Display for DeliveryId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_hex(f, &self.0)
    }
}

/// As text: 64 lower-case hex digits.
impl Serialize for DeliveryId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// Writes 64 lower-case hex digits, without allocating.
pub(crate) fn write_hex(f: &mut fmt::Formatter<'_>, bytes: &[u8; 32]) -> fmt::Result {
    let mut text = [0; 64];
    hex::encode_to_slice(bytes, &mut text).map_err(|_| fmt::Error)?;
    f.write_str(std::str::from_utf8(&text).map_err(|_| fmt::Error)?)
}

impl fmt::Debug for DeliveryId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DeliveryId({self})")
    }
}
