//! `EventRouter` as the handler of a route, in both frameworks.

use actix_web::test::{call_service, init_service};
use actix_web::{App, web};
use axum::Router;
use axum::body::Body;
use axum::routing::post;
use tower::ServiceExt;
use twenty_webhook_actix::TwentyWebhookMiddleware;
use twenty_webhook_axum::TwentyWebhookLayer;
use twenty_webhook_core::records::Person;
use twenty_webhook_core::{EventRouter, Secret, WebhookEvent};
use twenty_webhook_testing::{ReceiverResponse, Recorder, SignedRequest, Tamper, event};

fn secret() -> Secret {
    Secret::new("s3cret").unwrap()
}

/// Handles people, fails for companies, ignores the rest.
fn routes(handled: &Recorder) -> EventRouter {
    let handled = handled.clone();
    let greet = move |event: WebhookEvent, person: Person| {
        assert!(person.name.is_some());
        handled.record(event);
        std::future::ready(())
    };
    EventRouter::new().on("person.*", greet).on("company.*", async |_: WebhookEvent| Err("out of order"))
}

/// An assertion about a response.
type Check = fn(&dyn ReceiverResponse);

/// Requests in order, and what both frameworks must answer.
fn exchanges() -> [(SignedRequest, Check); 7] {
    let greeted = event("person.created").signed_with(&secret());
    let failed = event("company.created").signed_with(&secret());
    [
        (greeted.clone(), |response| response.assert_handled()),
        (greeted.clone(), |response| response.assert_duplicate()),
        (greeted.rerun(), |response| response.assert_duplicate()),
        (greeted.tampered(Tamper::Body), |response| response.assert_rejected("signature_mismatch")),
        // An error releases the delivery, so a copy reaches the handler and fails again.
        (failed.clone(), |response| response.assert_failed()),
        (failed, |response| response.assert_failed()),
        (event("task.created").signed_with(&secret()), |response| response.assert_handled()),
    ]
}

#[tokio::test]
async fn on_axum() {
    let handled = Recorder::default();
    let app = Router::new().route("/webhooks/twenty", post(routes(&handled)).layer(TwentyWebhookLayer::new(secret())));
    for (request, check) in exchanges() {
        check(&app.clone().oneshot(request.http::<Body>()).await.unwrap());
    }
    handled.assert_names(["person.created"]);
}

#[actix_web::test]
async fn on_actix() {
    let handled = Recorder::default();
    let route = web::post().to(routes(&handled));
    let webhook = TwentyWebhookMiddleware::new(secret());
    let app = init_service(App::new().service(web::resource("/webhooks/twenty").wrap(webhook).route(route))).await;
    for (request, check) in exchanges() {
        check(&call_service(&app, request.actix().to_request()).await);
    }
    handled.assert_names(["person.created"]);
}

#[tokio::test]
async fn on_axum_without_the_layer_nothing_is_handled() {
    let handled = Recorder::default();
    let app = Router::new().route("/webhooks/twenty", post(routes(&handled)));
    let response = app.oneshot(event("person.created").signed_with(&secret()).http::<Body>()).await.unwrap();
    response.assert_failed();
    handled.assert_names([]);
}
