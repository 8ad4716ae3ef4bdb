//! What an adapter does besides calling the core: deadlines, spans, readiness, extraction, logs.

use std::convert::Infallible;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::body::Body;
use axum::http::{Request, Response, StatusCode};
use axum::routing::post;
use axum::{Extension, Router};
use bytes::Bytes;
use futures_util::{FutureExt, StreamExt, stream};
use tokio::sync::Notify;
use tokio::time::Instant;
use tower::limit::ConcurrencyLimitLayer;
use tower::{ServiceBuilder, ServiceExt, service_fn};
use twenty_webhook_actix::WebhookConfig;
use twenty_webhook_axum::TwentyWebhookLayer;
use twenty_webhook_core::{Clock, Signer, Verifier, WebhookEvent};

use crate::logs::Log;
use crate::receivers::STREAMING;
use crate::receivers::service::{self, Handler};
use crate::samples::{BODY, NOW, secret, signed};

#[actix_web::test]
async fn a_body_that_never_arrives_is_rejected_at_the_deadline() {
    tokio::time::pause();
    let deadline = Duration::from_secs(5);
    let beginning = || stream::iter([Ok(Bytes::from_static(b"{\"event"))]);
    for receiver in STREAMING {
        let started = Instant::now();
        let answer = (receiver.receive)(signed(BODY, NOW), beginning().chain(stream::pending()).boxed()).await;
        assert_eq!(answer.rejection.unwrap().code(), "body_timeout", "{}", receiver.name);
        assert_eq!(answer.status, 408, "{}", receiver.name);
        assert!(answer.handled.is_empty(), "{}", receiver.name);
        let elapsed = started.elapsed();
        assert!((deadline..deadline * 2).contains(&elapsed), "{}: {elapsed:?}", receiver.name);
    }
}

/// Endless empty chunks never reach the size limit.
#[actix_web::test]
async fn a_body_that_is_always_ready_is_rejected_at_the_deadline() {
    let deadline = Duration::from_millis(50);
    let config = WebhookConfig::new(verifier()).body_deadline(deadline);
    for service in [
        service::axum(config.clone(), unreachable()),
        service::actix(config.clone(), unreachable(), true).await,
        service::actix(config, unreachable(), false).await,
    ] {
        let empty = stream::repeat_with(|| Ok(Bytes::new())).boxed();
        let answer = service.send_chunks(&signed(BODY, NOW), empty).await;
        assert_eq!(answer.rejection.unwrap().code(), "body_timeout", "{}", service.name);
    }
}

/// The handler runs in its own task, and its log lines still belong to the request.
#[actix_web::test]
async fn the_handler_runs_in_the_callers_span() {
    let _log = Log::start();
    let seen = Arc::new(Mutex::new(Vec::new()));
    let handler: Handler = {
        let seen = seen.clone();
        Arc::new(move |_| {
            let seen = seen.clone();
            async move {
                seen.lock().unwrap().push(tracing::Span::current().metadata().map(tracing::Metadata::name));
                204
            }
            .boxed()
        })
    };
    for service in [
        service::axum(WebhookConfig::new(verifier()).without_replay_guard(), handler.clone()),
        service::actix(WebhookConfig::new(verifier()).without_replay_guard(), handler.clone(), true).await,
    ] {
        let span = tracing::info_span!("request");
        tracing::Instrument::instrument(service.send(&signed(BODY, NOW)), span).await;
    }
    assert_eq!(*seen.lock().unwrap(), [Some("request"), Some("request")]);
}

fn verifier() -> Verifier {
    Verifier::new(secret()).clock(Clock::new(|| NOW))
}

fn unreachable() -> Handler {
    Arc::new(|_| panic!("the handler runs"))
}

