use std::fmt;
use std::rc::Rc;

use actix_web::dev::Payload;
use actix_web::http::StatusCode;
use actix_web::http::header::{HeaderName, HeaderValue};
use actix_web::{HttpResponse, ResponseError};
use bytes::Bytes;
use twenty_webhook_core::{RejectedRequest, Rejection};

/// The actix error of a rejected request: the reason, and the response to the caller.
#[derive(Clone)]
pub struct RejectionError {
    rejection: Rejection,
    answer: http::Response<Bytes>,
    body: Body,
}

/// The unread body of a rejected request. If a chunked body is dropped before the response is sent, actix reads the rest of it, without a
/// limit. If it is dropped with the response, actix closes the connection.
#[derive(Clone)]
struct Body(#[expect(dead_code, reason = "held until it is dropped with the response")] Rc<Payload>);

impl RejectionError {
    pub(crate) fn new(rejected: RejectedRequest, body: Payload) -> Self {
        Self { rejection: rejected.rejection().clone(), answer: rejected.into_response(), body: Body(Rc::new(body)) }
    }

    /// Why the request was rejected.
    pub fn rejection(&self) -> &Rejection {
        &self.rejection
    }
}

impl fmt::Debug for RejectionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("RejectionError").field(&self.rejection).finish()
    }
}

impl fmt::Display for RejectionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.rejection.fmt(f)
    }
}

impl ResponseError for RejectionError {
    fn status_code(&self) -> StatusCode {
        StatusCode::from_u16(self.answer.status().as_u16()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }

    fn error_response(&self) -> HttpResponse {
        let mut response = HttpResponse::build(self.status_code());
        for (name, value) in self.answer.headers() {
            let name = HeaderName::from_bytes(name.as_ref());
            if let (Ok(name), Ok(value)) = (name, HeaderValue::from_bytes(value.as_bytes())) {
                response.append_header((name, value));
            }
        }
        let mut response = response.body(self.answer.body().clone());
        response.extensions_mut().insert(self.rejection.clone());
        #[cfg(feature = "diagnose")]
        if let Some(diagnosis) = self.answer.extensions().get::<twenty_webhook_core::Diagnosis>() {
            response.extensions_mut().insert(diagnosis.clone());
        }
        response.extensions_mut().insert(self.body.clone());
        response
    }
}

/// A handler takes a [`Webhook`](crate::Webhook), but its route has neither a
/// [`TwentyWebhookMiddleware`](crate::TwentyWebhookMiddleware) nor a `web::Data<WebhookConfig>` in `app_data`.
#[derive(Clone, Copy, Debug)]
pub struct MissingConfig(pub(crate) ());

impl fmt::Display for MissingConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            "a handler takes a `Webhook`, but its route has neither a `TwentyWebhookMiddleware` nor a \
             `web::Data<WebhookConfig>` in `app_data`: nothing was verified",
        )
    }
}

/// Answers 500 with an empty body.
impl ResponseError for MissingConfig {
    fn error_response(&self) -> HttpResponse {
        HttpResponse::InternalServerError().finish()
    }
}
