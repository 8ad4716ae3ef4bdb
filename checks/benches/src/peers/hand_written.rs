use std::time::SystemTime;

use bytes::Bytes;
use http::{HeaderMap, HeaderName};

use super::mac::Prepared;

static SIGNATURE: HeaderName = HeaderName::from_static("x-twenty-webhook-signature");
static TIMESTAMP: HeaderName = HeaderName::from_static("x-twenty-webhook-timestamp");
const TOLERANCE_MILLIS: u64 = 5 * 60 * 1000;

/// The minimum of a correct receiver: two headers, the tolerance in both directions, the MAC with a prepared key.
pub struct HandWritten<M>(M);

impl<M: Prepared> HandWritten<M> {
    /// Accepts requests signed with `secret`.
    pub fn new(secret: &str) -> Self {
        Self(M::new(secret.as_bytes()))
    }

    /// Returns the body if Twenty signed it within the tolerance.
    pub fn verify(&self, headers: &HeaderMap, body: Bytes) -> Option<Bytes> {
        self.verify_text(headers.get(&SIGNATURE)?.as_bytes(), headers.get(&TIMESTAMP)?.as_bytes(), body)
    }

    /// [`verify`](Self::verify), for a header map of any framework.
    pub fn verify_text(&self, signature: &[u8], timestamp: &[u8], body: Bytes) -> Option<Bytes> {
        let mut decoded = [0; 32];
        hex::decode_to_slice(signature, &mut decoded).ok()?;
        let sent_at: u64 = std::str::from_utf8(timestamp).ok()?.parse().ok()?;
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).ok()?;
        let now = u64::try_from(now.as_millis()).ok()?;
        if now.abs_diff(sent_at) > TOLERANCE_MILLIS {
            return None;
        }
        self.0.verify(timestamp, &body, &decoded).then_some(body)
    }
}
