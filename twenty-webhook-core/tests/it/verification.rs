//! Verification of a body in chunks, and the resulting `Delivery`.

use std::time::Duration;

use bytes::Bytes;
use http::HeaderMap;
use proptest::prelude::*;
use twenty_webhook_core::{
    Delivery, DeliveryId, Rejection, Secret, Signature, SignatureHeaders, SignedWith, Signer, Tolerance, UnixMillis,
    Verification, Verifier,
};

const NOW: UnixMillis = UnixMillis::from_millis(1_789_374_097_412);

fn secret(text: &str) -> Secret {
    Secret::new(text).unwrap()
}

fn headers(body: &[u8]) -> HeaderMap {
    Signer::new(secret("current")).sign_at(body, NOW)
}

fn begin(verifier: &Verifier, headers: &HeaderMap) -> Verification {
    verifier.begin_at(SignatureHeaders::from_map(headers).unwrap(), NOW).unwrap()
}

fn chunked(verifier: &Verifier, headers: &HeaderMap, chunks: &[&[u8]]) -> Result<Delivery, Rejection> {
    let mut verification = begin(verifier, headers);
    for chunk in chunks {
        verification.push(Bytes::copy_from_slice(chunk))?;
    }
    verification.finish()
}

#[test]
fn a_body_of_one_chunk_is_not_copied() {
    let body = Bytes::from(b"one chunk".to_vec());
    let mut verification = begin(&secret("current").into(), &headers(&body));
    verification.push(Bytes::new()).unwrap();
    verification.push(body.clone()).unwrap();
    verification.push(Bytes::new()).unwrap();
    assert_eq!(verification.finish().unwrap().body().as_ptr(), body.as_ptr());
}

#[test]
fn the_limit_is_enforced_on_every_push() {
    let body = b"0123456789";
    let limited = || begin(&Verifier::new(secret("current")), &headers(body)).body_limit(10);
    let push = |chunks: &[&'static [u8]]| {
        let mut verification = limited();
        chunks.iter().try_for_each(|chunk| verification.push(Bytes::from_static(chunk)))?;
        verification.finish()
    };
    let is_too_large = |rejection: Rejection| matches!(rejection, Rejection::BodyTooLarge { limit: 10, .. });
    assert!(push(&[body]).is_ok());
    assert!(push(&[b"01234", b"56789"]).is_ok());
    assert!(is_too_large(push(&[b"0123456789a"]).unwrap_err()));
    assert!(is_too_large(push(&[b"01234", b"56789", b"a"]).unwrap_err()));

    // A rejected chunk is not part of the body.
    let mut verification = limited();
    verification.push(Bytes::from_static(b"01234")).unwrap();
    assert!(is_too_large(verification.push(Bytes::from_static(b"567890")).unwrap_err()));
    verification.push(Bytes::from_static(b"56789")).unwrap();
    assert_eq!(verification.finish().unwrap().body(), &body[..]);
}

#[test]
fn a_limit_can_be_lowered_later() {
    let mut verification = begin(&Verifier::new(secret("current")), &headers(b""));
    verification.push(Bytes::from_static(b"0123456789")).unwrap();
    assert!(verification.body_limit(5).push(Bytes::from_static(b"x")).is_err());
}

#[test]
fn the_content_length_is_checked_before_the_body() {
    let verification = begin(&Verifier::new(secret("current")), &headers(b"")).body_limit(10);
    assert_eq!(verification.check_content_length(10), Ok(()));
    for length in [11, u64::from(u32::MAX) + 1, u64::MAX] {
        assert!(matches!(verification.check_content_length(length), Err(Rejection::BodyTooLarge { limit: 10, .. })));
    }
}

#[test]
fn a_delivery_names_the_secret_that_signed_it() {
    let verifier = Verifier::new(secret("current")).also_accept(secret("previous")).also_accept(secret("oldest"));
    for (signer, signed_with) in [
        ("current", Some(SignedWith::Current)),
        ("previous", Some(SignedWith::Previous(0))),
        ("oldest", Some(SignedWith::Previous(1))),
        ("another", None),
    ] {
        let headers = Signer::new(secret(signer)).sign_at(b"body in pieces", NOW);
        let delivery = chunked(&verifier, &headers, &[b"body ", b"in ", b"pieces"]);
        assert_eq!(delivery.ok().map(|delivery| delivery.signed_with()), signed_with, "{signer}");
    }
}

