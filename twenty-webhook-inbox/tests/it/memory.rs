//! A store in memory, written with this crate's public API alone. Nothing in it is durable, and tests can make it fail or hang. It has the
//! rules of order in their shortest form.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use tokio::time::{Instant, sleep};
use twenty_webhook_inbox::{
    Backoff, Bytes, Change, Claim, Claimed, ClaimedJob, Completed, Completion, Counts, Crashed, HandlerError, Inbox,
    InboxError, JobFilter, JobId, JobInfo, Maintenance, NewJob, Outcome, Recovered, ReplayKey, State, Store,
    WebhookEvent, Worker,
};

use crate::support::{Log, Running, Seen, changed, event, large, ok, until, verified};

#[derive(Clone, Debug, Default)]
pub(crate) struct Memory {
    table: Arc<Mutex<Table>>,
    pub(crate) down: Arc<AtomicBool>,
    /// Claims, maintenance and the noting of losses never return.
    hangs: Arc<AtomicBool>,
    /// How many pushes never return.
    hanging_pushes: Arc<AtomicUsize>,
    /// How many counts never return.
    pub(crate) hanging_counts: Arc<AtomicUsize>,
    /// How long a push takes.
    late_pushes: Arc<Mutex<Duration>>,
    /// How late the answer to each claim is.
    late_claims: Arc<Mutex<Duration>>,
    /// How late the answer to the next renewal is.
    late_renewal: Arc<Mutex<Duration>>,
    /// How late the answer to each recovery is.
    late_recoveries: Arc<Mutex<Duration>>,
    /// The answer to the next completion is lost.
    loses_answer: Arc<AtomicBool>,
    /// Completions and renewals panic.
    panics: Arc<AtomicBool>,
}

#[derive(Debug, Default)]
struct Table {
    rows: Vec<Row>,
    last_id: i64,
    renewals: usize,
    losses: usize,
    /// The size of each pushed group in bytes.
    groups: Vec<usize>,
    /// The key of a job whose group is refused.
    refused: Option<ReplayKey>,
    /// The key of a job whose group is never answered.
    hanging: Option<ReplayKey>,
    /// How late each recovery said that its worker was.
    recoveries: Vec<Duration>,
    /// Jobs that cannot be completed. No other can be completed with an error that is not ASCII.
    refused_completions: Vec<JobId>,
    paused: bool,
}

#[derive(Debug)]
struct Row {
    new: NewJob,
    info: JobInfo,
    body: Option<Bytes>,
    due: Instant,
    lease: Option<(i64, Instant)>,
    /// The end of the last attempt.
    finished: Option<Instant>,
}

impl Row {
    fn is_open(&self) -> bool {
        matches!(self.info.state, State::Pending | State::Retrying | State::Running)
    }

    fn place(&self) -> (i64, i64, JobId) {
        let arrival = i64::try_from(self.info.stored_at.duration_since(SystemTime::UNIX_EPOCH).unwrap().as_millis());
        (self.new.updated_at().unwrap_or(arrival.unwrap()), self.new.event_date().unwrap_or(0), self.info.id)
    }

    fn shares_a_lane_with(&self, other: &Self) -> bool {
        self.new.scope() == other.new.scope()
            && self.new.object() == other.new.object()
            && self.new.record_ids().iter().any(|id| other.new.record_ids().contains(id))
    }

    /// The rule: no job runs at the same time as another of its record, or before one that precedes it.
    fn waits_for(&self, other: &Self) -> bool {
        self.info.id != other.info.id
            && other.is_open()
            && self.shares_a_lane_with(other)
            && (other.info.state == State::Running || other.place() < self.place())
    }

    /// Due again, unless it was erased meanwhile.
    fn free(&mut self) {
        self.info.state = match self.info.attempts {
            _ if self.body.is_none() => State::Done,
            0 => State::Pending,
            _ => State::Retrying,
        };
        (self.lease, self.due) = (None, Instant::now());
    }
}

impl Memory {
    fn with<T>(&self, change: impl FnOnce(&mut Table) -> T) -> Result<T, InboxError> {
        if self.down.load(Ordering::SeqCst) {
            return Err(InboxError::database("it is down"));
        }
        Ok(change(&mut self.table.lock().unwrap()))
    }

    async fn may_hang(&self) {
        if self.hangs.load(Ordering::SeqCst) {
            std::future::pending::<()>().await;
        }
    }
}

impl Store for Memory {
    async fn push(&self, jobs: Vec<NewJob>) -> Result<(), InboxError> {
        let one_less = |left: usize| left.checked_sub(1);
        if self.hanging_pushes.fetch_update(Ordering::SeqCst, Ordering::SeqCst, one_less).is_ok() {
            std::future::pending::<()>().await;
        }
        let hanging = self.table.lock().unwrap().hanging;
        if jobs.iter().any(|job| Some(job.key()) == hanging) {
            std::future::pending::<()>().await;
        }
        let late = *self.late_pushes.lock().unwrap();
        if !late.is_zero() {
            sleep(late).await;
        }
        self.with(|table| {
            table.groups.push(jobs.iter().map(|job| job.body().len()).sum());
            if jobs.iter().any(|job| table.refused == Some(job.key())) {
                return Err(InboxError::database("one of them is refused"));
            }
            for new in jobs {
                if table.rows.iter().any(|row| row.info.key == new.key()) {
                    continue;
                }
                let info = JobInfo {
                    id: JobId::new(table.last_id + 1),
                    state: State::Pending,
                    key: new.key(),
                    tenant: new.tenant().map(ToOwned::to_owned),
                    scope: new.scope().to_owned(),
                    name: new.name().to_owned(),
                    object: new.object().to_owned(),
                    record_id: if let [id] = new.record_ids() { Some(id.clone()) } else { None },
                    attempts: 0,
                    crashes: 0,
                    last_error: None,
                    due_at: None,
                    stored_at: SystemTime::now(),
                    finished_at: None,
                    len: Some(new.body().len()),
                };
                table.last_id += 1;
                let body = Some(new.body().clone());
                table.rows.push(Row { new, info, body, due: Instant::now(), lease: None, finished: None });
            }
            Ok(())
        })?
    }

