use bytes::Bytes;
use hmac::Mac;
use http::{HeaderMap, HeaderValue};

use crate::headers::{NONCE_HEADER, SIGNATURE_HEADER, TIMESTAMP_HEADER};
use crate::{Clock, Secret, Signature, UnixMillis};

/// Signs bodies as Twenty does, for tests and tools.
///
/// ```
/// use twenty_webhook_core::{Secret, Signer, UnixMillis};
///
/// let signer = Signer::new(Secret::new("It's a Secret to Everybody")?);
/// let headers = signer.sign_at(b"Hello, World!", UnixMillis::from_millis(1_735_066_639_761));
/// assert_eq!(headers["x-twenty-webhook-timestamp"], "1735066639761");
/// assert_eq!(headers["x-twenty-webhook-signature"].len(), 64);
/// # Ok::<(), twenty_webhook_core::SecretError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Signer {
    secret: Secret,
}

impl Signer {
    /// Signs with `secret`.
    pub fn new(secret: Secret) -> Self {
        Self { secret }
    }

    /// The three headers for `body`, sent now.
    pub fn sign(&self, body: &[u8]) -> HeaderMap {
        self.sign_at(body, Clock::system().now())
    }

    /// The three headers for `body`, sent at `sent_at`.
    ///
    /// The nonce is the first half of the signature. Twenty's nonce is random; it is not signed, so nothing depends on it.
    #[expect(clippy::missing_panics_doc, reason = "digits and hex are always a header value")]
    pub fn sign_at(&self, body: &[u8], sent_at: UnixMillis) -> HeaderMap {
        let timestamp = sent_at.to_string();
        let mut mac = self.secret.mac_over(timestamp.as_bytes());
        mac.update(body);
        let signature = Bytes::from(Signature::of(mac).to_hex());
        let nonce = signature.slice(..32);
        [(&TIMESTAMP_HEADER, Bytes::from(timestamp)), (&SIGNATURE_HEADER, signature), (&NONCE_HEADER, nonce)]
            .into_iter()
            .map(|(name, text)| (name.clone(), HeaderValue::from_maybe_shared(text).expect("digits or hex")))
            .collect()
    }
}
