use std::any;

/// Why JSON does not fit a type. The text names the field, and contains no values, because payloads must not get into logs. (The keys of a
/// map count as fields: if your map has data as keys, the text can contain a key.)
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DecodeError {
    type_name: &'static str,
    path: String,
    problem: String,
}

impl DecodeError {
    /// In characters. No field of Twenty has a longer path.
    const MAX_PATH_CHARS: usize = 200;

    pub(super) fn new<T>(error: serde_path_to_error::Error<serde_json::Error>) -> Self {
        let path = error.path().to_string().chars().take(Self::MAX_PATH_CHARS).collect();
        Self { type_name: any::type_name::<T>(), path, problem: without_values(&error.into_inner()) }
    }

    /// The path of the field, such as `amount.amountMicros` or `items[3].name`. `.` is the whole value, for example if a field is missing.
    pub fn path(&self) -> &str {
        &self.path
    }
}

impl std::fmt::Display for DecodeError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "the JSON does not fit {}: at `{}`, {}", self.type_name, self.path, self.problem)
    }
}

/// There is no `source`: its own message would quote the value.
impl std::error::Error for DecodeError {}

/// The text of `serde_json`, without the part that quotes the payload.
///
/// Of `invalid type: string "…", expected u32 at line 1 column 9` only the text after the last `, expected` comes from the type.
fn without_values(error: &serde_json::Error) -> String {
    let message = error.to_string();
    let message = message.rsplit_once(" at line ").map_or(message.as_str(), |(message, _)| message);
    if message.starts_with("missing field `") || message == "recursion limit exceeded" {
        return message.to_owned();
    }
    let quotes = ["invalid type: ", "invalid value: ", "invalid length ", "unknown variant "];
    match message.rsplit_once(", expected ") {
        Some((_, expected)) if quotes.iter().any(|quote| message.starts_with(quote)) => format!("expected {expected}"),
        _ => "the value is not accepted".to_owned(),
    }
}
