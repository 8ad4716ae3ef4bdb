use std::borrow::Cow;

use serde::de::IgnoredAny;

/// The style of a JSON writer.
pub(super) struct Style {
    pub(super) name: &'static str,
    /// The white space of one level of indentation, for writers that break lines.
    pub(super) indent: Option<&'static str>,
    pub(super) comma: &'static str,
    pub(super) colon: &'static str,
    pub(super) escapes: Escapes,
}

/// What a writer escapes in strings beyond what JSON requires.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Escapes {
    /// Nothing, like `JSON.stringify`.
    Least,
    /// All but ASCII, like Python.
    NonAscii,
    /// All but ASCII, and slashes, like PHP.
    NonAsciiAndSlash,
}

const fn lines(name: &'static str, indent: &'static str) -> Style {
    Style { name, indent: Some(indent), comma: ",", colon: ": ", escapes: Escapes::Least }
}

const fn one_line(name: &'static str, comma: &'static str, colon: &'static str, escapes: Escapes) -> Style {
    Style { name, indent: None, comma, colon, escapes }
}

/// The styles of common JSON writers.
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

/// How many times longer than the body a rewritten one may be. With no limit, the indentation of 100 kB of brackets takes gigabytes.
const MAX_GROWTH: usize = 16;

/// `json` in another style, its members in the same order. `None` if it is not JSON, or so deep that it would become far longer.
pub(super) fn rewrite(json: &str, style: &Style) -> Option<String> {
    serde_json::from_str::<IgnoredAny>(json).ok()?;
    let mut out = String::with_capacity(json.len() + json.len() / 4);
    // A short body may grow by more.
    let most = (json.len() * MAX_GROWTH).max(64 * 1024);
    let mut depth = 0;
    let mut tokens = Tokens(json).peekable();
    while let Some(token) = tokens.next() {
        if out.len() > most {
            return None;
        }
        match token {
            "{" | "[" => {
                out.push_str(token);
                if let Some(end) = tokens.next_if(|next| matches!(*next, "}" | "]")) {
                    out.push_str(end);
                } else {
                    depth += 1;
                    new_line(&mut out, style, depth);
                }
            }
            "}" | "]" => {
                depth -= 1;
                new_line(&mut out, style, depth);
                out.push_str(token);
            }
            "," => {
                out.push_str(style.comma);
                new_line(&mut out, style, depth);
            }
            ":" => out.push_str(style.colon),
            _ if token.starts_with('"') => write_string(&mut out, &units(token), style.escapes),
            _ => out.push_str(&number(token)),
        }
    }
    Some(out)
}

/// Properties of JSON that `JSON.stringify` did not write.
#[derive(Default)]
pub(super) struct Peculiarities {
    /// White space between tokens.
    pub(super) spaced: bool,
    /// Characters that are escaped without need or in another way.
    pub(super) escaped: bool,
    /// Numbers in another form than JavaScript's.
    pub(super) numbers: bool,
}

impl Peculiarities {
    /// The peculiarities of `json`, which must be valid JSON.
    pub(super) fn of(json: &str) -> Self {
        let mut found = Self::default();
        let mut len = 0;
        let mut rewritten = String::new();
        for token in Tokens(json) {
            len += token.len();
            if token.starts_with('"') {
                rewritten.clear();
                write_string(&mut rewritten, &units(token), Escapes::Least);
                found.escaped |= rewritten != token;
            } else {
                found.numbers |= number(token) != token;
            }
        }
        Self { spaced: len < json.len(), ..found }
    }
}

/// The tokens of a text that must be valid JSON.
struct Tokens<'a>(&'a str);

impl<'a> Iterator for Tokens<'a> {
    type Item = &'a str;

    fn next(&mut self) -> Option<&'a str> {
        let json = self.0.trim_start();
        let len = match json.chars().next()? {
            '"' => string_len(json),
            '{' | '}' | '[' | ']' | ',' | ':' => 1,
            _ => json.find([',', '}', ']', ' ', '\t', '\r', '\n']).unwrap_or(json.len()),
        };
        let (token, rest) = json.split_at(len);
        self.0 = rest;
        Some(token)
    }
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

/// A number as JavaScript writes it: `1` for `1.0`, `1e+21` for `1E21`, `1e-7` for `0.0000001`. Whole numbers in digits stay as they are,
/// and so does `true`, `false` or `null`.
fn number(token: &str) -> Cow<'_, str> {
    let parsed = token.parse().ok().filter(|number: &f64| number.is_finite());
    let Some(number) = parsed.filter(|_| token.contains(['.', 'e', 'E']) && !token.ends_with('e')) else {
        return token.into();
    };
    if number == 0.0 {
        return "0".into();
    }
    // The shortest digits that give this number back, as in JavaScript.
    let shortest = format!("{number:e}");
    let (mantissa, exponent) = shortest.split_once('e').unwrap_or((&shortest, "0"));
    match exponent.parse().unwrap_or(0) {
        -6..21 => format!("{number}").into(),
        exponent => format!("{mantissa}e{exponent:+}").into(),
    }
}

/// The length of the string that `json` begins with, its quotes included. The JSON must be complete.
fn string_len(json: &str) -> usize {
    let mut escaped = false;
    let end = json.bytes().skip(1).position(|byte| {
        let is_end = byte == b'"' && !escaped;
        escaped = byte == b'\\' && !escaped;
        is_end
    });
    end.map_or(json.len(), |end| end + 2)
}

/// The UTF-16 of a string. Unlike `String`, it can contain the lone surrogates that JavaScript writes.
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

#[cfg(test)]
mod tests {
    use super::{STYLES, number, rewrite};

    #[test]
    fn a_deep_body_does_not_fill_the_memory() {
        let json = format!("{}1{}", "[".repeat(5_000), "]".repeat(5_000));
        for style in STYLES {
            let len = rewrite(&json, &style).map(|rewritten| rewritten.len());
            assert_eq!(len, style.indent.is_none().then_some(json.len()), "{}", style.name);
        }
        let json = format!("{}1{}", "[".repeat(8), "]".repeat(8));
        assert!(STYLES.iter().all(|style| rewrite(&json, style).is_some()), "records are not so deep");
    }

    /// As Node writes them.
    #[test]
    fn numbers_are_written_as_in_javascript() {
        for (written, expected) in [
            ("1.0", "1"),
            ("1.50", "1.5"),
            ("-17.5", "-17.5"),
            ("0.1", "0.1"),
            ("1e21", "1e+21"),
            ("1.0E21", "1e+21"),
            ("1.5e+300", "1.5e+300"),
            ("1e20", "100000000000000000000"),
            ("123456789012345680000.0", "123456789012345680000"),
            ("1e-6", "0.000001"),
            ("0.0000001", "1e-7"),
            ("1.25E-07", "1.25e-7"),
            ("-0.0", "0"),
            ("0e5", "0"),
            ("12345678901234567890", "12345678901234567890"),
            ("1e400", "1e400"),
            ("true", "true"),
            ("false", "false"),
            ("null", "null"),
        ] {
            assert_eq!(number(written), expected, "{written}");
        }
    }
}
