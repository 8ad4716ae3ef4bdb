use std::collections::VecDeque;

use twenty_webhook_testing::{ApiFailure, FakeTwenty};

use super::check::Happened;

/// What goes wrong, or right again.
#[derive(Clone, Copy, Debug)]
pub(super) enum Fault {
    Kill,
    Start,
    /// Deliveries find a closed port, and runs go on.
    Down,
    Up,
    Fail(ApiFailure),
    NoRetryAfter(bool),
    PageInfoInData(bool),
    RepeatCursor,
}

const FAILURES: [ApiFailure; 8] = [
    ApiFailure::Status(429),
    ApiFailure::Status(500),
    ApiFailure::Status(503),
    ApiFailure::Status(429),
    ApiFailure::Hang,
    ApiFailure::CutOff,
    ApiFailure::NotJson,
    ApiFailure::Endless,
];

/// Every kind of fault, at random times: after how many changes.
pub(super) struct Schedule {
    faults: VecDeque<(u64, Fault)>,
    kills: u64,
}

impl Schedule {
    pub(super) fn new(changes: u64, random: &mut fastrand::Rng) -> Self {
        let times = 3 + changes / 4_000;
        let mut faults = Vec::new();
        for (begin, end) in [
            (Fault::Kill, Fault::Start),
            (Fault::Down, Fault::Up),
            (Fault::PageInfoInData(true), Fault::PageInfoInData(false)),
        ] {
            for (from, to) in spans(changes, times, random) {
                faults.extend([(from, begin), (to, end)]);
            }
        }
        for failure in FAILURES {
            faults.extend(spans(changes, times, random).map(|(at, _)| (at, Fault::Fail(failure))));
        }
        faults.extend(spans(changes, 2, random).map(|(at, _)| (at, Fault::RepeatCursor)));
        // Old versions send none, and servers are updated.
        faults.push((changes / 2, Fault::NoRetryAfter(true)));
        faults.sort_by_key(|(at, _)| *at);
        Self { faults: faults.into(), kills: times }
    }

    /// One that is due after so many changes.
    pub(super) fn next(&mut self, changes: u64) -> Option<Fault> {
        self.faults.pop_front_if(|(at, _)| *at <= changes).map(|(_, fault)| fault)
    }

    /// A fault that did not happen proves nothing.
    pub(super) fn assert_happened(&self, twenty: &FakeTwenty, happened: &Happened, skew: i64) {
        let Happened { seed, calls, dropped, closed, accepted, bulk_destroyed, processes, caught_up, .. } = happened;
        assert!(self.faults.is_empty());
        assert!((60_000..=180_000).contains(&skew.abs()), "seed {seed}");
        // In a short storm the imports are a larger part.
        assert!(*dropped > calls / 4 && *accepted > calls / 10, "seed {seed}: {happened}");
        assert!(*closed > 0 && *bulk_destroyed > 0 && *caught_up > 0, "seed {seed}: {happened}");
        assert!(self.kills >= 3 && *processes >= 2, "seed {seed}: {happened}");
        assert!(twenty.repeated_cursors() > 0, "seed {seed}");
        let met = twenty.met_failures();
        for failure in FAILURES {
            assert!(met.contains(&failure), "seed {seed}: {failure:?} was not met");
        }
    }
}

/// So many spans that do not overlap, in `0..changes`.
fn spans(changes: u64, times: u64, random: &mut fastrand::Rng) -> impl Iterator<Item = (u64, u64)> {
    let length = changes / times;
    let spans: Vec<_> = (0..times)
        .map(|number| {
            let from = length * number + random.u64(0..length / 2);
            (from, from + random.u64(1..length / 4))
        })
        .collect();
    spans.into_iter()
}
