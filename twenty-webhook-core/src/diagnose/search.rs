use std::borrow::Cow;

use hmac::Mac;

use super::signature_text::Reading;
use super::{Finding, MessageMistake, TimestampUnit, body, time};
use crate::secret::HmacSha256;
use crate::{Secret, SignedWith, Verifier};

/// How many bytes are hashed at most: less than a second's work. The likeliest are tried first.
const BUDGET: usize = 256 * 1024 * 1024;

/// No more mistakes than this are looked for at once, apart from how the signature is written.
const MOST_MISTAKES: usize = 3;

/// What has to be wrong for one of these signatures to be right: empty if nothing has to be. `None` if no known mistake explains any.
pub(super) fn search(
    verifier: &Verifier,
    signatures: &[Reading],
    timestamp: Option<&[u8]>,
    arrived: &[u8],
) -> Option<Vec<Finding>> {
    if signatures.is_empty() {
        return None;
    }
    let keys = keys(verifier);
    let heads = heads(timestamp);
    let mut bodies: Vec<(Option<Finding>, Cow<'_, [u8]>)> = vec![(None, Cow::Borrowed(arrived))];
    bodies
        .extend(body::variants(arrived).into_iter().map(|(mistake, body)| (Some(Finding::Body(mistake)), body.into())));

    let mut budget = BUDGET;
    for mistakes in 0..=MOST_MISTAKES {
        for (body_mistake, body) in &bodies {
            for (head_mistake, head) in &heads {
                for key in &keys {
                    let found = [&key.mistake, head_mistake, body_mistake]
                        .into_iter()
                        .filter(|mistake| mistake.is_some())
                        .count();
                    if found != mistakes {
                        continue;
                    }
                    budget = budget.checked_sub(head.len() + body.len())?;
                    let mut mac = key.keyed.clone();
                    mac.update(head);
                    mac.update(body);
                    let matching = signatures.iter().find(|(_, signature)| signature.matches(mac.clone()));
                    if let Some((written, _)) = matching {
                        let written = written.map(Finding::Signature);
                        let findings = [&written, &key.which, &key.mistake, head_mistake, body_mistake];
                        return Some(findings.into_iter().flatten().cloned().collect());
                    }
                }
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
