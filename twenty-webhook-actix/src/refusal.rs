use std::fmt;
use std::rc::Rc;

use actix_web::dev::Payload;
use actix_web::http::{StatusCode, header};
use actix_web::{HttpResponse, ResponseError};
use twenty_webhook_core::Rejection;

/// A [`Rejection`] as an answer: a bare status for the caller, a line in the log for the operator, and the rejection itself in
/// the response's extensions.
#[derive(Clone)]
pub struct Refusal {
    rejection: Rejection,
    body: Option<Body>,
}

/// The body of a request that was refused before it was read to its end. It is kept until the response is sent, because then actix
/// closes the connection. If it is dropped before, and chunked, actix goes on reading it: for ever, if it has no end.
#[derive(Clone)]
struct Body(#[expect(dead_code, reason = "only kept")] Rc<Payload>);

impl Refusal {
    pub(crate) fn new(rejection: Rejection) -> Self {
        if rejection.is_duplicate() {
            tracing::info!(code = rejection.code(), "Twenty webhook not handled again: {rejection}");
        } else {
            tracing::warn!(code = rejection.code(), "Twenty webhook refused: {rejection}");
        }
        Self { rejection, body: None }
    }

    pub(crate) fn of_body(self, body: Payload) -> Self {
        Self { body: Some(Body(Rc::new(body))), ..self }
    }

    /// Why it was refused.
    pub fn rejection(&self) -> &Rejection {
        &self.rejection
    }
}

impl fmt::Debug for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Refusal").field(&self.rejection).finish()
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.rejection.fmt(f)
    }
}

impl ResponseError for Refusal {
    fn status_code(&self) -> StatusCode {
        StatusCode::from_u16(self.rejection.status().as_u16()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }

    fn error_response(&self) -> HttpResponse {
        let mut response = HttpResponse::build(self.status_code());
        if let Some(seconds) = self.rejection.retry_after() {
            response.insert_header((header::RETRY_AFTER, seconds));
        }
        let mut response = response.finish();
        response.extensions_mut().insert(self.rejection.clone());
        if let Some(body) = &self.body {
            response.extensions_mut().insert(body.clone());
        }
        response
    }
}

/// A handler takes a [`Webhook`](crate::Webhook), and there is neither a [`WebhookConfig`](crate::WebhookConfig) in `app_data`
/// nor a [`TwentyWebhookMiddleware`](crate::TwentyWebhookMiddleware) around it.
#[derive(Clone, Copy, Debug)]
pub struct MissingConfig;

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
