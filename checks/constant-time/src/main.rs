//! Does it take as long to refuse a signature whichever of its bytes is wrong? By the method of dudect: times of two classes of
//! inputs, in random order, and Welch's t-test between them.
//!
//! The leak that would matter is how much of a guessed signature is right, because then it can be guessed byte by byte. So in both
//! classes the signature is wrong, in one byte only, and refused for the same reason; what differs is which byte. (A right signature
//! against a wrong one would show nothing: the answer itself says which it was.)
//!
//! Each sample has a body of its own, so that the guess is a random text in either class: how long a text takes to be decoded does
//! depend on it, but a sender knows the text that he sent. Everything is made anew, in the same way, before the clock starts.

use std::cell::Cell;

use bytes::Bytes;
use dudect_bencher::rand::RngExt;
use dudect_bencher::{BenchRng, Class, CtRunner, ctbench_main};
use http::{HeaderMap, HeaderValue};
use twenty_webhook_core::{SIGNATURE_HEADER, Secret, SignatureHeaders, Signer, UnixMillis, Verifier};

const SAMPLES: usize = 1_000_000;
const NOW: UnixMillis = UnixMillis::from_millis(1_789_374_097_412);

struct World {
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

impl World {
    fn new() -> Self {
        let secret = Secret::new("9f2c4be07d1a58e36cb0f4a97e21d853").expect("not blank");
        Self { signer: Signer::new(secret.clone()), verifier: Verifier::new(secret) }
    }

    /// `spoil` makes a wrong signature out of the right one, and of 32 random bytes.
    fn forge(&self, rng: &mut BenchRng, spoil: impl Fn(&mut [u8; 32], [u8; 32])) -> Forged {
        let id: [u8; 16] = rng.random();
        let body = format!(r#"{{"eventName":"person.created","record":{{"id":"{}"}}}}"#, hex::encode(id));
        let mut headers = self.signer.sign_at(body.as_bytes(), NOW);
        let mut right = [0; 32];
        hex::decode_to_slice(headers[&SIGNATURE_HEADER].as_bytes(), &mut right).expect("hex");
        let mut guess = right;
        spoil(&mut guess, rng.random());
        headers.insert(&SIGNATURE_HEADER, HeaderValue::from_str(&hex::encode(guess)).expect("hex"));
        Forged { headers, body: body.into(), right, guess }
    }

    /// The first byte is wrong, or the last.
    fn first_or_last(&self, rng: &mut BenchRng) -> (Class, Forged) {
        let (class, at) = if rng.random() { (Class::Left, 0) } else { (Class::Right, 31) };
        (class, self.forge(rng, |signature, random| signature[at] ^= random[0].max(1)))
    }
}

/// The comparison, with as little around it as can be: the end of the MAC.
fn finish(runner: &mut CtRunner, rng: &mut BenchRng) {
    let world = World::new();
    for _ in 0..SAMPLES {
        let (class, forged) = world.first_or_last(rng);
        let headers = SignatureHeaders::from_map(&forged.headers).expect("well-formed");
        let mut verification = world.verifier.begin_at(headers, NOW).expect("fresh");
        verification.push(forged.body).expect("small");
        let verification = Cell::new(Some(verification));
        runner.run_one(class, || verification.take().map(|verification| verification.finish().is_ok()));
    }
}

/// All that a sender can time: headers, MAC and comparison.
fn verify(runner: &mut CtRunner, rng: &mut BenchRng) {
    let world = World::new();
    for _ in 0..SAMPLES {
        let (class, Forged { headers, body, .. }) = world.first_or_last(rng);
        runner.run_one(class, || world.verifier.verify_at(&headers, body.clone(), NOW).is_ok());
    }
}

/// The same, for a signature of which nothing is right, and one of which all but the last byte is.
fn verify_far_and_near(runner: &mut CtRunner, rng: &mut BenchRng) {
    let world = World::new();
    for _ in 0..SAMPLES {
        let far: bool = rng.random();
        // The same work for either class, or it is this which would be seen.
        let spoil = |signature: &mut [u8; 32], random: [u8; 32]| {
            for at in 0..31 {
                signature[at] ^= random[at].max(1) * u8::from(far);
            }
            signature[31] ^= random[31].max(1);
        };
        let Forged { headers, body, .. } = world.forge(rng, spoil);
        let class = if far { Class::Left } else { Class::Right };
        runner.run_one(class, || world.verifier.verify_at(&headers, body.clone(), NOW).is_ok());
    }
}

/// What the others must not do: it stops at the first byte that differs. If this is not seen to leak, nothing would be.
fn control(runner: &mut CtRunner, rng: &mut BenchRng) {
    let world = World::new();
    for _ in 0..SAMPLES {
        let (class, Forged { right, guess, .. }) = world.first_or_last(rng);
        runner.run_one(class, || guess.iter().zip(&right).all(|(guess, byte)| guess == byte));
    }
}

ctbench_main!(control, finish, verify, verify_far_and_near);
