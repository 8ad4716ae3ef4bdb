use serde_json::Value;

use super::json_text::{STYLES, rewrite, stringified};
use super::{BodyMistake, Finding};

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
    add(BodyMistake::Empty, Vec::new());
    variants
}

/// What can be told from the body alone, when nothing is proven.
pub(super) fn hints(arrived: &[u8]) -> Vec<Finding> {
    let Ok(text) = std::str::from_utf8(arrived) else { return Vec::new() };
    if text.trim().is_empty() {
        return vec![Finding::BodyEmpty];
    }
    let mut hints = Vec::new();
    let compact = rewrite(text, &STYLES[0]);
    if compact.as_ref().is_some_and(|compact| compact.len() < text.len()) {
        hints.push(Finding::BodySpaced);
    }
    if compact.is_some() && compact == sorted(text) && has_members(text) {
        hints.push(Finding::BodySorted);
    }
    hints
}

/// As a writer writes it that keeps members in a sorted map.
fn sorted(text: &str) -> Option<String> {
    let mut value: Value = serde_json::from_str(text).ok()?;
    value.sort_all_objects();
    Some(value.to_string())
}

/// Enough that alphabetical order is no accident.
fn has_members(text: &str) -> bool {
    matches!(serde_json::from_str(text), Ok(Value::Object(members)) if members.len() >= 4)
}
