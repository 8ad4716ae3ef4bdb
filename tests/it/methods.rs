//! Twenty sends POST. Any other method comes from a scanner, or from a redirect that turned a delivery into a GET.

use actix_web::http::Method as ActixMethod;
use actix_web::test::{TestRequest, call_service, init_service};
use actix_web::{App, HttpResponse, web};
use axum::Router;
use axum::body::Body;
use axum::http::{Method, Request, StatusCode};
use axum::routing::post;
use tower::ServiceExt;
use twenty_webhook_actix::TwentyWebhookMiddleware;
use twenty_webhook_axum::TwentyWebhookLayer;
use twenty_webhook_core::{Rejection, Signer};

use crate::logs::Log;
use crate::samples::{BODY, NOW, secret};

/// The status, the `Allow` header and the reason.
type Answer = (u16, Option<String>, Rejection);

async fn axum(method: &str, headers: &[(String, String)]) -> Answer {
    let handler = async |_: twenty_webhook_axum::Webhook| -> StatusCode { panic!("the handler runs") };
    let app = Router::new().route("/hook", post(handler).layer(TwentyWebhookLayer::new(secret())));
    let mut request = Request::builder().method(Method::from_bytes(method.as_bytes()).unwrap()).uri("/hook?secret=1");
    for (name, value) in headers {
        request = request.header(name, value);
    }
    let response = app.oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
    let allow = response.headers().get("allow").map(|allow| allow.to_str().unwrap().to_owned());
    (response.status().as_u16(), allow, response.extensions().get::<Rejection>().unwrap().clone())
}

async fn actix(method: &str, headers: &[(String, String)]) -> Answer {
    let handler = async |_: twenty_webhook_actix::Webhook| -> HttpResponse { panic!("the handler runs") };
    let webhook = TwentyWebhookMiddleware::new(secret());
    let app = App::new().service(web::resource("/hook").wrap(webhook).route(web::post().to(handler)));
    let app = init_service(app).await;
    let method = ActixMethod::from_bytes(method.as_bytes()).unwrap();
    let mut request = TestRequest::default().method(method).uri("/hook?secret=1");
    for (name, value) in headers {
        request = request.insert_header((name.as_str(), value.as_str()));
    }
    let response = call_service(&app, request.to_request()).await;
    let allow = response.headers().get("allow").map(|allow| allow.to_str().unwrap().to_owned());
    let rejection = response.response().extensions().get::<Rejection>().unwrap().clone();
    (response.status().as_u16(), allow, rejection)
}

#[actix_web::test]
async fn another_method_is_answered_405_and_logged_at_debug() {
    let log = Log::start();
    for method in ["GET", "HEAD", "PUT", "DELETE", "OPTIONS", "PATCH", "post", "BREW"] {
        for (status, allow, rejection) in [axum(method, &[]).await, actix(method, &[]).await] {
            assert_eq!(
                (status, allow.as_deref(), rejection.code()),
                (405, Some("POST"), "method_not_allowed"),
                "{method}"
            );
        }
    }
    let lines = log.lines_of("twenty_webhook");
    assert_eq!(lines.len(), 16, "{lines:#?}");
    for line in lines {
        assert!(line.contains("DEBUG") && line.contains("path=/hook") && !line.contains("secret"), "{line}");
    }
}

/// Twenty follows a redirect (http to https, a trailing slash) with a GET. The delivery is lost, so the log must show an error.
#[actix_web::test]
async fn a_delivery_that_a_redirect_turned_into_a_get_is_an_error() {
    let log = Log::start();
    let signed = Signer::new(secret()).sign_at(BODY.as_bytes(), NOW);
    let headers: Vec<(String, String)> =
        signed.iter().map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned())).collect();
    for headers in [headers.as_slice(), &headers[..1], &headers[1..2], &headers[2..]] {
        for (status, allow, rejection) in [axum("GET", headers).await, actix("GET", headers).await] {
            assert_eq!((status, allow.as_deref(), rejection.code()), (405, Some("POST"), "redirected"));
            assert!(rejection.may_lose_delivery());
        }
    }
    for line in log.lines_of("twenty_webhook") {
        assert!(line.contains("ERROR") && line.contains("register the final URL"), "{line}");
    }
}
