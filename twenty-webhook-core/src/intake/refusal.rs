use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Response, StatusCode, header};

#[cfg(feature = "diagnose")]
use super::evidence::RecordedRequest;
use super::path_start::PathStart;
use crate::{Rejection, WebhookConfig};

pub(crate) type RejectionResponse = Arc<dyn Fn(&Rejection) -> Response<Bytes> + Send + Sync>;

/// A request that was refused: why, for the operator (it is in the log already), and the answer to the caller.
#[must_use = "the caller waits for an answer"]
pub struct RejectedRequest(Box<Parts>);

struct Parts {
    rejection: Rejection,
    response: Response<Bytes>,
    #[cfg(feature = "diagnose")]
    evidence: Option<RecordedRequest>,
    #[cfg(feature = "diagnose")]
    path: PathStart,
}

impl RejectedRequest {
    pub(super) fn new(
        config: &WebhookConfig,
        rejection: Rejection,
        #[cfg_attr(not(feature = "diagnose"), expect(unused_variables))] path: PathStart,
    ) -> Self {
        let mut response = match &config.settings().rejection_response {
            Some(response) => response(&rejection),
            None => bare(&rejection),
        };
        add_headers(&rejection, response.headers_mut());
        Self(Box::new(Parts {
            rejection,
            response,
            #[cfg(feature = "diagnose")]
            evidence: None,
            #[cfg(feature = "diagnose")]
            path,
        }))
    }

    /// Why it was refused.
    pub fn rejection(&self) -> &Rejection {
        &self.0.rejection
    }

    /// The answer, with the [`Rejection`] in its extensions.
    pub fn into_response(self) -> Response<Bytes> {
        let Parts { rejection, mut response, .. } = *self.0;
        response.extensions_mut().insert(rejection);
        response
    }

    #[cfg(feature = "diagnose")]
    pub(super) fn with_evidence(mut self, evidence: Option<RecordedRequest>) -> Self {
        self.0.evidence = evidence;
        self
    }

    /// The request itself, if it is to be diagnosed. Diagnose it where that blocks nothing, and put what was found
    /// [into the answer](Self::with_diagnosis).
    #[cfg(feature = "diagnose")]
    pub fn take_recorded_request(&mut self) -> Option<RecordedRequest> {
        self.0.evidence.take()
    }

    /// Says in the log what is wrong with the request, and puts the diagnosis into the answer's extensions.
    #[cfg(feature = "diagnose")]
    pub fn with_diagnosis(mut self, diagnosis: Option<crate::Diagnosis>) -> Self {
        if let Some(diagnosis) = diagnosis {
            super::log::diagnosed(&diagnosis, self.0.path.as_str());
            self.0.response.extensions_mut().insert(diagnosis);
        }
        self
    }
}

fn bare(rejection: &Rejection) -> Response<Bytes> {
    let mut response = Response::new(Bytes::new());
    *response.status_mut() = rejection.status();
    response
}

/// The headers that belong to these refusals, unless the answer has them.
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
