use std::error::Error;
use std::pin::pin;

use axum_core::extract::DefaultBodyLimit;
use bytes::{Buf, Bytes};
use futures_util::StreamExt;
use http::{Request, Uri};
use http_body::Body;
use http_body_util::BodyDataStream;
use twenty_webhook_core::{BodyError, HttpHead, RejectedRequest, VerifiedRequest, WebhookConfig, WebhookEvent};

pub(crate) type BoxError = Box<dyn Error + Send + Sync>;

/// A verified request, with the event in its extensions and the signed bytes as its body.
pub(crate) struct Verified<B> {
    pub(crate) received: VerifiedRequest,
    pub(crate) request: Request<B>,
    /// The event, if a layer around this one has verified it too.
    pub(crate) outer: Option<WebhookEvent>,
}

// Not an `async fn`: its future would hold each argument twice.
pub(crate) fn receive<B>(
    config: WebhookConfig,
    mut request: Request<B>,
) -> impl Future<Output = Result<Verified<B>, RejectedRequest>> + Send
where
    B: Body + Default + From<Bytes> + Send,
    B::Data: Send,
    B::Error: Into<BoxError>,
{
    let body = std::mem::take(request.body_mut());
    let announced = body.size_hint().lower();
    async move {
        // Does not copy data that is `Bytes` already.
        let chunks = pin!(BodyDataStream::new(body).map(|data| match data {
            Ok(mut data) => Ok(data.copy_to_bytes(data.remaining())),
            Err(error) => Err(BodyError::new(&*error.into())),
        }));
        let head = HttpHead::new(request.method(), url(&request), request.headers());
        let received = match config.receive(&head, Some(announced), chunks, tokio::time::sleep).await {
            Ok(received) => received,
            Err(rejected) => return Err(diagnosed(rejected).await),
        };
        *request.body_mut() = B::from(received.event().body().clone());
        let outer = request.extensions_mut().insert(received.event().clone());
        // The body is in memory and within our limit, so axum's smaller limit must not reject it to a handler that takes the bytes.
        DefaultBodyLimit::disable().apply(&mut request);
        Ok(Verified { received, request, outer })
    }
}

/// The URL that the sender used. axum removes the prefix of a nested router from the request's own URI.
fn url<B>(request: &Request<B>) -> &Uri {
    #[cfg(feature = "axum")]
    if let Some(axum::extract::OriginalUri(url)) = request.extensions().get() {
        return url;
    }
    request.uri()
}

/// Diagnoses a request if that is configured, on a thread that serves no requests.
#[cfg_attr(not(feature = "diagnose"), expect(clippy::unused_async, reason = "it waits with the feature `diagnose`"))]
async fn diagnosed(
    #[cfg_attr(not(feature = "diagnose"), expect(unused_mut))] mut rejected: RejectedRequest,
) -> RejectedRequest {
    #[cfg(feature = "diagnose")]
    if let Some(recorded) = rejected.take_recorded_request() {
        let diagnosis = tokio::task::spawn_blocking(move || recorded.diagnose()).await;
        return rejected.with_diagnosis(diagnosis.ok());
    }
    rejected
}