    async fn note_loss(&self) -> Result<(), InboxError> {
        self.may_hang().await;
        self.with(|table| table.losses += 1)
    }

    async fn claim(&self, claim: &Claim) -> Result<Claimed, InboxError> {
        self.may_hang().await;
        let claimed = self.with(|table| {
            let mut claimed = Claimed::default();
            if table.paused {
                return claimed;
            }
            for index in 0..table.rows.len() {
                let row = &table.rows[index];
                let is_due = matches!(row.info.state, State::Pending | State::Retrying) && row.due <= Instant::now();
                let waits = claim.order.is_some() && table.rows.iter().any(|other| row.waits_for(other));
                if !is_due || waits || claimed.jobs.len() == claim.limit {
                    continue;
                }
                match (row.info.crashes, claim.crashed) {
                    (0, _) | (1, Crashed::Once | Crashed::Alone) => {}
                    (1, Crashed::No) => continue,
                    (_, Crashed::Alone) if claimed.jobs.is_empty() => {}
                    _ => {
                        claimed.alone_is_due = true;
                        continue;
                    }
                }
                // Of a batch, other records may be newer.
                let is_batch = row.new.record_ids().len() > 1;
                let stale = !is_batch
                    && table.rows.iter().any(|other| {
                        other.info.state == State::Done && row.shares_a_lane_with(other) && {
                            let date =
                                |row: &Row| row.new.updated_at().map(|date| (date, row.new.event_date().unwrap_or(0)));
                            date(row).zip(date(other)).is_some_and(|(this, other)| other > this)
                        }
                    });
                let row = &mut table.rows[index];
                row.info.state = State::Running;
                row.lease = Some((claim.token, Instant::now() + claim.lease));
                claimed.jobs.push(ClaimedJob {
                    id: row.info.id,
                    key: row.info.key,
                    tenant: row.info.tenant.clone(),
                    body: row.body.clone().unwrap(),
                    attempts: row.info.attempts,
                    crashes: row.info.crashes,
                    stored_at: row.info.stored_at,
                    stale,
                    merged: Vec::new(),
                });
                if row.info.crashes > 1 {
                    break;
                }
            }
            claimed
        });
        let late = *self.late_claims.lock().unwrap();
        if !late.is_zero() {
            sleep(late).await;
        }
        claimed
    }

    async fn complete(&self, completions: &[Completion]) -> Result<Completed, InboxError> {
        assert!(!self.panics.load(Ordering::SeqCst), "in the store");
        self.with(|table| {
            let is_refused = |Completion { id, outcome, .. }: &Completion| {
                let (Outcome::Retry(_, error) | Outcome::Dead(error)) = outcome else {
                    return table.refused_completions.contains(id);
                };
                !error.is_ascii() || table.refused_completions.contains(id)
            };
            if completions.iter().any(is_refused) {
                return Err(InboxError::database("one of them is refused"));
            }
            let mut completed = Completed { jobs: Vec::new(), woke_others: true };
            for Completion { id, token, outcome, .. } in completions {
                let held = |row: &&mut Row| row.info.id == *id && row.lease.is_some_and(|(held, _)| held == *token);
                let Some(row) = table.rows.iter_mut().find(held) else { continue };
                completed.jobs.push(*id);
                if let Outcome::Released = outcome {
                    row.free();
                    continue;
                }
                (row.lease, row.info.attempts, row.finished) = (None, row.info.attempts + 1, Some(Instant::now()));
                match outcome.clone() {
                    Outcome::Retry(..) if row.body.is_none() => row.info.state = State::Done,
                    Outcome::Retry(after, error) => {
                        (row.info.state, row.info.last_error) = (State::Retrying, Some(error));
                        row.due = Instant::now() + after;
                    }
                    Outcome::Dead(error) => (row.info.state, row.info.last_error) = (State::Dead, Some(error)),
                    _ => row.info.state = State::Done,
                }
            }
            Ok(completed)
        })?
        .and_then(|completed| {
            let is_lost = self.loses_answer.swap(false, Ordering::SeqCst);
            if is_lost { Err(InboxError::database("the answer is lost")) } else { Ok(completed) }
        })
    }

    async fn release_claim(&self, token: i64) -> Result<(), InboxError> {
        self.with(|table| {
            let held = |row: &&mut Row| row.lease.is_some_and(|(held, _)| held == token);
            table.rows.iter_mut().filter(held).for_each(Row::free);
        })
    }

    async fn reconnect(&self) -> Result<Self, InboxError> {
        Ok(self.clone())
    }

    async fn renew(&self, leases: &[(JobId, i64)], lease: Duration) -> Result<Vec<JobId>, InboxError> {
        assert!(!self.panics.load(Ordering::SeqCst), "in the store");
        let renewed = self.with(|table| {
            table.renewals += 1;
            let mut renewed = Vec::new();
            for row in &mut table.rows {
                if let Some((token, expires_at)) = &mut row.lease
                    && leases.contains(&(row.info.id, *token))
                {
                    *expires_at = Instant::now() + lease;
                    renewed.push(row.info.id);
                }
            }
            renewed
        });
        let late = std::mem::take(&mut *self.late_renewal.lock().unwrap());
        if !late.is_zero() {
            sleep(late).await;
        }
        renewed
    }

