use std::pin::pin;

use axum_core::extract::DefaultBodyLimit;
use bytes::{Buf, Bytes};
use http::{HeaderMap, Request, header};
use http_body::Body;
use http_body_util::BodyExt;
use twenty_webhook_core::{Delivery, Rejection, SignatureHeaders, Verification, WebhookEvent};

use crate::TwentyWebhookLayer;
use crate::refusal::Refusal;

/// Takes a request down the road: headers, body, event. What comes back has the event in its extensions and the same bytes as body.
pub(crate) async fn receive<B>(
    config: &TwentyWebhookLayer,
    request: Request<B>,
) -> Result<(Delivery, Request<B>), Refusal>
where
    B: Body + From<Bytes>,
{
    let (parts, body) = request.into_parts();
    #[cfg(feature = "diagnose")]
    let (delivery, event) = if config.diagnose {
        crate::diagnose::verify(config, &parts.headers, body).await?
    } else {
        verify(config, &parts.headers, body).await?
    };
    #[cfg(not(feature = "diagnose"))]
    let (delivery, event) = verify(config, &parts.headers, body).await?;
    tracing::debug!(name = event.name().as_str(), signed_with = ?delivery.signed_with(), "Twenty webhook verified");

    let mut request = Request::from_parts(parts, B::from(delivery.body().clone()));
    request.extensions_mut().insert(event);
    // The body is in memory and within our own limit: axum's is not to refuse it to a handler that wants the bytes.
    DefaultBodyLimit::disable().apply(&mut request);
    Ok((delivery, request))
}

pub(crate) async fn verify<B: Body>(
    config: &TwentyWebhookLayer,
    headers: &HeaderMap,
    body: B,
) -> Result<(Delivery, WebhookEvent), Rejection> {
    let mut verification = config.verifier.begin(SignatureHeaders::from_map(headers)?)?;
    if let Some(length) = content_length(headers) {
        verification.announce(length)?;
    }
    if config.replays.is_on() {
        verification = verification.identify();
    }
    let deadline = config.body_deadline;
    tokio::time::timeout(deadline, read(body, &mut verification))
        .await
        .map_err(|_| Rejection::BodyTimeout { deadline })??;
    let delivery = verification.finish()?;
    let event = delivery.clone().into_event()?;
    Ok((delivery, event))
}

async fn read<B: Body>(body: B, verification: &mut Verification) -> Result<(), Rejection> {
    let mut body = pin!(body);
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|_| Rejection::BodyIncomplete)?;
        if let Ok(mut data) = frame.into_data() {
            // Not a copy when the data is `Bytes`.
            verification.push(data.copy_to_bytes(data.remaining()))?;
        }
        // A body that is always ready must not keep the deadline from being looked at.
        tokio::task::coop::consume_budget().await;
    }
    Ok(())
}

fn content_length(headers: &HeaderMap) -> Option<u64> {
    headers.get(header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}