#[test]
fn a_delivery_has_the_body_and_the_time_it_was_sent() {
    let tolerance = Tolerance { past: Duration::from_secs(60), future: Duration::from_secs(1) };
    let verifier = Verifier::new(secret("current")).tolerance(tolerance);
    let delivery = verifier.verify_at(&headers(b"body"), b"body".as_slice(), NOW).unwrap();
    assert_eq!(delivery.body(), &b"body"[..]);
    assert_eq!(delivery.sent_at(), NOW);
    assert_eq!(delivery.expires_at().as_millis(), NOW.as_millis() + 60_000);
    assert_eq!(delivery.id(), DeliveryId::of(b"body"));
    // echo -n body | sha256sum
    let id = "230d8358dc8e8890b4c58deeb62912ee2f20357ae92a5cc861b98e68fe31acb5";
    assert_eq!(delivery.id().to_string(), id);
    assert_eq!(format!("{:?}", delivery.id()), format!("DeliveryId({id})"));
    assert_eq!(id.parse(), Ok(delivery.id()));
    for wrong in ["", &id[1..], &format!("{id}0"), &id.replace('2', "g")] {
        assert_eq!(wrong.parse::<DeliveryId>().unwrap_err().to_string(), "a delivery id is 64 hex digits");
    }
}

#[test]
fn an_endless_tolerance_does_not_overflow() {
    let verifier = Verifier::new(secret("current")).tolerance(Tolerance::both(Duration::MAX));
    for sent in [0, 1, u64::MAX] {
        let headers = Signer::new(secret("current")).sign_at(b"body", UnixMillis::from_millis(sent));
        for now in [0, u64::MAX] {
            let delivery = verifier.verify_at(&headers, b"body".as_slice(), UnixMillis::from_millis(now)).unwrap();
            assert_eq!(delivery.expires_at(), UnixMillis::from_millis(u64::MAX));
        }
    }
}

#[test]
fn a_nonce_that_is_not_16_bytes_is_absent() {
    let nonce = |text: Option<&str>| {
        let mut headers = headers(b"body");
        headers.remove("x-twenty-webhook-nonce");
        if let Some(text) = text {
            headers.insert("x-twenty-webhook-nonce", text.parse().unwrap());
        }
        let verifier = Verifier::new(secret("current"));
        verifier.verify_at(&headers, b"body".as_slice(), NOW).unwrap().untrusted_nonce()
    };
    let sixteen = "000102030405060708090a0b0c0d0e0f";
    assert_eq!(nonce(Some(sixteen)), Some([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15]));
    for none in [None, Some(""), Some("00"), Some(&sixteen[1..]), Some("not a nonce, and more than 32 bytes long")] {
        assert_eq!(nonce(none), None, "{none:?}");
    }
}

#[test]
fn seconds_in_place_of_milliseconds_are_not_reported_as_a_late_delivery() {
    let verifier = Verifier::new(secret("current"));
    let rejection = |sent| {
        let headers = Signer::new(secret("current")).sign_at(b"", UnixMillis::from_millis(sent));
        verifier.verify_at(&headers, Bytes::new(), NOW).unwrap_err().to_string()
    };
    let hint = "is it in seconds? Twenty sends milliseconds";
    assert!(rejection(NOW.as_millis() / 1000).ends_with(hint));
    let late = "stale timestamp: sent 301s ago, and the tolerance is 300s; was it replayed, did a proxy or a queue delay it, or is this \
                machine's clock wrong?";
    assert_eq!(rejection(NOW.as_millis() - 301_000), late);
}

