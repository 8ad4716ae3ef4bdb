use twenty_webhook_core::Rejection;

/// What a receiver answered, in either framework.
///
/// It is implemented for `http::Response`, which axum and tower give, and with the feature `actix` for `ServiceResponse`. The reason is the
/// [`Rejection`] that the adapters put into the response's extensions, so it is there in process only, not after a socket.
pub trait ReceiverResponse {
    /// The status.
    fn status_code(&self) -> u16;

    /// Why it was refused. `None` if it was not, or if that is not known.
    fn rejection(&self) -> Option<Rejection>;

    /// Asserts that a handler was called and answered 2xx.
    ///
    /// # Panics
    /// If it was not, with the status and the reason.
    #[track_caller]
    fn assert_handled(&self) {
        let (status, rejection) = (self.status_code(), self.rejection());
        assert!(
            rejection.is_none() && (200..300).contains(&status),
            "not handled: {}",
            describe(status, rejection.as_ref())
        );
    }

    /// Asserts that a handler was called, and failed.
    ///
    /// # Panics
    /// If none was called, or it answered 2xx.
    #[track_caller]
    fn assert_failed(&self) {
        let (status, rejection) = (self.status_code(), self.rejection());
        let failed = rejection.is_none() && !(200..300).contains(&status);
        assert!(failed, "expected a handler that fails, got {}", describe(status, rejection.as_ref()));
    }

    /// Asserts that it was refused for the reason with this [code](Rejection::code), as `signature_mismatch`, and answered with that reason's
    /// status.
    ///
    /// # Panics
    /// If it was handled, or refused for another reason.
    #[track_caller]
    fn assert_refused(&self, code: &str) {
        let (status, rejection) = (self.status_code(), self.rejection());
        let as_expected = rejection.as_ref().is_some_and(|why| why.code() == code && why.status().as_u16() == status);
        assert!(as_expected, "expected `{code}`, got {}", describe(status, rejection.as_ref()));
    }

    /// Asserts that it was answered 200 without calling a handler, because the same delivery was handled before.
    ///
    /// # Panics
    /// If it was not.
    #[track_caller]
    fn assert_duplicate(&self) {
        self.assert_refused("already_completed");
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