    async fn recover(&self, late: Duration, max_crashes: u32) -> Result<Recovered, InboxError> {
        let recovered = self.with(|table| {
            table.recoveries.push(late);
            let mut recovered = Recovered::default();
            let gone = |row: &&mut Row| row.lease.is_some_and(|(_, expires_at)| expires_at + late < Instant::now());
            for row in table.rows.iter_mut().filter(gone) {
                row.info.crashes += 1;
                row.free();
                recovered.jobs += 1;
                if row.info.crashes >= max_crashes && row.body.is_some() {
                    row.info.state = State::Dead;
                    recovered.dead.push((row.info.id, "its process ended".to_owned()));
                }
            }
            recovered
        });
        let late = *self.late_recoveries.lock().unwrap();
        if !late.is_zero() {
            sleep(late).await;
        }
        recovered
    }

    async fn maintain(&self, maintenance: &Maintenance) -> Result<bool, InboxError> {
        self.may_hang().await;
        self.with(|table| {
            table.rows.retain(|row| {
                let retention = match row.info.state {
                    State::Done => Some(maintenance.retention),
                    State::Dead => maintenance.dead_retention,
                    State::Pending | State::Running | State::Retrying => None,
                };
                retention.zip(row.finished).is_none_or(|(retention, finished)| finished.elapsed() <= retention)
            });
            false
        })
    }

    async fn health(&self) -> Result<(), InboxError> {
        self.with(|_| ())
    }

    async fn counts(&self) -> Result<Counts, InboxError> {
        let one_less = |left: usize| left.checked_sub(1);
        if self.hanging_counts.fetch_update(Ordering::SeqCst, Ordering::SeqCst, one_less).is_ok() {
            std::future::pending::<()>().await;
        }
        self.with(|table| {
            let mut counts = Counts::default();
            for row in &table.rows {
                match row.info.state {
                    State::Pending => counts.pending += 1,
                    State::Running => counts.running += 1,
                    State::Retrying => counts.retrying += 1,
                    State::Done => counts.done += 1,
                    State::Dead => counts.dead += 1,
                }
            }
            counts
        })
    }

    async fn page(&self, filter: &JobFilter, before: Option<JobId>, limit: u32) -> Result<Vec<JobInfo>, InboxError> {
        self.with(|table| {
            let found = table.rows.iter().rev().filter(|row| before.is_none_or(|before| row.info.id < before));
            let is_of_record = |row: &&Row| {
                let lane = |id| JobFilter::all().record(row.new.object(), id).lane();
                filter.lane().is_none() || row.new.record_ids().iter().any(|id| lane(id) == filter.lane())
            };
            found
                .filter(|row| filter.matches(&row.info))
                .filter(is_of_record)
                .take(limit as usize)
                .map(|row| row.info.clone())
                .collect()
        })
    }

    async fn find(&self, id: JobId) -> Result<Option<(JobInfo, Option<Bytes>)>, InboxError> {
        self.with(|table| {
            table.rows.iter().find(|row| row.info.id == id).map(|row| (row.info.clone(), row.body.clone()))
        })
    }

    async fn change(&self, change: Change, ids: &[JobId], state: Option<State>) -> Result<u64, InboxError> {
        self.with(|table| {
            let mut changed = 0;
            table.rows.retain_mut(|row| {
                let fits = match change {
                    Change::Retry => match row.info.state {
                        State::Dead | State::Retrying => row.body.is_some(),
                        State::Pending => row.info.crashes > 0,
                        State::Running | State::Done => false,
                    },
                    Change::Rerun => row.info.state == State::Done && row.body.is_some(),
                    Change::Delete => row.info.state != State::Running,
                    Change::Erase => row.body.is_some(),
                };
                let is_listed = ids.contains(&row.info.id) && state.is_none_or(|state| state == row.info.state);
                if !fits || !is_listed {
                    return true;
                }
                changed += 1;
                match change {
                    Change::Delete => return false,
                    Change::Erase => {
                        (row.body, row.info.len) = (None, None);
                        if matches!(row.info.state, State::Pending | State::Retrying) {
                            row.info.state = State::Done;
                        }
                    }
                    Change::Retry | Change::Rerun => {
                        (row.info.attempts, row.info.crashes) = (0, 0);
                        row.free();
                    }
                }
                true
            });
            changed
        })
    }

    async fn set_paused(&self, paused: bool) -> Result<(), InboxError> {
        self.with(|table| table.paused = paused)
    }

    async fn is_paused(&self) -> Result<bool, InboxError> {
        self.with(|table| table.paused)
    }
}

