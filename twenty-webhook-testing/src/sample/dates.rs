use twenty_webhook_core::UnixMillis;
use twenty_webhook_core::jiff::Timestamp;

const DAY: u64 = 24 * 60 * 60 * 1000;

/// `2026-09-14T09:02:12.004Z`, as Twenty writes it.
pub(crate) fn iso(at: UnixMillis) -> String {
    formatted(at, "%FT%T.%3fZ")
}

/// `2026-09-14T09:02:12Z`, as Twenty's docs write it.
pub(super) fn in_seconds(at: UnixMillis) -> String {
    formatted(at, "%FT%TZ")
}

/// `2024-08-23T17:39:11.606+00:00`, as Twenty wrote it in 2024.
pub(super) fn with_offset(at: UnixMillis) -> String {
    formatted(at, "%FT%T.%3f+00:00")
}

pub(super) fn days_before(at: UnixMillis, days: u64) -> UnixMillis {
    UnixMillis::from_millis(at.as_millis().saturating_sub(days * DAY))
}

pub(super) fn days_after(at: UnixMillis, days: u64) -> UnixMillis {
    UnixMillis::from_millis(at.as_millis().saturating_add(days * DAY))
}

/// A time out of a date's range becomes 1970.
fn formatted(at: UnixMillis, format: &str) -> String {
    let millis = i64::try_from(at.as_millis()).unwrap_or(0);
    Timestamp::from_millisecond(millis).unwrap_or_default().strftime(format).to_string()
}
