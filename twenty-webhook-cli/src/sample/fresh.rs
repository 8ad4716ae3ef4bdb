use anyhow::Context;
use twenty_webhook_axum::{UnixMillis, jiff};

use crate::moment;

/// The ids and dates of one sample: new ones each time.
pub(super) struct Fresh {
    pub(super) now: UnixMillis,
}

impl Fresh {
    pub(super) fn new() -> Self {
        Self { now: moment::now() }
    }

    pub(super) fn now(&self) -> String {
        moment::iso(self.now)
    }

    /// Some days before now, or after it, with a minus.
    pub(super) fn days_ago(&self, days: i64) -> String {
        const DAY: u64 = 24 * 60 * 60 * 1000;
        let millis = DAY.saturating_mul(days.unsigned_abs());
        let now = self.now.as_millis();
        moment::iso(UnixMillis::from_millis(if days < 0 { now + millis } else { now.saturating_sub(millis) }))
    }

    /// `2025-02-10T15:30:45Z`, as in the docs.
    pub(super) fn in_seconds(&self) -> String {
        self.formatted("%FT%TZ")
    }

    /// `2024-08-23T17:39:11.606+00:00`, as in 2024.
    pub(super) fn with_offset(&self) -> String {
        self.formatted("%FT%T.%3f+00:00")
    }

    fn formatted(&self, format: &str) -> String {
        let millis = i64::try_from(self.now.as_millis()).unwrap_or(0);
        jiff::Timestamp::from_millisecond(millis).unwrap_or_default().strftime(format).to_string()
    }
}

/// A random UUID.
pub(super) fn id() -> anyhow::Result<String> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).context("the system has no randomness")?;
    bytes[6] = bytes[6] & 0x0f | 0x40;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let digits = hex::encode(bytes);
    Ok([&digits[..8], &digits[8..12], &digits[12..16], &digits[16..20], &digits[20..]].join("-"))
}
