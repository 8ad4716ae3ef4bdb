use std::time::Duration;

use axum::body::Body;
use axum::response::Response;
use http::{HeaderValue, StatusCode, header};
use serde_json::Value;

/// An error answer, with Twenty's wording.
#[derive(Debug)]
pub(super) struct Failure {
    status: StatusCode,
    message: String,
    retry_after: Option<Duration>,
}

impl Failure {
    pub(super) fn new(status: StatusCode, message: impl Into<String>) -> Self {
        Self { status, message: message.into(), retry_after: None }
    }

    pub(super) fn bad_request(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, message)
    }

    pub(super) fn not_found() -> Self {
        Self::new(StatusCode::NOT_FOUND, "Record not found")
    }

    pub(super) fn too_many_requests(retry_after: Option<Duration>) -> Self {
        Self { retry_after, ..Self::new(StatusCode::TOO_MANY_REQUESTS, "Too Many Requests") }
    }

    pub(super) fn into_response(self) -> Response {
        let reason = self.status.canonical_reason().unwrap_or_default();
        let body = serde_json::json!({
            "statusCode": self.status.as_u16(), "error": reason, "messages": [self.message],
        });
        let mut response = json(self.status, &body);
        if let Some(delay) = self.retry_after {
            // Rounded up to whole seconds.
            let seconds = delay.as_secs() + u64::from(delay.subsec_nanos() > 0);
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}

pub(super) fn json(status: StatusCode, value: &Value) -> Response {
    text(status, "application/json; charset=utf-8", &value.to_string())
}

pub(super) fn text(status: StatusCode, content_type: &'static str, body: &str) -> Response {
    let mut response = Response::new(Body::from(body.to_owned()));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}
