use std::fmt::{self, Write};

/// Text from outside, safe to print in a log line or on a terminal: see [`escaped`].
#[derive(Clone, Copy, Debug)]
pub struct Escaped<'a> {
    text: &'a str,
    max_chars: usize,
}

/// Prints `text` with every character escaped that could forge a line, command a terminal, or hide what follows: control characters
/// (C0, DEL, C1), line and paragraph separators, bidirectional controls, and other characters without a visible form.
///
/// A signature does not make text harmless: names and ids come from the users of a CRM. Escape every part of an event that you log.
///
/// ```
/// use twenty_webhook_core::escaped;
///
/// assert_eq!(escaped("Ada\n\u{1b}[2JLovelace").to_string(), r"Ada\u{a}\u{1b}[2JLovelace");
/// assert_eq!(escaped("/webhooks/twenty").max_chars(8).to_string(), "/webhook…");
/// ```
pub const fn escaped(text: &str) -> Escaped<'_> {
    Escaped { text, max_chars: usize::MAX }
}

impl Escaped<'_> {
    /// Prints at most this many characters of the text, and `…` instead of the rest.
    #[must_use]
    pub const fn max_chars(mut self, chars: usize) -> Self {
        self.max_chars = chars;
        self
    }
}

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut chars = self.text.chars();
        for char in chars.by_ref().take(self.max_chars) {
            if is_printable(char) {
                f.write_char(char)?;
            } else {
                write!(f, "{}", char.escape_unicode())?;
            }
        }
        if chars.next().is_some() { f.write_char('…') } else { Ok(()) }
    }
}

fn is_printable(char: char) -> bool {
    let hidden = matches!(char,
        '\u{ad}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{180e}'
        | '\u{200b}'..='\u{200f}'
        | '\u{2028}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}'
        | '\u{3164}' | '\u{feff}' | '\u{ffa0}'
        | '\u{fff9}'..='\u{fffb}'
        | '\u{e0000}'..='\u{e007f}');
    !hidden && !char.is_control()
}

#[cfg(test)]
mod tests {
    use super::escaped;

    #[test]
    fn characters_that_forge_lines_or_hide_text_are_escaped() {
        for char in [
            '\0',
            '\n',
            '\r',
            '\u{1b}',
            '\u{7f}',
            '\u{85}',
            '\u{9b}',
            '\u{2028}',
            '\u{202e}',
            '\u{2066}',
            '\u{feff}',
            '\u{e0041}',
        ] {
            let shown = escaped(&format!("a{char}b")).to_string();
            assert_eq!(shown, format!("a{}b", char.escape_unicode()));
            assert!(!shown.contains(char));
        }
    }

    #[test]
    fn ordinary_text_is_unchanged() {
        for text in ["Ada Lovelace", "Zoë 🚀 日本語", "person.created", r#"quotes " and \\ "#] {
            assert_eq!(escaped(text).to_string(), text);
        }
    }

    #[test]
    fn a_long_text_is_cut() {
        assert_eq!(escaped("äöü").max_chars(3).to_string(), "äöü");
        assert_eq!(escaped("äöü").max_chars(2).to_string(), "äö…");
    }
}
