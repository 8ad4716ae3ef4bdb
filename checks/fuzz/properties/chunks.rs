use bytes::Bytes;
use http::HeaderMap;
use sha2::{Digest, Sha256};
use twenty_webhook_core::{
    Delivery, Rejection, SIGNATURE_HEADER, Secret, SignatureHeaders, SignedWith, TIMESTAMP_HEADER, UnixMillis, Verifier,
};

use super::textbook::hmac_sha256;

const NOW: UnixMillis = UnixMillis::from_millis(1_789_374_097_412);

/// Any division of a body into chunks is accepted exactly if a textbook HMAC accepts it and the limit allows it. The delivery has the same
/// body.
pub fn check(data: &[u8]) {
    let Some((choices, rest)) = data.split_first_chunk::<4>() else { return };
    let [key, signer, cuts, limit] = choices.map(usize::from);
    let (secrets, rest) = rest.split_at(rest.len().min(key));
    let (cuts, body) = rest.split_at(rest.len().min(cuts));
    // Different keys, shorter and longer than the block size.
    let Ok(secret) = str::from_utf8(secrets) else { return };
    let keys = ["current", "previous", "older", "wrong"].map(|name| format!("{name}{secret}"));
    let [current, previous, older, _] = keys.clone().map(|key| Secret::new(key).unwrap());
    let signer = signer % keys.len();

    let limit = (body.len() + limit).saturating_sub(128);
    let verifier = Verifier::new(current).also_accept(previous).also_accept(older);
    let timestamp = NOW.to_string();
    let signature = hmac_sha256(keys[signer].as_bytes(), &[timestamp.as_bytes(), b":", body].concat());
    let mut headers = HeaderMap::new();
    headers.insert(&TIMESTAMP_HEADER, timestamp.parse().unwrap());
    headers.insert(&SIGNATURE_HEADER, hex::encode(signature).parse().unwrap());

    let expected = match signer {
        0 => Ok(SignedWith::Current),
        3 => Err(Rejection::SignatureMismatch),
        previous => Ok(SignedWith::Previous(previous - 1)),
    };
    let whole = verifier.verify_at(&headers, Bytes::copy_from_slice(body), NOW);
    compare(whole, &expected, body);
    match in_chunks(&verifier, &headers, body, cuts, limit) {
        Err(Rejection::BodyTooLarge { .. }) => assert!(body.len() > limit),
        outcome => {
            assert!(body.len() <= limit);
            compare(outcome, &expected, body);
        }
    }
    let verification = verifier.begin_at(SignatureHeaders::from_map(&headers).unwrap(), NOW).unwrap().body_limit(limit);
    assert_eq!(verification.check_content_length(body.len() as u64).is_ok(), body.len() <= limit);

    // One changed bit is rejected.
    if let (Ok(_), Some(first)) = (&expected, body.first()) {
        let changed = [&[first ^ 1], &body[1..]].concat();
        assert_eq!(verifier.verify_at(&headers, changed, NOW).unwrap_err(), Rejection::SignatureMismatch);
    }
}

fn in_chunks(
    verifier: &Verifier,
    headers: &HeaderMap,
    body: &[u8],
    cuts: &[u8],
    limit: usize,
) -> Result<Delivery, Rejection> {
    let mut verification = verifier.begin_at(SignatureHeaders::from_map(headers)?, NOW)?.body_limit(limit);
    let mut rest = Bytes::copy_from_slice(body);
    for &cut in cuts {
        verification.push(rest.split_to(rest.len().min(cut.into())))?;
    }
    verification.push(rest)?;
    verification.finish()
}

fn compare(verified: Result<Delivery, Rejection>, expected: &Result<SignedWith, Rejection>, body: &[u8]) {
    assert_eq!(&verified.as_ref().map(Delivery::signed_with).map_err(Clone::clone), expected);
    if let Ok(delivery) = verified {
        assert_eq!(delivery.body(), body);
        assert_eq!(delivery.sent_at(), NOW);
        assert_eq!(delivery.id().as_bytes(), <[u8; 32]>::from(Sha256::digest(body)).as_slice());
    }
}
