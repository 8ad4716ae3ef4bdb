use std::net::TcpListener;

use crate::peers::envelope;
use crate::samples::{self, SECRET};
use actix_web::http::StatusCode;
use actix_web::http::header::HeaderValue;
use actix_web::{App, HttpRequest, HttpResponse, HttpServer, web};
use twenty_webhook_actix::{TwentyWebhookMiddleware, Webhook, WebhookConfig};

use super::{Baseline, LIMIT, PATH};

/// Serves the receiver of this kind with one worker, without end.
#[actix_web::main]
pub async fn serve(kind: &str, listener: TcpListener) {
    let kind = kind.to_owned();
    let config = WebhookConfig::new(samples::secret());
    let config = if kind.ends_with("guarded") { config } else { config.without_replay_guard() };
    let baseline = web::Data::new(Baseline::new(SECRET));
    let app = move || {
        let resource = web::resource(PATH);
        App::new().app_data(web::PayloadConfig::new(LIMIT)).service(match kind.as_str() {
            "bare" => resource.route(web::post().to(bare)),
            "hand-written" => resource.app_data(baseline.clone()).route(web::post().to(hand_written)),
            "ours" | "ours, guarded" => resource.app_data(web::Data::new(config.clone())).route(web::post().to(ours)),
            "middleware" | "middleware, guarded" => {
                let middleware = TwentyWebhookMiddleware::new(config.clone());
                resource.route(web::post().to(ours).wrap(middleware))
            }
            _ => panic!("there is no kind {kind}"),
        })
    };
    let server = HttpServer::new(app).workers(1).listen(listener).expect("it is a listener");
    server.run().await.expect("the server does not end");
}

async fn bare(_: web::Bytes) -> HttpResponse {
    HttpResponse::Ok().finish()
}

async fn hand_written(baseline: web::Data<Baseline>, request: HttpRequest, body: web::Bytes) -> HttpResponse {
    let header = |name| request.headers().get(name).map(HeaderValue::as_bytes);
    let verified = match (header("x-twenty-webhook-signature"), header("x-twenty-webhook-timestamp")) {
        (Some(signature), Some(timestamp)) => baseline.verify_text(signature, timestamp, body),
        _ => None,
    };
    let Some(body) = verified else { return HttpResponse::Unauthorized().finish() };
    match envelope(&body) {
        Some(event) if event.event_name == "person.updated" => HttpResponse::Ok().finish(),
        _ => HttpResponse::UnprocessableEntity().finish(),
    }
}

async fn ours(Webhook(event): Webhook) -> HttpResponse {
    HttpResponse::new(match event.object() {
        "person" => StatusCode::OK,
        _ => StatusCode::UNPROCESSABLE_ENTITY,
    })
}
