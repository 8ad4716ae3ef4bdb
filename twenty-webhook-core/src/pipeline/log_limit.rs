use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// The maximum number of lines of one kind per window. Further lines are only counted.
const LINES: u64 = 10;
const WINDOW: Duration = Duration::from_secs(10);

/// Limits log lines that unauthenticated requests can cause.
#[derive(Debug, Default)]
pub(super) struct LogLimit(Mutex<Vec<(&'static str, Window)>>);

#[derive(Debug)]
struct Window {
    began: Instant,
    lines: u64,
    suppressed: u64,
}

impl LogLimit {
    /// Whether to write a line of this kind. Returns how many were suppressed before it.
    pub(super) fn admit(&self, kind: &'static str, now: Instant) -> Option<u64> {
        let mut windows = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let at = windows.iter().position(|(known, _)| *known == kind).unwrap_or_else(|| {
            windows.push((kind, Window { began: now, lines: 0, suppressed: 0 }));
            windows.len() - 1
        });
        let window = &mut windows[at].1;
        if now.saturating_duration_since(window.began) >= WINDOW {
            (window.began, window.lines) = (now, 0);
        }
        if window.lines == LINES {
            window.suppressed += 1;
            return None;
        }
        window.lines += 1;
        Some(std::mem::take(&mut window.suppressed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_lines_of_a_window_are_written_and_the_others_counted() {
        let (limit, now) = (LogLimit::default(), Instant::now());
        for _ in 0..LINES {
            assert_eq!(limit.admit("a", now), Some(0));
        }
        for _ in 0..90 {
            assert_eq!(limit.admit("a", now + Duration::from_secs(9)), None);
        }
        assert_eq!(limit.admit("b", now), Some(0), "each kind has its own limit");
        assert_eq!(limit.admit("a", now + WINDOW), Some(90));
        assert_eq!(limit.admit("a", now + WINDOW), Some(0));
    }
}
