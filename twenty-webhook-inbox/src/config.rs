use std::time::Duration;

use crate::{Backoff, Order};

/// The settings of a worker. Their documentation is at the setters of [`Worker`](crate::Worker).
#[derive(Clone, Debug)]
pub(crate) struct WorkerConfig {
    pub(crate) concurrency: usize,
    pub(crate) attempts: u32,
    pub(crate) max_crashes: u32,
    pub(crate) timeout: Duration,
    pub(crate) backoff: Backoff,
    pub(crate) grace: Duration,
    pub(crate) lease: Duration,
    pub(crate) poll: Duration,
    pub(crate) order: Option<Order>,
    pub(crate) skip_stale: bool,
}

impl Default for WorkerConfig {
    fn default() -> Self {
        Self {
            concurrency: 8,
            attempts: 27,
            max_crashes: 5,
            timeout: Duration::from_mins(1),
            backoff: Backoff::default(),
            grace: Duration::from_secs(20),
            lease: Duration::from_secs(15),
            poll: Duration::from_millis(500),
            order: Some(Order::default()),
            skip_stale: false,
        }
    }
}

impl WorkerConfig {
    pub(crate) fn heartbeat(&self) -> Duration {
        self.lease / 3
    }
}
