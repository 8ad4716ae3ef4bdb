//! The part of Twenty's REST API that receivers, catch-up and tools use.

mod answer;
mod filter;
mod metadata;
mod order;
mod page;
mod records;
mod webhooks;

use std::net::TcpListener;
use std::sync::Arc;

use axum::Router;
use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{Request, State};
use axum::response::Response;
use http::request::Parts;
use http::{HeaderValue, Method, StatusCode, header};
use serde_json::{Map, Value};
use twenty_webhook_core::UnixMillis;
use twenty_webhook_core::jiff::Timestamp;

use self::answer::{Failure, json, text};
use super::state::Shared;
use super::{ApiFailure, Role};

const LONGEST_BODY: usize = 16 * 1024 * 1024;

pub(super) async fn serve(listener: TcpListener, shared: Arc<Shared>) {
    let Ok(listener) = tokio::net::TcpListener::from_std(listener) else { return };
    let app = Router::new().fallback(handle).with_state(shared);
    // Serves until the runtime ends.
    let _ = axum::serve(listener, app).await;
}

async fn handle(State(shared): State<Arc<Shared>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    shared.state().api_requests.push(format!("{} {}", parts.method, parts.uri));
    shared.pass_gate().await;
    let (now, delay, failure) = {
        let mut state = shared.state();
        let failure = state.api_failures.pop_front();
        state.met_failures.extend(failure);
        (shared.now(&state.faults), state.faults.api_delay, failure)
    };
    if !delay.is_zero() {
        tokio::time::sleep(delay).await;
    }
    let result = match failure {
        Some(failure) => fail(failure, &shared).await,
        None => match to_bytes(body, LONGEST_BODY).await {
            Ok(body) => answer(&shared, &parts, &body),
            Err(_) => Err(Failure::new(StatusCode::PAYLOAD_TOO_LARGE, "the body is too large")),
        },
    };
    let mut response = result.unwrap_or_else(Failure::into_response);
    response.headers_mut().insert(header::DATE, http_date(now));
    response
}

fn answer(shared: &Shared, parts: &Parts, body: &[u8]) -> Result<Response, Failure> {
    let path: Vec<&str> = parts.uri.path().trim_matches('/').split('/').collect();
    if path == ["healthz"] {
        return Ok(text(StatusCode::OK, "text/plain", "ok"));
    }
    let role = authorize(shared, parts)?;
    let query = Query::of(parts);
    let method = &parts.method;
    match path[..] {
        ["rest", "metadata", "objects"] if method == Method::GET => metadata::objects(shared, &role, &query),
        ["rest", "metadata", "webhooks"] => webhooks::collection(shared, &role, method, body, true),
        ["rest", "webhooks"] => webhooks::collection(shared, &role, method, body, false),
        ["rest", "metadata", "webhooks", id] | ["rest", "webhooks", id] => {
            webhooks::one(shared, &role, method, id, body)
        }
        ["rest", "batch", plural] if method == Method::POST => records::create_many(shared, &role, plural, body),
        ["rest", "restore", plural, id] if method == Method::PATCH => records::restore(shared, &role, plural, id),
        ["rest", plural] if shared.state().faults.failing_objects.iter().any(|failing| failing == plural) => {
            Err(Failure::new(StatusCode::INTERNAL_SERVER_ERROR, "Internal server error"))
        }
        ["rest", plural] if method == Method::GET => records::list(shared, &role, plural, &query),
        ["rest", plural] if method == Method::POST => records::create(shared, &role, plural, body),
        ["rest", plural, id] => records::one(shared, &role, method, plural, id, &query, body),
        _ => Err(Failure::new(StatusCode::NOT_FOUND, format!("Cannot {method} {}", parts.uri.path()))),
    }
}

