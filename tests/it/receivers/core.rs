use http::{HeaderMap, HeaderName, HeaderValue};
use twenty_webhook_core::{Delivery, Rejection, SignatureHeaders, WebhookConfig};

use super::{Answer, HANDLED, pieces, verifier};
use crate::vectors::Case;

/// `verify` has no size limit, so a body over the limit is pushed in chunks.
pub(super) fn one_call(case: &Case) -> Answer {
    if case.body.len() > WebhookConfig::DEFAULT_BODY_LIMIT {
        return in_chunks(case);
    }
    answer(verifier(case).verify(&header_map(case), case.body.clone()))
}

pub(super) fn in_chunks(case: &Case) -> Answer {
    (0..4).map(|seed| answer(verify_in_chunks(case, seed))).reduce(Answer::equal).unwrap()
}

fn verify_in_chunks(case: &Case, seed: u64) -> Result<Delivery, Rejection> {
    let headers = header_map(case);
    let mut verification = verifier(case).begin(SignatureHeaders::from_map(&headers)?)?;
    if let Some(length) = headers.get("content-length") {
        verification.check_content_length(length.to_str().unwrap().parse().unwrap())?;
    }
    for chunk in pieces(&case.body, seed) {
        verification.push(chunk)?;
    }
    verification.finish()
}

fn answer(verified: Result<Delivery, Rejection>) -> Answer {
    match verified.and_then(Delivery::into_event) {
        Ok(event) => {
            let body = event.body().clone();
            Answer { status: HANDLED, rejection: None, handled: vec![(event, Some(body))] }
        }
        Err(rejection) => {
            Answer { status: rejection.status().as_u16(), rejection: Some(rejection), handled: Vec::new() }
        }
    }
}

pub(crate) fn header_map(case: &Case) -> HeaderMap {
    case.headers
        .iter()
        .map(|(name, value)| {
            let name = HeaderName::from_bytes(name.as_bytes()).unwrap();
            (name, HeaderValue::from_bytes(value.as_bytes()).unwrap())
        })
        .fold(HeaderMap::new(), |mut map, (name, value)| {
            map.append(name, value);
            map
        })
}
