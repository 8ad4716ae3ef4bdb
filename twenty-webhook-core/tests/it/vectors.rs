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

/// The event in a body, by way of its signature.
pub(crate) fn event(body: &str) -> WebhookEvent {
    let vector = vectors().into_iter().find(|vector| vector.body == body).unwrap();
    let headers = HeaderMap::from_iter(
        [
            (&SIGNATURE_HEADER, &vector.signature),
            (&TIMESTAMP_HEADER, &vector.timestamp),
            (&NONCE_HEADER, &vector.nonce),
        ]
        .map(|(name, value)| (name.clone(), HeaderValue::from_str(value).unwrap())),
    );
    let now = UnixMillis::from_millis(vector.timestamp.parse().unwrap());
    let verifier = Verifier::new(Secret::new(vector.secret).unwrap());
    verifier.verify_at(&headers, read(body), now).unwrap().into_event().unwrap()
}

fn read(file: &str) -> Vec<u8> {
    let path: PathBuf = [env!("CARGO_MANIFEST_DIR"), "..", "tests", "vectors", file].iter().collect();
    fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}