fn quick<S: Store>(worker: Worker<S>) -> Worker<S> {
    worker
        .backoff(Backoff::new(Duration::from_millis(1), Duration::from_millis(1)))
        .poll_every(Duration::from_millis(10))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_can_be_written_with_the_public_api_alone() {
    let store = Memory::default();
    let inbox = Inbox::on(store.clone());
    for number in 0..100 {
        inbox.store(&event(if number < 90 { "person.created" } else { "company.created" }, number)).await.unwrap();
    }
    inbox.store(&event("person.created", 7)).await.unwrap();
    assert_eq!(inbox.counts().await.unwrap().pending, 100, "a duplicate adds no job");

    let seen = Seen::default();
    let handler = {
        let seen = seen.clone();
        move |event: WebhookEvent| {
            let result = if event.object() == "person" { ok() } else { Err(std::io::Error::other("no")) };
            seen.add(&event);
            async { result }
        }
    };
    let running = Running::start(quick(inbox.worker("test", handler)).attempts(2));
    let counts = until(&inbox, |counts| counts.open() == 0).await;
    assert_eq!((counts.done, counts.dead), (90, 10));
    assert_eq!(seen.len(), 110, "each company twice");
    running.stop().await;

    assert_eq!(inbox.retry(&JobFilter::in_state(State::Dead).limit(4)).await.unwrap(), 4);
    let running = Running::start(quick(inbox.worker("test", |_: WebhookEvent| async { ok() })));
    until(&inbox, |counts| counts.done == 94).await;
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_is_down_is_waited_for() {
    let store = Memory::default();
    let inbox = Inbox::on(store.clone()).deadline(Duration::from_millis(500));
    inbox.store(&event("person.created", 1)).await.unwrap();
    let (begun, finish) = (Arc::new(tokio::sync::Notify::new()), Arc::new(tokio::sync::Notify::new()));
    let handler = {
        let (begun, finish) = (begun.clone(), finish.clone());
        move |_: WebhookEvent| {
            let (begun, finish) = (begun.clone(), finish.clone());
            async move {
                begun.notify_one();
                finish.notified().await;
                ok()
            }
        }
    };
    let running = Running::start(quick(inbox.worker("test", handler)));
    begun.notified().await;
    store.down.store(true, Ordering::SeqCst);
    assert!(matches!(inbox.store(&event("person.created", 2)).await, Err(InboxError::Database(_))));
    finish.notify_one();
    // The handler has ended, and the job cannot be completed yet.
    sleep(Duration::from_millis(300)).await;
    store.down.store(false, Ordering::SeqCst);
    until(&inbox, |counts| counts.done == 1).await;
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn what_is_done_and_what_is_dead_are_deleted_past_their_retentions() {
    let hours = Duration::from_hours;
    let inbox = Inbox::on(Memory::default()).retention(hours(3)).dead_retention(hours(2));
    inbox.store(&event("person.created", 1)).await.unwrap();
    inbox.store(&event("company.created", 1)).await.unwrap();
    let handler = |event: WebhookEvent| async move {
        if event.object() == "person" { ok() } else { Err(std::io::Error::other("no")) }
    };
    let running = Running::start(inbox.worker("test", handler).attempts(1).poll_every(Duration::from_mins(1)));
    until(&inbox, |counts| counts.open() == 0).await;
    for (done, dead) in [(1, 1), (1, 0), (0, 0)] {
        sleep(hours(1) + Duration::from_mins(5)).await;
        let counts = inbox.counts().await.unwrap();
        assert_eq!((counts.done, counts.dead), (done, dead));
    }
    running.stop().await;
}

#[tokio::test]
async fn a_batch_is_found_by_its_records_alone() {
    let inbox = Inbox::on(Memory::default());
    let item = |id: &str| format!(r#"{{"record":{{"id":"{id}"}}}}"#);
    let items = [item("a"), item("b")].join(",");
    let batch = format!(r#"{{"eventName":"person.updated","workspaceId":"w","batchSize":2,"items":[{items}]}}"#);
    inbox.store(&verified(batch)).await.unwrap();
    for (id, expected) in [("a", 1), ("b", 1), ("c", 0)] {
        assert_eq!(inbox.jobs(&JobFilter::all().record("person", id)).await.unwrap().len(), expected, "{id}");
    }
    assert_eq!(inbox.erase("person", "c").await.unwrap(), 0);
}

/// A failed commit is repeated while its callers wait.
#[tokio::test(start_paused = true)]
async fn a_short_outage_refuses_no_delivery() {
    let store = Memory::default();
    let inbox = Inbox::on(store.clone());
    store.down.store(true, Ordering::SeqCst);
    let events: Vec<_> = (0..40).map(|number| event("person.created", number)).collect();
    let stored = futures_util::future::join_all(events.iter().map(|event| inbox.store(event)));
    let up_again = async {
        sleep(Duration::from_millis(1_400)).await;
        store.down.store(false, Ordering::SeqCst);
    };
    let (stored, ()) = tokio::join!(stored, up_again);
    stored.into_iter().for_each(Result::unwrap);
}

/// Also of a delivery alone.
#[tokio::test(start_paused = true)]
async fn a_commit_that_hangs_is_tried_again() {
    for deliveries in [1, 40] {
        let store = Memory::default();
        let inbox = Inbox::on(store.clone());
        store.hanging_pushes.store(1, Ordering::SeqCst);
        let events: Vec<_> = (0..deliveries).map(|number| event("person.created", number)).collect();
        for stored in futures_util::future::join_all(events.iter().map(|event| inbox.store(event))).await {
            stored.unwrap();
        }
        assert_eq!(store.hanging_pushes.load(Ordering::SeqCst), 0);
        assert_eq!(inbox.counts().await.unwrap().pending, deliveries as u64);
    }
}

/// A delivery that the database refuses costs no other one of its group.
#[tokio::test(start_paused = true)]
async fn one_that_is_refused_costs_no_other() {
    let store = Memory::default();
    let inbox = Inbox::on(store.clone());
    let events: Vec<_> = (0..40).map(|number| event("person.created", number)).collect();
    store.table.lock().unwrap().refused = Some(events[20].delivery().unwrap().replay_key());
    let stored = futures_util::future::join_all(events.iter().map(|event| inbox.store(event))).await;
    for (number, stored) in stored.iter().enumerate() {
        assert_eq!(stored.is_err(), number == 20, "{number}: {stored:?}");
    }
    assert_eq!(inbox.counts().await.unwrap().pending, 39);
}

/// A delivery for which the database never answers costs those behind it no more than a part of their time.
#[tokio::test(start_paused = true)]
async fn one_that_hangs_costs_no_other() {
    let store = Memory::default();
    let inbox = Inbox::on(store.clone());
    let events: Vec<_> = (0..40).map(|number| event("person.created", number)).collect();
    store.table.lock().unwrap().hanging = Some(events[20].delivery().unwrap().replay_key());
    let stored = futures_util::future::join_all(events.iter().map(|event| inbox.store(event))).await;
    for (number, stored) in stored.iter().enumerate() {
        assert_eq!(stored.is_err(), number == 20, "{number}: {stored:?}");
    }
}

/// While commits are slow, some do not even get into the queue.
#[tokio::test(start_paused = true)]
async fn a_delivery_that_waits_in_vain_for_the_queue_is_noted_as_a_loss() {
    let store = Memory::default();
    *store.late_pushes.lock().unwrap() = Duration::from_millis(1_900);
    let inbox = Inbox::on(store.clone());
    let events: Vec<_> = (0..1_000).map(|number| event("person.created", number)).collect();
    let stored = futures_util::future::join_all(events.iter().map(|event| inbox.store(event))).await;
    let in_time = stored.iter().filter(|stored| stored.is_ok()).count() as u64;
    sleep(Duration::from_secs(10)).await;
    let pending = inbox.counts().await.unwrap().pending;
    assert!(in_time > 0 && pending > in_time && pending < 1_000, "{in_time} in time, {pending} stored");
    assert!(store.table.lock().unwrap().losses > 1, "one of them is of the time before the first delivery");
}

/// Twenty does not send it again.
#[tokio::test(start_paused = true)]
async fn a_delivery_whose_caller_has_left_is_stored() {
    let store = Memory::default();
    *store.late_pushes.lock().unwrap() = Duration::from_secs(1);
    let inbox = Inbox::on(store.clone());
    let event = event("person.created", 1);
    assert!(tokio::time::timeout(Duration::from_millis(1), inbox.store(&event)).await.is_err());
    sleep(Duration::from_secs(2)).await;
    assert_eq!(inbox.counts().await.unwrap().pending, 1);
}

#[tokio::test(start_paused = true)]
async fn no_delivery_waits_until_a_loss_is_noted() {
    let store = Memory::default();
    store.hangs.store(true, Ordering::SeqCst);
    let inbox = Inbox::on(store.clone());
    let began = Instant::now();
    for number in 0..3 {
        inbox.store(&event("person.created", number)).await.unwrap();
        // The loss before the first one is being noted.
        tokio::task::yield_now().await;
    }
    assert_eq!((began.elapsed(), store.table.lock().unwrap().losses), (Duration::ZERO, 0));
    store.hangs.store(false, Ordering::SeqCst);
    // After the deadline of the call that hangs.
    sleep(Duration::from_secs(10)).await;
    assert_eq!(store.table.lock().unwrap().losses, 1);
}

/// The worker's other calls hang, or its handler blocks every thread of the runtime. Without the heartbeat, another worker would take its
/// jobs.
#[test]
fn a_heartbeat_does_not_depend_on_the_runtime() {
    let store = Memory::default();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let (release, blocked) = std::sync::mpsc::channel::<()>();
    let blocked = Arc::new(Mutex::new(blocked));
    let running = runtime.block_on(async {
        let inbox = Inbox::on(store.clone());
        inbox.store(&event("person.created", 1)).await.unwrap();
        let handler = move |_: WebhookEvent| {
            let blocked = blocked.clone();
            async move {
                let _ = blocked.lock().unwrap().recv_timeout(Duration::from_mins(1));
                ok()
            }
        };
        Running::start(inbox.worker("test", handler).recover_after(Duration::from_secs(3)))
    });
    let began = std::time::Instant::now();
    while store.table.lock().unwrap().rows[0].info.state != State::Running {
        assert!(began.elapsed() < Duration::from_secs(20), "it is not claimed");
        std::thread::sleep(Duration::from_millis(5));
    }
    store.hangs.store(true, Ordering::SeqCst);
    while store.table.lock().unwrap().renewals < 5 {
        assert!(began.elapsed() < Duration::from_secs(20), "the heartbeat has stopped");
        std::thread::sleep(Duration::from_millis(20));
    }
    assert_eq!(store.table.lock().unwrap().rows[0].info.state, State::Running);
    store.hangs.store(false, Ordering::SeqCst);
    drop(release);
    runtime.block_on(running.stop());
    assert_eq!(store.table.lock().unwrap().rows[0].info.state, State::Done);
}

/// It cannot be cancelled, and its lease ends: two may run at once.
#[test]
fn a_handler_that_blocks_its_thread_is_logged_and_its_job_is_free() {
    let log = Log::default();
    let subscriber = tracing_subscriber::fmt().with_ansi(false).with_writer(log.clone()).finish();
    let logging = tracing::Dispatch::new(subscriber);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .on_thread_start(move || std::mem::forget(tracing::dispatcher::set_default(&logging)))
        .build()
        .unwrap();
    let (release, blocked) = std::sync::mpsc::channel::<()>();
    let blocked = Arc::new(Mutex::new(blocked));
    let (begun, mut has_begun) = tokio::sync::mpsc::unbounded_channel();
    let is_first = Arc::new(AtomicBool::new(true));
    let handler = move |_: WebhookEvent| {
        let _ = begun.send(());
        let (blocked, is_first) = (blocked.clone(), is_first.swap(false, Ordering::SeqCst));
        async move {
            if is_first {
                let _ = blocked.lock().unwrap().recv_timeout(Duration::from_mins(2));
            }
            ok()
        }
    };
    runtime.block_on(async {
        let inbox = Inbox::on(Memory::default());
        inbox.store(&event("person.created", 1)).await.unwrap();
        let worker =
            inbox.worker("test", handler).timeout(Duration::from_millis(1)).recover_after(Duration::from_secs(3));
        let worker = quick(worker);
        let running = tokio::spawn(async move { Running::start(worker) }).await.unwrap();
        has_begun.recv().await.unwrap();
        let again = tokio::time::timeout(Duration::from_mins(1), has_begun.recv()).await;
        again.expect("the job is free").unwrap();
        drop(release);
        running.stop().await;
    });
    let text = log.text();
    assert!(text.contains("ERROR") && text.contains("cannot be cancelled: it may run twice at once"), "{text}");
}

/// It goes on after the grace. The next process must handle neither this job at the same time nor the next one of its record.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_job_whose_handler_blocks_is_not_released_when_the_worker_stops() {
    let store = Memory::default();
    let inbox = Inbox::on(store.clone());
    for second in [1, 2] {
        inbox.store(&changed("person.updated", "a", Some(second))).await.unwrap();
    }
    let (release, blocked) = std::sync::mpsc::channel::<()>();
    let blocked = Arc::new(Mutex::new(blocked));
    let (begun, mut has_begun) = tokio::sync::mpsc::unbounded_channel();
    let handler = move |_: WebhookEvent| {
        let _ = begun.send(());
        let blocked = blocked.clone();
        async move {
            let _ = blocked.lock().unwrap().recv_timeout(Duration::from_mins(1));
            ok()
        }
    };
    let running = Running::start(quick(inbox.worker("test", handler)).grace(Duration::ZERO));
    has_begun.recv().await.unwrap();
    running.stop().await;
    let claimed = store.claim(&Claim::new(1, 8, Duration::from_mins(1))).await.unwrap().jobs;
    assert!(claimed.is_empty(), "{claimed:?}");
    {
        let mut table = store.table.lock().unwrap();
        assert_eq!(table.rows[0].info.state, State::Running);
        let (token, _) = table.rows[0].lease.unwrap();
        table.rows[0].lease = Some((token, Instant::now()));
    }
    drop(release);
    while store.recover(Duration::ZERO, 5).await.unwrap().jobs == 0 {}
    assert_eq!(store.claim(&Claim::new(1, 8, Duration::from_mins(1))).await.unwrap().jobs.len(), 1, "as after a crash");
}

/// Another worker, which is not cut off, may take its jobs.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_that_is_cut_off_cancels_its_handlers_and_releases_their_jobs() {
    struct Cancelled(tokio::sync::mpsc::UnboundedSender<()>);
    impl Drop for Cancelled {
        fn drop(&mut self) {
            let _ = self.0.send(());
        }
    }
    let store = Memory::default();
    let inbox = Inbox::on(store.clone());
    inbox.store(&event("person.created", 1)).await.unwrap();
    let (begun, mut has_begun) = tokio::sync::mpsc::unbounded_channel();
    let (cancelled, mut is_cancelled) = tokio::sync::mpsc::unbounded_channel();
    let is_first = Arc::new(AtomicBool::new(true));
    let handler = move |_: WebhookEvent| {
        let (begun, cancelled) = (begun.clone(), Cancelled(cancelled.clone()));
        let is_first = is_first.swap(false, Ordering::SeqCst);
        async move {
            let _cancelled = cancelled;
            let _ = begun.send(());
            if is_first {
                std::future::pending::<()>().await;
            }
            ok()
        }
    };
    let running = Running::start(quick(inbox.worker("test", handler)).recover_after(Duration::from_secs(3)));
    has_begun.recv().await.unwrap();
    store.down.store(true, Ordering::SeqCst);
    tokio::time::timeout(Duration::from_secs(20), is_cancelled.recv()).await.expect("it is cancelled").unwrap();
    assert!(store.down.load(Ordering::SeqCst));
    store.down.store(false, Ordering::SeqCst);
    until(&inbox, |counts| counts.done == 1).await;
    running.stop().await;
    let info = store.table.lock().unwrap().rows[0].info.clone();
    assert_eq!((info.attempts, info.crashes), (1, 0), "neither an attempt nor a crash");
}

/// Its leases would run out before a heartbeat can renew them. A database on which every claim takes that long still makes progress.
#[tokio::test(start_paused = true)]
async fn what_a_late_claim_got_is_renewed_or_released() {
    let late = Duration::from_millis(2_200);
    for is_renewal_late in [false, true] {
        let store = Memory::default();
        let inbox = Inbox::on(store.clone());
        inbox.store(&event("person.created", 1)).await.unwrap();
        *store.late_claims.lock().unwrap() = late;
        if is_renewal_late {
            *store.late_renewal.lock().unwrap() = late;
        }
        let (left, mut lefts) = tokio::sync::mpsc::unbounded_channel();
        let handler = {
            let store = store.clone();
            move |_: WebhookEvent| {
                let (_, expires_at) = store.table.lock().unwrap().rows[0].lease.unwrap();
                left.send(expires_at - Instant::now()).unwrap();
                async { ok() }
            }
        };
        let began = Instant::now();
        let running = Running::start(quick(inbox.worker("test", handler)).recover_after(Duration::from_secs(3)));
        until(&inbox, |counts| counts.done == 1).await;
        assert_eq!(began.elapsed() > 3 * late, is_renewal_late, "it is released and claimed again");
        running.stop().await;
        assert!(lefts.recv().await.unwrap() > Duration::from_secs(1), "the lease was renewed");
        assert!(lefts.try_recv().is_err(), "it is handled once");
    }
}

/// The database hangs. What the claim got is released, and the grace does not begin later.
#[tokio::test(start_paused = true)]
async fn a_worker_that_stops_does_not_wait_for_a_claim() {
    let store = Memory::default();
    let inbox = Inbox::on(store.clone());
    inbox.store(&event("person.created", 1)).await.unwrap();
    *store.late_claims.lock().unwrap() = Duration::from_secs(20);
    let running = Running::start(inbox.worker("test", |_: WebhookEvent| async { ok() }));
    until(&inbox, |counts| counts.running == 1).await;
    let began = Instant::now();
    running.stop().await;
    assert!(began.elapsed() < Duration::from_secs(8), "{:?}", began.elapsed());
    assert_eq!(inbox.counts().await.unwrap().pending, 1);
}

#[tokio::test(start_paused = true)]
async fn what_the_last_claim_got_in_time_is_handled_within_the_grace() {
    let store = Memory::default();
    let inbox = Inbox::on(store.clone());
    inbox.store(&event("person.created", 1)).await.unwrap();
    *store.late_claims.lock().unwrap() = Duration::from_millis(500);
    let running = Running::start(inbox.worker("test", |_: WebhookEvent| async { ok() }));
    until(&inbox, |counts| counts.running == 1).await;
    running.stop().await;
    assert_eq!(inbox.counts().await.unwrap().done, 1);
}

/// It cannot know how long the others were kept from their heartbeats, too.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_that_was_late_itself_waits_longer_for_the_others() {
    let store = Memory::default();
    let inbox = Inbox::on(store.clone());
    let began = Instant::now();
    let worker = inbox.worker("test", |_: WebhookEvent| async { ok() }).recover_after(Duration::from_secs(3));
    let running = Running::start(worker);
    let recoveries = || store.table.lock().unwrap().recoveries.clone();
    let next = async |len: usize| {
        while recoveries().len() == len {
            sleep(Duration::from_millis(10)).await;
        }
        recoveries()[len]
    };
    let in_time = next(0).await;
    assert!(began.elapsed() > Duration::from_millis(1_900), "a new worker recovers nothing at its first heartbeat");
    assert!(in_time < Duration::from_millis(500), "{in_time:?}");
    store.down.store(true, Ordering::SeqCst);
    let len = recoveries().len();
    sleep(Duration::from_secs(4)).await;
    store.down.store(false, Ordering::SeqCst);
    let late = next(len).await;
    assert!(late > Duration::from_secs(2), "{late:?}");
    running.stop().await;
}

/// The leases that it has just renewed may have run out again while its process was stalled.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_what_ran_out_before_a_heartbeat_began_is_recovered() {
    let store = Memory::default();
    let inbox = Inbox::on(store.clone());
    inbox.store(&event("person.created", 1)).await.unwrap();
    let release = Arc::new(tokio::sync::Notify::new());
    let handler = {
        let release = release.clone();
        move |_: WebhookEvent| {
            let release = release.clone();
            async move {
                release.notified().await;
                ok()
            }
        }
    };
    let running = Running::start(inbox.worker("test", handler).recover_after(Duration::from_secs(3)));
    let recoveries = || store.table.lock().unwrap().recoveries.clone();
    let stall = Duration::from_millis(600);
    // The first heartbeats recover nothing.
    while recoveries().len() < 2 {
        *store.late_renewal.lock().unwrap() = stall;
        sleep(Duration::from_millis(10)).await;
    }
    assert!(recoveries()[1] >= stall, "{:?}", recoveries());
    release.notify_one();
    until(&inbox, |counts| counts.done == 1).await;
    running.stop().await;
}

/// It waited until a job that runs alone had ended.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_handler_is_not_called_if_the_lease_was_lost_before() {
    let store = Memory::default();
    let inbox = Inbox::on(store.clone());
    for number in [1, 2] {
        inbox.store(&event("person.created", number)).await.unwrap();
    }
    store.table.lock().unwrap().rows[0].info.crashes = 2;
    let (called, mut calls) = tokio::sync::mpsc::unbounded_channel();
    let (release, released) = (Arc::new(tokio::sync::Notify::new()), Arc::new(tokio::sync::Notify::new()));
    let handler = {
        let release = release.clone();
        move |event: WebhookEvent| {
            called.send(event.record_id().unwrap().to_owned()).unwrap();
            let (release, released) = (release.clone(), released.clone());
            async move {
                release.notified().await;
                released.notify_one();
                ok()
            }
        }
    };
    let worker = || quick(inbox.worker("test", handler.clone())).recover_after(Duration::from_secs(3));
    let first = Running::start(worker());
    assert_eq!(calls.recv().await.unwrap(), "1");
    // Another worker of this process claims the second job.
    let second = Running::start(worker());
    until(&inbox, |counts| counts.running == 2).await;
    let renewals = {
        let mut table = store.table.lock().unwrap();
        let (token, _) = table.rows[1].lease.unwrap();
        table.rows[1].lease = Some((token ^ 1, Instant::now() + Duration::from_hours(1)));
        table.renewals
    };
    // Both workers renew; after four of them the second one has noticed.
    let noticed = async {
        while store.table.lock().unwrap().renewals < renewals + 4 {
            sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), noticed).await.expect("the heartbeats go on");
    release.notify_one();
    until(&inbox, |counts| counts.done == 1).await;
    first.stop().await;
    second.stop().await;
    assert!(calls.try_recv().is_err(), "the second one is another worker's");
}

