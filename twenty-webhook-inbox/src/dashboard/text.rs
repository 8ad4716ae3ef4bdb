use std::time::{Duration, SystemTime};

/// A duration in its largest unit.
pub(super) fn age(age: Duration) -> String {
    let seconds = age.as_secs();
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3_600 => format!("{} min", seconds / 60),
        3_600..172_800 => format!("{} h", seconds / 3_600),
        _ => format!("{} d", seconds / 86_400),
    }
}

pub(super) fn ago(time: SystemTime) -> String {
    age(SystemTime::now().duration_since(time).unwrap_or_default())
}

/// The time from now, in words.
pub(super) fn from_now(time: SystemTime) -> String {
    match time.duration_since(SystemTime::now()) {
        Ok(wait) if wait >= Duration::from_secs(1) => format!("in {}", age(wait)),
        _ => "now".to_owned(),
    }
}

pub(super) fn utc(time: SystemTime) -> String {
    let time = twenty_webhook_core::jiff::Timestamp::try_from(time);
    time.map_or_else(|_| String::new(), |time| format!("{time:.3}"))
}

/// Indents JSON. Its tokens stay as they are, so a lone surrogate or a long number is shown as Twenty sent it.
pub(super) fn indented(json: &str) -> String {
    let (mut text, mut depth, mut in_string, mut escaped) =
        (String::with_capacity(json.len() * 2), 0_usize, false, false);
    let mut chars = json.chars().filter(|c| !matches!(c, '\r')).peekable();
    while let Some(c) = chars.next() {
        if in_string {
            text.push(c);
            (in_string, escaped) = (escaped || c != '"', c == '\\' && !escaped);
            continue;
        }
        match c {
            ' ' | '\n' | '\t' => {}
            '"' => {
                in_string = true;
                text.push(c);
            }
            '{' | '[' => {
                text.push(c);
                while chars.next_if(char::is_ascii_whitespace).is_some() {}
                if let Some(close) = chars.next_if(|c| matches!(c, '}' | ']')) {
                    text.push(close);
                } else {
                    depth += 1;
                    new_line(&mut text, depth);
                }
            }
            '}' | ']' => {
                depth = depth.saturating_sub(1);
                new_line(&mut text, depth);
                text.push(c);
            }
            ',' => {
                text.push(c);
                new_line(&mut text, depth);
            }
            ':' => text.push_str(": "),
            _ => text.push(c),
        }
    }
    text
}

fn new_line(text: &mut String, depth: usize) {
    text.push('\n');
    // No deeper than this, or a body of ten thousand brackets would fill the memory with blanks.
    text.extend(std::iter::repeat_n("  ", depth.min(40)));
}

/// Makes characters visible that a page would not show, or that would reverse the text.
pub(super) fn visible(text: &str) -> String {
    text.chars()
        .map(|c| match c {
            '\n' => c.to_string(),
            '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}' => {
                format!("\\u{{{:x}}}", u32::from(c))
            }
            _ if c.is_control() => '\u{fffd}'.to_string(),
            _ => c.to_string(),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_is_indented_and_its_tokens_stay() {
        let json = r#"{"a":[1.50,{"b":"x, {\"\ud83d\\"}],"c":{ },"d":[]}"#;
        let shown = "{\n  \"a\": [\n    1.50,\n    {\n      \"b\": \"x, {\\\"\\ud83d\\\\\"\n    }\n  ],\n  \"c\": {},\n  \"d\": []\n}";
        assert_eq!(indented(json), shown);
        assert!(indented(&"[".repeat(10_000)).len() < 1_000_000);
    }

    #[test]
    fn nothing_reverses_the_text() {
        assert_eq!(visible("a\u{202e}b\u{0}\nc"), "a\\u{202e}b\u{fffd}\nc");
    }

    #[test]
    fn durations_in_their_largest_unit() {
        for (seconds, text) in [(0, "0 s"), (59, "59 s"), (60, "1 min"), (7_200, "2 h"), (172_800, "2 d")] {
            assert_eq!(age(Duration::from_secs(seconds)), text);
        }
    }
}
