use std::collections::{HashMap, HashSet};
use std::fmt;
use std::fs;

use serde_json::Value;
use twenty_webhook_core::jiff;
use twenty_webhook_testing::{Emission, FakeTwenty, Outcome};

use super::OBJECTS;
use super::process::{CONCURRENCY, Place};

/// What happened in a storm.
pub(super) struct Happened {
    pub(super) seed: u64,
    changes: usize,
    /// Calls of the webhook, without those that ran again.
    pub(super) calls: usize,
    /// Over the rate limit.
    pub(super) dropped: usize,
    /// At a closed port.
    pub(super) closed: usize,
    pub(super) accepted: usize,
    /// Records that were destroyed without an event.
    pub(super) bulk_destroyed: usize,
    handled: usize,
    pub(super) caught_up: usize,
    pub(super) processes: usize,
    repeated: usize,
}

impl fmt::Display for Happened {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { changes, calls, dropped, closed, accepted, bulk_destroyed, .. } = self;
        let Self { handled, caught_up, processes, repeated, .. } = self;
        write!(
            f,
            "{changes} changes, {calls} calls ({dropped} dropped, {closed} at a closed port, {accepted} accepted), \
             {bulk_destroyed} destroyed without an event; {handled} handled ({caught_up} caught up) by {processes} processes, \
             {repeated} repeated around kills"
        )
    }
}

/// The object and the id.
type Record = (String, String);

/// A call of the handler.
#[derive(Debug)]
struct Handled {
    /// `updatedAt`; `i64::MAX` of `destroyed`.
    state: i64,
    process: u32,
    action: String,
    #[expect(dead_code, reason = "shown when an assertion fails")]
    job: String,
    #[expect(dead_code, reason = "shown when an assertion fails")]
    time: String,
    is_from_catchup: bool,
}

const DESTROYED: i64 = i64::MAX;

/// Compares what was handled with what changed.
pub(super) fn check(seed: u64, place: &Place, twenty: &FakeTwenty, initially: usize) -> Happened {
    let handled = read(place);
    let ledger = twenty.ledger();
    let record_of = |change: &twenty_webhook_testing::Change| (change.object.clone(), change.record_id.clone());
    let (known, changed) = ledger.changes.split_at(initially);
    let known: HashSet<_> = known.iter().map(record_of).collect();
    let mut states = HashSet::new();
    for change in changed.iter().filter(|change| !change.name.ends_with(".destroyed")) {
        let is_new = states.insert((record_of(change), millis(&change.updated_at)));
        assert!(is_new, "seed {seed}: two states at one time cannot be distinguished: {change:?}");
    }
    let new = handled.iter().filter(|(record, calls)| calls[0].is_from_catchup && !known.contains(*record));
    let (updated, created): (Vec<_>, Vec<_>) = new.partition(|(_, calls)| calls[0].action == "updated");
    assert!(updated.len() * 100 <= created.len(), "seed {seed}: these are new, and were not created: {updated:?}");
    for (record, calls) in &handled {
        for pair in calls.windows(2) {
            assert!(pair[0].state <= pair[1].state, "seed {seed}: {record:?} went back: {calls:?}");
            let is_repeated = pair[0].state == pair[1].state && pair[0].process == pair[1].process;
            assert!(!is_repeated, "seed {seed}: {record:?} was handled twice: {calls:?}");
        }
        for call in calls.iter().filter(|call| call.state != DESTROYED) {
            assert!(states.contains(&(record.clone(), call.state)), "seed {seed}: {record:?} was never so: {call:?}");
        }
    }
    let last = |record: &Record| handled.get(record).and_then(|calls| calls.last()).map(|call| call.state);
    let mut live = HashMap::new();
    for object in OBJECTS {
        for record in twenty.records(object) {
            let text = |name: &str| record.get(name).and_then(Value::as_str).unwrap();
            live.insert((object.to_owned(), text("id").to_owned()), millis(text("updatedAt")));
        }
    }
    let changed: HashSet<_> = changed.iter().map(record_of).collect();
    for (record, state) in &live {
        let calls = handled.get(record);
        if changed.contains(record) {
            assert_eq!(last(record), Some(*state), "seed {seed}: the last state of {record:?} was missed: {calls:?}");
        } else {
            assert!(calls.is_none(), "seed {seed}: {record:?} never changed: {calls:?}");
        }
    }
    for record in changed.iter().filter(|record| !live.contains_key(*record)) {
        let calls = handled.get(record);
        // What was created and destroyed between two runs is never seen.
        if known.contains(record) || calls.is_some() {
            assert_eq!(last(record), Some(DESTROYED), "seed {seed}: {record:?} was not seen as destroyed: {calls:?}");
        }
    }
    let pairs = handled.values().flat_map(|calls| calls.windows(2));
    // The processes that handled a state which another one handled again.
    let repeated: Vec<_> = pairs.filter(|pair| pair[0].state == pair[1].state).map(|pair| pair[0].process).collect();
    for killed in &repeated {
        let in_flight = repeated.iter().filter(|process| *process == killed).count();
        assert!(in_flight <= 2 * CONCURRENCY, "seed {seed}: {in_flight} states of process {killed} were handled again");
    }
    let calls: Vec<_> = ledger.calls.iter().filter(|call| !call.is_rerun && call.change >= initially).collect();
    let count = |is_it: fn(&Outcome) -> bool| calls.iter().filter(|call| is_it(&call.outcome)).count();
    let all = || handled.values().flatten();
    Happened {
        seed,
        changes: ledger.changes.len() - initially,
        calls: calls.len(),
        dropped: count(|outcome| *outcome == Outcome::RateLimited),
        closed: count(|outcome| matches!(outcome, Outcome::Failed(_))),
        accepted: count(|outcome| matches!(outcome, Outcome::Answered(202))),
        bulk_destroyed: ledger.changes.iter().filter(|change| change.emission == Emission::OnlyFirstOfMany).count(),
        handled: all().count(),
        caught_up: all().filter(|call| call.is_from_catchup).count(),
        processes: all().map(|call| call.process).collect::<HashSet<_>>().len(),
        repeated: repeated.len(),
    }
}

/// What the handlers wrote down, in the order in which they were called.
fn read(place: &Place) -> HashMap<Record, Vec<Handled>> {
    let mut handled: HashMap<_, Vec<_>> = HashMap::new();
    for line in fs::read_to_string(place.path("handled")).unwrap().lines() {
        let [process, object, id, action, date, caught_up, job, time] = line.split(' ').collect::<Vec<_>>()[..] else {
            panic!("{line}")
        };
        let state = if action == "destroyed" { DESTROYED } else { date.parse().unwrap() };
        let (process, is_from_catchup) = (process.parse().unwrap(), caught_up.parse().unwrap());
        let [action, job, time] = [action, job, time].map(ToOwned::to_owned);
        let call = Handled { state, process, action, job, time, is_from_catchup };
        handled.entry((object.to_owned(), id.to_owned())).or_default().push(call);
    }
    handled
}

fn millis(date: &str) -> i64 {
    date.parse::<jiff::Timestamp>().unwrap().as_millisecond()
}
