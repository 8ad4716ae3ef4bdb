//! A receiver handles deliveries even if the reader of its output has ended or stopped.

use std::thread;

use super::process::{Log, Process, Setup, eventually};
use super::wire::{Post, read_answer, write};

const EXAMPLES: [&str; 2] = ["axum-receiver", "actix-receiver"];

#[test]
fn a_closed_log_loses_no_delivery() {
    for example in EXAMPLES {
        let receiver = Setup::of(example).log(Log::Closed).start();
        handles(&receiver, 20);
        assert_eq!(receiver.stop().handled.len(), 20, "{example}");
    }
}

/// Each delivery logs a line, and the pipe holds about 40 lines.
#[test]
fn an_unread_log_loses_no_delivery() {
    for example in EXAMPLES {
        let receiver = Setup::of(example).log(Log::Unread).start();
        handles(&receiver, 200);
        assert_eq!(receiver.stop().handled.len(), 200, "{example}");
    }
}

#[test]
fn a_closed_stdout_loses_no_delivery() {
    for example in EXAMPLES {
        let receiver = Setup::of(example).close_stdout().start();
        handles(&receiver, 20);
        eventually("the log says so once", || receiver.logged("stdout is closed") == 1);
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
        // In parallel, so that a delivery that waits does not hide the others.
        (0..deliveries).for_each(|number| drop(scope.spawn(move || deliver(number))));
    });
}
