use super::{Finding, TimestampUnit};
use crate::{Tolerance, UnixMillis};

/// The findings about a timestamp.
pub(super) fn check(text: &[u8], now: UnixMillis, tolerance: Tolerance) -> Vec<Finding> {
    let Some(number) = digits(text) else {
        let text = std::str::from_utf8(text).unwrap_or_default();
        // As Python's `time.time()`: `1735066639.761`.
        let seconds = text.split_once('.').and_then(|(whole, _)| digits(whole.as_bytes()));
        return vec![if text.get(..10).is_some_and(|day| day.parse::<jiff::civil::Date>().is_ok()) {
            Finding::TimestampUnit(TimestampUnit::Date)
        } else if seconds.and_then(unit) == Some(TimestampUnit::Seconds) {
            Finding::TimestampUnit(TimestampUnit::Seconds)
        } else {
            Finding::TimestampMalformed
        }];
    };
    let unit = unit(number);
    let sent_at = UnixMillis::from_millis(match unit {
        None | Some(TimestampUnit::Date) => number,
        Some(TimestampUnit::Seconds) => number * 1000,
        Some(TimestampUnit::Microseconds) => number / 1000,
        Some(TimestampUnit::Nanoseconds) => number / 1_000_000,
    });
    let mut findings: Vec<Finding> = unit.map(Finding::TimestampUnit).into_iter().collect();
    let (age, ahead) = (now.saturating_since(sent_at), sent_at.saturating_since(now));
    if age > tolerance.past {
        findings.push(Finding::StaleTimestamp { age, tolerance: tolerance.past });
    }
    if ahead > tolerance.future {
        findings.push(Finding::FutureTimestamp { ahead, tolerance: tolerance.future });
    }
    findings
}

/// Tells the unit from the magnitude: each range covers the years from 1973 (seconds: 2001) to 5138.
pub(super) fn unit(number: u64) -> Option<TimestampUnit> {
    match number {
        1_000_000_000..100_000_000_000 => Some(TimestampUnit::Seconds),
        100_000_000_000_000..100_000_000_000_000_000 => Some(TimestampUnit::Microseconds),
        100_000_000_000_000_000.. => Some(TimestampUnit::Nanoseconds),
        _ => None,
    }
}

pub(super) fn digits(text: &[u8]) -> Option<u64> {
    if !text.iter().all(u8::is_ascii_digit) {
        return None;
    }
    std::str::from_utf8(text).ok()?.parse().ok()
}
