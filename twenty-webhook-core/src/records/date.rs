use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::Offset;

/// Parses a date of any version of Twenty: `2026-09-14T08:21:37.412Z`, with microseconds, or with an offset. Without an offset or a time it
/// is in UTC.
pub(crate) fn parse_date(text: &str) -> Option<Timestamp> {
    text.parse().ok().or_else(|| Offset::UTC.to_timestamp(text.parse::<DateTime>().ok()?).ok())
}

#[cfg(test)]
mod tests {
    use super::parse_date;

    #[test]
    fn every_spelling() {
        for (text, expected) in [
            ("2026-09-14T08:21:37.412Z", Some("2026-09-14T08:21:37.412Z")),
            ("2024-08-23T17:39:11.60643+00:00", Some("2024-08-23T17:39:11.60643Z")),
            ("2024-08-23T19:39:11+02:00", Some("2024-08-23T17:39:11Z")),
            ("2024-08-23T17:39:11.606", Some("2024-08-23T17:39:11.606Z")),
            ("2024-08-23 17:39:11.606+00", Some("2024-08-23T17:39:11.606Z")),
            ("2026-12-15", Some("2026-12-15T00:00:00Z")),
            ("", None),
            ("soon", None),
            ("2026-02-30", None),
            ("1735066639761", None),
        ] {
            assert_eq!(parse_date(text).map(|date| date.to_string()).as_deref(), expected, "{text}");
        }
    }
}
