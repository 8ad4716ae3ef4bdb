//! How things look on a terminal; elsewhere the styles are taken out.

use std::io::{self, StdoutLock};
use std::time::Duration;

use anstream::AutoStream;
use anstyle::{AnsiColor, Style};
use twenty_webhook_axum::escaped;

pub(crate) const GOOD: Style = AnsiColor::Green.on_default().bold();
pub(crate) const BAD: Style = AnsiColor::Red.on_default().bold();
pub(crate) const ODD: Style = AnsiColor::Yellow.on_default().bold();
pub(crate) const FAINT: Style = Style::new().dimmed();

/// Where a command's results go.
pub(crate) fn stdout() -> AutoStream<StdoutLock<'static>> {
    AutoStream::auto(io::stdout().lock())
}

/// A text that somebody else wrote, without what could command the terminal or hide something, and not too long.
pub(crate) fn plain(text: &str, most: usize) -> String {
    escaped(text).at_most(most).to_string()
}

/// A text of any length and number of lines, without what could command the terminal or hide something.
pub(crate) fn harmless(text: &str) -> String {
    let escape = |part: &str| match part {
        "\n" | "\t" => part.to_owned(),
        _ => escaped(part).to_string(),
    };
    text.split_inclusive(['\n', '\t'])
        .flat_map(|part| match part.strip_suffix(['\n', '\t']) {
            Some(line) => [escape(line), escape(&part[line.len()..])],
            None => [escape(part), String::new()],
        })
        .collect()
}

/// One line of JSON. The same characters that are escaped elsewhere are so here, as JSON has it, so that the value stays what it is.
pub(crate) fn json(value: &serde_json::Value) -> String {
    let mut line = String::new();
    for char in value.to_string().chars() {
        if escaped(char.encode_utf8(&mut [0; 4])).to_string() == char.to_string() {
            line.push(char);
        } else {
            for unit in char.encode_utf16(&mut [0; 2]) {
                line.push_str(&format!("\\u{unit:04x}"));
            }
        }
    }
    line
}

pub(crate) fn size(bytes: usize) -> String {
    match bytes {
        0..1000 => format!("{bytes} B"),
        1000..1_000_000 => format!("{}.{} kB", bytes / 1000, bytes % 1000 / 100),
        _ => format!("{}.{} MB", bytes / 1_000_000, bytes % 1_000_000 / 100_000),
    }
}

pub(crate) fn took(time: Duration) -> String {
    match time.as_millis() {
        0..10 => format!("{:.1} ms", millis(time)),
        10..10_000 => format!("{:.0} ms", millis(time)),
        _ => format!("{:.1} s", time.as_secs_f64()),
    }
}

/// In milliseconds, to three places.
pub(crate) fn millis(time: Duration) -> f64 {
    (time.as_secs_f64() * 1e6).round() / 1e3
}

/// `1 delivery`, `2 deliveries`.
pub(crate) fn deliveries(count: usize) -> String {
    if count == 1 { "1 delivery".into() } else { format!("{count} deliveries") }
}

#[cfg(test)]
mod tests {
    use super::{harmless, json};

    #[test]
    fn lines_and_tabs_stay_and_nothing_else_that_commands_a_terminal() {
        assert_eq!(harmless("a\tb\n\u{1b}[2J\u{202e}c\r\n\n"), "a\tb\n\\u{1b}[2J\\u{202e}c\\u{d}\n\n");
    }

    #[test]
    fn json_stays_the_same_value() {
        let value = serde_json::json!({ "name": "a\u{9b}\u{202e}\u{2028}\u{e0041}é\n" });
        let line = json(&value);
        assert_eq!(line, r#"{"name":"a\u009b\u202e\u2028\udb40\udc41é\n"}"#);
        assert_eq!(serde_json::from_str::<serde_json::Value>(&line).unwrap(), value);
    }
}
