use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::http::{Request, Response, StatusCode};
use axum::routing::post;
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use tower::{Layer, ServiceExt, service_fn};
use twenty_webhook_axum::{Rejection, TwentyWebhookLayer, Webhook, WebhookEvent};

use super::core::header_map;
use super::{Answer, Chunks, HANDLED, Seen, verifier};
use crate::vectors::Case;

pub(super) async fn router_layer(case: Case, body: Chunks) -> Answer {
    let seen = Seen::default();
    let app = Router::new().route("/", post(handler)).layer(layer(&case)).with_state(seen.clone());
    send(app, &case, body, &seen).await
}

pub(super) async fn route_layer(case: Case, body: Chunks) -> Answer {
    let seen = Seen::default();
    let app = Router::new().route("/", post(handler)).route_layer(layer(&case)).with_state(seen.clone());
    send(app, &case, body, &seen).await
}

pub(super) async fn one_handler(case: Case, body: Chunks) -> Answer {
    let seen = Seen::default();
    let app = Router::new().route("/", post(handler).layer(layer(&case))).with_state(seen.clone());
    send(app, &case, body, &seen).await
}

pub(super) async fn bare_tower(case: Case) -> Answer {
    let seen = Seen::default();
    let handler = {
        let seen = seen.clone();
        service_fn(move |request: Request<Announced<Full<Bytes>>>| {
            let seen = seen.clone();
            async move {
                let event = request.extensions().get::<WebhookEvent>().cloned().unwrap();
                let body = request.into_body().collect().await.unwrap().to_bytes();
                seen.push(event, Some(body));
                let mut response = Response::new(Full::<Bytes>::default());
                *response.status_mut() = StatusCode::from_u16(HANDLED).unwrap();
                Ok::<_, Infallible>(response)
            }
        })
    };
    let service = layer(&case).layer(handler);
    let response = service.oneshot(request(&case, announced(&case, Full::new(case.body.clone())))).await.unwrap();
    answer(&response, &seen)
}

fn layer(case: &Case) -> TwentyWebhookLayer {
    TwentyWebhookLayer::new(verifier(case))
}

async fn handler(State(seen): State<Seen>, Webhook(event): Webhook, body: Bytes) -> StatusCode {
    seen.push(event, Some(body));
    StatusCode::from_u16(HANDLED).unwrap()
}

async fn send(app: Router, case: &Case, body: Chunks, seen: &Seen) -> Answer {
    let response = app.oneshot(request(case, stream_body(case, body))).await.unwrap();
    answer(&response, seen)
}

/// A body whose size hint is the request's `Content-Length`, as a server makes it.
#[derive(Default)]
struct Announced<B> {
    body: B,
    length: Option<u64>,
}

impl From<Bytes> for Announced<Full<Bytes>> {
    fn from(body: Bytes) -> Self {
        Self { body: body.into(), length: None }
    }
}

impl<B: http_body::Body + Unpin> http_body::Body for Announced<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<http_body::Frame<B::Data>, B::Error>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn size_hint(&self) -> http_body::SizeHint {
        self.length.map_or_else(|| self.body.size_hint(), http_body::SizeHint::with_exact)
    }
}

fn announced<B>(case: &Case, body: B) -> Announced<B> {
    let length = case.headers.iter().find(|(name, _)| name.eq_ignore_ascii_case("content-length"));
    Announced { body, length: length.and_then(|(_, length)| length.parse().ok()) }
}

pub(super) fn stream_body(case: &Case, body: Chunks) -> Body {
    Body::new(announced(case, Body::from_stream(body)))
}

pub(super) fn request<B>(case: &Case, body: B) -> Request<B> {
    let mut request = Request::post("/").body(body).unwrap();
    *request.headers_mut() = header_map(case);
    request
}

fn answer<B>(response: &Response<B>, seen: &Seen) -> Answer {
    Answer {
        status: response.status().as_u16(),
        rejection: response.extensions().get::<Rejection>().cloned(),
        handled: seen.take(),
    }
}