/// One whose error the database cannot store, and one that it refuses for another reason until something is repaired.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_completion_that_is_refused_holds_up_no_other() {
    let store = Memory::default();
    let inbox = Inbox::on(store.clone());
    for number in 1..=10 {
        inbox.store(&event(if number == 3 { "company.created" } else { "person.created" }, number)).await.unwrap();
    }
    store.table.lock().unwrap().refused_completions.push(JobId::new(7));
    let handler = |event: WebhookEvent| async move {
        if event.object() == "person" { Ok(()) } else { Err(HandlerError::permanent("größer")) }
    };
    let (alert, mut alerts) = tokio::sync::mpsc::unbounded_channel();
    let worker = quick(inbox.worker("test", handler)).concurrency(5);
    let worker = worker.on_dead(move |job, error: &str| alert.send((job, error.to_owned())).unwrap());
    let running = Running::start(worker);
    until(&inbox, |counts| counts.done == 8 && counts.dead == 1).await;
    for number in 11..=30 {
        inbox.store(&event("person.created", number)).await.unwrap();
    }
    until(&inbox, |counts| counts.done == 28).await;
    let job = inbox.job(JobId::new(3)).await.unwrap().unwrap().0;
    assert!(job.last_error.as_ref().unwrap().contains("refuses the text of the error"), "{job:?}");
    assert_eq!(alerts.recv().await.unwrap(), (JobId::new(3), "größer".to_owned()));
    store.table.lock().unwrap().refused_completions.clear();
    until(&inbox, |counts| counts.done == 29).await;
    running.stop().await;
    let rows = &store.table.lock().unwrap().rows;
    assert!(rows.iter().all(|row| (row.info.attempts, row.info.crashes) == (1, 0)), "each is handled once");
}

