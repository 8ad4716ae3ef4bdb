use std::time::Duration;

/// As long as forever. Longer durations cannot be added to a point in time.
pub(crate) const LONGEST: Duration = Duration::from_hours(10 * 365 * 24);
