use std::net::TcpListener;
use std::sync::Arc;

use crate::peers::{HandEvent, envelope};
use crate::samples::{self, SECRET};
use axum::body::{Body, Bytes};
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::http::{HeaderMap, StatusCode};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, post};
use axum::{Extension, Router, body};
use futures_util::StreamExt;
use twenty_webhook_axum::core::{BodyError, SignatureHeaders};
use twenty_webhook_axum::{MemoryReplayGuard, Rejection, TwentyWebhookLayer, Verifier, Webhook, WebhookConfig};

use super::{Baseline, LIMIT, PATH};

/// Serves the receiver of this kind without end, on the runtime of `#[tokio::main]`.
#[tokio::main]
pub async fn serve(kind: &str, listener: TcpListener) {
    listener.set_nonblocking(true).expect("a socket can be made so");
    let listener = tokio::net::TcpListener::from_std(listener).expect("it is a listener");
    axum::serve(listener, app(kind)).await.expect("the server does not end");
}

/// The receiver of this kind.
pub fn app(kind: &str) -> Router {
    // Without a state, a router would make the service of each route again for each request.
    Router::new().route(PATH, receiver(kind)).with_state(())
}

fn receiver(kind: &str) -> MethodRouter {
    let config = WebhookConfig::new(samples::secret());
    match kind {
        "bare" => post(bare),
        "hand-written" => post(hand_written).with_state(Arc::new(Baseline::new(SECRET))),
        "hand-written layer" => {
            let baseline = Arc::new(Baseline::new(SECRET));
            post(hand_written_handler).layer(from_fn_with_state(baseline, hand_written_layer))
        }
        "ours" => post(ours).layer(TwentyWebhookLayer::new(config.without_replay_guard())),
        "ours, guarded" => post(ours).layer(TwentyWebhookLayer::new(config)),
        "ours, guard of one" => {
            let config = config.replay_guard(MemoryReplayGuard::new().capacity(1));
            post(ours).layer(TwentyWebhookLayer::new(config))
        }
        "collected, not read" => {
            post(collected_not_read).layer(DefaultBodyLimit::max(LIMIT)).with_state(Verifier::new(samples::secret()))
        }
        "streamed, not read" => post(streamed_not_read).with_state(Verifier::new(samples::secret())),
        "collected" => post(collected).layer(DefaultBodyLimit::max(LIMIT)).with_state(Verifier::new(samples::secret())),
        _ => panic!("there is no kind {kind}"),
    }
}

async fn bare(_: Bytes) -> StatusCode {
    StatusCode::OK
}

/// Uses no extractors, because they would copy the headers.
async fn hand_written(State(baseline): State<Arc<Baseline>>, request: Request) -> StatusCode {
    let (parts, body) = request.into_parts();
    let Ok(body) = body::to_bytes(body, LIMIT).await else { return StatusCode::BAD_REQUEST };
    let Some(body) = baseline.verify(&parts.headers, body) else { return StatusCode::UNAUTHORIZED };
    match envelope(&body) {
        Some(event) if event.event_name == "person.updated" => StatusCode::OK,
        _ => StatusCode::UNPROCESSABLE_ENTITY,
    }
}

/// A layer as a receiver's author would write it: it verifies, reads the event, and passes on the event and the bytes.
async fn hand_written_layer(State(baseline): State<Arc<Baseline>>, request: Request, next: Next) -> Response {
    let (parts, body) = request.into_parts();
    let Ok(body) = body::to_bytes(body, LIMIT).await else { return StatusCode::BAD_REQUEST.into_response() };
    let Some(body) = baseline.verify(&parts.headers, body) else { return StatusCode::UNAUTHORIZED.into_response() };
    let Some(event) = HandEvent::read(&body) else { return StatusCode::UNPROCESSABLE_ENTITY.into_response() };
    let mut request = Request::from_parts(parts, Body::from(body));
    request.extensions_mut().insert(Arc::new(event));
    next.run(request).await
}

async fn hand_written_handler(Extension(event): Extension<Arc<HandEvent>>) -> StatusCode {
    match event.event_name.as_str() {
        "person.updated" => StatusCode::OK,
        _ => StatusCode::UNPROCESSABLE_ENTITY,
    }
}

async fn ours(Webhook(event): Webhook) -> StatusCode {
    match event.object() {
        "person" => StatusCode::OK,
        _ => StatusCode::UNPROCESSABLE_ENTITY,
    }
}

/// The same checks as this project's layer, but after the whole body was collected.
async fn collected(State(verifier): State<Verifier>, headers: HeaderMap, body: Bytes) -> StatusCode {
    match verifier.verify(&headers, body).and_then(|delivery| {
        delivery.id();
        delivery.into_event()
    }) {
        Ok(_) => StatusCode::OK,
        Err(rejection) => rejection.status(),
    }
}

async fn collected_not_read(State(verifier): State<Verifier>, headers: HeaderMap, body: Bytes) -> StatusCode {
    verifier.verify(&headers, body).map_or_else(|rejection| rejection.status(), |_| StatusCode::OK)
}

async fn streamed_not_read(State(verifier): State<Verifier>, headers: HeaderMap, body: Body) -> StatusCode {
    let verify = async {
        let mut verification = verifier.begin(SignatureHeaders::from_map(&headers)?)?;
        let mut chunks = body.into_data_stream();
        while let Some(chunk) = chunks.next().await {
            verification.push(chunk.map_err(|error| Rejection::BodyIncomplete(BodyError::new(&error)))?)?;
        }
        verification.finish()
    };
    verify.await.map_or_else(|rejection| rejection.status(), |_| StatusCode::OK)
}
