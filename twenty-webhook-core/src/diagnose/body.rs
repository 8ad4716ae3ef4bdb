use bytes::Bytes;
use serde::de::IgnoredAny;
use serde_json::Value;

use super::json_text::{Peculiarities, STYLES, rewrite, stringified};
use super::{BodyMistake, Finding};
use crate::WebhookEvent;

const BYTE_ORDER_MARK: &str = "\u{feff}";

/// What may have been signed where `arrived` arrived, the least changed first. None is `arrived` itself.
pub(super) fn variants(arrived: &[u8]) -> Vec<(BodyMistake, Vec<u8>)> {
    let mut variants: Vec<(BodyMistake, Vec<u8>)> = Vec::new();
    let mut add = |mistake, body: Vec<u8>| {
        if body != arrived && !variants.iter().any(|(_, other)| *other == body) {
            variants.push((mistake, body));
        }
    };
    add(BodyMistake::LineEndAdded, arrived.trim_ascii_end().to_vec());
    add(BodyMistake::LineEndAdded, arrived.trim_ascii().to_vec());
    for line_end in ["\n", "\r\n"] {
        add(BodyMistake::LineEndLost, [arrived, line_end.as_bytes()].concat());
    }
    if let Ok(text) = std::str::from_utf8(arrived) {
        add(BodyMistake::LineEndsChanged, text.replace("\r\n", "\n").into_bytes());
        add(BodyMistake::LineEndsChanged, text.replace("\r\n", "\n").replace('\n', "\r\n").into_bytes());
        for style in &STYLES {
            if let Some(rewritten) = rewrite(text, style) {
                add(BodyMistake::Reserialized(style.name), rewritten.into_bytes());
            }
        }
        add(BodyMistake::StringifiedTwice, stringified(text).into_bytes());
        if let Some(rewritten) = rewrite(text, &STYLES[0]) {
            add(BodyMistake::StringifiedTwice, stringified(&rewritten).into_bytes());
        }
        if let Ok(inner) = serde_json::from_str::<String>(text) {
            add(BodyMistake::ArrivedStringified, inner.into_bytes());
        }
        if let Some(sorted) = sorted(text) {
            add(BodyMistake::Reserialized("the same JSON with its members in alphabetical order"), sorted.into_bytes());
        }
        let without_mark = text.strip_prefix(BYTE_ORDER_MARK).unwrap_or(text);
        add(BodyMistake::ByteOrderMark, without_mark.to_owned().into_bytes());
        add(BodyMistake::ByteOrderMark, format!("{BYTE_ORDER_MARK}{text}").into_bytes());
    }
    if std::str::from_utf8(arrived).is_err() {
        add(BodyMistake::Transcoded, arrived.iter().map(|&byte| char::from(byte)).collect::<String>().into_bytes());
    }
    add(BodyMistake::Empty, Vec::new());
    variants
}

/// What the body alone shows, when nothing is proven.
pub(super) fn hints(arrived: &[u8]) -> Vec<Finding> {
    let text = match std::str::from_utf8(arrived) {
        Ok(text) => text,
        // Cut off within a character, perhaps.
        Err(error) if error.error_len().is_none() && is_cut_off(&arrived[..error.valid_up_to()]) => {
            return vec![Finding::BodyTruncated];
        }
        Err(_) => return vec![Finding::BodyNotUtf8],
    };
    if text.trim().is_empty() {
        return vec![Finding::BodyEmpty];
    }
    if let Err(error) = serde_json::from_str::<IgnoredAny>(text.strip_prefix(BYTE_ORDER_MARK).unwrap_or(text)) {
        return vec![if error.is_eof() { Finding::BodyTruncated } else { Finding::BodyNotJson }];
    }
    let Peculiarities { spaced, escaped, numbers } = Peculiarities::of(text);
    let sorted = has_members(text) && rewrite(text, &STYLES[0]) == sorted(text);
    let hints = [
        (spaced, Finding::BodySpaced),
        (escaped, Finding::BodyEscaped),
        (numbers, Finding::BodyNumbers),
        (sorted, Finding::BodySorted),
    ];
    hints.into_iter().filter(|(found, _)| *found).map(|(_, finding)| finding).collect()
}

/// Whether an event without [`hints`] has what all have that Twenty itself sends.
pub(super) fn is_in_twentys_form(arrived: &Bytes) -> bool {
    WebhookEvent::from_stored(arrived.clone()).is_ok_and(|event| {
        event.target_url().is_some()
            && event.webhook_id().is_some()
            && event.workspace_id().is_some()
            && event.event_date().is_some()
    })
}

fn is_cut_off(json: &[u8]) -> bool {
    serde_json::from_slice::<IgnoredAny>(json).is_err_and(|error| error.is_eof())
}

/// As a writer writes it that keeps members in a sorted map.
fn sorted(text: &str) -> Option<String> {
    let mut value: Value = serde_json::from_str(text).ok()?;
    value.sort_all_objects();
    rewrite(&value.to_string(), &STYLES[0])
}

/// Enough that alphabetical order is no accident.
fn has_members(text: &str) -> bool {
    matches!(serde_json::from_str(text), Ok(Value::Object(members)) if members.len() >= 4)
}
