//! The bodies in the workspace's `tests/vectors`.

use std::fs;
use std::path::PathBuf;

use http::{HeaderMap, HeaderValue};
use serde::Deserialize;
use twenty_webhook_core::{
    NONCE_HEADER, SIGNATURE_HEADER, Secret, TIMESTAMP_HEADER, UnixMillis, Verifier, WebhookEvent,
};

#[derive(Deserialize)]
pub(crate) struct Vector {
    pub(crate) body: String,
    pub(crate) event: String,
    secret: String,
    timestamp: String,
    signature: String,
    nonce: String,
}

pub(crate) fn vectors() -> Vec<Vector> {
    serde_json::from_slice(&read("signatures.json")).unwrap()
}

/// A delivery that a real server signed and sent.
#[derive(Deserialize)]
pub(crate) struct Real {
    pub(crate) name: String,
    pub(crate) body: String,
    secret: String,
    timestamp: String,
    signature: String,
    nonce: String,
}

impl Real {
    /// The deliveries of Twenty 2.21.
    pub(crate) fn all() -> Vec<Self> {
        let lines = String::from_utf8(read("real-2.21.jsonl")).unwrap();
        let all: Vec<Self> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(all.len(), 47);
        all
    }

    /// Verifies the delivery and returns its event.
    pub(crate) fn event(&self) -> WebhookEvent {
        verified(&self.secret, &self.timestamp, &self.signature, &self.nonce, self.body.clone().into())
    }

    /// The diagnosis with this secret in place of the right one.
    #[cfg(feature = "diagnose")]
    pub(crate) fn diagnosed_with(&self, secret: &str) -> twenty_webhook_core::Diagnosis {
        let headers = headers(&self.timestamp, &self.signature, &self.nonce);
        let now = UnixMillis::from_millis(self.timestamp.parse().unwrap());
        Verifier::new(Secret::new(secret).unwrap()).diagnose_at(&headers, self.body.clone(), now)
    }
}

/// Verifies the body in this file and returns its event.
pub(crate) fn event(body: &str) -> WebhookEvent {
    let vector = vectors().into_iter().find(|vector| vector.body == body).unwrap();
    verified(&vector.secret, &vector.timestamp, &vector.signature, &vector.nonce, read(body))
}

fn verified(secret: &str, timestamp: &str, signature: &str, nonce: &str, body: Vec<u8>) -> WebhookEvent {
    let headers = headers(timestamp, signature, nonce);
    let now = UnixMillis::from_millis(timestamp.parse().unwrap());
    Verifier::new(Secret::new(secret).unwrap()).verify_at(&headers, body, now).unwrap().into_event().unwrap()
}

fn headers(timestamp: &str, signature: &str, nonce: &str) -> HeaderMap {
    HeaderMap::from_iter(
        [(&SIGNATURE_HEADER, signature), (&TIMESTAMP_HEADER, timestamp), (&NONCE_HEADER, nonce)]
            .map(|(name, value)| (name.clone(), HeaderValue::from_str(value).unwrap())),
    )
}

fn read(file: &str) -> Vec<u8> {
    let path: PathBuf = [env!("CARGO_MANIFEST_DIR"), "..", "tests", "vectors", file].iter().collect();
    fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}