/// The role of the request's API key. An error if the key is unknown or over its limit.
fn authorize(shared: &Shared, parts: &Parts) -> Result<Role, Failure> {
    let mut state = shared.state();
    let state = &mut *state;
    let header = parts.headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let key = header.and_then(|value| value.strip_prefix("Bearer ")).unwrap_or_default();
    let Some(role) = state.roles.get(key) else {
        return Err(Failure::new(StatusCode::UNAUTHORIZED, "Token invalid."));
    };
    if state.faults.allowance_spent {
        return Err(Failure::new(StatusCode::PAYMENT_REQUIRED, "The allowance is spent."));
    }
    if let Some(limit) = state.faults.api_rate_limit {
        let window = state.api_rates.entry(key.to_owned()).or_default();
        if let Err(delay) = window.count(limit, shared.now(&state.faults)) {
            let retry_after = (!state.faults.no_retry_after).then_some(delay);
            return Err(Failure::too_many_requests(retry_after));
        }
    }
    Ok(role.clone())
}

async fn fail(failure: ApiFailure, shared: &Shared) -> Result<Response, Failure> {
    const HTML: &str = "<!doctype html><title>Bad gateway</title>";
    match failure {
        ApiFailure::Status(429) => {
            let retry_after = !shared.state().faults.no_retry_after;
            Err(Failure::too_many_requests(retry_after.then_some(std::time::Duration::from_secs(1))))
        }
        ApiFailure::Status(status) => {
            let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
            Err(Failure::new(status, "This request fails for a test."))
        }
        ApiFailure::Hang => std::future::pending().await,
        ApiFailure::NotJson => Ok(text(StatusCode::OK, "text/html", HTML)),
        ApiFailure::CutOff => {
            let mut response = Response::new(Body::new(Chunks { chunk: r#"{"data":"#, remaining: Some(1) }));
            response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
            Ok(response)
        }
        ApiFailure::Endless => Ok(Response::new(Body::new(Chunks { chunk: ENDLESS, remaining: None }))),
    }
}

const ENDLESS: &str = "                                                                                ";

/// A number of chunks and then an error, or endless chunks.
struct Chunks {
    chunk: &'static str,
    remaining: Option<u32>,
}

impl http_body::Body for Chunks {
    type Data = Bytes;
    type Error = std::io::Error;

    fn poll_frame(
        mut self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Result<http_body::Frame<Bytes>, std::io::Error>>> {
        let frame = match &mut self.remaining {
            Some(0) => Err(std::io::Error::other("cut off")),
            remaining => {
                if let Some(remaining) = remaining {
                    *remaining -= 1;
                }
                Ok(http_body::Frame::data(Bytes::from_static(self.chunk.as_bytes())))
            }
        };
        std::task::Poll::Ready(Some(frame))
    }
}

/// The parameters of a request.
struct Query(Vec<(String, String)>);

impl Query {
    fn of(parts: &Parts) -> Self {
        let query = parts.uri.query().unwrap_or_default();
        Self(form_urlencoded::parse(query.as_bytes()).into_owned().collect())
    }

    fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// The page size: 60 by default, 200 at most.
    fn limit(&self) -> Result<usize, Failure> {
        let Some(text) = self.get("limit") else { return Ok(60) };
        match text.parse() {
            Ok(limit) if limit > 0 => Ok(std::cmp::min(limit, 200)),
            _ => Err(Failure::bad_request(format!("limit '{text}' is invalid. Should be an integer"))),
        }
    }
}

/// Parses a body as a JSON object.
fn object(body: &[u8]) -> Result<Map<String, Value>, Failure> {
    serde_json::from_slice(body)
        .map_err(|error| Failure::bad_request(format!("the body is not a JSON object: {error}")))
}

fn http_date(now: UnixMillis) -> HeaderValue {
    let millis = i64::try_from(now.as_millis()).unwrap_or(0);
    let date =
        Timestamp::from_millisecond(millis).unwrap_or_default().strftime("%a, %d %b %Y %H:%M:%S GMT").to_string();
    HeaderValue::try_from(date).expect("letters and digits")
}
