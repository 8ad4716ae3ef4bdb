use serde::de::IgnoredAny;

/// How a JSON writer writes.
pub(super) struct Style {
    pub(super) name: &'static str,
    /// The white space of one level, for writers that break lines.
    pub(super) indent: Option<&'static str>,
    pub(super) comma: &'static str,
    pub(super) colon: &'static str,
    pub(super) escapes: Escapes,
}

/// What a writer escapes in strings, apart from what it must.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Escapes {
    /// Nothing, as `JSON.stringify`.
    Least,
    /// All but ASCII, as Python.
    NonAscii,
    /// All but ASCII, and slashes, as PHP.
    NonAsciiAndSlash,
}

const fn lines(name: &'static str, indent: &'static str) -> Style {
    Style { name, indent: Some(indent), comma: ",", colon: ": ", escapes: Escapes::Least }
}

const fn one_line(name: &'static str, comma: &'static str, colon: &'static str, escapes: Escapes) -> Style {
    Style { name, indent: None, comma, colon, escapes }
}

/// The writers that are met.
pub(super) const STYLES: [Style; 9] = [
    one_line("the same JSON without white space, as JSON.stringify writes it", ",", ":", Escapes::Least),
    lines("the same JSON indented by 2 spaces", "  "),
    lines("the same JSON indented by 4 spaces", "    "),
    lines("the same JSON indented by tabs", "\t"),
    one_line("the same JSON as Python's json.dumps writes it", ", ", ": ", Escapes::NonAscii),
    one_line("the same JSON with spaces after commas and colons", ", ", ": ", Escapes::Least),
    one_line("the same JSON without white space, with \\u escapes", ",", ":", Escapes::NonAscii),
    one_line("the same JSON as PHP's json_encode writes it", ",", ":", Escapes::NonAsciiAndSlash),
    Style {
        name: "the same JSON as Python's json.dumps(indent=2) writes it",
        indent: Some("  "),
        comma: ",",
        colon: ": ",
        escapes: Escapes::NonAscii,
    },
];

/// `json` in another style, its members in the same order. `None` if it is not JSON.
pub(super) fn rewrite(json: &str, style: &Style) -> Option<String> {
    serde_json::from_str::<IgnoredAny>(json).ok()?;
    let mut out = String::with_capacity(json.len() + json.len() / 4);
    let mut depth = 0;
    let mut rest = json.trim_start();
    while let Some(first) = rest.chars().next() {
        let len = match first {
            '"' => string_len(rest),
            '{' | '}' | '[' | ']' | ',' | ':' => 1,
            _ => rest.find([',', '}', ']', ' ', '\t', '\r', '\n']).unwrap_or(rest.len()),
        };
        let (token, after) = rest.split_at(len);
        rest = after.trim_start();
        match first {
            '"' => write_string(&mut out, &units(token), style.escapes),
            '{' | '[' => {
                out.push(first);
                if rest.starts_with(['}', ']']) {
                    out.push_str(&rest[..1]);
                    rest = rest[1..].trim_start();
                } else {
                    depth += 1;
                    new_line(&mut out, style, depth);
                }
            }
            '}' | ']' => {
                depth -= 1;
                new_line(&mut out, style, depth);
                out.push(first);
            }
            ',' => {
                out.push_str(style.comma);
                new_line(&mut out, style, depth);
            }
            ':' => out.push_str(style.colon),
            _ => out.push_str(whole(token)),
        }
    }
    Some(out)
}

/// `text` as a JSON string.
pub(super) fn stringified(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + text.len() / 4);
    write_string(&mut out, &text.encode_utf16().collect::<Vec<_>>(), Escapes::Least);
    out
}

fn new_line(out: &mut String, style: &Style, depth: usize) {
    if let Some(indent) = style.indent {
        out.push('\n');
        out.extend(std::iter::repeat_n(indent, depth));
    }
}

/// JavaScript writes `1` where other writers write `1.0`.
fn whole(number: &str) -> &str {
    match number.split_once('.') {
        Some((whole, zeros)) if zeros.bytes().all(|digit| digit == b'0') => whole,
        _ => number,
    }
}

/// The length of the string that `json` begins with, its quotes included. The JSON is known to be whole.
fn string_len(json: &str) -> usize {
    let mut escaped = false;
    let end = json.bytes().skip(1).position(|byte| {
        let ends = byte == b'"' && !escaped;
        escaped = byte == b'\\' && !escaped;
        ends
    });
    end.map_or(json.len(), |end| end + 2)
}

/// A string's UTF-16, which unlike `String` can hold the lone surrogates that JavaScript writes.
fn units(token: &str) -> Vec<u16> {
    let mut units = Vec::with_capacity(token.len());
    let mut chars = token[1..token.len() - 1].chars();
    while let Some(char) = chars.next() {
        let char = match char {
            '\\' => match chars.next() {
                Some('u') => {
                    let digits: String = chars.by_ref().take(4).collect();
                    units.extend(u16::from_str_radix(&digits, 16));
                    continue;
                }
                Some('b') => '\u{8}',
                Some('f') => '\u{c}',
                Some('n') => '\n',
                Some('r') => '\r',
                Some('t') => '\t',
                Some(other) => other,
                None => continue,
            },
            plain => plain,
        };
        units.extend(char.encode_utf16(&mut [0; 2]).iter());
    }
    units
}

fn write_string(out: &mut String, units: &[u16], escapes: Escapes) {
    out.push('"');
    for char in char::decode_utf16(units.iter().copied()) {
        match char {
            Ok('"') => out.push_str("\\\""),
            Ok('\\') => out.push_str("\\\\"),
            Ok('\u{8}') => out.push_str("\\b"),
            Ok('\u{c}') => out.push_str("\\f"),
            Ok('\n') => out.push_str("\\n"),
            Ok('\r') => out.push_str("\\r"),
            Ok('\t') => out.push_str("\\t"),
            Ok('/') if escapes == Escapes::NonAsciiAndSlash => out.push_str("\\/"),
            Ok(char) if char < ' ' || (escapes != Escapes::Least && char > '~') => {
                char.encode_utf16(&mut [0; 2]).iter().for_each(|unit| push_unit(out, *unit));
            }
            Ok(char) => out.push(char),
            Err(lone) => push_unit(out, lone.unpaired_surrogate()),
        }
    }
    out.push('"');
}

fn push_unit(out: &mut String, unit: u16) {
    out.push_str("\\u");
    for shift in [12, 8, 4, 0] {
        out.extend(char::from_digit(u32::from(unit >> shift & 0xf), 16));
    }
}
