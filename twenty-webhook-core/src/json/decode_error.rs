use std::any;

/// Why JSON did not become the type that was asked for. It says which field, never a value: a payload is not for logs. (The keys of
/// a map are fields too: a type whose map has data for keys shows one of them.)
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DecodeError {
    type_name: &'static str,
    path: String,
    problem: String,
}

impl DecodeError {
    /// What is longer is no field of Twenty's.
    const LONGEST_PATH: usize = 200;

    pub(super) fn new<T>(error: serde_path_to_error::Error<serde_json::Error>) -> Self {
        let path = error.path().to_string().chars().take(Self::LONGEST_PATH).collect();
        Self { type_name: any::type_name::<T>(), path, problem: without_values(&error.into_inner()) }
    }

    /// The field to blame, as `amount.amountMicros` or `items[3].name`; `.` for the value as a whole, as when a field is missing.
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

/// What `serde_json` says, but for the part that quotes the payload.
///
/// Of `invalid type: string "…", expected u32 at line 1 column 9` the words after the last `, expected` are the type's own.
fn without_values(error: &serde_json::Error) -> String {
    let message = error.to_string();
    let message = message.rsplit_once(" at line ").map_or(message.as_str(), |(message, _)| message);
    if message.starts_with("missing field `") || message == "recursion limit exceeded" {
        return message.to_owned();
    }
    let quotes = ["invalid type: ", "invalid value: ", "invalid length ", "unknown variant "];
    match message.rsplit_once(", expected ") {
        Some((_, expected)) if quotes.iter().any(|quote| message.starts_with(quote)) => format!("expected {expected}"),
        _ => "the value is refused".to_owned(),
    }
}
