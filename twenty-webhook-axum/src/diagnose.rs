use std::pin::{Pin, pin};
use std::sync::{Mutex, PoisonError};

use bytes::{Buf, Bytes};
use http::HeaderMap;
use http_body::{Body, Frame};
use http_body_util::BodyExt;
use twenty_webhook_core::{Delivery, Diagnosis, Rejection, WebhookEvent};

use crate::TwentyWebhookLayer;
use crate::receive;
use crate::refusal::Refusal;

/// [`receive::verify`], which remembers the body it has read, and has a refused request diagnosed.
pub(crate) async fn verify<B: Body>(
    config: &TwentyWebhookLayer,
    headers: &HeaderMap,
    body: B,
) -> Result<(Delivery, WebhookEvent), Refusal> {
    let tape = Mutex::new(Vec::new());
    let mut body = pin!(body.map_frame(|frame| recorded(frame, &tape)));
    let rejection = match receive::verify(config, headers, body.as_mut()).await {
        Ok(verified) => return Ok(verified),
        Err(rejection) => rejection,
    };
    let whole = match rejection {
        Rejection::SignatureMismatch | Rejection::NotAnEvent(_) => true,
        // Nothing was read: the headers were enough.
        Rejection::Unsigned
        | Rejection::MissingHeader(_)
        | Rejection::RepeatedHeader(_)
        | Rejection::MalformedSignature { .. }
        | Rejection::MalformedTimestamp { .. }
        | Rejection::StaleTimestamp { .. }
        | Rejection::FutureTimestamp { .. } => read_all(config, body).await,
        // These say all that there is to say.
        _ => false,
    };
    let tape = tape.into_inner().unwrap_or_else(PoisonError::into_inner);
    let diagnosis = if whole { diagnose(config, headers, tape).await } else { None };
    Err(Refusal { rejection, diagnosis })
}

fn recorded<D: Buf>(frame: Frame<D>, tape: &Mutex<Vec<Bytes>>) -> Frame<Bytes> {
    // Not a copy when the data is `Bytes`.
    let frame = frame.map_data(|mut data| data.copy_to_bytes(data.remaining()));
    if let Some(data) = frame.data_ref() {
        tape.lock().unwrap_or_else(PoisonError::into_inner).push(data.clone());
    }
    frame
}

/// Whether the whole body came, within its limit and deadline.
async fn read_all<B: Body<Data = Bytes>>(config: &TwentyWebhookLayer, mut body: Pin<&mut B>) -> bool {
    let mut left = config.verifier.limit();
    let reading = async {
        while let Some(frame) = body.frame().await {
            let len = frame.ok()?.data_ref().map_or(0, Bytes::len);
            left = left.checked_sub(len)?;
            tokio::task::coop::consume_budget().await;
        }
        Some(())
    };
    matches!(tokio::time::timeout(config.body_deadline, reading).await, Ok(Some(())))
}

/// Off the threads that serve requests: it may take a second.
async fn diagnose(config: &TwentyWebhookLayer, headers: &HeaderMap, body: Vec<Bytes>) -> Option<Diagnosis> {
    let (verifier, headers) = (config.verifier.clone(), headers.clone());
    tokio::task::spawn_blocking(move || verifier.diagnose(&headers, body.concat())).await.ok()
}
