use http::{HeaderValue, Response, StatusCode, header};
use twenty_webhook_core::Rejection;

/// What is refused, and what is known about why.
pub(crate) struct Refusal {
    pub(crate) rejection: Rejection,
    #[cfg(feature = "diagnose")]
    pub(crate) diagnosis: Option<twenty_webhook_core::Diagnosis>,
}

impl From<Rejection> for Refusal {
    fn from(rejection: Rejection) -> Self {
        Self {
            rejection,
            #[cfg(feature = "diagnose")]
            diagnosis: None,
        }
    }
}

impl Refusal {
    /// Tells the operator why, and the caller no more than a status.
    pub(crate) fn into_response<R: Default>(self) -> Response<R> {
        let rejection = self.rejection;
        let mut response = bare(rejection.status());
        if rejection.is_duplicate() {
            tracing::info!(code = rejection.code(), "Twenty webhook not handled again: {rejection}");
        } else {
            tracing::warn!(code = rejection.code(), "Twenty webhook refused: {rejection}");
        }
        if let Some(seconds) = rejection.retry_after() {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        response.extensions_mut().insert(rejection);
        #[cfg(feature = "diagnose")]
        if let Some(diagnosis) = self.diagnosis {
            for finding in diagnosis.findings() {
                tracing::warn!(finding = finding.code(), "Twenty webhook diagnosed: {finding}");
            }
            response.extensions_mut().insert(diagnosis);
        }
        response
    }
}

pub(crate) fn bare<R: Default>(status: StatusCode) -> Response<R> {
    let mut response = Response::new(R::default());
    *response.status_mut() = status;
    response
}
