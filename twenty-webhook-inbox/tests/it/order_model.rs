//! Random arrivals, attempts, crashes and changes by operators, compared with a model: only jobs that may run are claimed, and none is lost.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use twenty_webhook_inbox::{Change, Claim, Completion, Inbox, JobFilter, JobId, Outcome, Store, WebhookEvent};

use crate::memory::Memory;
use crate::support::{Place, verified};

#[derive(Clone, Debug)]
enum Step {
    /// Records, `updatedAt`.
    Arrive(Vec<u8>, Option<i64>),
    Destroy(u8),
    Claim(usize),
    /// The oldest running job ends like this.
    End(End),
    Delete(usize),
    Retry,
    Rerun(usize),
    Erase(usize),
}

#[derive(Clone, Copy, Debug)]
enum End {
    Done,
    RetryNow,
    RetryLater,
    Dead,
    Released,
    Crash,
}

fn step() -> impl Strategy<Value = Step> {
    let date = proptest::option::weighted(0.8, 0..6_i64);
    prop_oneof![
        6 => (0..3_u8, date.clone()).prop_map(|(record, date)| Step::Arrive(vec![record], date)),
        1 => (0..3_u8, date.clone()).prop_map(|(record, date)| Step::Arrive(vec![record, (record + 1) % 3], date)),
        1 => date.prop_map(|date| Step::Arrive(vec![], date)),
        1 => (0..3_u8).prop_map(Step::Destroy),
        6 => (1..4_usize).prop_map(Step::Claim),
        5 => Just(Step::End(End::Done)),
        2 => Just(Step::End(End::RetryNow)),
        2 => Just(Step::End(End::RetryLater)),
        1 => Just(Step::End(End::Dead)),
        1 => Just(Step::End(End::Released)),
        1 => Just(Step::End(End::Crash)),
        1 => (0..20_usize).prop_map(Step::Delete),
        1 => Just(Step::Retry),
        1 => (0..20_usize).prop_map(Step::Rerun),
        1 => (0..20_usize).prop_map(Step::Erase),
    ]
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Due,
    Later,
    Running,
    Done,
    Dead,
}

#[derive(Debug)]
struct Modelled {
    records: Vec<u8>,
    place: (i64, i64),
    state: State,
    token: i64,
    crashed: bool,
    erased: bool,
}

impl Modelled {
    /// An attempt ended so, or an operator wants it. What was erased is never due again.
    fn becomes(&mut self, state: State) {
        let is_due = matches!(state, State::Due | State::Later);
        self.state = if self.erased && is_due { State::Done } else { state };
    }

    fn is_open(&self) -> bool {
        matches!(self.state, State::Due | State::Later | State::Running)
    }
}

type Model = BTreeMap<i64, Modelled>;

/// The rule in the docs of `Worker`.
fn may_run(model: &Model, id: i64) -> bool {
    let this = &model[&id];
    let shares = |other: &Modelled| other.records.iter().any(|record| this.records.contains(record));
    let waits_for = |(other_id, other): (&i64, &Modelled)| {
        *other_id != id
            && other.is_open()
            && shares(other)
            && (other.state == State::Running || (other.place, *other_id) < (this.place, id))
    };
    this.state == State::Due && !model.iter().any(waits_for)
}

