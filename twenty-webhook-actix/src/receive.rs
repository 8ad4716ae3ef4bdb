use std::pin::pin;

use actix_web::dev::{Payload, RequestHead as ActixRequestHead};
use actix_web::http::header::{CONTENT_LENGTH, HOST};
use actix_web::rt::time::sleep;
use futures_util::TryStreamExt;
use twenty_webhook_core::{BodyError, RejectedRequest, RequestHead, VerifiedRequest, WebhookConfig};

/// Reads the body as it was sent. `web::Bytes` would decompress it, and has its own limit.
pub(crate) async fn receive(
    config: &WebhookConfig,
    head: &ActixRequestHead,
    payload: &mut Payload,
) -> Result<VerifiedRequest, RejectedRequest> {
    let announced = head.headers().get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
    let chunks = pin!(payload.map_err(|error| BodyError::new(&error)));
    match config.receive(&Head(head), announced, chunks, sleep).await {
        Ok(received) => Ok(received),
        Err(rejected) => Err(diagnosed(rejected).await),
    }
}

/// Diagnoses a request if that is configured, on a thread that serves no requests.
#[cfg_attr(not(feature = "diagnose"), expect(clippy::unused_async, reason = "it waits with the feature `diagnose`"))]
async fn diagnosed(
    #[cfg_attr(not(feature = "diagnose"), expect(unused_mut))] mut rejected: RejectedRequest,
) -> RejectedRequest {
    #[cfg(feature = "diagnose")]
    if let Some(recorded) = rejected.take_recorded_request() {
        let diagnosis = actix_web::rt::task::spawn_blocking(move || recorded.diagnose()).await;
        return rejected.with_diagnosis(diagnosis.ok());
    }
    rejected
}

/// actix-web has its own types, from an older `http` crate.
struct Head<'a>(&'a ActixRequestHead);

impl RequestHead for Head<'_> {
    fn method(&self) -> &str {
        self.0.method.as_str()
    }

    fn path(&self) -> &str {
        self.0.uri.path()
    }

    fn host(&self) -> Option<&str> {
        self.0.uri.host().or_else(|| self.0.headers.get(HOST)?.to_str().ok())
    }

    fn headers(&self) -> impl Iterator<Item = (&str, &[u8])> {
        self.0.headers.iter().map(|(name, value)| (name.as_str(), value.as_bytes()))
    }

    /// In bytes. actix reads up to 128 KiB ahead, into a buffer that doubles as it grows and lives as long as the connection: 290 KiB were
    /// measured. The rest covers connections that were refused memory: they are not counted, and hold their buffer for up to 10 seconds.
    fn read_ahead(&self) -> usize {
        512 * 1024
    }
}
