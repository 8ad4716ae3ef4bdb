use twenty_webhook_core::Rejection;

/// Assertions about a receiver's response, in both frameworks.
///
/// It is implemented for `http::Response` of axum and tower, and with the feature `actix` for `ServiceResponse`. The reason is the
/// [`Rejection`] in the response's extensions, so it is known in process only, not through a socket.
///
/// ```
/// use axum::{Router, body::Body, routing::post};
/// use tower::ServiceExt;
/// use twenty_webhook_axum::{EventRouter, Secret, TwentyWebhookLayer};
/// use twenty_webhook_testing::{ReceiverResponse, event};
///
/// # tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(async {
/// let secret = Secret::new("s3cret").unwrap();
/// let layer = TwentyWebhookLayer::new(secret.clone());
/// let app = Router::new().route("/webhooks/twenty", post(EventRouter::new()).layer(layer));
///
/// let delivery = event("person.created").signed_with(&secret);
/// app.oneshot(delivery.http::<Body>()).await.unwrap().assert_handled();
/// # });
/// ```
pub trait ReceiverResponse {
    /// The HTTP status.
    fn status_code(&self) -> u16;

    /// Why the request was rejected. `None` if it was not rejected, or if the reason is unknown.
    fn rejection(&self) -> Option<Rejection>;

    /// Asserts that a handler was called and answered 2xx.
    ///
    /// # Panics
    /// If the request was rejected or failed. The message has the status and the reason.
    #[track_caller]
    fn assert_handled(&self) {
        let (status, rejection) = (self.status_code(), self.rejection());
        assert!(
            rejection.is_none() && (200..300).contains(&status),
            "not handled: {}",
            describe(status, rejection.as_ref())
        );
    }

    /// Asserts that a handler was called and did not answer 2xx.
    ///
    /// # Panics
    /// If the request was rejected, or answered 2xx.
    #[track_caller]
    fn assert_failed(&self) {
        let (status, rejection) = (self.status_code(), self.rejection());
        let failed = rejection.is_none() && !(200..300).contains(&status);
        assert!(failed, "expected a failed handler, got {}", describe(status, rejection.as_ref()));
    }

    /// Asserts that the request was rejected with this [code](Rejection::code), for example `signature_mismatch`, and answered with the
    /// status of that code.
    ///
    /// # Panics
    /// If it was handled, or rejected with another code.
    #[track_caller]
    fn assert_rejected(&self, code: &str) {
        let (status, rejection) = (self.status_code(), self.rejection());
        let as_expected = rejection.as_ref().is_some_and(|why| why.code() == code && why.status().as_u16() == status);
        assert!(as_expected, "expected `{code}`, got {}", describe(status, rejection.as_ref()));
    }

    /// Asserts that the request was answered 200 without a call of the handler, because the same delivery was handled before.
    ///
    /// # Panics
    /// If it was handled, or rejected for another reason.
    #[track_caller]
    fn assert_duplicate(&self) {
        self.assert_rejected("already_completed");
    }
}

fn describe(status: u16, rejection: Option<&Rejection>) -> String {
    match rejection {
        Some(rejection) => format!("{status}, `{}`: {rejection}", rejection.code()),
        None => format!("{status} without a rejection"),
    }
}

impl<B> ReceiverResponse for http::Response<B> {
    fn status_code(&self) -> u16 {
        self.status().as_u16()
    }

    fn rejection(&self) -> Option<Rejection> {
        self.extensions().get().cloned()
    }
}
