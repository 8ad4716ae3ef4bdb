use std::collections::VecDeque;
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

const WINDOW: Duration = Duration::from_mins(1);

/// Limits the number of requests in any minute.
#[derive(Debug)]
pub(crate) struct RateLimit {
    max: usize,
    sent: VecDeque<Instant>,
}

impl RateLimit {
    pub(crate) fn per_minute(requests: u32) -> Self {
        Self { max: requests.max(1) as usize, sent: VecDeque::new() }
    }

    /// Waits until another request may be sent, and counts it.
    pub(crate) async fn wait(&mut self) {
        if self.sent.len() >= self.max
            && let Some(oldest) = self.sent.front()
        {
            // Removed afterwards: whoever waits may be cancelled.
            sleep_until(*oldest + WINDOW).await;
            self.sent.pop_front();
        }
        self.sent.push_back(Instant::now());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn no_minute_has_more_requests() {
        let (start, mut rate, mut sent) = (Instant::now(), RateLimit::per_minute(3), Vec::new());
        for _ in 0..8 {
            rate.wait().await;
            sent.push(start.elapsed().as_secs());
        }
        assert_eq!(sent, [0, 0, 0, 60, 60, 60, 120, 120]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_cancelled_wait_is_no_request() {
        let (start, mut rate) = (Instant::now(), RateLimit::per_minute(1));
        rate.wait().await;
        for _ in 0..3 {
            assert!(tokio::time::timeout(Duration::from_secs(1), rate.wait()).await.is_err());
        }
        rate.wait().await;
        assert_eq!(start.elapsed(), WINDOW);
    }
}
