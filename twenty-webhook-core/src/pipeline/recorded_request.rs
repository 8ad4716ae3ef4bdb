use std::fmt;
use std::pin::Pin;
use std::time::Duration;

use bytes::Bytes;
use futures_core::Stream;
use http::{HeaderMap, HeaderName, HeaderValue};

use super::body;
use super::deadline::within;
use super::request_context::RequestContext;
use crate::body_budget::{BodyBudget, BudgetShare};
use crate::{BodyError, Diagnosis, Rejection, RequestHead, Verifier, WebhookConfig};

/// A rejected request with its body, for a diagnosis.
pub struct RecordedRequest {
    verifier: Verifier,
    headers: HeaderMap,
    record: Recording,
}

/// A recorded body, for a diagnosis. It uses the same memory budget as received bodies.
#[derive(Default)]
pub(super) struct Recording {
    body: Vec<u8>,
    share: Option<BudgetShare>,
}

impl Recording {
    /// `false` if the budget is too small.
    pub(super) fn push(&mut self, chunk: &Bytes, budget: &BodyBudget) -> bool {
        let len = self.body.len() + chunk.len();
        let capacity =
            if len <= self.body.capacity() { self.body.capacity() } else { len.max(2 * self.body.capacity()) };
        let is_covered = budget.cover(&mut self.share, capacity, 0);
        if is_covered {
            self.body.reserve_exact(capacity - self.body.len());
            self.body.extend_from_slice(chunk);
        }
        is_covered
    }
}

/// Records the request, if diagnosis is on, can explain the rejection, and the body is complete.
pub(super) async fn record_request<S, T>(
    config: &WebhookConfig,
    head: &(impl RequestHead + Sync),
    body: Pin<&mut S>,
    timer: &impl Fn(Duration) -> T,
    context: &mut RequestContext,
    rejection: &Rejection,
) -> Option<RecordedRequest>
where
    S: Stream<Item = Result<Bytes, BodyError>>,
    T: Future<Output = ()>,
{
    context.record.as_ref()?;
    let verifier = context.verifier()?.clone();
    match rejection {
        Rejection::SignatureMismatch | Rejection::NotAnEvent(_) => {}
        // Rejected by the headers, so the body was not read.
        Rejection::Unsigned
        | Rejection::MissingHeader(_)
        | Rejection::RepeatedHeader(_)
        | Rejection::MalformedSignature { .. }
        | Rejection::MalformedTimestamp { .. }
        | Rejection::StaleTimestamp { .. }
        | Rejection::FutureTimestamp { .. } => read_rest(config, body, timer, context).await?,
        // A diagnosis adds nothing to these.
        _ => return None,
    }
    let headers = head.headers().filter_map(|(name, value)| {
        Some((HeaderName::from_bytes(name.as_bytes()).ok()?, HeaderValue::from_bytes(value).ok()?))
    });
    let record = context.record.take()?;
    let mut recorded_request = RecordedRequest { verifier, headers: HeaderMap::new(), record };
    for (name, value) in headers {
        recorded_request.headers.append(name, value);
    }
    Some(recorded_request)
}

/// Reads the body within the limit and deadline of a valid request. `None` if it is incomplete.
async fn read_rest<S, T>(
    config: &WebhookConfig,
    body: Pin<&mut S>,
    timer: &impl Fn(Duration) -> T,
    context: &mut RequestContext,
) -> Option<()>
where
    S: Stream<Item = Result<Bytes, BodyError>>,
    T: Future<Output = ()>,
{
    let settings = config.settings();
    let (limit, mut received) = (settings.body_limit, 0);
    let reading = body::read(body, |chunk| {
        received += chunk.len();
        context.record(&chunk);
        // Stop at the limit, or when the budget is exhausted.
        if received <= limit && context.record.is_some() { Ok(()) } else { Err(Rejection::BodyTooLarge { limit }) }
    });
    within(reading, || timer(settings.body_deadline)).await?.ok()
}

impl RecordedRequest {
    /// Diagnoses the request. It may use a second of processor time without yielding, so call it on a blocking thread.
    pub fn diagnose(self) -> Diagnosis {
        self.verifier.diagnose(&self.headers, self.record.body)
    }
}

impl fmt::Debug for RecordedRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RecordedRequest").finish_non_exhaustive()
    }
}
