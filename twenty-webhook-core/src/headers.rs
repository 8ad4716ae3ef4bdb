use http::{HeaderMap, HeaderName};

use crate::{Rejection, Signature, UnixMillis};

/// `X-Twenty-Webhook-Signature`: 64 hex digits of HMAC-SHA256.
pub static SIGNATURE_HEADER: HeaderName = HeaderName::from_static("x-twenty-webhook-signature");
/// `X-Twenty-Webhook-Timestamp`: when it was sent, in Unix milliseconds.
pub static TIMESTAMP_HEADER: HeaderName = HeaderName::from_static("x-twenty-webhook-timestamp");
/// `X-Twenty-Webhook-Nonce`: 16 random bytes in hex. Not signed, so it proves nothing.
pub static NONCE_HEADER: HeaderName = HeaderName::from_static("x-twenty-webhook-nonce");

/// The three `X-Twenty-Webhook-*` headers: well-formed, but not yet verified.
#[derive(Clone, Debug)]
pub struct SignatureHeaders {
    pub(crate) signature: Signature,
    pub(crate) sent_at: UnixMillis,
    /// The header's text, because Twenty signs the text.
    pub(crate) timestamp_text: Verbatim<20>,
    pub(crate) nonce: Option<Verbatim<32>>,
}

impl SignatureHeaders {
    /// Reads the headers of any framework. `headers` yields all headers of the request: name (a `HeaderName`, or a `&str` in any case) and
    /// value.
    ///
    /// The signature and the timestamp must be present exactly once. The nonce is not signed, so it may be absent. A repeated nonce is
    /// rejected, because Twenty sends one.
    ///
    /// ```
    /// # use twenty_webhook_core::{Rejection, SignatureHeaders};
    /// let headers: [(&str, &[u8]); 1] = [("Content-Type", b"application/json")];
    /// assert_eq!(SignatureHeaders::read(headers).unwrap_err(), Rejection::Unsigned);
    /// ```
    ///
    /// # Errors
    /// Rejects missing, repeated and malformed headers, each with a different [`Rejection`].
    pub fn read<'a, N>(headers: impl IntoIterator<Item = (N, &'a [u8])>) -> Result<Self, Rejection>
    where
        N: PartialEq<HeaderName>,
    {
        // One pass over a dozen headers takes half as long as looking three of them up by their hash.
        let (mut signature, mut timestamp, mut nonce) = (None, None, None);
        for (name, value) in headers {
            let (found, known) = match name {
                name if name == SIGNATURE_HEADER => (&mut signature, &SIGNATURE_HEADER),
                name if name == TIMESTAMP_HEADER => (&mut timestamp, &TIMESTAMP_HEADER),
                name if name == NONCE_HEADER => (&mut nonce, &NONCE_HEADER),
                _ => continue,
            };
            if found.replace(value).is_some() {
                return Err(Rejection::RepeatedHeader(known.as_str()));
            }
        }
        let (signature, timestamp) = match (signature, timestamp) {
            (Some(signature), Some(timestamp)) => (signature, timestamp),
            (None, None) => return Err(Rejection::Unsigned),
            (None, Some(_)) => return Err(Rejection::MissingHeader(SIGNATURE_HEADER.as_str())),
            (Some(_), None) => return Err(Rejection::MissingHeader(TIMESTAMP_HEADER.as_str())),
        };
        Ok(Self {
            signature: Signature::from_hex(signature).ok_or(Rejection::MalformedSignature { len: signature.len() })?,
            sent_at: decimal_millis(timestamp).ok_or(Rejection::MalformedTimestamp { len: timestamp.len() })?,
            timestamp_text: Verbatim::new(timestamp).ok_or(Rejection::MalformedTimestamp { len: timestamp.len() })?,
            nonce: nonce.and_then(Verbatim::new),
        })
    }

    /// [`read`](Self::read) for a map of the `http` crate.
    ///
    /// # Errors
    /// As [`read`](Self::read).
    pub fn from_map(headers: &HeaderMap) -> Result<Self, Rejection> {
        Self::read(headers.iter().map(|(name, value)| (name, value.as_bytes())))
    }
}

/// Accepts only digits. `u64::from_str` would accept a leading `+`.
fn decimal_millis(text: &[u8]) -> Option<UnixMillis> {
    if text.is_empty() || text.len() > 20 {
        return None;
    }
    let millis = text.iter().try_fold(0_u64, |millis, byte| match byte {
        b'0'..=b'9' => millis.checked_mul(10)?.checked_add(u64::from(byte - b'0')),
        _ => None,
    })?;
    Some(UnixMillis::from_millis(millis))
}

/// A copy of a short header value, without allocating.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Verbatim<const MAX: usize> {
    bytes: [u8; MAX],
    len: usize,
}

impl<const MAX: usize> Verbatim<MAX> {
    /// `None` if it is longer than `MAX` bytes.
    fn new(text: &[u8]) -> Option<Self> {
        let mut bytes = [0; MAX];
        bytes.get_mut(..text.len())?.copy_from_slice(text);
        Some(Self { bytes, len: text.len() })
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.bytes[..self.len]
    }
}
