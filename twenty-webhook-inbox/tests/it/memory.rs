//! A database of somebody else's: all that a [`Store`] needs is in this crate's public API.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use twenty_webhook_inbox::{
    Backoff, Bytes, Counts, Inbox, InboxError, Job, NewJob, Outcome, Select, Settled, State, Store, Task, TaskBuilder,
    TaskId, WebhookEvent, Worker, WorkerContext,
};

use crate::support::{Running, Seen, event, ok, until};

/// Nothing in it is durable. It can be told to fail.
#[derive(Clone, Debug, Default)]
pub(crate) struct Memory {
    tables: Arc<Mutex<Tables>>,
    pub(crate) down: Arc<AtomicBool>,
}

#[derive(Debug, Default)]
struct Tables {
    jobs: Vec<Row>,
    seen: HashMap<String, Instant>,
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
    tokio::time::sleep(Duration::from_millis(300)).await;
    store.down.store(false, Ordering::SeqCst);
    until(&inbox, |counts| counts.done == 1).await;
    running.stop().await;
}
