use std::str::FromStr;
use std::time::{Duration, SystemTime};

use twenty_webhook_axum::core::jiff;
use twenty_webhook_axum::{Tolerance, UnixMillis};

/// Now, as what is compared with timestamps.
pub(crate) fn now() -> UnixMillis {
    SystemTime::now().into()
}

/// `2026-09-14T10:23:16.123Z`, as JavaScript writes it.
pub(crate) fn iso(at: UnixMillis) -> String {
    let millis = i64::try_from(at.as_millis()).unwrap_or(i64::MAX);
    match jiff::Timestamp::from_millisecond(millis) {
        Ok(at) => at.strftime("%FT%T.%3fZ").to_string(),
        Err(_) => at.to_string(),
    }
}

/// Reads an instant from a command line: Unix milliseconds, ISO 8601, or `now`.
pub(crate) fn parse(text: &str) -> Result<UnixMillis, String> {
    if text == "now" {
        return Ok(now());
    }
    if let Ok(millis) = text.parse() {
        return Ok(UnixMillis::from_millis(millis));
    }
    let at = jiff::Timestamp::from_str(text).ok().and_then(|at| u64::try_from(at.as_millisecond()).ok());
    at.map(UnixMillis::from_millis)
        .ok_or_else(|| "write Unix milliseconds, or a time as 2026-09-14T10:23:16Z, or now".to_owned())
}

/// Reads a time in the past: how long ago, as 2h or 30d, or a time.
#[cfg(feature = "inbox")]
pub(crate) fn parse_past(text: &str) -> Result<SystemTime, String> {
    let at = match span(text) {
        Some(ago) => Age(ago).before(now()),
        None => {
            parse(text).map_err(|_| "write how long ago, as 2h or 30d, or a time as 2026-09-14T10:23:16Z".to_owned())?
        }
    };
    Ok(SystemTime::UNIX_EPOCH + Duration::from_millis(at.as_millis()))
}

/// Reads a length of time: 90s, 2h or 30d.
#[cfg(feature = "catch-up")]
pub(crate) fn parse_span(text: &str) -> Result<Duration, String> {
    let duration = span(text).and_then(|span| Duration::try_from(span).ok());
    duration.ok_or_else(|| "write how long, as 90s, 2h or 30d".to_owned())
}

/// A day has 24 hours.
#[cfg(feature = "inbox")]
fn span(text: &str) -> Option<jiff::SignedDuration> {
    text.parse::<jiff::Span>().ok()?.to_duration(jiff::SpanRelativeTo::days_are_24_hours()).ok()
}

/// How long ago: `10m`, `90s`, `2h30m`; with a minus, how far ahead.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Age(jiff::SignedDuration);

impl Age {
    /// That long before `at`.
    pub(crate) fn before(self, at: UnixMillis) -> UnixMillis {
        let millis = i128::from(at.as_millis()) - self.0.as_millis();
        UnixMillis::from_millis(u64::try_from(millis.max(0)).unwrap_or(u64::MAX))
    }

    /// Whether receivers with the default tolerance reject it.
    pub(crate) fn is_outside_tolerance(self) -> bool {
        let Tolerance { past, future } = Tolerance::default();
        self.0.unsigned_abs() >= if self.0.is_negative() { future } else { past }
    }
}

impl FromStr for Age {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let duration =
            text.parse().map_err(|_| "write a duration, as 10m, 90s or 2h30m; with a minus for the future: --age=-10m");
        duration.map(Self).map_err(str::to_owned)
    }
}

/// How long to wait: `30s`, `5m`, `500ms`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wait(pub(crate) Duration);

impl FromStr for Wait {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let duration: Option<jiff::SignedDuration> = text.parse().ok();
        match duration.map(Duration::try_from) {
            Some(Ok(duration)) if !duration.is_zero() => Ok(Self(duration)),
            _ => Err("write a duration, as 5s or 500ms"),
        }
    }
}
