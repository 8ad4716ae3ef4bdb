//! Bugs that were found in other receivers, and that this project must not have.
//!
//! Two more are tested elsewhere: 11, a verified duplicate is answered 401 or recognised by an unsigned header, in `replays`; 12, spans
//! record the payload, in `logs`.

use std::convert::Infallible;
use std::io;
use std::iter;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use actix_web::test::TestRequest;
use axum::Router;
use axum::body::Body;
use axum::http::{Request, Response, StatusCode};
use axum::routing::post;
use bytes::Bytes;
use http_body::{Frame, SizeHint};
use tower::limit::ConcurrencyLimitLayer;
use tower::{Service, ServiceBuilder, ServiceExt, service_fn};
use twenty_webhook_axum::TwentyWebhookLayer;
use twenty_webhook_core::{
    Rejection, Signature, SignatureHeaders, Signer, Tolerance, UnixMillis, Verifier, WebhookConfig,
};

use crate::receivers::{HANDLED, STREAMING, counted, pieces};
use crate::samples::{BODY, NOW, secret, signed};

/// 1. An unauthenticated `Content-Length` of 4 PB aborted the process, because the buffer was preallocated from the size hint.
#[actix_web::test]
async fn no_buffer_is_preallocated_from_the_announced_length() {
    struct Liar(Option<Bytes>, u64);
    impl http_body::Body for Liar {
        type Data = Bytes;
        type Error = Infallible;

        fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
            Poll::Ready(self.0.take().map(|data| Ok(Frame::data(data))))
        }

        fn size_hint(&self) -> SizeHint {
            SizeHint::with_exact(self.1)
        }
    }

    let app = Router::new().route("/", post(StatusCode::NO_CONTENT).layer(axum_layer()));
    for (announced, status) in [
        (4_000_000_000_000_000, StatusCode::PAYLOAD_TOO_LARGE),
        (WebhookConfig::DEFAULT_BODY_LIMIT as u64, StatusCode::NO_CONTENT),
    ] {
        let mut request = Request::post("/").body(Body::new(Liar(Some(BODY.into()), announced))).unwrap();
        request.headers_mut().extend(Signer::new(secret()).sign(BODY.as_bytes()));
        assert_eq!(app.clone().oneshot(request).await.unwrap().status(), status);
    }
}

/// 2. A broken body kept two cores busy without end, because errors of frames were ignored.
#[actix_web::test]
async fn a_broken_body_is_rejected_and_not_polled_again() {
    for receiver in STREAMING {
        let broken =
            iter::once(Ok(Bytes::from_static(b"{\"event"))).chain(iter::repeat_with(|| Err(io::Error::other("reset"))));
        let (body, polls) = counted(broken);
        let answer = (receiver.receive)(signed(BODY, NOW), body).await;
        assert_eq!(answer.rejection.unwrap().to_string(), "the body is incomplete: reset", "{}", receiver.name);
        assert_eq!(answer.status, 400, "{}", receiver.name);
        assert_eq!(polls.count(), 2, "{}", receiver.name);
        assert!(answer.handled.is_empty(), "{}", receiver.name);
    }
}

/// 3. A panic under `ConcurrencyLimit`, because a new clone was called instead of the service that was ready.
#[actix_web::test]
async fn the_ready_service_is_the_one_that_is_called() {
    let handler = service_fn(async |_: Request<Body>| Ok::<_, Infallible>(Response::new(Body::empty())));
    let mut service = ServiceBuilder::new()
        .layer(TwentyWebhookLayer::new(WebhookConfig::new(secret()).without_replay_guard()))
        .layer(ConcurrencyLimitLayer::new(1))
        .service(handler);
    for _ in 0..3 {
        let mut request = Request::post("/").body(Body::from(BODY)).unwrap();
        request.headers_mut().extend(Signer::new(secret()).sign(BODY.as_bytes()));
        let response = service.ready().await.unwrap().call(request).await.unwrap();
        assert_eq!(response.status(), StatusCode::OK);
    }
}

/// 4. A panic on `now - timestamp`, before the MAC was checked.
#[test]
fn no_timestamp_and_no_clock_overflow() {
    let times = ["-9223372036854775808", "9223372036854775807", "18446744073709551615", "0"];
    let clocks = [0, 1, NOW.as_millis(), i64::MAX as u64, u64::MAX];
    let tolerances = [Duration::ZERO, Duration::from_millis(1), Duration::MAX];
    for time in times {
        for now in clocks {
            for tolerance in tolerances {
                let mut headers = Signer::new(secret()).sign(BODY.as_bytes());
                headers.insert("x-twenty-webhook-timestamp", time.parse().unwrap());
                let verifier = Verifier::new(secret()).tolerance(Tolerance::both(tolerance));
                let delivery = verifier.verify_at(&headers, BODY, UnixMillis::from_millis(now));
                assert!(delivery.is_err(), "{time} at {now}: it was signed at another time");
            }
        }
    }
}

