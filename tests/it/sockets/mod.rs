//! The example receivers as processes, and clients that mean harm or know no better, on real sockets.
//!
//! On Linux, which says in `/proc` what a process holds.

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

use self::cases::{Case, Handled, Outcome, Refused, Unanswered};
use self::process::{Process, count, eventually};
use self::wire::{End, Heard, Post, Step, talk};

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
    for id in ["warm", "up"] {
        good(&receiver, id);
    }
    let (memory, descriptors) = (receiver.memory(), receiver.descriptors());

    let cases = cases::all();
    let mut wrong = Vec::new();
    let mut handled = vec!["warm".to_owned(), "up".to_owned()];
    let mut refused = Vec::new();
    thread::scope(|scope| {
        let clients: Vec<_> = cases
            .into_iter()
            .map(|case| {
                let receiver = &receiver;
                scope.spawn(move || {
                    let expected = outcomes(&case).clone();
                    let heard = talk(receiver.connect(), case.steps);
                    // Whatever that was, the next one is served.
                    let after = format!("after {}", case.name);
                    good(receiver, &after);
                    (case.name, after, expected, heard)
                })
            })
            .collect();
        for client in clients {
            let (name, after, expected, heard) = client.join().unwrap();
            if !as_expected(&heard, &expected) {
                wrong.push(format!("{name}: {heard:?} in place of {expected:?}"));
            }
            handled.push(after);
            for outcome in expected {
                match outcome {
                    Handled | Unanswered => handled.push(name.to_owned()),
                    Refused(_, code) => refused.push(code.to_owned()),
                    Outcome::Http(_) => {}
                }
            }
        }
    });
    assert!(wrong.is_empty(), "{example}: {wrong:#?}");

    eventually("all descriptors are given back", || receiver.descriptors() <= descriptors);
    let grown = receiver.memory().saturating_sub(memory);
    println!("{example}: {} KiB more than before", grown / 1024);
    let report = receiver.stop();
    assert_eq!(difference(&report.handled, &count(handled)), [], "{example}: what was handled");
    assert_eq!(difference(&report.refused, &count(refused)), [], "{example}: what was refused");
    assert!(grown < 4 * 1024 * 1024, "{example}: {grown} bytes are not given back");
}

/// It is not the delivery, so it must not stand in for it: the delivery would be taken for its duplicate, and lost.
#[test]
fn a_copy_by_another_method_is_not_the_delivery() {
    for example in ["axum-receiver", "actix-receiver"] {
        let receiver = Process::start(example);
        let post = Post::new("1");
        let put = post.clone().start("PUT /webhooks/twenty HTTP/1.1");
        for (request, status) in [(put, 405), (post, 200)] {
            let heard = talk(receiver.connect(), vec![Step::Send(request.bytes())]);
            assert_eq!(heard.statuses, [status], "{example}");
        }
        assert_eq!(receiver.stop().handled.len(), 1, "{example}: the delivery is handled");
    }
}

/// The answers, and then the end; by a reset, the last of the answers may have been lost.
fn as_expected(heard: &Heard, expected: &[Outcome]) -> bool {
    [false, true].into_iter().any(|lost| {
        let expected: Vec<u16> = expected.iter().filter_map(|outcome| outcome.status(lost)).collect();
        match heard.end {
            End::Closed => heard.statuses == expected,
            End::Reset => expected.starts_with(&heard.statuses),
            End::StillOpen => false,
        }
    })
}

fn good(receiver: &Process, id: &str) {
    let heard = talk(receiver.connect(), vec![Step::Send(Post::new(id).bytes())]);
    assert_eq!((heard.statuses.as_slice(), &heard.end), ([200].as_slice(), &End::Closed), "{id}");
}

/// What is not as often in the one as in the other: the name, how often it is there, and how often it was to be.
fn difference(is: &BTreeMap<String, usize>, to_be: &BTreeMap<String, usize>) -> Vec<(String, usize, usize)> {
    let names = is.keys().chain(to_be.keys().filter(|name| !is.contains_key(*name)));
    let times = |counts: &BTreeMap<String, usize>, name| counts.get(name).copied().unwrap_or_default();
    names.map(|name| (name.clone(), times(is, name), times(to_be, name))).filter(|(_, is, to_be)| is != to_be).collect()
}
