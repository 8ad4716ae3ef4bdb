//! The path, the query, the content type and the method are not signed. A copy that was changed there and comes first must not stand in for
//! the genuine delivery, through any receiver that sees the response.

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
    #[expect(dead_code, reason = "only read")]
    page: u32,
}

#[derive(Clone, Default)]
struct Handled(Arc<AtomicUsize>);

impl Handled {
    fn one(&self) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }

    fn times(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }
}

/// What is sent: the copy, whose unsigned part was changed, and the genuine delivery.
struct Scene {
    name: &'static str,
    copy: (&'static str, &'static str),
    copy_is_answered: u16,
    genuine: (&'static str, &'static str),
}

const JSON: &str = "application/json";

const SCENES: [Scene; 4] = [
    Scene { name: "path", copy: ("/path/x", JSON), copy_is_answered: 400, genuine: ("/path/7", JSON) },
    Scene { name: "query", copy: ("/query?page=x", JSON), copy_is_answered: 400, genuine: ("/query?page=7", JSON) },
    Scene { name: "content type", copy: ("/json", "text/plain"), copy_is_answered: 415, genuine: ("/json", JSON) },
    // The second request within its limit is let in.
    Scene {
        name: "an inner layer's 429",
        copy: ("/limited", JSON),
        copy_is_answered: 429,
        genuine: ("/limited", JSON),
    },
];

type Send = Box<dyn Fn((&'static str, &'static str)) -> LocalBoxFuture<'static, u16>>;

fn verifier() -> Verifier {
    Verifier::new(secret()).clock(Clock::new(|| NOW))
}

/// The copy first, the genuine delivery second, and the genuine delivery again.
async fn play(receiver: &str, scene: &Scene, send: &Send, handled: &Handled) {
    let Scene { name, copy, copy_is_answered, genuine } = scene;
    assert_eq!(send(*copy).await, *copy_is_answered, "{receiver}, {name}: the copy");
    assert_eq!(handled.times(), 0, "{receiver}, {name}");
    assert_eq!(send(*genuine).await, 204, "{receiver}, {name}: the genuine delivery is handled");
    assert_eq!(handled.times(), 1, "{receiver}, {name}");
    assert_eq!(send(*genuine).await, 200, "{receiver}, {name}: it is a duplicate now");
    assert_eq!(handled.times(), 1, "{receiver}, {name}");
}

fn axum_request((path, content_type): (&str, &str)) -> Request<Body> {
    let mut request = Request::post(path).header("content-type", content_type).body(Body::from(BODY)).unwrap();
    request.headers_mut().extend(Signer::new(secret()).sign_at(BODY.as_bytes(), NOW));
    request
}

fn axum_app(handled: Handled) -> Router {
    fn one(Extension(handled): Extension<Handled>) -> StatusCode {
        handled.one();
        StatusCode::NO_CONTENT
    }
    type Webhook = twenty_webhook_axum::Webhook;
    let requests = Arc::new(AtomicU32::new(0));
    let limit = move |request: axum::extract::Request, next: Next| {
        let first = requests.fetch_add(1, Ordering::SeqCst) == 0;
        async move { if first { Err(StatusCode::TOO_MANY_REQUESTS) } else { Ok(next.run(request).await) } }
    };
    Router::new()
        .route("/path/{page}", post(async |_: Webhook, _: Path<u32>, handled| one(handled)))
        .route("/query", post(async |_: Webhook, _: Query<Page>, handled| one(handled)))
        .route("/json", post(async |_: Webhook, handled, _: Json<Value>| one(handled)))
        .route("/limited", post(async |_: Webhook, handled| one(handled)).layer(from_fn(limit)))
        .layer(Extension(handled))
        .layer(TwentyWebhookLayer::new(verifier()))
}

#[tokio::test]
async fn axum() {
    for scene in &SCENES {
        let handled = Handled::default();
        let app = axum_app(handled.clone());
        let send: Send = Box::new(move |sent| {
            let response = app.clone().oneshot(axum_request(sent));
            Box::pin(async { response.await.unwrap().status().as_u16() })
        });
        play("axum", scene, &send, &handled).await;
    }
}

#[tokio::test]
async fn tower() {
    for scene in &SCENES {
        let handled = Handled::default();
        let service = {
            let (handled, copy, status) = (handled.clone(), scene.copy, scene.copy_is_answered);
            let first = Arc::new(AtomicU32::new(0));
            TwentyWebhookLayer::new(verifier()).layer(service_fn(move |request: Request<Body>| {
                let is_first = first.fetch_add(1, Ordering::SeqCst) == 0;
                let is_copy = *request.uri() == copy.0 && request.headers()["content-type"] == copy.1;
                let mut response = Response::new(Body::empty());
                *response.status_mut() = if is_first && is_copy {
                    StatusCode::from_u16(status).unwrap()
                } else {
                    handled.one();
                    StatusCode::NO_CONTENT
                };
                async { Ok::<_, Infallible>(response) }
            }))
        };
        let send: Send = Box::new(move |sent| {
            let response = service.clone().oneshot(axum_request(sent));
            Box::pin(async { response.await.unwrap().status().as_u16() })
        });
        play("tower", scene, &send, &handled).await;
    }
}

#[actix_web::test]
async fn actix() {
    fn one(handled: &Handled) -> HttpResponse {
        handled.one();
        HttpResponse::NoContent().finish()
    }
    type Webhook = twenty_webhook_actix::Webhook;
    type Shared = web::Data<Handled>;
    for scene in &SCENES {
        let (handled, requests) = (Handled::default(), Arc::new(AtomicU32::new(0)));
        let webhook = TwentyWebhookMiddleware::new(verifier());
        let limited = move |_: Webhook, handled: Shared| {
            let first = requests.fetch_add(1, Ordering::SeqCst) == 0;
            async move { if first { HttpResponse::TooManyRequests().finish() } else { one(&handled) } }
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
                    .route(web::post().to(async |_: Webhook, _: web::Path<u32>, handled: Shared| one(&handled))),
            )
            .service(
                route("/query")
                    .route(web::post().to(async |_: Webhook, _: web::Query<Page>, handled: Shared| one(&handled))),
            )
            .service(
                route("/json")
                    .route(web::post().to(async |_: Webhook, _: web::Json<Value>, handled: Shared| one(&handled))),
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
        play("actix", scene, &send, &handled).await;
    }
}
