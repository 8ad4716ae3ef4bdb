use std::fmt;
use std::hash::Hasher;
use std::str::FromStr;

use serde::{Serialize, Serializer};
use sha2::{Digest, Sha256};

use crate::DeliveryId;

/// The idempotency key of a delivery: two deliveries with the same key are the same delivery.
///
/// It is the SHA-256 of the delivery's *scope* and body. The scope is the [tenant's name](crate::Verifier::tenant), or without a name a tag
/// derived from the secret that signed the delivery. So deliveries of two tenants have different keys, even if their bytes are equal.
///
/// A job that Twenty reruns has the same body and the same key. After a rotation of the secret, the key stays the same only for a tenant with
/// a name. Without a name, a copy signed with the new secret counts as another delivery.
///
/// Use it as the message id in a queue, or as the key of an idempotent handler. Its text is 64 lower-case hex digits.
///
/// ```
/// use twenty_webhook_core::ReplayKey;
///
/// let stored = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
/// let key: ReplayKey = stored.parse()?;
/// assert_eq!(key.to_string(), stored);
/// # Ok::<(), twenty_webhook_core::InvalidReplayKey>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ReplayKey([u8; 32]);

impl ReplayKey {
    pub(crate) fn new(scope: Scope<'_>, id: DeliveryId) -> Self {
        let mut hash = Sha256::new();
        scope.feed(|bytes| hash.update(bytes));
        hash.update(id.as_bytes());
        Self(hash.finalize().into())
    }

    /// Restores a key from its bytes.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// Its 32 bytes, uniformly distributed.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl AsRef<[u8]> for ReplayKey {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

/// From 64 hex digits.
impl FromStr for ReplayKey {
    type Err = InvalidReplayKey;

    fn from_str(text: &str) -> Result<Self, InvalidReplayKey> {
        let mut key = [0; 32];
        hex::decode_to_slice(text, &mut key).map_err(|_| InvalidReplayKey(()))?;
        Ok(Self(key))
    }
}

/// The text is not 64 hex digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a replay key is 64 hex digits")]
pub struct InvalidReplayKey(());

/// 64 lower-case hex digits.
impl fmt::Display for ReplayKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        crate::delivery::write_hex(f, &self.0)
    }
}

/// As text: 64 lower-case hex digits.
impl Serialize for ReplayKey {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl fmt::Debug for ReplayKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ReplayKey({self})")
    }
}

/// The namespace in which a body identifies a delivery.
#[derive(Clone, Copy)]
pub(crate) enum Scope<'a> {
    Tenant(&'a str),
    Secret(&'a [u8; 16]),
}

impl Scope<'_> {
    /// The bytes of no scope are equal to, or a prefix of, those of another.
    fn feed(self, mut feed: impl FnMut(&[u8])) {
        match self {
            Self::Tenant(name) => {
                feed(b"tenant");
                feed(&(name.len() as u64).to_be_bytes());
                feed(name.as_bytes());
            }
            Self::Secret(tag) => {
                feed(b"secret");
                feed(tag);
            }
        }
    }

    /// For the keyed hash of the memory guard.
    pub(crate) fn hash(self, hasher: &mut impl Hasher) {
        self.feed(|bytes| hasher.write(bytes));
    }
}
