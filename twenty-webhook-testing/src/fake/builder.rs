use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use tokio::sync::oneshot;
use twenty_webhook_core::Clock;

use super::state::Shared;
use super::{FakeTwenty, Role, rest};
use crate::sample::Version;

/// Settings of a [`FakeTwenty`] that cannot change after the start. [`FakeTwenty::builder`] makes one.
///
/// ```no_run
/// use twenty_webhook_testing::{FakeTwenty, TestClock, Version};
///
/// let clock = TestClock::default();
/// let twenty = FakeTwenty::builder().version(Version::V1_8).clock(clock.clock()).start();
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct FakeTwentyBuilder {
    clock: Clock,
    version: Version,
    call_timeout: Duration,
    workers: usize,
    bare_records: bool,
    seed: u64,
    address: SocketAddr,
}

impl FakeTwentyBuilder {
    /// Sets the clock for all dates, timestamps and rate limits. The default is the system's clock. Timeouts of sockets use real time.
    pub fn clock(mut self, clock: Clock) -> Self {
        self.clock = clock;
        self
    }

    /// Sets the version of Twenty. The default is the newest.
    pub fn version(mut self, version: Version) -> Self {
        self.version = version;
        self
    }

    /// Sets how long a call waits for an answer, in real time. The default is 5 seconds, as in Twenty.
    pub fn call_timeout(mut self, timeout: Duration) -> Self {
        self.call_timeout = timeout;
        self
    }

    /// Sets the number of workers. Each runs one job at a time. The default is 1.
    pub fn workers(mut self, workers: usize) -> Self {
        self.workers = workers.max(1);
        self
    }

    /// Makes records with only an id, dates and the given fields. For tests with very many records.
    pub fn bare_records(mut self) -> Self {
        self.bare_records = true;
        self
    }

    /// Sets the seed of ids, made-up values and random choices. The default is 0.
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// Sets the address of the REST API. The default is a free port on 127.0.0.1.
    pub fn listen(mut self, address: SocketAddr) -> Self {
        self.address = address;
        self
    }

    /// Starts it.
    ///
    /// # Panics
    /// If the address is in use, or a thread cannot be started.
    #[track_caller]
    pub fn start(self) -> FakeTwenty {
        let shared = Arc::new(Shared::new(self.clock, self.version, self.call_timeout, self.bare_records, self.seed));
        let listener = TcpListener::bind(self.address).expect("the address is free");
        listener.set_nonblocking(true).expect("a listener that does not block");
        let address = listener.local_addr().expect("the listener has an address");
        let (stop, stopped) = oneshot::channel();
        let (serving, workers) = (Arc::clone(&shared), self.workers);
        let run = move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
            runtime.block_on(async {
                for _ in 0..workers {
                    tokio::spawn(Arc::clone(&serving).work());
                }
                tokio::spawn(rest::serve(listener, serving));
                // An error means that the handle was dropped.
                let _ = stopped.await;
            });
        };
        thread::Builder::new().name("fake-twenty".to_owned()).spawn(run).expect("a thread");
        let twenty = FakeTwenty { shared, address, api_key: String::new(), _stop: stop };
        let api_key = twenty.add_api_key(Role::default());
        FakeTwenty { api_key, ..twenty }
    }
}

impl Default for FakeTwentyBuilder {
    fn default() -> Self {
        Self {
            clock: Clock::system(),
            version: Version::default(),
            call_timeout: Duration::from_secs(5),
            workers: 1,
            bare_records: false,
            seed: 0,
            address: ([127, 0, 0, 1], 0).into(),
        }
    }
}
