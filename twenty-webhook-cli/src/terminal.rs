//! How output looks on a terminal. Elsewhere the styles are removed.

use std::io::{self, IsTerminal, StdoutLock, Write};
use std::time::Duration;

use anstream::AutoStream;
use anstyle::{AnsiColor, Style};
use twenty_webhook_axum::escaped;

pub(crate) const GOOD: Style = AnsiColor::Green.on_default().bold();
pub(crate) const BAD: Style = AnsiColor::Red.on_default().bold();
pub(crate) const WARNING: Style = AnsiColor::Yellow.on_default().bold();
pub(crate) const FAINT: Style = Style::new().dimmed();

/// The output for a command's results.
pub(crate) fn stdout() -> AutoStream<StdoutLock<'static>> {
    AutoStream::auto(io::stdout().lock())
}

/// Asks a question on the terminal.
///
/// # Errors
/// If there is no terminal. The message names the flag that answers.
pub(crate) fn ask(question: &str, flag: &str) -> anyhow::Result<bool> {
    if !io::stdin().is_terminal() {
        anyhow::bail!("{question} There is no terminal to ask on: {flag}");
    }
    write!(anstream::stderr(), "{question} [y/N] ")?;
    let mut answer = String::new();
    io::stdin().read_line(&mut answer)?;
    Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
}

/// Asks while the caller waits for signals, too. The thread that reads the answer does not keep the process alive.
pub(crate) async fn ask_in_background(question: String) -> anyhow::Result<bool> {
    let (answer, answered) = tokio::sync::oneshot::channel();
    std::thread::spawn(move || answer.send(ask(&question, "")));
    answered.await?
}

/// The width that text is wrapped to, in columns.
const WIDTH: usize = 80;

/// Prints an error on stderr.
pub(crate) fn error(text: &str) {
    let stderr = anstream::stderr();
    // A text for a log stays on one line.
    let text =
        if stderr.is_terminal() { wrapped("error: ", text)["error:".len()..].to_owned() } else { format!(" {text}") };
    let _ = writeln!(stderr.lock(), "{BAD}error:{BAD:#}{text}");
}

/// Prints a warning on stderr.
pub(crate) fn warn(text: &str) {
    let text = wrapped("warning: ", text);
    let text = text.strip_prefix("warning:").unwrap_or(&text);
    let _ = writeln!(anstream::stderr(), "{WARNING}warning:{WARNING:#}{text}");
}

/// Prints a note on stderr.
pub(crate) fn note(text: &str) {
    let _ = writeln!(anstream::stderr(), "{}", wrapped("", text));
}

/// `label` and `text`, wrapped at words to 80 columns; further lines are indented below the text. Neither may contain styles.
pub(crate) fn wrapped(label: &str, text: &str) -> String {
    let indent = label.chars().count();
    let (mut lines, mut column) = (label.to_owned(), indent);
    for (number, word) in text.split(' ').enumerate() {
        let width = word.chars().count();
        if number > 0 && column + 1 + width > WIDTH {
            lines.push('\n');
            lines.extend(std::iter::repeat_n(' ', indent));
            column = indent;
        } else if number > 0 {
            lines.push(' ');
            column += 1;
        }
        lines.push_str(word);
        column += width;
    }
    lines
}

/// A faint label in eleven columns, followed by wrapped text.
pub(crate) fn labelled(label: &str, text: &str) -> String {
    let plain = format!("  {label:<9}");
    let text = wrapped(&plain, text);
    format!("  {FAINT}{label}{FAINT:#}{}\n", &text[2 + label.len()..])
}

/// JSON with indentation, harmless on a terminal. What is not JSON stays as it is.
pub(crate) fn pretty_json(text: &[u8]) -> String {
    let pretty = serde_json::from_slice::<&serde_json::value::RawValue>(text).ok().map(|raw| indented(raw.get()));
    harmless(&pretty.unwrap_or_else(|| String::from_utf8_lossy(text).into_owned()))
}

/// The deepest indentation, in levels.
const DEEPEST: usize = 40;

