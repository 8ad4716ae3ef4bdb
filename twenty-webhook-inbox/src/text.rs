use std::error::Error;
use std::fmt::Write as _;

/// The text without control characters, because Postgres stores no NUL and a terminal should not print them; at most 2,000 characters.
pub(crate) fn printable(text: &str) -> String {
    text.chars().take(2_000).map(|c| if c.is_control() && c != '\n' { '\u{fffd}' } else { c }).collect()
}

/// An error and its sources in one line.
pub(crate) fn with_sources(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        let _ = write!(text, ": {error}");
        source = error.source();
    }
    text
}
