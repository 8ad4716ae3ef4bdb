//! A database of somebody else's: all that a [`Store`] needs is in this crate's public API.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::time::{Instant, sleep};
use twenty_webhook_inbox::{
    Backoff, Bytes, Counts, Inbox, InboxError, Job, NewJob, Outcome, Select, Settled, State, Store, Task, TaskBuilder,
    TaskId, WebhookEvent, Worker, WorkerContext,
};

use crate::support::{Running, Seen, event, large, ok, until};

/// Nothing in it is durable. It can be told to fail, and to hang.
#[derive(Clone, Debug, Default)]
pub(crate) struct Memory {
    tables: Arc<Mutex<Tables>>,
    pub(crate) down: Arc<AtomicBool>,
    /// Takings and tidying have no end.
    hangs: Arc<AtomicBool>,
}

#[derive(Debug, Default)]
struct Tables {
    jobs: Vec<Row>,
    seen: HashMap<String, Instant>,
    signs_of_life: usize,
    /// The bytes of each group that was pushed.
    groups: Vec<usize>,
}

#[derive(Debug)]
struct Row {
    job: Job,
    body: Bytes,
    due: Instant,
    done: Option<Instant>,
}

impl Memory {
    fn change<T>(&self, change: impl FnOnce(&mut Tables) -> T) -> Result<T, InboxError> {
        if self.down.load(Ordering::SeqCst) {
            return Err(InboxError::database("it is down"));
        }
        Ok(change(&mut self.tables.lock().unwrap()))
    }
}

impl Memory {
    async fn may_hang(&self) {
        if self.hangs.load(Ordering::SeqCst) {
            std::future::pending::<()>().await;
        }
    }
}

impl Row {
    fn pend(&mut self) {
        (self.job.state, self.job.worker, self.due) = (State::Pending, None, Instant::now());
    }

    fn is_held_by(&self, worker: &str) -> bool {
        self.job.state == State::Running && self.job.worker.as_deref() == Some(worker)
    }
}

impl Store for Memory {
    async fn push(&self, jobs: Vec<NewJob>) -> Result<u64, InboxError> {
        self.change(|tables| {
            let before = tables.jobs.len();
            tables.groups.push(jobs.iter().map(|job| job.body().len()).sum());
            for new in jobs {
                if tables.jobs.iter().any(|row| row.job.delivery_id == new.key()) {
                    continue;
                }
                let job = Job {
                    id: new.id(),
                    state: State::Pending,
                    name: new.metadata()["name"].as_str().unwrap().to_owned(),
                    delivery_id: new.key(),
                    attempts: 0,
                    last_error: None,
                    due_at: 0,
                    worker: None,
                    len: new.body().len(),
                };
                tables.jobs.push(Row { job, body: new.body().clone(), due: Instant::now(), done: None });
            }
            (tables.jobs.len() - before) as u64
        })
    }

    async fn register(&self, worker: &WorkerContext) -> Result<(), InboxError> {
        self.change(|tables| {
            tables.seen.insert(worker.name().to_owned(), Instant::now());
        })
    }

    async fn beat(&self, worker: &WorkerContext, dead_after: Duration) -> Result<bool, InboxError> {
        self.change(|tables| {
            let Some(seen) = tables.seen.get_mut(worker.name()) else { return false };
            *seen = Instant::now();
            tables.signs_of_life += 1;
            let seen = &tables.seen;
            let orphan = |row: &&mut Row| {
                row.job.state == State::Running && seen[row.job.worker.as_ref().unwrap()].elapsed() > dead_after
            };
            for row in tables.jobs.iter_mut().filter(orphan) {
                row.job.attempts += 1;
                row.pend();
            }
            true
        })
    }

    async fn take(&self, worker: &WorkerContext, limit: usize) -> Result<Vec<Task<Vec<u8>>>, InboxError> {
        self.may_hang().await;
        self.change(|tables| {
            let due = tables
                .jobs
                .iter_mut()
                .filter(|row| matches!(row.job.state, State::Pending | State::Retrying) && row.due <= Instant::now());
            due.take(limit)
                .map(|row| {
                    (row.job.state, row.job.worker) = (State::Running, Some(worker.name().to_owned()));
                    let id = TaskId::from_string(&row.job.id);
                    TaskBuilder::new(row.body.to_vec()).task_id(id).attempt(row.job.attempts as usize).build()
                })
                .collect()
        })
    }

