//! The path, the query and the content type are not signed. A copy with a changed one that arrives first must not replace the genuine
//! delivery, in any receiver that sees the response.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};

use actix_web::http::StatusCode as ActixStatus;
use actix_web::test::{TestRequest, call_service, init_service};
use actix_web::{App, HttpResponse, web};
use axum::body::Body;
use axum::extract::{Json, Path, Query};
use axum::http::{Request, Response, StatusCode};
use axum::middleware::{Next, from_fn};
use axum::routing::post;
use axum::{Extension, Router};
use futures_util::future::LocalBoxFuture;
use serde::Deserialize;
use serde_json::Value;
use tower::{Layer, ServiceExt, service_fn};
use twenty_webhook_actix::TwentyWebhookMiddleware;
use twenty_webhook_axum::TwentyWebhookLayer;
use twenty_webhook_core::{Clock, Signer, Verifier};

use crate::samples::{BODY, NOW, secret};

#[derive(Deserialize)]
struct Page {
    #[expect(dead_code, reason = "only deserialized")]
    page: u32,
}

#[derive(Clone, Default)]
struct Handled(Arc<AtomicUsize>);

impl Handled {
    fn count(&self) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }

    fn times(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }
}

/// A genuine delivery, and a copy of it with a changed unsigned part.
struct Case {
    name: &'static str,
    copy: (&'static str, &'static str),
    copy_status: u16,
    genuine: (&'static str, &'static str),
}

const JSON: &str = "application/json";

const CASES: [Case; 4] = [
    Case { name: "path", copy: ("/path/x", JSON), copy_status: 400, genuine: ("/path/7", JSON) },
    Case { name: "query", copy: ("/query?page=x", JSON), copy_status: 400, genuine: ("/query?page=7", JSON) },
    Case { name: "content type", copy: ("/json", "text/plain"), copy_status: 415, genuine: ("/json", JSON) },
    // The layer accepts the second request.
    Case { name: "an inner layer's 429", copy: ("/limited", JSON), copy_status: 429, genuine: ("/limited", JSON) },
];

type Send = Box<dyn Fn((&'static str, &'static str)) -> LocalBoxFuture<'static, u16>>;

fn verifier() -> Verifier {
    Verifier::new(secret()).clock(Clock::new(|| NOW))
}

/// Sends the copy, the genuine delivery, and the genuine delivery again.
async fn check(receiver: &str, case: &Case, send: &Send, handled: &Handled) {
    let Case { name, copy, copy_status, genuine } = case;
    assert_eq!(send(*copy).await, *copy_status, "{receiver}, {name}: the copy");
    assert_eq!(handled.times(), 0, "{receiver}, {name}");
    assert_eq!(send(*genuine).await, 204, "{receiver}, {name}: the genuine delivery is handled");
    assert_eq!(handled.times(), 1, "{receiver}, {name}");
    assert_eq!(send(*genuine).await, 200, "{receiver}, {name}: it is now a duplicate");
    assert_eq!(handled.times(), 1, "{receiver}, {name}");
}

fn axum_request((path, content_type): (&str, &str)) -> Request<Body> {
    let mut request = Request::post(path).header("content-type", content_type).body(Body::from(BODY)).unwrap();
    request.headers_mut().extend(Signer::new(secret()).sign_at(BODY.as_bytes(), NOW));
    request
}

fn axum_app(handled: Handled) -> Router {
    fn handle(Extension(handled): Extension<Handled>) -> StatusCode {
        handled.count();
        StatusCode::NO_CONTENT
    }
    type Webhook = twenty_webhook_axum::Webhook;
    let requests = Arc::new(AtomicU32::new(0));
    let limit = move |request: axum::extract::Request, next: Next| {
        let first = requests.fetch_add(1, Ordering::SeqCst) == 0;
        async move { if first { Err(StatusCode::TOO_MANY_REQUESTS) } else { Ok(next.run(request).await) } }
    };
    Router::new()
        .route("/path/{page}", post(async |_: Webhook, _: Path<u32>, handled| handle(handled)))
        .route("/query", post(async |_: Webhook, _: Query<Page>, handled| handle(handled)))
        .route("/json", post(async |_: Webhook, handled, _: Json<Value>| handle(handled)))
        .route("/limited", post(async |_: Webhook, handled| handle(handled)).layer(from_fn(limit)))
        .layer(Extension(handled))
        .layer(TwentyWebhookLayer::new(verifier()))
}

