use bytes::Bytes;
use http::{HeaderMap, HeaderValue};
use octoevents::{Envelope, Verifier, WebhookSecret, header};

use crate::samples;

/// `octoevents`, for GitHub. GitHub's scheme has no timestamp, so it checks no tolerance.
pub struct Octoevents(Verifier);

impl Octoevents {
    /// Accepts requests signed with `secret`.
    pub fn new(secret: &str) -> Self {
        Self(Verifier::new(WebhookSecret::new(secret)))
    }

    /// The headers of a request with `body`.
    pub fn headers(&self, body: &[u8]) -> HeaderMap {
        let mut headers = samples::common_headers(body);
        headers.insert(header::SIGNATURE.clone(), self.0.sign(body).into());
        headers.insert("x-github-delivery", HeaderValue::from_static("72d3162e-cc78-11e3-81ab-4c9367dc0958"));
        headers.insert("x-github-event", HeaderValue::from_static("issues"));
        headers
    }

    /// Verifies a request and reads its envelope, without the payload.
    pub fn authenticate(&self, headers: &HeaderMap, body: Bytes) -> Option<Envelope> {
        octoevents::authenticate(&self.0, headers, body).ok()
    }
}
