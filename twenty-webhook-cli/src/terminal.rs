//! How things look on a terminal; elsewhere the styles are taken out.

use std::io::{self, StdoutLock};
use std::time::Duration;

use anstream::AutoStream;
use anstyle::{AnsiColor, Style};

pub(crate) const GOOD: Style = AnsiColor::Green.on_default().bold();
pub(crate) const BAD: Style = AnsiColor::Red.on_default().bold();
pub(crate) const ODD: Style = AnsiColor::Yellow.on_default().bold();
pub(crate) const FAINT: Style = Style::new().dimmed();

/// Where a command's results go.
pub(crate) fn stdout() -> AutoStream<StdoutLock<'static>> {
    AutoStream::auto(io::stdout().lock())
}

/// A text that somebody else wrote, without what could command the terminal, and not too long.
pub(crate) fn plain(text: &str, most: usize) -> String {
    let mut chars = text.chars().map(|char| if char.is_control() { ' ' } else { char });
    let mut plain: String = chars.by_ref().take(most).collect();
    if chars.next().is_some() {
        plain.push('…');
    }
    plain
}

/// A text of any length and number of lines, without what could command the terminal.
pub(crate) fn harmless(text: &str) -> String {
    text.chars().map(|char| if char.is_control() && char != '\n' && char != '\t' { '\u{fffd}' } else { char }).collect()
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
