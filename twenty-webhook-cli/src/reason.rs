//! Why a request was rejected: in human numbers for text, and exactly for JSON.

use std::time::Duration;

use serde_json::{Value, json};
use twenty_webhook_axum::Rejection;

use crate::terminal;

/// The reason, with durations as `12 s` or `3 min`.
pub(crate) fn text(rejection: &Rejection) -> String {
    let text = rejection.to_string();
    durations(rejection).iter().fold(text, |text, (_, time)| text.replace(&format!("{time:?}"), &terminal::age(*time)))
}

/// Its durations in milliseconds, by name; an empty object if it has none.
pub(crate) fn numbers(rejection: &Rejection) -> Value {
    let millis = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
    durations(rejection).into_iter().map(|(name, time)| (name.to_owned(), json!(millis(time)))).collect()
}

fn durations(rejection: &Rejection) -> Vec<(&'static str, Duration)> {
    match rejection {
        Rejection::StaleTimestamp { age, tolerance, .. } => vec![("age_ms", *age), ("tolerance_ms", *tolerance)],
        Rejection::FutureTimestamp { ahead, tolerance, .. } => vec![("ahead_ms", *ahead), ("tolerance_ms", *tolerance)],
        _ => Vec::new(),
    }
}
