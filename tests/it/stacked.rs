//! Two layers or middlewares around one handler, as nested routers may have.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use actix_web::{App, HttpResponse, web};
use axum::Router;
use axum::body::Body;
use axum::http::{Request, StatusCode};
use axum::routing::post;
use tower::ServiceExt;
use twenty_webhook_actix::TwentyWebhookMiddleware;
use twenty_webhook_axum::TwentyWebhookLayer;
use twenty_webhook_core::{Clock, MemoryReplayGuard, Secret, Signer, Verifier, WebhookConfig};

use crate::logs::Log;
use crate::samples::{BODY, NOW, secret};

fn config(secret: Secret) -> WebhookConfig {
    WebhookConfig::new(Verifier::new(secret).clock(Clock::new(|| NOW)))
}

/// The outer and the inner configuration, and the statuses for three copies of one delivery.
fn pairs() -> [(&'static str, WebhookConfig, WebhookConfig, [u16; 3]); 5] {
    let shared = config(secret());
    let guard = Arc::new(MemoryReplayGuard::new());
    let by_arc = || config(secret()).replay_guard(guard.clone());
    let plain = config(secret()).without_replay_guard();
    [
        ("the same", shared.clone(), shared, [204, 200, 200]),
        ("one guard, shared by an Arc", by_arc(), by_arc(), [204, 200, 200]),
        ("two guards", config(secret()), config(secret()), [204, 200, 200]),
        ("no outer guard", plain.clone(), config(secret()), [204, 200, 200]),
        ("no guard at all", plain.clone(), plain, [204, 204, 204]),
    ]
}

#[actix_web::test]
async fn each_delivery_is_handled_once() {
    let log = Log::start();
    for (name, outer, inner, answers) in pairs() {
        let handled = Arc::new(AtomicUsize::new(0));
        let count = handled.clone();
        let handler = async move |_: twenty_webhook_axum::Webhook| {
            count.fetch_add(1, Ordering::SeqCst);
            StatusCode::NO_CONTENT
        };
        let nested = Router::new().route("/", post(handler)).layer(TwentyWebhookLayer::new(inner));
        let app = Router::new().nest("/hooks", nested).layer(TwentyWebhookLayer::new(outer));
        for status in answers {
            let mut request = Request::post("/hooks").body(Body::from(BODY)).unwrap();
            request.headers_mut().extend(Signer::new(secret()).sign_at(BODY.as_bytes(), NOW));
            assert_eq!(app.clone().oneshot(request).await.unwrap().status(), status, "axum, {name}");
        }
        assert_eq!(
            handled.load(Ordering::SeqCst),
            answers.iter().filter(|&&status| status == 204).count(),
            "axum, {name}"
        );
    }
    for (name, outer, inner, answers) in pairs() {
        let handled = web::Data::new(AtomicUsize::new(0));
        let handler = async |_: twenty_webhook_actix::Webhook, handled: web::Data<AtomicUsize>| {
            handled.fetch_add(1, Ordering::SeqCst);
            HttpResponse::NoContent().finish()
        };
        let inner = web::resource("").wrap(TwentyWebhookMiddleware::new(inner)).route(web::post().to(handler));
        let outer = web::scope("/hooks").wrap(TwentyWebhookMiddleware::new(outer)).service(inner);
        let app = actix_web::test::init_service(App::new().app_data(handled.clone()).service(outer)).await;
        for status in answers {
            let mut request = actix_web::test::TestRequest::post().uri("/hooks").set_payload(BODY);
            for (name, value) in &Signer::new(secret()).sign_at(BODY.as_bytes(), NOW) {
                request = request.insert_header((name.as_str(), value.as_bytes()));
            }
            let response = actix_web::test::call_service(&app, request.to_request()).await;
            assert_eq!(response.status().as_u16(), status, "actix, {name}");
        }
        assert_eq!(
            handled.load(Ordering::SeqCst),
            answers.iter().filter(|&&status| status == 204).count(),
            "actix, {name}"
        );
    }
    let warned = log.text().matches("two layers or middlewares with the same replay guard").count();
    assert_eq!(warned, 4, "once for each of those that share a guard: {}", log.text());
}

/// Three layers with one configuration, then the same with a middle one without a guard. Each request is observed once.
#[tokio::test]
async fn three_layers_handle_a_delivery_once() {
    for has_guard in [true, false] {
        let (handled, outcomes) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let (count, observed) = (handled.clone(), outcomes.clone());
        let receive = async move |_: twenty_webhook_axum::Webhook| {
            count.fetch_add(1, Ordering::SeqCst);
            StatusCode::NO_CONTENT
        };
        let shared = config(secret());
        let shared = if has_guard {
            shared.observe(move |_| {
                observed.fetch_add(1, Ordering::SeqCst);
            })
        } else {
            shared
        };
        let middle = if has_guard { shared.clone() } else { shared.clone().without_replay_guard() };
        let app = [shared.clone(), middle, shared]
            .into_iter()
            .fold(Router::new().route("/", post(receive)), |app, config| app.layer(TwentyWebhookLayer::new(config)));
        for status in [204, 200, 200] {
            let mut request = Request::post("/").body(Body::from(BODY)).unwrap();
            request.headers_mut().extend(Signer::new(secret()).sign_at(BODY.as_bytes(), NOW));
            assert_eq!(app.clone().oneshot(request).await.unwrap().status(), status, "{has_guard}");
        }
        assert_eq!(handled.load(Ordering::SeqCst), 1, "{has_guard}");
        assert_eq!(outcomes.load(Ordering::SeqCst), if has_guard { 3 } else { 0 });
    }
}
