//! The program that reads a receiver's output has ended, or has stopped reading: deliveries are handled all the same.

use std::thread;

use super::process::{Log, Process, Setup, eventually};
use super::wire::{Post, read_answer, write};

const EXAMPLES: [&str; 2] = ["axum-receiver", "actix-receiver"];

#[test]
fn a_log_whose_reader_is_gone_loses_nothing() {
    for example in EXAMPLES {
        let receiver = Setup::of(example).log(Log::Gone).start();
        handles(&receiver, 20);
        assert_eq!(receiver.stop().handled.len(), 20, "{example}");
    }
}

/// Each delivery logs a line, and the pipe has room for some 40 of them.
#[test]
fn a_log_that_is_not_read_loses_nothing() {
    for example in EXAMPLES {
        let receiver = Setup::of(example).log(Log::Unread).start();
        handles(&receiver, 200);
        assert_eq!(receiver.stop().handled.len(), 200, "{example}");
    }
}

/// The line on stdout is not the work that a delivery is for.
#[test]
fn a_stdout_whose_reader_is_gone_loses_nothing() {
    for example in EXAMPLES {
        let receiver = Setup::of(example).stdout_gone().start();
        handles(&receiver, 20);
        eventually("the log says so, once", || receiver.logged("stdout is gone") == 1);
        receiver.stop();
    }
}

fn handles(receiver: &Process, deliveries: usize) {
    let deliver = |number: usize| {
        let mut stream = receiver.connect();
        write(&mut stream, &Post::new(&number.to_string()).bytes());
        let answer = read_answer(stream);
        assert!(answer.starts_with("HTTP/1.1 200"), "{number}: {answer}");
    };
    thread::scope(|scope| {
        // Side by side: one that waits must not keep the test from seeing that all do.
        (0..deliveries).for_each(|number| drop(scope.spawn(move || deliver(number))));
    });
}
