use twenty_webhook_core::jiff::Timestamp;
use twenty_webhook_core::jiff::civil::DateTime;
use twenty_webhook_core::jiff::fmt::rfc2822;
use twenty_webhook_core::jiff::tz::Offset;

/// Parses a record's date from any version of Twenty, in Unix milliseconds. A date without an offset is in UTC.
pub(crate) fn millis(text: &str) -> Option<i64> {
    let date = text.parse::<Timestamp>().ok();
    let date = date.or_else(|| Offset::UTC.to_timestamp(text.parse::<DateTime>().ok()?).ok())?;
    Some(date.as_millisecond())
}

/// Parses an HTTP `Date`, in Unix milliseconds. It has whole seconds.
pub(crate) fn http_date(text: &str) -> Option<i64> {
    rfc2822::parse(text).ok().map(|date| date.timestamp().as_millisecond())
}

/// Formats a date as Twenty does.
pub(crate) fn iso(millis: i64) -> String {
    let date = Timestamp::from_millisecond(millis).unwrap_or(if millis < 0 { Timestamp::MIN } else { Timestamp::MAX });
    date.strftime("%Y-%m-%dT%H:%M:%S.%3fZ").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_read_and_written() {
        assert_eq!(http_date("Sun, 06 Nov 1994 08:49:37 GMT"), Some(784_111_777_000));
        assert_eq!(http_date("soon"), None);
        assert_eq!(millis("2026-09-14T09:02:12.004Z"), Some(1_789_376_532_004));
        assert_eq!(millis("2026-09-14T09:02:12.004"), Some(1_789_376_532_004));
        assert_eq!(iso(1_789_376_532_004), "2026-09-14T09:02:12.004Z");
        assert_eq!(iso(1_789_376_532_000), "2026-09-14T09:02:12.000Z");
    }
}