/// 5. The limit was checked after collecting, so a chunked body was not bounded.
#[actix_web::test]
async fn an_endless_body_is_rejected_at_the_limit() {
    const CHUNK: usize = 16 * 1024;
    for receiver in STREAMING {
        let (body, polls) = counted(iter::repeat_with(|| Ok(Bytes::from_static(&[b' '; CHUNK]))));
        let answer = (receiver.receive)(signed(BODY, NOW), body).await;
        assert_eq!(answer.rejection.unwrap().code(), "body_too_large", "{}", receiver.name);
        assert_eq!(polls.count(), WebhookConfig::DEFAULT_BODY_LIMIT / CHUNK + 1, "{}", receiver.name);
    }
}

/// 6. On actix, the 256 KiB limit of `PayloadConfig` answered 400 instead of the receiver's own limit.
#[actix_web::test]
async fn the_frameworks_own_limits_do_not_reject_a_large_event() {
    let body = format!(r#"{{"eventName":"person.created","record":{{"note":"{}"}}}}"#, "x".repeat(700 * 1024));
    let case = signed(&body, NOW);
    for receiver in STREAMING {
        let (stream, _) = counted(pieces(&case.body, 6).into_iter().map(Ok));
        assert_eq!((receiver.receive)(case.clone(), stream).await.status, HANDLED, "{}", receiver.name);
    }
}

/// 7. A layer that verified nothing unless the extractor was used.
#[actix_web::test]
async fn a_handler_without_an_extractor_is_protected_too() {
    let handler = async || -> StatusCode { panic!("the handler runs") };
    let app = Router::new().route("/", post(handler).layer(axum_layer()));
    let response = app.oneshot(Request::post("/").body(Body::from(BODY)).unwrap()).await.unwrap();
    assert_eq!(response.status(), StatusCode::UNAUTHORIZED);

    let handler = async || -> actix_web::HttpResponse { panic!("the handler runs") };
    let webhook = twenty_webhook_actix::TwentyWebhookMiddleware::new(secret());
    let app = actix_web::App::new()
        .service(actix_web::web::resource("/").wrap(webhook).route(actix_web::web::post().to(handler)));
    let app = actix_web::test::init_service(app).await;
    let request = TestRequest::post().uri("/").set_payload(BODY).to_request();
    assert_eq!(actix_web::test::call_service(&app, request).await.status().as_u16(), 401);
}

/// 8. A truncated signature passed, because it was compared over the shorter length.
#[test]
fn a_truncated_signature_is_rejected() {
    let headers = Signer::new(secret()).sign_at(BODY.as_bytes(), NOW);
    let signature = headers["x-twenty-webhook-signature"].as_bytes();
    for len in 0..64 {
        assert!(Signature::from_hex(&signature[..len]).is_none(), "{len} digits");
    }
    assert!(Signature::from_hex(signature).is_some());
    for list in ["v1,", "v1=", "sha256=", ","] {
        let mut headers = headers.clone();
        headers.insert("x-twenty-webhook-signature", list.parse().unwrap());
        let rejected = SignatureHeaders::from_map(&headers).unwrap_err();
        assert!(matches!(rejected, Rejection::MalformedSignature { len, .. } if len == list.len()));
    }
}

/// 9. A tolerance of 0 meant "the default" in one call, and "off" in another.
#[test]
fn a_tolerance_of_zero_means_zero() {
    let verifier = Verifier::new(secret()).tolerance(Tolerance::both(Duration::ZERO));
    let headers = Signer::new(secret()).sign_at(BODY.as_bytes(), NOW);
    let at = |millis| verifier.verify_at(&headers, BODY, UnixMillis::from_millis(millis)).map(|_| ());
    let millisecond = Duration::from_millis(1);
    assert_eq!(at(NOW.as_millis()), Ok(()));
    let late = at(NOW.as_millis() + 1).unwrap_err();
    assert!(matches!(late, Rejection::StaleTimestamp { age, .. } if age == millisecond), "{late}");
    let early = at(NOW.as_millis() - 1).unwrap_err();
    assert!(matches!(early, Rejection::FutureTimestamp { ahead, .. } if ahead == millisecond), "{early}");
}

/// 10. A missing verifier fell back to accepting everything.
#[actix_web::test]
async fn without_a_layer_or_a_config_nothing_is_handled() {
    let handler = async |_: twenty_webhook_axum::Webhook| -> StatusCode { panic!("the handler runs") };
    let mut request = Request::post("/").body(Body::from(BODY)).unwrap();
    request.headers_mut().extend(Signer::new(secret()).sign(BODY.as_bytes()));
    let response = Router::new().route("/", post(handler)).oneshot(request).await.unwrap();
    assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);

    let handler = async |_: twenty_webhook_actix::Webhook| -> actix_web::HttpResponse { panic!("the handler runs") };
    let app = actix_web::App::new().route("/", actix_web::web::post().to(handler));
    let app = actix_web::test::init_service(app).await;
    let mut request = TestRequest::post().uri("/").set_payload(BODY);
    for (name, value) in &Signer::new(secret()).sign(BODY.as_bytes()) {
        request = request.insert_header((name.as_str(), value.as_bytes()));
    }
    assert_eq!(actix_web::test::call_service(&app, request.to_request()).await.status().as_u16(), 500);
}

fn axum_layer() -> TwentyWebhookLayer {
    TwentyWebhookLayer::new(secret())
}