    async fn settle(&self, worker: &str, settled: Vec<Settled>) -> Result<(), InboxError> {
        self.change(|tables| {
            for settled in settled {
                let held = |row: &&mut Row| row.job.id == settled.id.to_string() && row.is_held_by(worker);
                let Some(row) = tables.jobs.iter_mut().find(held) else { continue };
                row.job.attempts = u32::try_from(settled.attempt).unwrap();
                match settled.outcome {
                    Outcome::Done => (row.job.state, row.done) = (State::Done, Some(Instant::now())),
                    Outcome::Retry(after, error) => {
                        (row.job.state, row.job.last_error, row.due) =
                            (State::Retrying, Some(error), Instant::now() + after);
                    }
                    Outcome::Dead(error) => (row.job.state, row.job.last_error) = (State::Dead, Some(error)),
                }
            }
        })
    }

    async fn hand_back(&self, worker: &str, but: &[String]) -> Result<u64, InboxError> {
        self.change(|tables| {
            let held = tables.jobs.iter_mut().filter(|row| row.is_held_by(worker) && !but.contains(&row.job.id));
            held.map(Row::pend).count() as u64
        })
    }

    async fn tidy(&self, retention: Duration, _: Duration, limit: u32) -> Result<u64, InboxError> {
        self.may_hang().await;
        self.change(|tables| {
            let (before, mut left) = (tables.jobs.len(), limit);
            tables.jobs.retain(|row| {
                let old = left > 0 && row.done.is_some_and(|done| done.elapsed() > retention);
                left -= u32::from(old);
                !old
            });
            (before - tables.jobs.len()) as u64
        })
    }

    async fn counts(&self) -> Result<Counts, InboxError> {
        self.change(|tables| Counts::of_statuses(tables.jobs.iter().map(|row| (row.job.state.statuses()[0], 1))))
    }

    async fn page(&self, states: &[State], before: Option<&str>, limit: u32) -> Result<Vec<Job>, InboxError> {
        self.change(|tables| {
            let mut jobs: Vec<_> = tables.jobs.iter().map(|row| row.job.clone()).collect();
            jobs.retain(|job| states.contains(&job.state) && before.is_none_or(|before| *job.id < *before));
            jobs.sort_by(|a, b| b.id.cmp(&a.id));
            jobs.truncate(limit as usize);
            jobs
        })
    }

    async fn find(&self, id: &str) -> Result<Option<(Job, Bytes)>, InboxError> {
        self.change(|tables| {
            tables.jobs.iter().find(|row| row.job.id == id).map(|row| (row.job.clone(), row.body.clone()))
        })
    }

    async fn retry(&self, ids: &[String]) -> Result<u64, InboxError> {
        self.change(|tables| {
            let retriable =
                |row: &&mut Row| ids.contains(&row.job.id) && matches!(row.job.state, State::Dead | State::Retrying);
            tables.jobs.iter_mut().filter(retriable).map(|row| (row.job.attempts = 0, row.pend())).count() as u64
        })
    }

    async fn remove(&self, ids: &[String]) -> Result<u64, InboxError> {
        self.change(|tables| {
            let before = tables.jobs.len();
            tables.jobs.retain(|row| !ids.contains(&row.job.id) || row.job.state == State::Running);
            (before - tables.jobs.len()) as u64
        })
    }
}

fn quick<S>(worker: Worker<S>) -> Worker<S>
where
    S: Store,
{
    worker
        .backoff(Backoff::new(Duration::from_millis(1), Duration::from_millis(1)))
        .poll_every(Duration::from_millis(10))
}

