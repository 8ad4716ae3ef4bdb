//! A receiver for several requests, with the test's own handler.

use std::sync::Arc;

use actix_web::{App, HttpResponse, web};
use axum::Router;
use axum::routing::post;
use futures_util::future::{BoxFuture, LocalBoxFuture};
use tower::ServiceExt;
use twenty_webhook_actix::{TwentyWebhookMiddleware, WebhookConfig};
use twenty_webhook_axum::TwentyWebhookLayer;
use twenty_webhook_core::{Rejection, WebhookEvent};

use super::{Chunks, actix, axum as axum_receivers, counted};
use crate::vectors::Case;

/// A handler: returns the status for an event.
pub(crate) type Handler = Arc<dyn Fn(WebhookEvent) -> BoxFuture<'static, u16> + Send + Sync>;

pub(crate) struct Service {
    pub(crate) name: &'static str,
    call: Call,
}

type Call = Box<dyn Fn(&Case, Chunks) -> LocalBoxFuture<'static, Response>>;

#[derive(Debug)]
pub(crate) struct Response {
    pub(crate) status: u16,
    pub(crate) rejection: Option<Rejection>,
    pub(crate) retry_after: Option<String>,
}

impl Service {
    pub(crate) fn send(&self, case: &Case) -> LocalBoxFuture<'static, Response> {
        self.send_chunks(case, counted([Ok(case.body.clone())]).0)
    }

    pub(crate) fn send_chunks(&self, case: &Case, body: Chunks) -> LocalBoxFuture<'static, Response> {
        (self.call)(case, body)
    }
}

pub(crate) fn axum(layer: impl Into<TwentyWebhookLayer>, handler: Handler) -> Service {
    let handler = async move |webhook: twenty_webhook_axum::Webhook| {
        let status = handler(webhook.0).await;
        axum::http::StatusCode::from_u16(status).unwrap()
    };
    let app = Router::new().route("/", post(handler).layer(layer.into()));
    let call = move |case: &Case, body| -> LocalBoxFuture<'static, Response> {
        let request = axum_receivers::request(case, axum_receivers::stream_body(case, body));
        let response = app.clone().oneshot(request);
        Box::pin(async move {
            let response = response.await.unwrap();
            Response {
                status: response.status().as_u16(),
                rejection: response.extensions().get().cloned(),
                retry_after: response.headers().get("retry-after").map(|value| value.to_str().unwrap().to_owned()),
            }
        })
    };
    Service { name: "axum layer", call: Box::new(call) }
}

/// With the middleware, or with the extractor alone.
pub(crate) async fn actix(config: WebhookConfig, handler: Handler, middleware: bool) -> Service {
    let handler = move |webhook: twenty_webhook_actix::Webhook| {
        let status = handler(webhook.0);
        async move { HttpResponse::build(actix_web::http::StatusCode::from_u16(status.await).unwrap()).finish() }
    };
    let app = App::new().app_data(web::Data::new(config.clone()));
    let app = if middleware {
        let wrapped = web::resource("/").wrap(TwentyWebhookMiddleware::new(config)).route(web::post().to(handler));
        app.service(wrapped)
    } else {
        app.route("/", web::post().to(handler))
    };
    let app = actix_web::test::init_service(app).await;
    let call = move |case: &Case, body| -> LocalBoxFuture<'static, Response> {
        let response = actix_web::dev::Service::call(&app, actix::request(case, body));
        Box::pin(async move {
            let response = response.await.unwrap();
            Response {
                status: response.status().as_u16(),
                rejection: response.response().extensions().get().cloned(),
                retry_after: response.headers().get("retry-after").map(|value| value.to_str().unwrap().to_owned()),
            }
        })
    };
    Service { name: if middleware { "actix middleware" } else { "actix extractor" }, call: Box::new(call) }
}
