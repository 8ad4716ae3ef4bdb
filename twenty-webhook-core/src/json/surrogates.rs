/// `json` with U+FFFD in place of every lone surrogate escape; `None` if there is none.
///
/// `JSON.stringify` writes `"\ud83d"` for half an emoji, which a text field cut at a length limit holds. It is valid JSON, but no
/// Unicode text, so a `String` cannot be decoded from it.
pub(super) fn replace_lone(json: &str) -> Option<String> {
    let mut repaired: Option<String> = None;
    let mut at = 0;
    // Valid JSON has backslashes only inside strings, so there is no need to know where strings begin.
    while let Some(step) = json.as_bytes().get(at..).and_then(|rest| rest.iter().position(|&byte| byte == b'\\')) {
        at += step;
        at += match (escaped_unit(json, at), escaped_unit(json, at + 6)) {
            (None, _) => 2,
            (Some(0xD800..0xDC00), Some(0xDC00..0xE000)) => 12,
            (Some(0xD800..0xE000), _) => {
                repaired.get_or_insert_with(|| json.to_owned()).replace_range(at..at + 6, "\\ufffd");
                6
            }
            _ => 6,
        };
    }
    repaired
}

/// The UTF-16 unit of the `\uXXXX` that begins at `at`.
fn escaped_unit(json: &str, at: usize) -> Option<u16> {
    u16::from_str_radix(json.get(at..at + 6)?.strip_prefix("\\u")?, 16).ok()
}

/// `text`, which is UTF-8 but for surrogates that are encoded as if they were characters, with U+FFFD in place of each of those.
pub(super) fn replace_encoded(text: &[u8]) -> Vec<u8> {
    let mut repaired = text.to_owned();
    // In UTF-8, no byte from 0xA0 on follows 0xED. Both a surrogate and U+FFFD take three bytes.
    for at in 0..repaired.len().saturating_sub(2) {
        if repaired[at] == 0xED && repaired[at + 1] >= 0xA0 {
            repaired[at..at + 3].copy_from_slice("\u{fffd}".as_bytes());
        }
    }
    repaired
}

#[cfg(test)]
mod tests {
    use super::{replace_encoded, replace_lone};

    #[test]
    fn encoded_surrogates_are_replaced_and_nothing_else() {
        for (text, expected) in [
            (&b"plain"[..], "plain"),
            ("퟿é".as_bytes(), "퟿é"),
            (b"a\xED\xA0\xBDb", "a\u{fffd}b"),
            (b"\xED\xB8\x80\xED\xA0\xBD", "\u{fffd}\u{fffd}"),
        ] {
            assert_eq!(String::from_utf8(replace_encoded(text)).unwrap(), expected);
        }
        assert_eq!(replace_encoded(b"\xED\xA0"), b"\xED\xA0");
    }

    #[test]
    fn only_halves_without_their_other_half_are_replaced() {
        for (json, expected) in [
            (r#""plain""#, None),
            (r#""\ud83d\ude00 \u00e9""#, None),
            (r#""\\ud83d""#, None),
            (r#""\ud83d""#, Some(r#""\ufffd""#)),
            (r#""\uDE00\uD83D""#, Some(r#""\ufffd\ufffd""#)),
            (r#""\ud83d\ud83d\ude00""#, Some(r#""\ufffd\ud83d\ude00""#)),
            (r#""\\\ud83d\n""#, Some(r#""\\\ufffd\n""#)),
        ] {
            assert_eq!(replace_lone(json).as_deref(), expected, "{json}");
        }
    }

    #[test]
    fn text_that_is_no_json_does_not_panic() {
        for text in ["\\", "\\u", "\\ud83", "\\ud83d\\", "\\é", "\\ud83d\\ué"] {
            replace_lone(text);
        }
    }
}