/// Readiness may hold a permit, and any client can send plausible headers without a body.
#[tokio::test(start_paused = true)]
async fn an_unverified_request_holds_no_concurrency_permit() {
    let handler = service_fn(async |_: Request<Body>| Ok::<_, Infallible>(Response::new(Body::empty())));
    let service = ServiceBuilder::new()
        .layer(TwentyWebhookLayer::new(verifier()))
        .layer(ConcurrencyLimitLayer::new(1))
        .service(handler);
    let request = |body| {
        let mut request = Request::post("/").body(body).unwrap();
        request.headers_mut().extend(Signer::new(secret()).sign_at(BODY.as_bytes(), NOW));
        request
    };
    let stalled = Body::from_stream(stream::pending::<Result<Bytes, Infallible>>());
    let mut stalled = Box::pin(service.clone().oneshot(request(stalled)));
    assert!(stalled.as_mut().now_or_never().is_none());
    let started = Instant::now();
    let response = service.oneshot(request(Body::from(BODY))).await.unwrap();
    assert_eq!((response.status(), started.elapsed()), (StatusCode::OK, Duration::ZERO));
}

/// Without its sender, a handler has no connection that the server could wait for.
#[tokio::test]
async fn drained_waits_for_a_handler_whose_sender_has_hung_up() {
    let layer = TwentyWebhookLayer::new(verifier());
    let (started, proceed, finished) =
        (Arc::new(Notify::new()), Arc::new(Notify::new()), Arc::new(AtomicBool::new(false)));
    let handler: Handler = {
        let (started, proceed, finished) = (started.clone(), proceed.clone(), finished.clone());
        Arc::new(move |_| {
            let (started, proceed, finished) = (started.clone(), proceed.clone(), finished.clone());
            async move {
                started.notify_one();
                proceed.notified().await;
                finished.store(true, Ordering::SeqCst);
                204
            }
            .boxed()
        })
    };
    let service = service::axum(layer.clone(), handler);
    layer.drained().await;
    tokio::select! {
        answer = service.send(&signed(BODY, NOW)) => panic!("{answer:?}"),
        () = started.notified() => {}
    }
    let mut drained = Box::pin(layer.drained());
    assert!(drained.as_mut().now_or_never().is_none(), "the handler is running");
    proceed.notify_one();
    drained.await;
    assert!(finished.load(Ordering::SeqCst));
}

/// Not even if another layer put it into the extensions.
#[actix_web::test]
async fn an_event_that_was_not_verified_is_not_extracted() {
    let forged = WebhookEvent::from_stored(BODY).unwrap();

    let handler = async |_: twenty_webhook_axum::Webhook| -> StatusCode { panic!("the handler runs") };
    let app = Router::new().route("/", post(handler)).layer(Extension(forged.clone()));
    let response = app.oneshot(Request::post("/").body(Body::empty()).unwrap()).await.unwrap();
    assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);

    let handler = async |_: twenty_webhook_actix::Webhook| -> actix_web::HttpResponse { panic!("the handler runs") };
    let app = actix_web::App::new().route("/", actix_web::web::post().to(handler));
    let app = actix_web::test::init_service(app).await;
    let request = actix_web::test::TestRequest::post().uri("/").to_request();
    actix_web::HttpMessage::extensions_mut(&request).insert(forged);
    assert_eq!(actix_web::test::call_service(&app, request).await.status().as_u16(), 500);
}

/// A sender that has hung up does not see the answer, so the log must show the failure.
#[actix_web::test]
async fn a_failed_handler_is_logged() {
    let log = Log::start();
    let handler: Handler = Arc::new(|_| async { 502 }.boxed());
    for service in [
        service::axum(TwentyWebhookLayer::new(verifier()), handler.clone()),
        service::actix(WebhookConfig::new(verifier()), handler.clone(), true).await,
    ] {
        service.send(&signed(BODY, NOW)).await;
    }
    let failed =
        "Twenty webhook handler failed: the next copy of this delivery will be accepted status=502 path=/ delivery_id=";
    assert_eq!(log.text().matches(failed).count(), 2, "{}", log.text());
}
