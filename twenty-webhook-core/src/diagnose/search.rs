use std::ops::ControlFlow;

use hmac::Mac;

use super::signature_text::Reading;
use super::{BodyMistake, Finding, MessageMistake, TimestampUnit, body, time};
use crate::secret::HmacSha256;
use crate::{Secret, SignedWith, Verifier};

/// The maximum number of bytes to hash, which takes less than a second. The likeliest mistakes are tried first.
const BYTE_BUDGET: usize = 256 * 1024 * 1024;

/// The maximum number of mistakes in one request, not counting the form of the signature.
const MAX_MISTAKES: usize = 3;

/// The mistakes that explain one of these signatures; empty if it is right as it is. `None` if none was explained within the budget.
pub(super) fn search(
    verifier: &Verifier,
    signatures: &[Reading],
    timestamp: Option<&[u8]>,
    arrived: &[u8],
) -> Option<Vec<Finding>> {
    if signatures.is_empty() {
        return None;
    }
    let (keys, prefixes, variants) = (keys(verifier), prefixes(timestamp), body::variants(arrived));
    let mut budget = BYTE_BUDGET;
    let mut search = |mistakes: usize, body_mistake: Option<BodyMistake>, body: &[u8]| {
        let body_mistake = body_mistake.map(Finding::Body);
        for (prefix_mistake, prefix) in &prefixes {
            for key in &keys {
                let present =
                    [&key.mistake, prefix_mistake, &body_mistake].into_iter().filter(|mistake| mistake.is_some());
                if present.count() != mistakes {
                    continue;
                }
                let Some(remaining) = budget.checked_sub(prefix.len() + body.len()) else {
                    return ControlFlow::Break(None);
                };
                budget = remaining;
                let mut mac = key.keyed.clone();
                mac.update(prefix);
                mac.update(body);
                let matching = signatures.iter().find(|(_, signature)| signature.matches(mac.clone()));
                if let Some((form, _)) = matching {
                    let form = form.map(Finding::Signature);
                    let findings = [&form, &key.which, &key.mistake, prefix_mistake, &body_mistake];
                    return ControlFlow::Break(Some(findings.into_iter().flatten().cloned().collect()));
                }
            }
        }
        ControlFlow::Continue(())
    };
    for mistakes in 0..=MAX_MISTAKES {
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

/// What may have been signed before the body. The first is the right one.
fn prefixes(timestamp: Option<&[u8]>) -> Vec<(Option<Finding>, Vec<u8>)> {
    let mut prefixes = Vec::new();
    if let Some(text) = timestamp {
        prefixes.push((None, [text, b":"].concat()));
        for separator in [".", "", "|", "\n"] {
            let mistake = Finding::Message(MessageMistake::Separator(separator));
            prefixes.push((Some(mistake), [text, separator.as_bytes()].concat()));
        }
        if let Some((mistake, number)) = other_units(text) {
            for separator in [":", "."] {
                prefixes.push((Some(Finding::Message(mistake)), format!("{number}{separator}").into_bytes()));
            }
        }
    }
    prefixes.push((Some(Finding::Message(MessageMistake::WithoutTimestamp)), Vec::new()));
    prefixes
}

fn other_units(text: &[u8]) -> Option<(MessageMistake, u64)> {
    let number = time::digits(text)?;
    match time::unit(number) {
        None => Some((MessageMistake::SignedSeconds, number / 1000)),
        Some(TimestampUnit::Seconds) => Some((MessageMistake::SignedMilliseconds, number * 1000)),
        Some(_) => None,
    }
}