/// Not if the lease was lost meanwhile; and also if the answer of the database was.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_alert_is_of_a_job_that_is_a_dead_letter() {
    for (is_lease_lost, is_answer_lost) in [(false, false), (true, false), (false, true), (true, true)] {
        let store = Memory::default();
        let inbox = Inbox::on(store.clone());
        inbox.store(&event("person.created", 1)).await.unwrap();
        store.loses_answer.store(is_answer_lost, Ordering::SeqCst);
        let handler = {
            let store = store.clone();
            move |_: WebhookEvent| {
                let mut table = store.table.lock().unwrap();
                let (token, expires_at) = table.rows[0].lease.unwrap();
                if is_lease_lost {
                    table.rows[0].lease = Some((token ^ 1, expires_at));
                }
                async { Err(HandlerError::permanent("no")) }
            }
        };
        let (alert, mut alerts) = tokio::sync::mpsc::unbounded_channel();
        let worker =
            inbox.worker("test", handler).on_dead(move |job, error: &str| alert.send((job, error.to_owned())).unwrap());
        let running = Running::start(worker);
        until(&inbox, |counts| counts.pending == 0).await;
        sleep(Duration::from_millis(500)).await;
        running.stop().await;
        let dead = inbox.jobs(&JobFilter::in_state(State::Dead)).await.unwrap();
        assert_eq!(dead.is_empty(), is_lease_lost);
        let alerted = std::iter::from_fn(|| alerts.try_recv().ok()).collect::<Vec<_>>();
        let expected: &[_] = if is_lease_lost { &[] } else { &[(JobId::new(1), "no".to_owned())] };
        assert_eq!(alerted, expected, "{is_lease_lost} {is_answer_lost}");
    }
}

