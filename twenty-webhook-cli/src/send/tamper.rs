use bytes::Bytes;
use clap::ValueEnum;
use http::{HeaderMap, HeaderName, HeaderValue};
use twenty_webhook_axum::core::{NONCE_HEADER, SIGNATURE_HEADER, TIMESTAMP_HEADER};

/// What is changed after signing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Tamper {
    /// One letter or digit of the body
    Body,
    /// One digit of the signature
    Signature,
    /// The timestamp, by a millisecond
    Timestamp,
    /// The nonce, which is not signed: the receiver should accept it
    Nonce,
}

impl Tamper {
    pub(super) fn apply(self, headers: &mut HeaderMap, body: &mut Bytes) {
        match self {
            Self::Body => *body = changed(body),
            Self::Signature => replace(headers, &SIGNATURE_HEADER, |text| changed(text.as_bytes()).to_vec()),
            Self::Timestamp => replace(headers, &TIMESTAMP_HEADER, |text| {
                let millis: u64 = text.parse().unwrap_or(0);
                (millis + 1).to_string().into_bytes()
            }),
            Self::Nonce => replace(headers, &NONCE_HEADER, |text| changed(text.as_bytes()).to_vec()),
        }
    }
}

fn replace(headers: &mut HeaderMap, name: &HeaderName, change: impl FnOnce(&str) -> Vec<u8>) {
    let old = headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    if let Ok(new) = HeaderValue::from_bytes(&change(old)) {
        headers.insert(name.clone(), new);
    }
}

/// Changes the last digit, so that JSON stays valid. Without a digit, appends a space.
fn changed(text: &[u8]) -> Bytes {
    let mut text = text.to_vec();
    match text.iter().rposition(u8::is_ascii_digit) {
        Some(at) => text[at] = if text[at] == b'1' { b'2' } else { b'1' },
        None => text.push(b' '),
    }
    text.into()
}
