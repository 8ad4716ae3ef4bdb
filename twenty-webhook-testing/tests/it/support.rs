//! A receiver that records its requests, and a client of the REST API.

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, Method, StatusCode, Uri, header};
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::sync::watch;
use twenty_webhook_core::WebhookEvent;
use twenty_webhook_testing::FakeTwenty;

/// A request that arrived.
#[derive(Clone)]
pub(crate) struct Arrived {
    pub(crate) method: Method,
    pub(crate) path: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Arrived {
    pub(crate) fn event(&self) -> WebhookEvent {
        WebhookEvent::from_stored(self.body.clone()).unwrap()
    }
}

#[derive(Clone, Default)]
struct Shared {
    arrived: Arc<Mutex<Vec<Arrived>>>,
    in_flight: Arc<Mutex<(usize, usize)>>,
    released: Arc<watch::Sender<bool>>,
}

/// A server that records each request. The path selects the answer: `/204` answers that status, `/held` answers after `release`, `/never`
/// does not answer, and `/moved/307` redirects to `/204` with that status.
pub(crate) struct Receiver {
    pub(crate) url: String,
    shared: Shared,
}

impl Receiver {
    pub(crate) async fn start() -> Self {
        let shared = Shared::default();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let app = Router::new().fallback(receive).with_state(shared.clone());
        tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        Self { url, shared }
    }

    pub(crate) fn at(&self, path: &str) -> String {
        format!("{}{path}", self.url)
    }

    pub(crate) fn arrived(&self) -> Vec<Arrived> {
        self.shared.arrived.lock().unwrap().clone()
    }

    pub(crate) fn names(&self) -> Vec<String> {
        self.arrived().iter().map(|arrived| arrived.event().name().to_string()).collect()
    }

    /// Waits until this many requests have arrived.
    pub(crate) async fn wait_for(&self, requests: usize) {
        while self.arrived().len() < requests {
            tokio::task::yield_now().await;
        }
    }

    /// Answers all held requests, and later ones at once.
    pub(crate) fn release(&self) {
        self.shared.released.send_replace(true);
    }

    /// The highest number of concurrent requests.
    pub(crate) fn max_concurrency(&self) -> usize {
        self.shared.in_flight.lock().unwrap().1
    }
}

async fn receive(State(shared): State<Shared>, method: Method, uri: Uri, headers: HeaderMap, body: Bytes) -> Response {
    {
        let mut in_flight = shared.in_flight.lock().unwrap();
        in_flight.0 += 1;
        in_flight.1 = in_flight.1.max(in_flight.0);
    }
    let path = uri.path().to_owned();
    shared.arrived.lock().unwrap().push(Arrived { method, path: path.clone(), headers, body });
    let response = match &path[1..] {
        "never" => std::future::pending().await,
        "held" => {
            shared.released.subscribe().wait_for(|released| *released).await.unwrap();
            StatusCode::NO_CONTENT.into_response()
        }
        other => match other.strip_prefix("moved/") {
            Some(status) => (status_of(status), [(header::LOCATION, "/204")]).into_response(),
            None => status_of(other).into_response(),
        },
    };
    shared.in_flight.lock().unwrap().0 -= 1;
    response
}

fn status_of(text: &str) -> StatusCode {
    text.parse::<u16>().ok().and_then(|status| StatusCode::from_u16(status).ok()).unwrap()
}

/// An answer of the API.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Value,
}

impl Answer {
    /// The ids of a list.
    pub(crate) fn ids(&self, name: &str) -> Vec<&str> {
        self.body["data"][name].as_array().unwrap().iter().map(|record| record["id"].as_str().unwrap()).collect()
    }

    pub(crate) fn cursor(&self) -> Option<&str> {
        self.body["pageInfo"]["endCursor"].as_str()
    }
}

/// Sends a GET to the API of `twenty` with its own key.
pub(crate) async fn get(twenty: &FakeTwenty, path: &str) -> Answer {
    request(twenty, twenty.api_key(), "GET", path, Value::Null).await
}

pub(crate) async fn request(twenty: &FakeTwenty, key: &str, method: &str, path: &str, body: Value) -> Answer {
    try_request(twenty, key, method, path, body).await.unwrap()
}

/// `None` if the answer was incomplete or not JSON.
pub(crate) async fn try_request(
    twenty: &FakeTwenty,
    key: &str,
    method: &str,
    path: &str,
    body: Value,
) -> Option<Answer> {
    let body = if body.is_null() { Bytes::new() } else { body.to_string().into() };
    let http_request = http::Request::builder()
        .method(method)
        .uri(format!("{}{}", twenty.url(), encoded(path)))
        .header(header::AUTHORIZATION, format!("Bearer {key}"))
        .header(header::CONTENT_TYPE, "application/json")
        .body(Full::new(body))
        .unwrap();
    let client = Client::builder(TokioExecutor::new()).build_http::<Full<Bytes>>();
    let (parts, body) = client.request(http_request).await.ok()?.into_parts();
    let body = body.collect().await.ok()?.to_bytes();
    let body = if body.is_empty() { Value::Null } else { serde_json::from_slice(&body).ok()? };
    Some(Answer { status: parts.status.as_u16(), headers: parts.headers, body })
}

/// Encodes the characters of a filter that a URL must not contain.
fn encoded(path: &str) -> String {
    path.replace('"', "%22").replace('[', "%5B").replace(']', "%5D").replace(' ', "%20").replace('+', "%2B")
}