#[tokio::test]
async fn axum() {
    for case in &CASES {
        let handled = Handled::default();
        let app = axum_app(handled.clone());
        let send: Send = Box::new(move |sent| {
            let response = app.clone().oneshot(axum_request(sent));
            Box::pin(async { response.await.unwrap().status().as_u16() })
        });
        check("axum", case, &send, &handled).await;
    }
}

#[tokio::test]
async fn tower() {
    for case in &CASES {
        let handled = Handled::default();
        let service = {
            let (handled, copy, status) = (handled.clone(), case.copy, case.copy_status);
            let first = Arc::new(AtomicU32::new(0));
            TwentyWebhookLayer::new(verifier()).layer(service_fn(move |request: Request<Body>| {
                let is_first = first.fetch_add(1, Ordering::SeqCst) == 0;
                let is_copy = *request.uri() == copy.0 && request.headers()["content-type"] == copy.1;
                let mut response = Response::new(Body::empty());
                *response.status_mut() = if is_first && is_copy {
                    StatusCode::from_u16(status).unwrap()
                } else {
                    handled.count();
                    StatusCode::NO_CONTENT
                };
                async { Ok::<_, Infallible>(response) }
            }))
        };
        let send: Send = Box::new(move |sent| {
            let response = service.clone().oneshot(axum_request(sent));
            Box::pin(async { response.await.unwrap().status().as_u16() })
        });
        check("tower", case, &send, &handled).await;
    }
}

#[actix_web::test]
async fn actix() {
    fn handle(handled: &Handled) -> HttpResponse {
        handled.count();
        HttpResponse::NoContent().finish()
    }
    type Webhook = twenty_webhook_actix::Webhook;
    type Shared = web::Data<Handled>;
    for case in &CASES {
        let (handled, requests) = (Handled::default(), Arc::new(AtomicU32::new(0)));
        let webhook = TwentyWebhookMiddleware::new(verifier());
        let limited = move |_: Webhook, handled: Shared| {
            let first = requests.fetch_add(1, Ordering::SeqCst) == 0;
            async move { if first { HttpResponse::TooManyRequests().finish() } else { handle(&handled) } }
        };
        let not_json = |error: actix_web::error::JsonPayloadError, _: &actix_web::HttpRequest| {
            let status = match error {
                actix_web::error::JsonPayloadError::ContentType => ActixStatus::UNSUPPORTED_MEDIA_TYPE,
                _ => ActixStatus::BAD_REQUEST,
            };
            actix_web::error::InternalError::new(error, status).into()
        };
        let not_a_number =
            |error: actix_web::error::PathError, _: &actix_web::HttpRequest| actix_web::error::ErrorBadRequest(error);
        let route = |path: &str| web::resource(path).wrap(webhook.clone());
        let app = App::new()
            .app_data(web::Data::new(handled.clone()))
            .app_data(web::JsonConfig::default().error_handler(not_json))
            .app_data(web::PathConfig::default().error_handler(not_a_number))
            .service(
                route("/path/{page}")
                    .route(web::post().to(async |_: Webhook, _: web::Path<u32>, handled: Shared| handle(&handled))),
            )
            .service(
                route("/query")
                    .route(web::post().to(async |_: Webhook, _: web::Query<Page>, handled: Shared| handle(&handled))),
            )
            .service(
                route("/json")
                    .route(web::post().to(async |_: Webhook, _: web::Json<Value>, handled: Shared| handle(&handled))),
            )
            .service(route("/limited").route(web::post().to(limited)));
        let app = std::rc::Rc::new(init_service(app).await);
        let send: Send = Box::new(move |(path, content_type)| {
            let mut request =
                TestRequest::post().uri(path).insert_header(("content-type", content_type)).set_payload(BODY);
            for (name, value) in &Signer::new(secret()).sign_at(BODY.as_bytes(), NOW) {
                request = request.insert_header((name.as_str(), value.as_bytes()));
            }
            let (app, request) = (app.clone(), request.to_request());
            Box::pin(async move { call_service(&app, request).await.status().as_u16() })
        });
        check("actix", case, &send, &handled).await;
    }
}
