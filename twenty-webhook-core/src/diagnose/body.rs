use bytes::Bytes;
use serde::de::IgnoredAny;
use serde_json::Value;

use super::json_text::{Peculiarities, STYLES, rewrite, stringified};
use super::{BodyMistake, Finding};
use crate::WebhookEvent;

const SORTED: &str = "the same JSON with its members in alphabetical order";

const BYTE_ORDER_MARK: &str = "\u{feff}";

/// In bytes. Sorting takes memory of many times the length of a body, so larger bodies are not sorted.
const MAX_SORTED_LEN: usize = 1024 * 1024;

/// A body that may have been signed in place of the one that arrived. It is made on demand, because all variants together take much memory.
pub(super) struct Variant<'a> {
    pub(super) mistake: BodyMistake,
    make: Box<dyn Fn() -> Option<Vec<u8>> + 'a>,
}

impl<'a> Variant<'a> {
    fn new(mistake: BodyMistake, make: impl Fn() -> Option<Vec<u8>> + 'a) -> Self {
        Self { mistake, make: Box::new(make) }
    }

    fn of_text(mistake: BodyMistake, make: impl Fn() -> Option<String> + 'a) -> Self {
        Self::new(mistake, move || make().map(String::into_bytes))
    }

    /// `None` if this mistake is impossible with the body that arrived.
    pub(super) fn make(&self) -> Option<Vec<u8>> {
        (self.make)()
    }
}

/// The bodies that may have been signed when `arrived` arrived, the least changed first.
pub(super) fn variants(arrived: &[u8]) -> Vec<Variant<'_>> {
    use BodyMistake::{
        ArrivedStringified, ByteOrderMark, Empty, LineEndAdded, LineEndLost, LineEndsChanged, Reserialized,
        StringifiedTwice, Transcoded,
    };
    let mut variants = vec![
        Variant::new(LineEndAdded, move || Some(arrived.trim_ascii_end().to_vec())),
        Variant::new(LineEndAdded, move || Some(arrived.trim_ascii().to_vec())),
        Variant::new(LineEndLost, move || Some([arrived, b"\n"].concat())),
        Variant::new(LineEndLost, move || Some([arrived, b"\r\n"].concat())),
    ];
    if let Ok(text) = std::str::from_utf8(arrived) {
        variants.extend([
            Variant::of_text(LineEndsChanged, move || Some(text.replace("\r\n", "\n"))),
            Variant::of_text(LineEndsChanged, move || Some(text.replace("\r\n", "\n").replace('\n', "\r\n"))),
        ]);
        let styles = STYLES.iter();
        variants.extend(styles.map(|style| Variant::of_text(Reserialized(style.name), move || rewrite(text, style))));
        let compact = move || rewrite(text, &STYLES[0]);
        variants.extend([
            Variant::of_text(StringifiedTwice, move || Some(stringified(text))),
            Variant::of_text(StringifiedTwice, move || compact().map(|compact| stringified(&compact))),
            Variant::of_text(ArrivedStringified, move || serde_json::from_str(text).ok()),
            Variant::of_text(Reserialized(SORTED), move || sorted(text)),
            Variant::of_text(ByteOrderMark, move || text.strip_prefix(BYTE_ORDER_MARK).map(str::to_owned)),
            Variant::of_text(ByteOrderMark, move || Some(format!("{BYTE_ORDER_MARK}{text}"))),
        ]);
    } else {
        let converted = move || arrived.iter().map(|&byte| char::from(byte)).collect();
        variants.push(Variant::of_text(Transcoded, move || Some(converted())));
    }
    variants.push(Variant::new(Empty, || Some(Vec::new())));
    variants
}

/// Guesses from the body alone, for when nothing is proven.
pub(super) fn hints(arrived: &[u8]) -> Vec<Finding> {
    let text = match std::str::from_utf8(arrived) {
        Ok(text) => text,
        // Perhaps cut off within a character.
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
    let sorted =
        sorted(text).is_some_and(|sorted| rewrite(text, &STYLES[0]) == Some(sorted)) && has_several_members(text);
    let hints = [
        (spaced, Finding::BodySpaced),
        (escaped, Finding::BodyEscaped),
        (numbers, Finding::BodyNumbers),
        (sorted, Finding::BodySorted),
    ];
    hints.into_iter().filter(|(found, _)| *found).map(|(_, finding)| finding).collect()
}

/// Whether an event without [`hints`] has the members that every event from Twenty has.
pub(super) fn looks_like_twentys(arrived: &Bytes) -> bool {
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

/// As written by a JSON writer that keeps members in a sorted map.
fn sorted(text: &str) -> Option<String> {
    if text.len() > MAX_SORTED_LEN {
        return None;
    }
    let mut value: Value = serde_json::from_str(text).ok()?;
    value.sort_all_objects();
    rewrite(&value.to_string(), &STYLES[0])
}

/// Whether alphabetical order can hardly be a coincidence.
fn has_several_members(text: &str) -> bool {
    matches!(serde_json::from_str(text), Ok(Value::Object(members)) if members.len() >= 4)
}
