//! Tests that rejecting a signature takes the same time whichever byte is wrong, with the method of dudect: it measures two classes of inputs
//! in random order and compares them with Welch's t-test.
//!
//! A leak matters if it shows how much of a guessed signature is right, because the signature could then be guessed byte by byte. So the
//! signature is wrong in both classes, in one byte only, and rejected for the same reason; the classes differ in the position of that byte.
//! (Comparing a right with a wrong signature would show nothing new: the answer already tells them apart.)
//!
//! Each sample has a different body, so the guess is a random text in both classes. Decoding time depends on the text, but the sender knows
//! the text anyway. Everything is made before the measurement starts, in the same way for both classes.

use std::cell::Cell;

use bytes::Bytes;
use dudect_bencher::rand::RngExt;
use dudect_bencher::{BenchRng, Class, CtRunner, ctbench_main};
use http::{HeaderMap, HeaderValue};
use twenty_webhook_core::{SIGNATURE_HEADER, Secret, SignatureHeaders, Signer, UnixMillis, Verifier};

const SAMPLES: usize = 1_000_000;
const NOW: UnixMillis = UnixMillis::from_millis(1_789_374_097_412);

struct Setup {
    signer: Signer,
    verifier: Verifier,
}

/// A request with a wrong signature.
struct Forged {
    headers: HeaderMap,
    body: Bytes,
    right: [u8; 32],
    guess: [u8; 32],
}

impl Setup {
    fn new() -> Self {
        let secret = Secret::new("9f2c4be07d1a58e36cb0f4a97e21d853").expect("not blank");
        Self { signer: Signer::new(secret.clone()), verifier: Verifier::new(secret) }
    }

    /// `falsify` changes the right signature, with 32 random bytes.
    fn forge(&self, rng: &mut BenchRng, falsify: impl Fn(&mut [u8; 32], [u8; 32])) -> Forged {
        let id: [u8; 16] = rng.random();
        let body = format!(r#"{{"eventName":"person.created","record":{{"id":"{}"}}}}"#, hex::encode(id));
        let mut headers = self.signer.sign_at(body.as_bytes(), NOW);
        let mut right = [0; 32];
        hex::decode_to_slice(headers[&SIGNATURE_HEADER].as_bytes(), &mut right).expect("hex");
        let mut guess = right;
        falsify(&mut guess, rng.random());
        headers.insert(&SIGNATURE_HEADER, HeaderValue::from_str(&hex::encode(guess)).expect("hex"));
        Forged { headers, body: body.into(), right, guess }
    }

    /// The first byte is wrong, or the last.
    fn first_or_last(&self, rng: &mut BenchRng) -> (Class, Forged) {
        let (class, at) = if rng.random() { (Class::Left, 0) } else { (Class::Right, 31) };
        (class, self.forge(rng, |signature, random| signature[at] ^= random[0].max(1)))
    }
}

/// Measures the comparison with as little else as possible: the end of the MAC.
fn finish(runner: &mut CtRunner, rng: &mut BenchRng) {
    let setup = Setup::new();
    for _ in 0..SAMPLES {
        let (class, forged) = setup.first_or_last(rng);
        let headers = SignatureHeaders::from_map(&forged.headers).expect("the headers are well-formed");
        let mut verification = setup.verifier.begin_at(headers, NOW).expect("the timestamp is within the tolerance");
        verification.push(forged.body).expect("the body is small");
        let verification = Cell::new(Some(verification));
        runner.run_one(class, || verification.take().map(|verification| verification.finish().is_ok()));
    }
}

/// Measures everything that a sender can time: headers, MAC and comparison.
fn verify(runner: &mut CtRunner, rng: &mut BenchRng) {
    let setup = Setup::new();
    for _ in 0..SAMPLES {
        let (class, Forged { headers, body, .. }) = setup.first_or_last(rng);
        runner.run_one(class, || setup.verifier.verify_at(&headers, body.clone(), NOW).is_ok());
    }
}

/// Measures the same for a signature with no right byte, and for one with only its last byte wrong.
fn verify_all_or_last(runner: &mut CtRunner, rng: &mut BenchRng) {
    let setup = Setup::new();
    for _ in 0..SAMPLES {
        let all: bool = rng.random();
        // The same work in both classes, because the test would detect a difference here.
        let falsify = |signature: &mut [u8; 32], random: [u8; 32]| {
            for at in 0..31 {
                signature[at] ^= random[at].max(1) * u8::from(all);
            }
            signature[31] ^= random[31].max(1);
        };
        let Forged { headers, body, .. } = setup.forge(rng, falsify);
        let class = if all { Class::Left } else { Class::Right };
        runner.run_one(class, || setup.verifier.verify_at(&headers, body.clone(), NOW).is_ok());
    }
}

/// A comparison that stops at the first wrong byte. If the test did not detect this leak, it would detect none.
fn control(runner: &mut CtRunner, rng: &mut BenchRng) {
    let setup = Setup::new();
    for _ in 0..SAMPLES {
        let (class, Forged { right, guess, .. }) = setup.first_or_last(rng);
        runner.run_one(class, || guess.iter().zip(&right).all(|(guess, byte)| guess == byte));
    }
}

ctbench_main!(control, finish, verify, verify_all_or_last);
