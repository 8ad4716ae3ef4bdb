use actix_web::body::MessageBody;
use actix_web::dev::{Payload, Service, ServiceResponse};
use actix_web::error::PayloadError;
use actix_web::http::StatusCode;
use actix_web::http::header::{HeaderName, HeaderValue};
use actix_web::test::{TestRequest, init_service};
use actix_web::{App, HttpResponse, web};
use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt};
use twenty_webhook_actix::{Rejection, TwentyWebhookMiddleware, Webhook, WebhookConfig, WebhookEvent};

use super::{Answer, Chunks, HANDLED, Seen, verifier};
use crate::vectors::Case;

pub(super) async fn extractor(case: Case, body: Chunks) -> Answer {
    let seen = Seen::default();
    let app = App::new()
        .app_data(web::Data::new(WebhookConfig::new(verifier(&case))))
        .app_data(web::Data::new(seen.clone()))
        .route("/", web::post().to(async |Webhook(event): Webhook, seen: web::Data<Seen>| handled(&seen, event, None)));
    let app = init_service(app).await;
    send(&app, &case, body, &seen).await
}

pub(super) async fn middleware(case: Case, body: Chunks) -> Answer {
    let seen = Seen::default();
    let receive = async |Webhook(event): Webhook, body: Bytes, seen: web::Data<Seen>| handled(&seen, event, Some(body));
    let webhook = TwentyWebhookMiddleware::new(verifier(&case));
    let app = App::new()
        .app_data(web::Data::new(seen.clone()))
        // A user must set this to get a large body from `web::Bytes`.
        .app_data(web::PayloadConfig::new(WebhookConfig::DEFAULT_BODY_LIMIT))
        .service(web::resource("/").wrap(webhook).route(web::post().to(receive)));
    let app = init_service(app).await;
    send(&app, &case, body, &seen).await
}

fn handled(seen: &Seen, event: WebhookEvent, body: Option<Bytes>) -> HttpResponse {
    seen.push(event, body);
    HttpResponse::build(StatusCode::from_u16(HANDLED).unwrap()).finish()
}

async fn send<S, B>(app: &S, case: &Case, body: Chunks, seen: &Seen) -> Answer
where
    S: Service<actix_http::Request, Response = ServiceResponse<B>, Error = actix_web::Error>,
    B: MessageBody,
{
    let response = app.call(request(case, body)).await.unwrap();
    Answer {
        status: response.status().as_u16(),
        rejection: response.response().extensions().get::<Rejection>().cloned(),
        handled: seen.take(),
    }
}

pub(super) fn request(case: &Case, body: Chunks) -> actix_http::Request {
    let mut request = TestRequest::post().uri("/");
    for (name, value) in &case.headers {
        let name = HeaderName::from_bytes(name.as_bytes()).unwrap();
        request = request.append_header((name, HeaderValue::from_bytes(value.as_bytes()).unwrap()));
    }
    let mut request = request.to_request();
    *request.payload() = Payload::Stream { payload: body.map_err(PayloadError::Io).boxed() };
    request
}
