use actix_web::dev::Payload;
use actix_web::http::header::{CONTENT_LENGTH, HeaderMap};
use actix_web::rt::time::timeout;
use futures_util::StreamExt;
use twenty_webhook_core::{Delivery, Rejection, SignatureHeaders, Verification, WebhookEvent};

use crate::WebhookConfig;

/// Judges the headers, which needs no waiting, so that a request with bad ones is answered before its body is asked for.
pub(crate) fn begin(config: &WebhookConfig, headers: &HeaderMap) -> Result<Verification, Rejection> {
    let signature = SignatureHeaders::read(headers.iter().map(|(name, value)| (name.as_str(), value.as_bytes())))?;
    let verification = config.verifier.begin(signature)?;
    if let Some(length) = content_length(headers) {
        verification.announce(length)?;
    }
    Ok(if config.replays.is_on() { verification.identify() } else { verification })
}

/// Reads the body as it was on the wire. `web::Bytes` would decompress it, and has a limit of its own.
pub(crate) async fn finish(
    config: &WebhookConfig,
    mut verification: Verification,
    payload: &mut Payload,
) -> Result<(Delivery, WebhookEvent), Rejection> {
    let deadline = config.body_deadline;
    timeout(deadline, read(payload, &mut verification)).await.map_err(|_| Rejection::BodyTimeout { deadline })??;
    let delivery = verification.finish()?;
    let event = delivery.clone().into_event()?;
    tracing::debug!(name = event.name().as_str(), signed_with = ?delivery.signed_with(), "Twenty webhook verified");
    Ok((delivery, event))
}

async fn read(payload: &mut Payload, verification: &mut Verification) -> Result<(), Rejection> {
    while let Some(chunk) = payload.next().await {
        verification.push(chunk.map_err(|_| Rejection::BodyIncomplete)?)?;
        // A body that is always ready must not keep the deadline from being looked at.
        tokio::task::coop::consume_budget().await;
    }
    Ok(())
}

fn content_length(headers: &HeaderMap) -> Option<u64> {
    headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}
