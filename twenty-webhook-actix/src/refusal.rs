use std::fmt;
use std::rc::Rc;

use actix_web::dev::Payload;
use actix_web::http::StatusCode;
use actix_web::http::header::{HeaderName, HeaderValue};
use actix_web::{HttpResponse, ResponseError};
use bytes::Bytes;
use twenty_webhook_core::{RejectedRequest, Rejection};

/// A request that was refused, as an error of actix: why, and the answer to the caller.
#[derive(Clone)]
pub struct RefusedRequest {
    rejection: Rejection,
    answer: http::Response<Bytes>,
    body: Body,
}

/// The body of a request that was refused before it was read to its end. It is kept until the response is sent, because then actix
/// closes the connection. If it is dropped before, and chunked, actix goes on reading it: for ever, if it has no end.
#[derive(Clone)]
struct Body(#[expect(dead_code, reason = "only kept")] Rc<Payload>);

impl RefusedRequest {
    pub(crate) fn new(refusal: RejectedRequest, body: Payload) -> Self {
        Self { rejection: refusal.rejection().clone(), answer: refusal.into_response(), body: Body(Rc::new(body)) }
    }

    /// Why it was refused.
    pub fn rejection(&self) -> &Rejection {
        &self.rejection
    }
}

impl fmt::Debug for RefusedRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("RefusedRequest").field(&self.rejection).finish()
    }
}

impl fmt::Display for RefusedRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.rejection.fmt(f)
    }
}

impl ResponseError for RefusedRequest {
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

/// A handler takes a [`Webhook`](crate::Webhook), and there is neither a [`WebhookConfig`](crate::WebhookConfig) in `app_data`
/// nor a [`TwentyWebhookMiddleware`](crate::TwentyWebhookMiddleware) around it.
#[derive(Clone, Copy, Debug)]
pub struct MissingConfig(pub(crate) ());

impl fmt::Display for MissingConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            "a handler takes a `Webhook`, but there is neither a `web::Data<WebhookConfig>` in `app_data` nor a \
             `TwentyWebhookMiddleware` around it: nothing was verified",
        )
    }
}

/// Answers 500 with an empty body.
impl ResponseError for MissingConfig {
    fn error_response(&self) -> HttpResponse {
        HttpResponse::InternalServerError().finish()
    }
}