/// The heartbeat does not wait for it any more.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_late_answer_of_a_recovery_is_an_alert_all_the_same() {
    let store = Memory::default();
    let inbox = Inbox::on(store.clone());
    inbox.store(&event("person.created", 1)).await.unwrap();
    assert_eq!(store.claim(&Claim::new(7, 1, Duration::ZERO)).await.unwrap().jobs.len(), 1);
    *store.late_recoveries.lock().unwrap() = Duration::from_millis(1_500);
    let (alert, mut alerts) = tokio::sync::mpsc::unbounded_channel();
    let worker = inbox.worker("test", |_: WebhookEvent| async { ok() }).recover_after(Duration::from_secs(3));
    let worker = worker.max_crashes(1).on_dead(move |job, _| alert.send(job).unwrap());
    let running = Running::start(worker);
    let alerted = tokio::time::timeout(Duration::from_secs(10), alerts.recv()).await;
    assert_eq!(alerted.expect("the alert is called"), Some(JobId::new(1)));
    running.stop().await;
}

/// If it went on, handlers would be called again and again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_that_cannot_complete_jobs_or_renew_leases_ends() {
    for is_quick in [true, false] {
        let store = Memory::default();
        let inbox = Inbox::on(store.clone());
        inbox.store(&event("person.created", 1)).await.unwrap();
        store.panics.store(true, Ordering::SeqCst);
        let handler = move |_: WebhookEvent| async move { if is_quick { ok() } else { std::future::pending().await } };
        let worker = inbox.worker("test", handler).recover_after(Duration::from_secs(3));
        let running = tokio::spawn(worker.run_until(std::future::pending::<()>()));
        let ended = tokio::time::timeout(Duration::from_secs(20), running).await.expect("it ends");
        assert!(ended.unwrap_err().is_panic());
    }
}

/// Large deliveries that gather during a commit do not all go into one statement.
#[tokio::test]
async fn a_group_is_bounded_in_bytes() {
    let store = Memory::default();
    let inbox = Inbox::on(store.clone());
    let events: Vec<_> = (0..64).map(|number| large(number, 1_000_000)).collect();
    for stored in futures_util::future::join_all(events.iter().map(|event| inbox.store(event))).await {
        stored.unwrap();
    }
    let groups = store.table.lock().unwrap().groups.clone();
    assert!(groups.iter().all(|bytes| *bytes < 10 << 20), "{groups:?}");
    assert!(groups.len() < 64, "they still gather: {groups:?}");
}