/// Indents JSON text without reading its numbers and strings, so that they stay as they are, and in their order.
fn indented(json: &str) -> String {
    let (mut out, mut depth, mut chars) = (String::new(), 0_usize, json.chars().peekable());
    let new_line = |out: &mut String, depth: usize| {
        out.push('\n');
        // No deeper: with it, a body of 100 kB that is only brackets would become gigabytes of blanks.
        out.extend(std::iter::repeat_n("  ", depth.min(DEEPEST)));
    };
    while let Some(char) = chars.next() {
        match char {
            '"' => {
                out.push('"');
                while let Some(char) = chars.next() {
                    out.push(char);
                    match char {
                        '\\' => out.extend(chars.next()),
                        '"' => break,
                        _ => {}
                    }
                }
            }
            '{' | '[' => {
                out.push(char);
                while chars.next_if(char::is_ascii_whitespace).is_some() {}
                if let Some(end) = chars.next_if(|char| matches!(char, '}' | ']')) {
                    out.push(end);
                } else {
                    depth += 1;
                    new_line(&mut out, depth);
                }
            }
            '}' | ']' => {
                depth = depth.saturating_sub(1);
                new_line(&mut out, depth);
                out.push(char);
            }
            ',' => {
                out.push(',');
                new_line(&mut out, depth);
            }
            ':' => out.push_str(": "),
            ' ' | '\t' | '\n' | '\r' => {}
            _ => out.push(char),
        }
    }
    out
}

/// How long ago, or how long: `12 s`, `3 min`, `5 h`, `4 d`.
pub(crate) fn age(time: Duration) -> String {
    match time.as_secs() {
        seconds @ 0..120 => format!("{seconds} s"),
        seconds @ 120..7_200 => format!("{} min", seconds / 60),
        seconds @ 7_200..172_800 => format!("{} h", seconds / 3600),
        seconds => format!("{} d", seconds / 86_400),
    }
}

/// Escapes control and invisible characters in untrusted text, and limits its length.
pub(crate) fn plain(text: &str, most: usize) -> String {
    escaped(text).max_chars(most).to_string()
}

/// Escapes control and invisible characters in untrusted text, but not line ends and tabs.
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

/// One line of JSON. The characters that are escaped elsewhere are escaped here too, in JSON's way, so that the value stays the same.
pub(crate) fn json(value: &serde_json::Value) -> String {
    one_line(&value.to_string())
}

/// The same for JSON text.
pub(crate) fn one_line(json: &str) -> String {
    let mut line = String::new();
    for char in json.chars() {
        if matches!(char, '\n' | '\r' | '\t') {
            // Between tokens: in a string they are escaped.
            line.push(' ');
        } else if escaped(char.encode_utf8(&mut [0; 4])).to_string() == char.to_string() {
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

pub(crate) fn duration(time: Duration) -> String {
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
    use super::{harmless, json, pretty_json, wrapped};

    #[test]
    fn text_is_wrapped_at_words_with_a_hanging_indent() {
        let text = "one two ".repeat(12);
        let wrapped = wrapped("  fix   ", text.trim_end());
        let lines: Vec<_> = wrapped.lines().collect();
        assert_eq!(lines.len(), 2);
        assert!(lines[0].starts_with("  fix   one two") && lines[0].len() <= 80, "{wrapped}");
        assert!(lines[1].starts_with("        two one") || lines[1].starts_with("        one two"), "{wrapped}");
        let long = "x".repeat(200);
        assert_eq!(super::wrapped("  ", &long), format!("  {long}"), "a long word stays whole");
    }

    #[test]
    fn pretty_json_keeps_order_numbers_and_strings() {
        let text = br#"{"b":1.50,"a":[{},[],"x,{\"\\"],"big":12345678901234567890}"#;
        let pretty = pretty_json(text);
        assert_eq!(
            pretty,
            "{\n  \"b\": 1.50,\n  \"a\": [\n    {},\n    [],\n    \"x,{\\\"\\\\\"\n  ],\n  \"big\": 12345678901234567890\n}"
        );
        assert_eq!(pretty_json(b"not json \x1b"), "not json \\u{1b}");
    }

    #[test]
    fn deep_json_grows_linearly() {
        let sizes = [1_000, 8_000].map(|depth| {
            let pretty = pretty_json(format!("{}1{}", "[".repeat(depth), "]".repeat(depth)).as_bytes());
            assert!(pretty.starts_with("[\n  [\n    [") && pretty.ends_with("    ]\n  ]\n]"), "it is whole");
            pretty.len() / depth
        });
        assert!(sizes.iter().all(|bytes| *bytes < 200), "bytes for each level: {sizes:?}");
    }

    #[test]
    fn control_characters_are_escaped_except_line_ends_and_tabs() {
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
