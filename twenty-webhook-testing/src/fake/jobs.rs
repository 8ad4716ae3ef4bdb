use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::task::JoinSet;
use tokio::time::timeout;
use twenty_webhook_core::UnixMillis;

use super::state::{Shared, State};
use super::{Call, Outcome};
use crate::sample::{Envelope, Fields, Name, metadata_state, updated_fields};

/// How many calls of a job run concurrently.
const CONCURRENT_CALLS: usize = 20;

/// A job in the queue.
#[derive(Clone, Debug)]
pub(super) enum Job {
    /// Makes the bodies of changes for each webhook that subscribes to them.
    FanOut(FanOut),
    /// Sends bodies and waits for the slowest call.
    Calls(Vec<Planned>),
    /// A job that is due at a time of the server's clock.
    Later(UnixMillis, Box<Job>),
}

#[derive(Clone, Debug)]
pub(super) struct FanOut {
    pub(super) name: Name,
    /// The change's index in the ledger, the record after it, and the fields that changed.
    pub(super) items: Vec<(usize, Fields, Vec<String>)>,
    pub(super) is_rerun: bool,
}

/// A planned call.
#[derive(Clone, Debug)]
pub(super) struct Planned {
    pub(super) webhook_id: String,
    pub(super) change: usize,
    pub(super) body: Bytes,
    pub(super) is_rerun: bool,
}

impl Shared {
    pub(super) fn enqueue(&self, state: &mut State, now: UnixMillis, job: Job) {
        let lag = state.faults.lag;
        let job = if lag.is_zero() { job } else { Job::Later(now.saturating_add(lag), Box::new(job)) };
        state.queue.push_back(job);
        self.pending.send_modify(|pending| *pending += 1);
        self.wake.notify_one();
    }

    /// Runs one job after another, without end.
    pub(super) async fn work(self: Arc<Self>) {
        loop {
            let Some(job) = self.next_job() else {
                // An injected clock cannot wake this task, so check again soon.
                let _ = timeout(Duration::from_millis(5), self.wake.notified()).await;
                continue;
            };
            match job {
                Job::FanOut(fan_out) => self.fan_out(fan_out),
                Job::Calls(calls) => self.call_all(calls).await,
                Job::Later(..) => {}
            }
            self.pending.send_modify(|pending| *pending -= 1);
        }
    }

    fn next_job(&self) -> Option<Job> {
        let mut state = self.state();
        if state.is_paused || state.queue.is_empty() {
            return None;
        }
        let choices = state.faults.reorder.min(state.queue.len());
        let at = if choices > 1 { state.random.below(u32::try_from(choices).unwrap_or(u32::MAX)) as usize } else { 0 };
        let now = self.now(&state.faults);
        if matches!(state.queue.get(at), Some(Job::Later(due, _)) if now < *due) {
            return None;
        }
        match state.queue.remove(at) {
            Some(Job::Later(_, job)) => Some(*job),
            job => job,
        }
    }

    fn fan_out(&self, fan_out: FanOut) {
        let mut state = self.state();
        let now = self.now(&state.faults);
        let FanOut { name, items, .. } = &fan_out;
        let sent = Name { action: self.version.action_as_sent(&name.action).to_owned(), ..name.clone() };
        let mut calls = Vec::new();
        for webhook in
            state.webhooks.iter().filter(|webhook| webhook.subscribes_to(&sent.object, &sent.action, self.version))
        {
            let envelope = Envelope {
                target_url: webhook.target_url.clone(),
                workspace_id: self.workspace_id.clone(),
                webhook_id: webhook.id.clone(),
                event_date: now,
                author: Vec::new(),
            };
            for (change, record, changed) in items {
                let body = self.body(&envelope, name, &sent, record, changed);
                let (webhook_id, is_rerun) = (webhook.id.clone(), fan_out.is_rerun);
                calls.push(Planned { webhook_id, change: *change, body, is_rerun });
            }
        }
        if !calls.is_empty() {
            self.enqueue(&mut state, now, Job::Calls(calls));
        }
        state.fan_outs = state.fan_outs.wrapping_add(1);
        if !fan_out.is_rerun && is_nth(state.fan_outs, state.faults.rerun_fan_out_every) {
            self.enqueue(&mut state, now, Job::FanOut(FanOut { is_rerun: true, ..fan_out }));
        }
    }

    fn body(&self, envelope: &Envelope, name: &Name, sent: &Name, record: &Fields, changed: &[String]) -> Bytes {
        let body = if name.metadata().is_some() {
            let text = |field| record.text(field).unwrap_or_default();
            let before = metadata_state(text("id"), "Before", text("createdAt"), text("createdAt"));
            envelope.metadata(name, &before, record, changed)
        } else {
            let record = self.version.record_as_sent(&name.object, &name.action, record.clone());
            envelope.record(sent, &(record, updated_fields(self.version, &name.action, changed)))
        };
        body.to_json().into()
    }

    async fn call_all(self: &Arc<Self>, calls: Vec<Planned>) {
        let mut in_flight = JoinSet::new();
        for call in calls {
            if in_flight.len() >= CONCURRENT_CALLS {
                in_flight.join_next().await;
            }
            let this = Arc::clone(self);
            in_flight.spawn(async move { this.call(call).await });
        }
        while in_flight.join_next().await.is_some() {}
    }

    async fn call(&self, planned: Planned) {
        let prepared = self.prepare(&planned);
        let (sent_at, outcome) = match prepared {
            Ok(request) => (request.sent_at, self.client.send(request, self.call_timeout).await),
            Err((sent_at, outcome)) => (sent_at, outcome),
        };
        let mut state = self.state();
        let now = self.now(&state.faults);
        if !planned.is_rerun && was_sent(&outcome) {
            state.calls = state.calls.wrapping_add(1);
            if is_nth(state.calls, state.faults.rerun_every) {
                self.enqueue(&mut state, now, Job::Calls(vec![Planned { is_rerun: true, ..planned.clone() }]));
            }
        }
        let Planned { webhook_id, change, body, is_rerun } = planned;
        state.ledger.calls.push(Call { webhook_id, change, body, sent_at, is_rerun, outcome });
    }

    /// The request, or why the call is dropped.
    fn prepare(&self, planned: &Planned) -> Result<super::calls::Request, (UnixMillis, Outcome)> {
        let mut state = self.state();
        let now = self.now(&state.faults);
        let state = &mut *state;
        if let Some(limit) = state.faults.rate_limit
            && state.call_rate.count(limit, now).is_err()
        {
            return Err((now, Outcome::RateLimited));
        }
        if state.faults.receiver_down {
            return Err((now, Outcome::Failed("connection refused".to_owned())));
        }
        let Some(webhook) = state.webhooks.iter().find(|webhook| webhook.id == planned.webhook_id) else {
            return Err((now, Outcome::Failed("the webhook was deleted".to_owned())));
        };
        Ok(super::calls::Request {
            target_url: webhook.target_url.clone(),
            body: planned.body.clone(),
            secret: webhook.secret_at(now).to_owned(),
            nonce: state.random.hex(16),
            sent_at: now,
            refuse_private_addresses: state.faults.refuse_private_addresses,
            version: self.version,
        })
    }
}

fn was_sent(outcome: &Outcome) -> bool {
    !matches!(outcome, Outcome::RateLimited | Outcome::PrivateAddress)
}

fn is_nth(count: u32, every: u32) -> bool {
    every > 0 && count.is_multiple_of(every)
}