#[tokio::test(flavor = "multi_thread")]
async fn another_database_needs_nothing_of_ours_changed() {
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

    assert_eq!(inbox.retry(&Select::in_state(State::Dead).limit(4)).await.unwrap(), 4);
    let running = Running::start(quick(inbox.worker("test", |_: WebhookEvent| async { ok() })));
    until(&inbox, |counts| counts.done == 94).await;
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_is_down_is_waited_for() {
    let store = Memory::default();
    let inbox = Inbox::on(store.clone());
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
    // It is handled, and cannot be settled yet.
    sleep(Duration::from_millis(300)).await;
    store.down.store(false, Ordering::SeqCst);
    until(&inbox, |counts| counts.done == 1).await;
    running.stop().await;
}

/// Another worker would take its jobs.
#[tokio::test(start_paused = true)]
async fn a_worker_whose_database_hangs_still_gives_signs_of_life() {
    let store = Memory::default();
    let running = Running::start(Inbox::on(store.clone()).worker("test", |_: WebhookEvent| async { ok() }));
    sleep(Duration::from_secs(1)).await;
    store.hangs.store(true, Ordering::SeqCst);
    let signs = || store.tables.lock().unwrap().signs_of_life;
    let before = signs();
    sleep(Duration::from_mins(1)).await;
    assert!(signs() - before >= 11, "{} in a minute", signs() - before);
    store.hangs.store(false, Ordering::SeqCst);
    running.stop().await;
}

/// The first to reach it again would otherwise take the others for dead, and their jobs run twice.
#[tokio::test(start_paused = true)]
async fn after_an_outage_nobody_is_taken_for_dead() {
    for down_for in [10, 14, 20, 60, 3_600] {
        let store = Memory::default();
        let inbox = Inbox::on(store.clone());
        let (seen, mut workers) = (Seen::default(), Vec::new());
        for number in 0..4 {
            inbox.store(&event("person.created", number)).await.unwrap();
            let seen = seen.clone();
            let handler = move |event: WebhookEvent| {
                seen.add(&event);
                async {
                    sleep(Duration::from_hours(2)).await;
                    ok()
                }
            };
            // Not all at the same moment.
            sleep(Duration::from_millis(number as u64 * 700)).await;
            let worker = inbox.worker("test", handler).concurrency(1).timeout(Duration::from_hours(3));
            workers.push(Running::start(worker));
            while held(&store) <= number {
                sleep(Duration::from_millis(10)).await;
            }
        }
        sleep(Duration::from_secs(20)).await;
        store.down.store(true, Ordering::SeqCst);
        sleep(Duration::from_secs(down_for)).await;
        store.down.store(false, Ordering::SeqCst);
        sleep(Duration::from_hours(3)).await;
        assert_eq!(inbox.counts().await.unwrap().done, 4);
        assert_eq!(seen.len(), 4, "each once, down for {down_for} s");
        for worker in workers {
            worker.stop().await;
        }
    }
}

fn held(store: &Memory) -> usize {
    store.tables.lock().unwrap().jobs.iter().filter(|row| row.job.state == State::Running).count()
}

/// One that is dead is found out when it has been silent for so long, not before, and not much later.
#[tokio::test(start_paused = true)]
async fn the_jobs_of_a_dead_worker_are_recovered_in_time() {
    for silence in [3, 15, 120] {
        let store = Memory::default();
        let inbox = Inbox::on(store.clone());
        inbox.store(&event("person.created", 1)).await.unwrap();
        let dead = WorkerContext::new("dead");
        store.register(&dead).await.unwrap();
        assert_eq!(store.take(&dead, 1).await.unwrap().len(), 1);
        let (began, silence) = (Instant::now(), Duration::from_secs(silence));
        let running = Running::start(inbox.worker("test", |_: WebhookEvent| async { ok() }).recover_after(silence));
        while inbox.counts().await.unwrap().done == 0 {
            sleep(Duration::from_millis(100)).await;
        }
        let took = began.elapsed();
        assert!(took > silence && took <= silence * 4 / 3 + Duration::from_secs(1), "{took:?} for {silence:?}");
        running.stop().await;
    }
}

/// Large deliveries that gather while a commit takes its time do not go into one statement, whatever their size.
#[tokio::test]
async fn a_group_is_bounded_in_bytes() {
    let store = Memory::default();
    let inbox = Inbox::on(store.clone());
    let events: Vec<_> = (0..64).map(|number| large(number, 1_000_000)).collect();
    for stored in futures_util::future::join_all(events.iter().map(|event| inbox.store(event))).await {
        stored.unwrap();
    }
    let groups = store.tables.lock().unwrap().groups.clone();
    assert!(groups.iter().all(|bytes| *bytes < 10 << 20), "{groups:?}");
    assert!(groups.len() < 64, "they still gather: {groups:?}");
}
