use std::fmt;
use std::pin::Pin;
use std::time::Duration;

use bytes::Bytes;
use futures_core::Stream;
use http::{HeaderMap, HeaderName, HeaderValue};

use super::body;
use super::deadline::within;
use super::exchange::Exchange;
use crate::body_budget::{BodyBudget, BudgetShare};
use crate::{BodyError, Diagnosis, Rejection, RequestHead, Verifier, WebhookConfig};

/// A refused request, kept to find out what is wrong with it.
pub struct RecordedRequest {
    verifier: Verifier,
    headers: HeaderMap,
    record: Recording,
}

/// A body that is kept for a diagnosis. It takes memory of the same budget as bodies that are received.
#[derive(Default)]
pub(super) struct Recording {
    body: Vec<u8>,
    share: Option<BudgetShare>,
}

impl Recording {
    /// `false` if there is no memory for it.
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

/// The request, if it is to be diagnosed, there is something to find, and its body came whole.
pub(super) async fn gather<S, T>(
    config: &WebhookConfig,
    head: &(impl RequestHead + Sync),
    body: Pin<&mut S>,
    timer: &impl Fn(Duration) -> T,
    exchange: &mut Exchange,
    rejection: &Rejection,
) -> Option<RecordedRequest>
where
    S: Stream<Item = Result<Bytes, BodyError>>,
    T: Future<Output = ()>,
{
    exchange.record.as_ref()?;
    let verifier = exchange.verifier()?.clone();
    match rejection {
        Rejection::SignatureMismatch | Rejection::NotAnEvent(_) => {}
        // Nothing was read: the headers were enough.
        Rejection::Unsigned
        | Rejection::MissingHeader(_)
        | Rejection::RepeatedHeader(_)
        | Rejection::MalformedSignature { .. }
        | Rejection::MalformedTimestamp { .. }
        | Rejection::StaleTimestamp { .. }
        | Rejection::FutureTimestamp { .. } => read_rest(config, body, timer, exchange).await?,
        // These say all that there is to say.
        _ => return None,
    }
    let headers = head.headers().filter_map(|(name, value)| {
        Some((HeaderName::from_bytes(name.as_bytes()).ok()?, HeaderValue::from_bytes(value).ok()?))
    });
    let record = exchange.record.take()?;
    let mut evidence = RecordedRequest { verifier, headers: HeaderMap::new(), record };
    for (name, value) in headers {
        evidence.headers.append(name, value);
    }
    Some(evidence)
}

/// Reads a body within the limits that it would have had if its headers had been right. `None` if it does not come whole.
async fn read_rest<S, T>(
    config: &WebhookConfig,
    body: Pin<&mut S>,
    timer: &impl Fn(Duration) -> T,
    exchange: &mut Exchange,
) -> Option<()>
where
    S: Stream<Item = Result<Bytes, BodyError>>,
    T: Future<Output = ()>,
{
    let settings = config.settings();
    let (limit, mut received) = (settings.body_limit, 0);
    let reading = body::read(body, |chunk| {
        received += chunk.len();
        exchange.record(&chunk);
        // Where the limit or the memory is at its end, so is the reading.
        if received <= limit && exchange.record.is_some() { Ok(()) } else { Err(Rejection::BodyTooLarge { limit }) }
    });
    within(reading, || timer(settings.body_deadline)).await?.ok()
}

impl RecordedRequest {
    /// Finds out what is wrong. It may work for a second without waiting.
    pub fn diagnose(self) -> Diagnosis {
        self.verifier.diagnose(&self.headers, self.record.body)
    }
}

impl fmt::Debug for RecordedRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RecordedRequest").finish_non_exhaustive()
    }
}
