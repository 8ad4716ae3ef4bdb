use std::fmt;
use std::pin::Pin;
use std::time::Duration;

use bytes::Bytes;
use futures_core::Stream;
use http::{HeaderMap, HeaderName, HeaderValue};

use super::body;
use super::deadline::within;
use super::exchange::Exchange;
use crate::{BodyError, Diagnosis, Rejection, RequestHead, Verifier, WebhookConfig};

/// A refused request, kept to find out what is wrong with it.
pub struct Evidence {
    verifier: Verifier,
    headers: HeaderMap,
    body: Vec<Bytes>,
}

/// The request, if it is to be diagnosed, there is something to find, and its body came whole.
pub(super) async fn gather<S, T>(
    config: &WebhookConfig,
    head: &(impl RequestHead + Sync),
    body: Pin<&mut S>,
    timer: &impl Fn(Duration) -> T,
    exchange: &mut Exchange,
    rejection: &Rejection,
) -> Option<Evidence>
where
    S: Stream<Item = Result<Bytes, BodyError>>,
    T: Future<Output = ()>,
{
    if !config.settings().diagnose {
        return None;
    }
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
    let mut evidence = Evidence { verifier, headers: HeaderMap::new(), body: std::mem::take(&mut exchange.chunks) };
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
    let (limit, mut share, mut held) = (settings.body_limit, None, 0);
    let reading = body::read(body, |chunk| {
        held += chunk.len();
        if held > limit {
            return Err(Rejection::BodyTooLarge { limit });
        }
        if !settings.body_budget.cover(&mut share, held, 0) {
            return Err(Rejection::BodyBudgetExhausted { received: held - chunk.len() });
        }
        exchange.record(&chunk);
        Ok(())
    });
    within(reading, || timer(settings.body_deadline)).await?.ok()
}

impl Evidence {
    /// Finds out what is wrong. It may work for a second without waiting.
    pub fn diagnose(self) -> Diagnosis {
        self.verifier.diagnose(&self.headers, self.body.concat())
    }
}

impl fmt::Debug for Evidence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Evidence").finish_non_exhaustive()
    }
}
