//! Signed requests: openssl computes the same signature, and a receiver rejects changes.

use std::io::Write;
use std::process::{Command, Stdio};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, header};
use twenty_webhook_core::{Secret, Verifier};
use twenty_webhook_testing::{FakeTwenty, ReceiverResponse, SignedRequest, Tamper, TestClock, event};

use crate::support::Receiver;

/// The HMAC of `timestamp:body`, computed by openssl.
pub(crate) fn openssl(secret: &str, timestamp: &[u8], body: &[u8]) -> String {
    let mut openssl = Command::new("openssl")
        .args(["dgst", "-sha256", "-hmac", secret, "-r"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("openssl is installed");
    openssl.stdin.take().unwrap().write_all(&[timestamp, b":", body].concat()).unwrap();
    let output = openssl.wait_with_output().unwrap();
    String::from_utf8(output.stdout).unwrap().split(' ').next().unwrap().to_owned()
}

#[test]
fn openssl_agrees_with_the_signature_of_a_request() {
    let request = event("person.created").signed_with(&Secret::new("s3cret").unwrap());
    let headers = request.headers();
    let signature = openssl("s3cret", headers["x-twenty-webhook-timestamp"].as_bytes(), &request.body());
    assert_eq!(headers["x-twenty-webhook-signature"], signature);
}

#[tokio::test]
async fn openssl_agrees_with_the_signature_of_a_delivery() {
    let receiver = Receiver::start().await;
    let twenty = FakeTwenty::start();
    twenty.add_webhook(receiver.at("/204"), ["*.*"], "It's a Secret to Everybody");
    twenty.create("person", serde_json::json!({}));
    twenty.idle().await;
    let [arrived] = &receiver.arrived()[..] else { panic!("one delivery") };
    let timestamp = arrived.headers["x-twenty-webhook-timestamp"].as_bytes();
    let signature = openssl("It's a Secret to Everybody", timestamp, &arrived.body);
    assert_eq!(arrived.headers["x-twenty-webhook-signature"], signature);
}

#[test]
fn a_receiver_rejects_a_changed_request_and_ignores_the_nonce() {
    let (clock, secret) = (TestClock::default(), Secret::new("s3cret").unwrap());
    let verifier = Verifier::new(secret.clone()).clock(clock.clock());
    let request = event("person.created").signed_with(&secret).sent_at(clock.now());
    let verify = |request: &SignedRequest| {
        verifier.verify(&request.headers(), request.body()).map(|delivery| delivery.id()).map_err(|error| error.code())
    };
    let id = verify(&request).unwrap();
    for what in [Tamper::Body, Tamper::Signature, Tamper::Timestamp] {
        assert_eq!(verify(&request.clone().tampered(what)), Err("signature_mismatch"), "{what:?}");
    }
    assert_eq!(verify(&request.clone().tampered(Tamper::Nonce)), Ok(id));
    assert_eq!(verify(&request.clone().nonce("not even hex")), Ok(id));
    assert_eq!(verify(&request.clone().age(Duration::from_secs(301))), Err("stale_timestamp"));
    assert_eq!(verify(&request.clone().age(Duration::from_secs(300))), Ok(id));
    let rerun = request.rerun();
    assert_eq!(verify(&rerun), Ok(id));
    assert_ne!(rerun.headers()["x-twenty-webhook-signature"], request.headers()["x-twenty-webhook-signature"]);
    assert_eq!(request.clone().headers(), request.headers());
}

#[test]
fn the_request_is_the_same_for_a_framework_and_for_a_socket() {
    let request = event("person.created")
        .signed_with(&Secret::new("s3cret").unwrap())
        .path("/hooks?tenant=acme")
        .header(header::CONTENT_TYPE, HeaderValue::from_static("text/plain"));
    let http: http::Request<Bytes> = request.http();
    assert_eq!((http.method().as_str(), http.uri().to_string().as_str()), ("POST", "/hooks?tenant=acme"));
    assert_eq!(http.headers()["content-type"], "text/plain");
    assert_eq!(http.body(), &request.body());

    let raw = String::from_utf8(request.raw("localhost")).unwrap();
    let (head, body) = raw.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("POST /hooks?tenant=acme HTTP/1.1\r\nHost: localhost\r\n"), "{head}");
    assert!(head.contains(&format!("Content-Length: {}", body.len())) && body.as_bytes() == request.body());
}

#[test]
fn failed_assertions_show_the_answer() {
    let response = |status: u16| http::Response::builder().status(status).body(()).unwrap();
    response(204).assert_handled();
    response(500).assert_failed();
    let message = |assert: fn(&http::Response<()>), response: http::Response<()>| {
        let panic = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| assert(&response))).unwrap_err();
        panic.downcast_ref::<String>().unwrap().clone()
    };
    let rejected = {
        let rejection = Verifier::new(Secret::new("s").unwrap()).verify(&HeaderMap::new(), Bytes::new()).unwrap_err();
        let mut response = response(401);
        response.extensions_mut().insert(rejection);
        response
    };
    rejected.assert_rejected("unsigned");
    assert!(message(|response| response.assert_handled(), response(500)).starts_with("not handled: 500"));
    assert!(message(|response| response.assert_failed(), response(200)).contains("200 without a rejection"));
    assert!(message(|response| response.assert_handled(), rejected.clone()).contains("401, `unsigned`"));
    assert!(message(|response| response.assert_failed(), rejected.clone()).contains("401, `unsigned`"));
    assert!(
        message(|response| response.assert_rejected("stale_timestamp"), rejected)
            .contains("expected `stale_timestamp`")
    );
    assert!(message(|response| response.assert_rejected("unsigned"), response(401)).contains("without a rejection"));
    assert!(message(|response| response.assert_duplicate(), response(200)).contains("already_completed"));
}
