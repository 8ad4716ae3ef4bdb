//! Hostile and broken clients against the example receivers, as processes on real sockets.
//!
//! Linux only: the tests read a process's memory and descriptors from `/proc`.

mod cases;
mod closed_sides;
mod descriptors;
mod graceful;
mod hangup;
mod memory;
mod process;
mod restarts;
mod shutdown;
mod startup;
mod unread_logs;
mod wire;

use std::collections::BTreeMap;
use std::thread;

use self::cases::{Case, Handled, Outcome, Rejected, Unanswered};
use self::process::{Process, count, eventually};
use self::wire::{End, Exchange, Post, Step, exchange};

#[test]
fn axum_survives_every_client() {
    survives_every_client("axum-receiver", |case| &case.axum);
}

#[test]
fn actix_survives_every_client() {
    survives_every_client("actix-receiver", |case| &case.actix);
}

fn survives_every_client(example: &str, outcomes: fn(&Case) -> &Vec<Outcome>) {
    let receiver = Process::start(example);
    for id in ["warm-up 1", "warm-up 2"] {
        good(&receiver, id);
    }
    let (memory, descriptors) = (receiver.memory(), receiver.descriptors());

    let cases = cases::all();
    let mut wrong = Vec::new();
    let mut handled = vec!["warm-up 1".to_owned(), "warm-up 2".to_owned()];
    let mut rejected = Vec::new();
    thread::scope(|scope| {
        let clients: Vec<_> = cases
            .into_iter()
            .map(|case| {
                let receiver = &receiver;
                scope.spawn(move || {
                    let expected = outcomes(&case).clone();
                    let result = exchange(receiver.connect(), case.steps);
                    // The receiver must still serve the next client.
                    let after = format!("after {}", case.name);
                    good(receiver, &after);
                    (case.name, after, expected, result)
                })
            })
            .collect();
        for client in clients {
            let (name, after, expected, result) = client.join().unwrap();
            if !as_expected(&result, &expected) {
                wrong.push(format!("{name}: {result:?} instead of {expected:?}"));
            }
            handled.push(after);
            for outcome in expected {
                match outcome {
                    Handled | Unanswered => handled.push(name.to_owned()),
                    Rejected(_, code) => rejected.push(code.to_owned()),
                    Outcome::Http(_) => {}
                }
            }
        }
    });
    assert!(wrong.is_empty(), "{example}: {wrong:#?}");

    eventually("all descriptors are closed", || receiver.descriptors() <= descriptors);
    let grown = receiver.memory().saturating_sub(memory);
    println!("{example}: {} KiB more than before", grown / 1024);
    let report = receiver.stop();
    assert_eq!(difference(&report.handled, &count(handled)), [], "{example}: what was handled");
    assert_eq!(difference(&report.rejected, &count(rejected)), [], "{example}: rejections");
    assert!(grown < 4 * 1024 * 1024, "{example}: {grown} bytes are not freed");
}

/// If it counted as the delivery, the genuine one would be a duplicate, and lost.
#[test]
fn a_copy_by_another_method_is_not_the_delivery() {
    for example in ["axum-receiver", "actix-receiver"] {
        let receiver = Process::start(example);
        let post = Post::new("1");
        let put = post.clone().start("PUT /webhooks/twenty HTTP/1.1");
        for (request, status) in [(put, 405), (post, 200)] {
            let result = exchange(receiver.connect(), vec![Step::Send(request.bytes())]);
            assert_eq!(result.statuses, [status], "{example}");
        }
        assert_eq!(receiver.stop().handled.len(), 1, "{example}: the delivery is handled");
    }
}

/// The expected answers, and then the end of the connection. After a reset, the last answers may be lost.
fn as_expected(result: &Exchange, expected: &[Outcome]) -> bool {
    [false, true].into_iter().any(|lost| {
        let expected: Vec<u16> = expected.iter().filter_map(|outcome| outcome.status(lost)).collect();
        match result.end {
            End::Closed => result.statuses == expected,
            End::Reset => expected.starts_with(&result.statuses),
            End::StillOpen => false,
        }
    })
}

fn good(receiver: &Process, id: &str) {
    let result = exchange(receiver.connect(), vec![Step::Send(Post::new(id).bytes())]);
    assert_eq!((result.statuses.as_slice(), &result.end), ([200].as_slice(), &End::Closed), "{id}");
}

/// The names with different counts, each with its actual and its expected count.
fn difference(actual: &BTreeMap<String, usize>, expected: &BTreeMap<String, usize>) -> Vec<(String, usize, usize)> {
    let names = actual.keys().chain(expected.keys().filter(|name| !actual.contains_key(*name)));
    let count = |counts: &BTreeMap<String, usize>, name| counts.get(name).copied().unwrap_or_default();
    names
        .map(|name| (name.clone(), count(actual, name), count(expected, name)))
        .filter(|(_, actual, expected)| actual != expected)
        .collect()
}
