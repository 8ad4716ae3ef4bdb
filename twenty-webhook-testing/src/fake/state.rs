use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, watch};
use twenty_webhook_core::{Clock, UnixMillis};

use super::calls::Client;
use super::data::Data;
use super::jobs::Job;
use super::rate::RateWindow;
use super::webhooks::Webhook;
use super::{ApiFailure, Faults, Ledger, Role};
use crate::sample::{Random, Version};

/// State that the handle, the workers and the REST API share.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) clock: Clock,
    pub(super) version: Version,
    pub(super) call_timeout: Duration,
    pub(super) bare_records: bool,
    pub(super) workspace_id: String,
    pub(super) client: Client,
    /// The number of jobs that wait or run.
    pub(super) pending: watch::Sender<usize>,
    /// How many more requests the REST API lets through. `None` lets all through.
    pub(super) gate: watch::Sender<Option<usize>>,
    /// Notified when a job is added or the queue resumes.
    pub(super) wake: Notify,
    state: Mutex<State>,
}

#[derive(Debug)]
pub(super) struct State {
    pub(super) faults: Faults,
    pub(super) data: Data,
    pub(super) webhooks: Vec<Webhook>,
    /// Roles by API key.
    pub(super) roles: HashMap<String, Role>,
    pub(super) queue: VecDeque<Job>,
    pub(super) is_paused: bool,
    pub(super) ledger: Ledger,
    pub(super) random: Random,
    pub(super) call_rate: RateWindow,
    pub(super) api_rates: HashMap<String, RateWindow>,
    pub(super) api_failures: VecDeque<ApiFailure>,
    pub(super) met_failures: Vec<ApiFailure>,
    pub(super) repeated_cursors: usize,
    /// `GET /rest/people?…`, in the order of arrival.
    pub(super) api_requests: Vec<String>,
    pub(super) fan_outs: u32,
    pub(super) calls: u32,
}

impl Shared {
    pub(super) fn new(clock: Clock, version: Version, call_timeout: Duration, bare_records: bool, seed: u64) -> Self {
        let mut random = Random::new(seed);
        Self {
            clock,
            version,
            call_timeout,
            bare_records,
            workspace_id: random.uuid(),
            client: Client::new(),
            pending: watch::Sender::new(0),
            gate: watch::Sender::new(None),
            wake: Notify::new(),
            state: Mutex::new(State {
                faults: Faults::default(),
                data: Data::standard(),
                webhooks: Vec::new(),
                roles: HashMap::new(),
                queue: VecDeque::new(),
                is_paused: false,
                ledger: Ledger::default(),
                random,
                call_rate: RateWindow::default(),
                api_rates: HashMap::new(),
                api_failures: VecDeque::new(),
                met_failures: Vec::new(),
                repeated_cursors: 0,
                api_requests: Vec::new(),
                fan_outs: 0,
                calls: 0,
            }),
        }
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until the gate lets a request through.
    pub(super) async fn pass_gate(&self) {
        let mut gate = self.gate.subscribe();
        loop {
            // It cannot fail: `self` owns the sender.
            let _ = gate.wait_for(|remaining| *remaining != Some(0)).await;
            let mut has_passed = false;
            self.gate.send_if_modified(|remaining| {
                has_passed = *remaining != Some(0);
                *remaining = remaining.map(|remaining| remaining.saturating_sub(1));
                remaining.is_some()
            });
            if has_passed {
                return;
            }
        }
    }

    /// The time of the server's own clock.
    pub(super) fn now(&self, faults: &Faults) -> UnixMillis {
        let now = self.clock.now().as_millis();
        UnixMillis::from_millis(now.saturating_add_signed(faults.clock_skew_millis))
    }
}
