//! Runs a case a number of times, so that `count` can count its instructions: `instructions CASE TIMES`.

use std::hint::black_box;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, header};
use twenty_webhook_core::records::Person;
use twenty_webhook_core::{Secret, SignatureHeaders, Signer, UnixMillis, Verifier, WebhookEvent};

const NOW: UnixMillis = UnixMillis::from_millis(1_789_374_097_412);

fn main() {
    let mut args = std::env::args().skip(1);
    let case = args.next().expect("which case");
    let times: u32 = args.next().and_then(|times| times.parse().ok()).expect("how many times");

    let secret = Secret::new("s3cret").expect("it is not blank");
    let body = Bytes::from(include_bytes!("../../../../tests/vectors/02-person-updated-fields.json").to_vec());
    let headers = headers(&Signer::new(secret.clone()), &body);
    let verifier = Verifier::new(secret);
    let event = WebhookEvent::from_stored(body.clone()).expect("it is an event");

    let run: &dyn Fn() = match case.as_str() {
        "headers" => &|| drop(black_box(SignatureHeaders::from_map(black_box(&headers)))),
        "verify" => &|| drop(black_box(verifier.verify_at(&headers, body.clone(), NOW).expect("it is signed"))),
        "event" => &|| drop(black_box(WebhookEvent::from_stored(body.clone()).expect("it is an event"))),
        "person" => &|| drop(black_box(event.record::<Person>().expect("it is a person"))),
        _ => panic!("there is no case {case}"),
    };
    for _ in 0..times {
        run();
    }
}

/// As axios sends them.
fn headers(signer: &Signer, body: &[u8]) -> HeaderMap {
    let mut headers = signer.sign_at(body, NOW);
    for (name, value) in [
        (header::HOST, "hooks.example.test"),
        (header::ACCEPT, "application/json, text/plain, */*"),
        (header::CONTENT_TYPE, "application/json"),
        (header::USER_AGENT, "axios/1.13.2"),
        (header::ACCEPT_ENCODING, "gzip, compress, deflate, br"),
        (header::CONNECTION, "keep-alive"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    headers.insert(header::CONTENT_LENGTH, body.len().into());
    headers
}
