use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Response, StatusCode, header};

use super::path_prefix::PathPrefix;
#[cfg(feature = "diagnose")]
use super::recorded_request::RecordedRequest;
use crate::{Rejection, WebhookConfig};

pub(crate) type RejectionResponse = Arc<dyn Fn(&Rejection) -> Response<Bytes> + Send + Sync>;

/// A rejected request: the reason, which is already logged, and the response to the caller.
#[must_use = "the caller waits for a response"]
pub struct RejectedRequest(Box<Parts>);

struct Parts {
    rejection: Rejection,
    response: Response<Bytes>,
    #[cfg(feature = "diagnose")]
    recorded_request: Option<RecordedRequest>,
    #[cfg(feature = "diagnose")]
    path: PathPrefix,
}

impl RejectedRequest {
    pub(super) fn new(
        config: &WebhookConfig,
        rejection: Rejection,
        #[cfg_attr(not(feature = "diagnose"), expect(unused_variables))] path: PathPrefix,
    ) -> Self {
        let mut response = match &config.settings().rejection_response {
            Some(response) => response(&rejection),
            None => empty_response(&rejection),
        };
        add_headers(&rejection, response.headers_mut());
        Self(Box::new(Parts {
            rejection,
            response,
            #[cfg(feature = "diagnose")]
            recorded_request: None,
            #[cfg(feature = "diagnose")]
            path,
        }))
    }

    /// The reason.
    pub fn rejection(&self) -> &Rejection {
        &self.0.rejection
    }

    /// The response, with the [`Rejection`] in its extensions.
    pub fn into_response(self) -> Response<Bytes> {
        let Parts { rejection, mut response, .. } = *self.0;
        response.extensions_mut().insert(rejection);
        response
    }

    #[cfg(feature = "diagnose")]
    pub(super) fn with_recorded_request(mut self, recorded_request: Option<RecordedRequest>) -> Self {
        self.0.recorded_request = recorded_request;
        self
    }

    /// The request, if diagnosis is on and can explain the rejection. Diagnose it on a blocking thread, and add the diagnosis to the
    /// [response](Self::with_diagnosis).
    #[cfg(feature = "diagnose")]
    pub fn take_recorded_request(&mut self) -> Option<RecordedRequest> {
        self.0.recorded_request.take()
    }

    /// Logs the diagnosis, and adds it to the response's extensions.
    #[cfg(feature = "diagnose")]
    pub fn with_diagnosis(mut self, diagnosis: Option<crate::Diagnosis>) -> Self {
        if let Some(diagnosis) = diagnosis {
            super::log::diagnosed(&diagnosis, self.0.path.as_str());
            self.0.response.extensions_mut().insert(diagnosis);
        }
        self
    }
}

fn empty_response(rejection: &Rejection) -> Response<Bytes> {
    let mut response = Response::new(Bytes::new());
    *response.status_mut() = rejection.status();
    response
}

/// Adds `Retry-After` and `Allow`, unless the response has them.
fn add_headers(rejection: &Rejection, headers: &mut HeaderMap) {
    if let Some(seconds) = rejection.retry_after() {
        headers.entry(header::RETRY_AFTER).or_insert_with(|| HeaderValue::from(seconds));
    }
    if rejection.status() == StatusCode::METHOD_NOT_ALLOWED {
        headers.entry(header::ALLOW).or_insert(HeaderValue::from_static("POST"));
    }
}

impl fmt::Debug for RejectedRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RejectedRequest").field("rejection", &self.0.rejection).finish_non_exhaustive()
    }
}

impl fmt::Display for RejectedRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.rejection.fmt(f)
    }
}

impl std::error::Error for RejectedRequest {}
