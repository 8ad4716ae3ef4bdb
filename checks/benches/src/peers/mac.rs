use aws_lc_rs::hmac as aws_lc;
use hmac::{Hmac, KeyInit, Mac};
use ring::hmac as ring_hmac;
use sha2::Sha256;
use subtle::ConstantTimeEq;

/// HMAC-SHA256 with a prepared key.
pub trait Prepared {
    /// Prepares the key.
    fn new(key: &[u8]) -> Self;

    /// Whether `signature` is the MAC of the timestamp, a colon and the body, in constant time.
    fn verify(&self, timestamp: &[u8], body: &[u8], signature: &[u8; 32]) -> bool;
}

/// `hmac` and `sha2`.
pub struct RustCrypto(Hmac<Sha256>);

impl Prepared for RustCrypto {
    fn new(key: &[u8]) -> Self {
        Self(Hmac::new_from_slice(key).expect("HMAC takes a key of any length"))
    }

    fn verify(&self, timestamp: &[u8], body: &[u8], signature: &[u8; 32]) -> bool {
        let mut mac = self.0.clone();
        mac.update(timestamp);
        mac.update(b":");
        mac.update(body);
        mac.verify_slice(signature).is_ok()
    }
}

/// `ring`.
pub struct Ring(ring_hmac::Key);

impl Prepared for Ring {
    fn new(key: &[u8]) -> Self {
        Self(ring_hmac::Key::new(ring_hmac::HMAC_SHA256, key))
    }

    fn verify(&self, timestamp: &[u8], body: &[u8], signature: &[u8; 32]) -> bool {
        let mut mac = ring_hmac::Context::with_key(&self.0);
        mac.update(timestamp);
        mac.update(b":");
        mac.update(body);
        mac.sign().as_ref().ct_eq(signature).into()
    }
}

/// `aws-lc-rs`.
pub struct AwsLc(aws_lc::Key);

impl Prepared for AwsLc {
    fn new(key: &[u8]) -> Self {
        Self(aws_lc::Key::new(aws_lc::HMAC_SHA256, key))
    }

    fn verify(&self, timestamp: &[u8], body: &[u8], signature: &[u8; 32]) -> bool {
        let mut mac = aws_lc::Context::with_key(&self.0);
        mac.update(timestamp);
        mac.update(b":");
        mac.update(body);
        mac.sign().as_ref().ct_eq(signature).into()
    }
}
