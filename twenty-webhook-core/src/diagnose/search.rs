use std::ops::ControlFlow;

use hmac::Mac;

use super::signature_text::Reading;
use super::{BodyMistake, Finding, MessageMistake, TimestampUnit, body, time};
use crate::secret::HmacSha256;
use crate::{Secret, SignedWith, Verifier};

/// How many bytes are hashed at most: less than a second's work. The likeliest are tried first.
const BUDGET: usize = 256 * 1024 * 1024;

/// No more mistakes than this are looked for at once, apart from how the signature is written.
const MOST_MISTAKES: usize = 3;

/// What has to be wrong for one of these signatures to be right: empty if nothing has to be. `None` if none was found that explains
/// any, within the budget.
pub(super) fn search(
    verifier: &Verifier,
    signatures: &[Reading],
    timestamp: Option<&[u8]>,
    arrived: &[u8],
) -> Option<Vec<Finding>> {
    if signatures.is_empty() {
        return None;
    }
    let (keys, heads, variants) = (keys(verifier), heads(timestamp), body::variants(arrived));
    let mut budget = BUDGET;
    let mut search = |mistakes: usize, body_mistake: Option<BodyMistake>, body: &[u8]| {
        let body_mistake = body_mistake.map(Finding::Body);
        for (head_mistake, head) in &heads {
            for key in &keys {
                let found = [&key.mistake, head_mistake, &body_mistake].into_iter().filter(|mistake| mistake.is_some());
                if found.count() != mistakes {
                    continue;
                }
                let Some(left) = budget.checked_sub(head.len() + body.len()) else { return ControlFlow::Break(None) };
                budget = left;
                let mut mac = key.keyed.clone();
                mac.update(head);
                mac.update(body);
                let matching = signatures.iter().find(|(_, signature)| signature.matches(mac.clone()));
                if let Some((written, _)) = matching {
                    let written = written.map(Finding::Signature);
                    let findings = [&written, &key.which, &key.mistake, head_mistake, &body_mistake];
                    return ControlFlow::Break(Some(findings.into_iter().flatten().cloned().collect()));
                }
            }
        }
        ControlFlow::Continue(())
    };
    for mistakes in 0..=MOST_MISTAKES {
        if let ControlFlow::Break(result) = search(mistakes, None, arrived) {
            return result;
        }
        for variant in variants.iter().filter(|_| mistakes > 0) {
            if let Some(body) = variant.make().filter(|body| body != arrived)
                && let ControlFlow::Break(result) = search(mistakes, Some(variant.mistake), &body)
            {
                return result;
            }
        }
    }
    None
}

struct Key<'a> {
    keyed: &'a HmacSha256,
    mistake: Option<Finding>,
    which: Option<Finding>,
}

fn keys(verifier: &Verifier) -> Vec<Key<'_>> {
    let previous = verifier.previous().iter().enumerate();
    let previous = previous.map(|(index, secret)| (Some(Finding::OtherSecret(SignedWith::Previous(index))), secret));
    let secrets: Vec<(Option<Finding>, &Secret)> = [(None, verifier.current())].into_iter().chain(previous).collect();
    let exact =
        secrets.iter().map(|(which, secret)| Key { keyed: secret.keyed(), mistake: None, which: which.clone() });
    let variants = secrets.iter().flat_map(|(which, secret)| {
        secret.variants().iter().map(move |variant| Key {
            keyed: &variant.keyed,
            mistake: Some(Finding::Secret(variant.mistake)),
            which: which.clone(),
        })
    });
    exact.chain(variants).collect()
}

/// What may stand before the body in the signed message. The first is as it should be.
fn heads(timestamp: Option<&[u8]>) -> Vec<(Option<Finding>, Vec<u8>)> {
    let mut heads = Vec::new();
    if let Some(text) = timestamp {
        heads.push((None, [text, b":"].concat()));
        for separator in [".", "", "|", "\n"] {
            let mistake = Finding::Message(MessageMistake::Separator(separator));
            heads.push((Some(mistake), [text, separator.as_bytes()].concat()));
        }
        if let Some((mistake, number)) = other_units(text) {
            for separator in [":", "."] {
                heads.push((Some(Finding::Message(mistake)), format!("{number}{separator}").into_bytes()));
            }
        }
    }
    heads.push((Some(Finding::Message(MessageMistake::WithoutTimestamp)), Vec::new()));
    heads
}

fn other_units(text: &[u8]) -> Option<(MessageMistake, u64)> {
    let number = time::digits(text)?;
    match time::unit(number) {
        None => Some((MessageMistake::SignedSeconds, number / 1000)),
        Some(TimestampUnit::Seconds) => Some((MessageMistake::SignedMilliseconds, number * 1000)),
        Some(_) => None,
    }
}
