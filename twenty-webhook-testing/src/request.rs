use std::time::Duration;

use bytes::Bytes;
use http::header::{self, HeaderName};
use http::{HeaderMap, HeaderValue, Request};
use twenty_webhook_core::{Clock, NONCE_HEADER, SIGNATURE_HEADER, Secret, Signer, TIMESTAMP_HEADER, UnixMillis};

/// A delivery as Twenty sends it. Made by [`EventBuilder::signed_with`](crate::EventBuilder::signed_with), or of a body of your own.
///
/// A clone is a copy to the byte: what an attacker who listens can send. [`rerun`](Self::rerun) is the same body signed again: what
/// Twenty sends when its queue runs a job again.
#[derive(Clone, Debug)]
#[must_use]
pub struct SignedRequest {
    body: Bytes,
    signer: Signer,
    sent_at: UnixMillis,
    path: String,
    nonce: Option<String>,
    tamper: Option<Tamper>,
    headers: HeaderMap,
}

/// A change of a request after it was signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Tamper {
    /// One byte of the body. A receiver must refuse it.
    Body,
    /// One digit of the signature. A receiver must refuse it.
    Signature,
    /// The timestamp, by one millisecond. A receiver must refuse it.
    Timestamp,
    /// The nonce. It is not signed, so a receiver must not care.
    Nonce,
}

impl SignedRequest {
    /// Delivers `body`, signed with `secret`, sent now, to `/webhooks/twenty`.
    pub fn new(body: impl Into<Bytes>, secret: Secret) -> Self {
        Self {
            body: body.into(),
            signer: Signer::new(secret),
            sent_at: Clock::system().now(),
            path: "/webhooks/twenty".to_owned(),
            nonce: None,
            tamper: None,
            headers: HeaderMap::new(),
        }
    }

    /// Sets when it is sent: the timestamp that is signed.
    pub fn sent_at(mut self, at: UnixMillis) -> Self {
        self.sent_at = at;
        self
    }

    /// As if it had been sent this long ago.
    pub fn age(mut self, age: Duration) -> Self {
        let age = u64::try_from(age.as_millis()).unwrap_or(u64::MAX);
        self.sent_at = UnixMillis::from_millis(self.sent_at.as_millis().saturating_sub(age));
        self
    }

    /// The same body, signed again a millisecond later: another timestamp, nonce and signature, and the same delivery.
    pub fn rerun(&self) -> Self {
        self.clone().sent_at(self.sent_at.saturating_add(Duration::from_millis(1)))
    }

    /// Changes something after it was signed.
    pub fn tampered(mut self, what: Tamper) -> Self {
        self.tamper = Some(what);
        self
    }

    /// Sets the nonce, which is not signed.
    pub fn nonce(mut self, nonce: impl Into<String>) -> Self {
        self.nonce = Some(nonce.into());
        self
    }

    /// Sets the path, and query, that it is sent to.
    pub fn path(mut self, path: impl Into<String>) -> Self {
        self.path = path.into();
        self
    }

    /// Sets a header, also one of those that are signed.
    pub fn header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.insert(name, value);
        self
    }

    /// The headers: those of the signature, `Content-Type`, and what was set.
    ///
    /// # Panics
    /// If the nonce is no header's value.
    pub fn headers(&self) -> HeaderMap {
        let mut headers = self.signer.sign_at(&self.body, self.sent_at);
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        if let Some(nonce) = &self.nonce {
            headers.insert(NONCE_HEADER.clone(), nonce.parse().expect("a header's value"));
        }
        let mut replace_digit = |name: &HeaderName| {
            let mut text = headers[name].as_bytes().to_vec();
            let last = text.last_mut().expect("the header has digits");
            *last = if *last == b'0' { b'1' } else { b'0' };
            headers.insert(name.clone(), HeaderValue::from_bytes(&text).expect("digits"));
        };
        match self.tamper {
            Some(Tamper::Signature) => replace_digit(&SIGNATURE_HEADER),
            Some(Tamper::Timestamp) => replace_digit(&TIMESTAMP_HEADER),
            Some(Tamper::Nonce) => replace_digit(&NONCE_HEADER),
            Some(Tamper::Body) | None => {}
        }
        headers.extend(self.headers.clone());
        headers
    }

    /// The body as it is sent.
    pub fn body(&self) -> Bytes {
        let mut body = self.body.to_vec();
        if self.tamper == Some(Tamper::Body)
            && let Some(letter) = body.iter_mut().rfind(|byte| byte.is_ascii_alphanumeric())
        {
            *letter = if *letter == b'0' { b'1' } else { b'0' };
        }
        body.into()
    }

    /// For axum, and anything else on tower.
    ///
    /// # Panics
    /// If the path is none.
    pub fn http<B: From<Bytes>>(&self) -> Request<B> {
        let mut request = Request::post(&self.path).body(self.body().into()).expect("a path");
        *request.headers_mut() = self.headers();
        request
    }

    /// The bytes of an HTTP/1.1 request, for a socket. `host` is the value of its `Host` header.
    pub fn raw(&self, host: &str) -> Vec<u8> {
        let body = self.body();
        let mut raw =
            format!("POST {} HTTP/1.1\r\nHost: {host}\r\nContent-Length: {}\r\n", self.path, body.len()).into_bytes();
        for (name, value) in &self.headers() {
            raw.extend_from_slice(&[name.as_str().as_bytes(), b": ", value.as_bytes(), b"\r\n"].concat());
        }
        raw.extend_from_slice(b"\r\n");
        raw.extend_from_slice(&body);
        raw
    }

    #[cfg(feature = "actix")]
    pub(crate) fn path_and_query(&self) -> &str {
        &self.path
    }
}