proptest! {
    /// Any division into chunks gives the same result as one call.
    #[test]
    fn chunks_make_no_difference(body: Vec<u8>, cuts: Vec<prop::sample::Index>, change: Option<prop::sample::Index>) {
        let verifier = Verifier::new(secret("current")).also_accept(secret("previous"));
        let headers = headers(&body);
        let mut received = body.clone();
        if let Some(at) = change.filter(|_| !body.is_empty()) {
            received[at.index(body.len())] ^= 1;
        }
        let mut cuts: Vec<_> = cuts.iter().map(|cut| cut.index(received.len() + 1)).collect();
        cuts.sort_unstable();

        let mut verification = begin(&verifier, &headers);
        let mut rest = Bytes::from(received.clone());
        for cut in cuts {
            verification.push(rest.split_to(cut - (received.len() - rest.len()))).unwrap();
        }
        verification.push(rest).unwrap();
        let in_chunks = verification.finish();
        let in_one = verifier.verify_at(&headers, received.clone(), NOW);

        prop_assert_eq!(in_one.is_ok(), received == body);
        match (in_chunks, in_one) {
            (Ok(chunks), Ok(one)) => {
                prop_assert_eq!(chunks.body(), one.body());
                prop_assert_eq!(chunks.id(), one.id());
            }
            (chunks, one) => prop_assert_eq!(chunks.unwrap_err(), one.unwrap_err()),
        }
    }

    /// Any value of any header gives a result.
    #[test]
    fn no_header_panics(signature: Vec<u8>, timestamp: Vec<u8>, nonce: Vec<u8>, now: u64) {
        let read = SignatureHeaders::read([
            ("X-Twenty-Webhook-Signature", signature.as_slice()),
            ("X-Twenty-Webhook-Timestamp", timestamp.as_slice()),
            ("X-Twenty-Webhook-Nonce", nonce.as_slice()),
        ]);
        if let Ok(headers) = read {
            let _ = Verifier::new(secret("s")).begin_at(headers, UnixMillis::from_millis(now));
        }
    }
}

#[test]
fn both_edges_of_the_tolerance_are_inclusive() {
    let tolerance = Tolerance { past: Duration::from_millis(300), future: Duration::from_millis(20) };
    let verifier = Verifier::new(secret("current")).tolerance(tolerance);
    let at = |millis: u64| {
        let now = UnixMillis::from_millis(millis);
        verifier.verify_at(&headers(b"body"), b"body".as_slice(), now).map(|_| ()).map_err(|rejection| rejection.code())
    };
    let sent_at = NOW.as_millis();
    assert_eq!(at(sent_at + 301), Err("stale_timestamp"));
    assert_eq!(at(sent_at + 300), Ok(()));
    assert_eq!(at(sent_at - 20), Ok(()));
    assert_eq!(at(sent_at - 21), Err("future_timestamp"));
    assert_eq!(at(sent_at - 200), Err("future_timestamp"));
}

#[test]
fn a_timestamp_is_up_to_twenty_digits_and_nothing_else() {
    let read = |timestamp: &str| {
        let mut headers = headers(b"body");
        headers.insert("x-twenty-webhook-timestamp", timestamp.parse().unwrap());
        SignatureHeaders::from_map(&headers).map(|_| ()).map_err(|rejection| rejection.code())
    };
    for timestamp in ["0", "00000000000000000001", "18446744073709551615"] {
        assert_eq!(read(timestamp), Ok(()), "{timestamp}");
    }
    for timestamp in ["", "+1", "-1", "1.0", "0x1", "000000000000000000001", "18446744073709551616"] {
        assert_eq!(read(timestamp), Err("malformed_timestamp"), "{timestamp}");
    }
}

#[test]
fn a_signature_is_64_hex_digits_and_nothing_else() {
    let digits = *b"0123456789abcdefABCDEF0123456789abcdefABCDEF0123456789abcdefABCD";
    assert_eq!(Signature::from_hex(&digits).unwrap().to_hex().as_bytes(), digits.to_ascii_lowercase());
    assert!(Signature::from_hex(&digits[1..]).is_none());
    assert!(Signature::from_hex(&[digits.as_slice(), b"0"].concat()).is_none());
    for at in 0..64 {
        for byte in 0..=u8::MAX {
            // One digit, and both digits of a byte.
            for len in 1..=2 {
                let mut text = digits;
                text[at..64.min(at + len)].fill(byte);
                assert_eq!(Signature::from_hex(&text).is_some(), byte.is_ascii_hexdigit(), "{byte} at {at}");
            }
        }
    }
}

#[test]
fn other_headers_are_ignored() {
    let mut headers = headers(b"body");
    for name in ["host", "accept", "x-twenty-webhook", "x-twenty-webhook-nonce-2"] {
        headers.insert(name, "text".parse().unwrap());
    }
    assert!(SignatureHeaders::from_map(&headers).is_ok());
    headers.append("x-twenty-webhook-nonce", "text".parse().unwrap());
    assert_eq!(SignatureHeaders::from_map(&headers).unwrap_err().code(), "repeated_header");
}