fn arrival(records: &[u8], date: Option<i64>, action: &str, salt: usize) -> WebhookEvent {
    let date = date.map(|second| twenty_webhook_core::jiff::Timestamp::from_second(1_700_000_000 + second).unwrap());
    let date = date.map_or_else(String::new, |date| format!(r#","updatedAt":"{date}""#));
    let record = |id: &u8| format!(r#"{{"id":"{id}"{date}}}"#);
    let what = match records {
        [] => r#""record":{}"#.to_owned(),
        [one] => format!(r#""record":{}"#, record(one)),
        more => {
            let items: Vec<_> = more.iter().map(|id| format!(r#"{{"record":{}}}"#, record(id))).collect();
            format!(r#""items":[{}]"#, items.join(","))
        }
    };
    verified(format!(r#"{{"eventName":"person.{action}","workspaceId":"w","salt":{salt},{what}}}"#))
}

struct Run<'a, S> {
    inbox: &'a Inbox<S>,
    model: Model,
    token: i64,
    salt: usize,
}

impl<S: Store> Run<'_, S> {
    async fn step(&mut self, step: Step) {
        match step {
            Step::Arrive(records, date) => self.arrive(&records, date, "updated").await,
            Step::Destroy(record) => self.arrive(&[record], None, "destroyed").await,
            Step::Claim(limit) => self.claim(limit).await,
            Step::End(end) => self.end(end).await,
            Step::Delete(index) => {
                let Some(id) = self.model.keys().nth(index).copied() else { return };
                let deleted = self.inbox.database().change(Change::Delete, &[JobId::new(id)], None).await.unwrap();
                let running = self.model[&id].state == State::Running;
                assert_eq!(deleted, u64::from(!running));
                if !running {
                    self.model.remove(&id);
                }
            }
            Step::Retry => self.retry().await,
            Step::Rerun(index) => {
                let Some(id) = self.model.keys().nth(index).copied() else { return };
                let rerun = self.inbox.database().change(Change::Rerun, &[JobId::new(id)], None).await.unwrap();
                let job = self.model.get_mut(&id).unwrap();
                assert_eq!(rerun, u64::from(job.state == State::Done && !job.erased));
                if job.state == State::Done {
                    job.becomes(State::Due);
                }
            }
            Step::Erase(index) => {
                let Some(id) = self.model.keys().nth(index).copied() else { return };
                let erased = self.inbox.database().change(Change::Erase, &[JobId::new(id)], None).await.unwrap();
                let job = self.model.get_mut(&id).unwrap();
                assert_eq!(erased, u64::from(!job.erased));
                job.erased = true;
                job.becomes(job.state);
            }
        }
    }

    async fn arrive(&mut self, records: &[u8], date: Option<i64>, action: &str) {
        self.salt += 1;
        self.inbox.store(&arrival(records, date, action, self.salt)).await.unwrap();
        let [newest] = &self.inbox.jobs(&JobFilter::all().limit(1)).await.unwrap()[..] else { panic!() };
        let stored = newest.stored_at.duration_since(std::time::UNIX_EPOCH).unwrap().as_millis();
        let at = match (action, date) {
            ("destroyed", _) => i64::MAX,
            (_, Some(second)) => (1_700_000_000 + second) * 1_000,
            (_, None) => i64::try_from(stored).unwrap(),
        };
        let place = (at, 0);
        let job =
            Modelled { records: records.to_vec(), place, state: State::Due, token: 0, crashed: false, erased: false };
        assert!(self.model.insert(newest.id.number(), job).is_none());
    }

    /// Every claimed job may run. If fewer are claimed than asked for, no other job may run.
    async fn claim(&mut self, limit: usize) {
        let mut given = 0;
        loop {
            self.token += 1;
            let claim = Claim::new(self.token, limit - given, Duration::from_hours(1));
            let claimed = self.inbox.database().claim(&claim).await.unwrap();
            let count = claimed.jobs.len();
            for job in claimed.jobs {
                let id = job.id.number();
                assert!(may_run(&self.model, id), "{id} may not run: {:#?}", self.model);
                let job = self.model.get_mut(&id).unwrap();
                (job.state, job.token) = (State::Running, self.token);
            }
            given += count;
            if given == limit {
                return;
            }
            if count == 0 && !claimed.more {
                break;
            }
        }
        // Jobs that crashed run one by one, and wait a second.
        let left: BTreeSet<_> =
            self.model.keys().filter(|id| may_run(&self.model, **id) && !self.model[id].crashed).collect();
        assert!(left.is_empty(), "{left:?} were not given out: {:#?}", self.model);
    }

    async fn end(&mut self, end: End) {
        let running = self.model.iter_mut().find(|(_, job)| job.state == State::Running);
        let Some((id, job)) = running else { return };
        let (id, token) = (JobId::new(*id), job.token);
        let (state, outcome) = match end {
            End::Done => (State::Done, Outcome::Done),
            End::RetryNow => (State::Due, Outcome::Retry(Duration::ZERO, "no".to_owned())),
            End::RetryLater => (State::Later, Outcome::Retry(Duration::from_hours(1), "no".to_owned())),
            End::Dead => (State::Dead, Outcome::Dead("no".to_owned())),
            End::Released => (State::Due, Outcome::Released),
            End::Crash => {
                job.becomes(State::Later);
                job.crashed = true;
                let store = self.inbox.database();
                assert_eq!(store.renew(&[(id, token)], Duration::ZERO).await.unwrap(), [id]);
                while store.recover(Duration::ZERO, 1_000).await.unwrap().jobs == 0 {}
                // It is due within a second; an operator's retry makes it due now.
                self.retry().await;
                return;
            }
        };
        job.becomes(state);
        self.inbox.database().complete(&[Completion::new(id, token, outcome)]).await.unwrap();
    }

    async fn retry(&mut self) {
        let ids: Vec<_> = self.model.keys().copied().map(JobId::new).collect();
        self.inbox.database().change(Change::Retry, &ids, None).await.unwrap();
        for job in self.model.values_mut().filter(|job| matches!(job.state, State::Later | State::Dead) && !job.erased)
        {
            (job.state, job.crashed) = (State::Due, false);
        }
    }

    /// Checks that all remaining jobs can be handled.
    async fn drain(&mut self) {
        self.retry().await;
        while self.model.values().any(Modelled::is_open) {
            self.claim(3).await;
            while self.model.values().any(|job| job.state == State::Running) {
                self.end(End::Done).await;
            }
        }
        let counts = self.inbox.counts().await.unwrap();
        // What was erased stays dead.
        let dead = self.model.values().filter(|job| job.state == State::Dead).count() as u64;
        assert_eq!((counts.open(), counts.dead, counts.done), (0, dead, self.model.len() as u64 - dead));
    }
}

async fn run<S: Store>(inbox: &Inbox<S>, steps: Vec<Step>) {
    let mut run = Run { inbox, model: Model::new(), token: 0, salt: 0 };
    for step in steps {
        run.step(step).await;
    }
    run.drain().await;
}

fn check<S: Store>(cases: u32, open: impl Fn(&tokio::runtime::Runtime) -> Inbox<S>) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let mut runner = TestRunner::new(Config { cases, failure_persistence: None, ..Config::default() });
    let outcome = runner.run(&proptest::collection::vec(step(), 1..60), |steps| {
        let inbox = open(&runtime);
        runtime.block_on(run(&inbox, steps));
        Ok(())
    });
    outcome.unwrap();
}

/// The number of random runs, from `MODEL_CASES`.
fn cases() -> u32 {
    std::env::var("MODEL_CASES").map_or(60, |cases| cases.parse().unwrap())
}

/// The first of those that waited must be woken, or all jobs of its record wait for each other, or for one that will wake none.
#[test]
fn what_waited_behind_a_deleted_job_is_woken() {
    use Step::{Arrive, Claim, Delete};
    let behind_a_batch = || {
        vec![
            Arrive(vec![1, 2], Some(1)),
            Arrive(vec![0], None),
            Arrive(vec![], None),
            Arrive(vec![0], None),
            Arrive(vec![2], None),
            Arrive(vec![1], Some(0)),
            Claim(3),
            Claim(1),
            Arrive(vec![0], None),
            Arrive(vec![2], None),
            Delete(0),
        ]
    };
    let with_another_before_it = || {
        vec![
            Arrive(vec![0], Some(0)),
            Arrive(vec![0], Some(2)),
            Arrive(vec![], None),
            Claim(1),
            Step::End(End::RetryNow),
            // The first is due after the other two now.
            Claim(1),
            Arrive(vec![0], Some(1)),
            Delete(0),
        ]
    };
    let place = Place::new();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        let cases = [behind_a_batch, with_another_before_it];
        for (number, steps) in cases.iter().enumerate() {
            run(&Inbox::sqlite(place.dir.path().join(number.to_string())).await.unwrap(), steps()).await;
        }
        #[cfg(feature = "postgres")]
        for steps in cases {
            let Some((_server, inbox)) = crate::postgres::shared_server().await else { return };
            run(&inbox, steps()).await;
        }
    });
}

#[test]
fn in_memory() {
    check(cases(), |runtime| runtime.block_on(async { Inbox::on(Memory::default()) }));
}

#[test]
fn on_sqlite() {
    let place = Place::new();
    let number = AtomicUsize::new(0);
    check(cases(), |runtime| {
        let file = format!("{}.db", number.fetch_add(1, Ordering::SeqCst));
        runtime.block_on(Inbox::sqlite(place.dir.path().join(file))).unwrap()
    });
}

#[cfg(feature = "postgres")]
#[test]
fn on_postgres() {
    let Some(_server) = crate::postgres::shared() else { return };
    check(cases(), |runtime| runtime.block_on(crate::postgres::shared_server()).unwrap().1);
}
