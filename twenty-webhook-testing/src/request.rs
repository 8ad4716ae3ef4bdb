use std::time::Duration;

use bytes::Bytes;
use http::header::{self, HeaderName};
use http::{HeaderMap, HeaderValue, Request};
use twenty_webhook_core::{Clock, NONCE_HEADER, SIGNATURE_HEADER, Secret, Signer, TIMESTAMP_HEADER, UnixMillis};

/// A delivery as Twenty sends it. [`EventBuilder::signed_with`](crate::EventBuilder::signed_with) makes one, or [`new`](Self::new) with your
/// own body.
///
/// A clone has exactly the same bytes: the replay of an attacker. [`rerun`](Self::rerun) signs the same body again, as Twenty does when its
/// queue repeats a job.
///
/// ```
/// use twenty_webhook_core::{Secret, Verifier};
/// use twenty_webhook_testing::SignedRequest;
///
/// let secret = Secret::new("s3cret")?;
/// let request = SignedRequest::new(r#"{"eventName":"person.created"}"#, secret.clone());
/// assert!(Verifier::new(secret).verify(&request.headers(), request.body()).is_ok());
/// # Ok::<(), twenty_webhook_core::SecretError>(())
/// ```
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

/// What to change in a request after it was signed.
///
/// ```
/// use twenty_webhook_core::{Rejection, Secret, Verifier};
/// use twenty_webhook_testing::{Tamper, event};
///
/// let secret = Secret::new("s3cret")?;
/// let forged = event("person.created").signed_with(&secret).tampered(Tamper::Body);
/// let rejection = Verifier::new(secret).verify(&forged.headers(), forged.body()).unwrap_err();
/// assert_eq!(rejection, Rejection::SignatureMismatch);
/// # Ok::<(), twenty_webhook_core::SecretError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Tamper {
    /// One byte of the body. A receiver must reject it.
    Body,
    /// One digit of the signature. A receiver must reject it.
    Signature,
    /// The timestamp, by one millisecond. A receiver must reject it.
    Timestamp,
    /// The nonce. It is not signed, so a receiver must ignore it.
    Nonce,
}

impl SignedRequest {
    /// A request to `/webhooks/twenty` with `body`, signed with `secret`, and sent now.
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

    /// Sets the time of sending, which is the signed timestamp.
    pub fn sent_at(mut self, at: UnixMillis) -> Self {
        self.sent_at = at;
        self
    }

    /// Makes the time of sending earlier, in whole milliseconds.
    pub fn age(mut self, age: Duration) -> Self {
        let age = u64::try_from(age.as_millis()).unwrap_or(u64::MAX);
        self.sent_at = UnixMillis::from_millis(self.sent_at.as_millis().saturating_sub(age));
        self
    }

    /// Signs the same body again, a millisecond later: the same delivery with another timestamp, nonce and signature.
    pub fn rerun(&self) -> Self {
        self.clone().sent_at(self.sent_at.saturating_add(Duration::from_millis(1)))
    }

    /// Changes a part of the request after it was signed.
    pub fn tampered(mut self, what: Tamper) -> Self {
        self.tamper = Some(what);
        self
    }

    /// Sets the nonce, which is not signed.
    pub fn nonce(mut self, nonce: impl Into<String>) -> Self {
        self.nonce = Some(nonce.into());
        self
    }

    /// Sets the path and query. The default is `/webhooks/twenty`.
    pub fn path(mut self, path: impl Into<String>) -> Self {
        self.path = path.into();
        self
    }

    /// Sets a header. This may replace a signature header.
    pub fn header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.insert(name, value);
        self
    }

    /// The headers: the signature headers, `Content-Type`, and those set by [`header`](Self::header).
    ///
    /// # Panics
    /// If the nonce is not a valid header value.
    pub fn headers(&self) -> HeaderMap {
        let mut headers = self.signer.sign_at(&self.body, self.sent_at);
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        if let Some(nonce) = &self.nonce {
            headers.insert(NONCE_HEADER.clone(), nonce.parse().expect("a valid header value"));
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

    /// The body that is sent.
    pub fn body(&self) -> Bytes {
        let mut body = self.body.to_vec();
        if self.tamper == Some(Tamper::Body)
            && let Some(letter) = body.iter_mut().rfind(|byte| byte.is_ascii_alphanumeric())
        {
            *letter = if *letter == b'0' { b'1' } else { b'0' };
        }
        body.into()
    }

    /// The request for axum and other tower services.
    ///
    /// # Panics
    /// If the path is not a valid path and query.
    pub fn http<B: From<Bytes>>(&self) -> Request<B> {
        let mut request = Request::post(&self.path).body(self.body().into()).expect("a valid path and query");
        *request.headers_mut() = self.headers();
        request
    }

    /// The bytes of an HTTP/1.1 request for a socket. `host` is the value of the `Host` header.
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
