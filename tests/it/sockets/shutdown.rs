//! A receiver that shuts down still handles what was already sent to it.

use std::net::TcpStream;
use std::time::{Duration, Instant};

use rustix::process::Signal;

use super::process::{Process, Setup, count, eventually, new_inbox};
use super::wire::{Post, read_answer, write};

#[test]
fn axum_handles_what_was_sent_before_the_signal() {
    handles_what_was_sent_before_the_signal("axum-receiver");
}

#[test]
fn actix_handles_what_was_sent_before_the_signal() {
    handles_what_was_sent_before_the_signal("actix-receiver");
}

#[test]
#[ignore = "builds SQLite"]
fn with_an_inbox_what_was_sent_before_the_signal_is_handled() {
    handles_what_was_sent_before_the_signal("inbox-receiver");
}

fn handles_what_was_sent_before_the_signal(example: &str) {
    let inbox = new_inbox();
    let receiver = Setup::with_inbox(example, &inbox).start();
    let mut accepted = receiver.connect_accepted();
    let mut accepted_and_silent = receiver.connect_accepted();
    let queued_ids: Vec<String> = (0..20).map(|number| format!("queued {number}")).collect();
    let queued: Vec<TcpStream> = receiver.while_stopped(|| {
        write(&mut accepted, &Post::new("accepted").bytes());
        let queued = |id: &String| {
            let mut queued = receiver.connect();
            write(&mut queued, &Post::new(id).bytes());
            queued
        };
        let queued = queued_ids.iter().map(queued).collect();
        receiver.signal(Signal::TERM);
        queued
    });
    receiver.wait_for_shutdown();
    write(&mut accepted_and_silent, &Post::new("sent after the signal").bytes());
    for stream in [accepted, accepted_and_silent].into_iter().chain(queued) {
        let answer = read_answer(stream);
        assert!(answer.starts_with("HTTP/1.1 20"), "{example}: {answer}");
    }
    let others = ["accepted", "sent after the signal"].map(str::to_owned);
    let expected = count(queued_ids.into_iter().chain(others));
    let mut handled = receiver.ended().handled;
    if handled.len() < expected.len() {
        // An inbox handles the rest after its next start.
        let again = Setup::with_inbox(example, &inbox).start();
        eventually("the rest is handled", || handled.len() + again.handled().len() >= expected.len());
        handled.extend(again.stop().handled);
    }
    assert_eq!(handled, expected, "{example}");
}

/// A proxy then retries, or tries another receiver. What an accepted connection sends would be lost.
#[test]
fn connections_after_the_signal_are_refused() {
    for example in ["axum-receiver", "actix-receiver"] {
        let receiver = Process::start(example);
        let mut accepted = receiver.connect_accepted();
        receiver.signal(Signal::TERM);
        receiver.wait_for_shutdown();
        eventually("connections are refused", || TcpStream::connect(receiver.addr()).is_err());
        // The receiver has not ended yet.
        write(&mut accepted, &Post::new("1").bytes());
        assert!(read_answer(accepted).starts_with("HTTP/1.1 200"), "{example}");
        assert_eq!(receiver.ended().handled, count(["1".to_owned()]), "{example}");
    }
}

/// On a keep-alive connection, the client may send its next request at any time. (actix has no keep-alive connections.)
#[test]
fn on_axum_a_keep_alive_connection_carries_one_more_request() {
    let receiver = Process::start("axum-receiver");
    let open = |id: &str| {
        let mut stream = receiver.connect();
        write(&mut stream, &Post::new(id).keep_alive().bytes());
        eventually("it is answered", || stream.peek(&mut [0; 1]).is_ok_and(|len| len > 0));
        stream
    };
    let (mut before, mut after) = (open("1"), open("2"));
    receiver.while_stopped(|| {
        write(&mut before, &Post::new("3").keep_alive().bytes());
        receiver.signal(Signal::TERM);
    });
    receiver.wait_for_shutdown();
    write(&mut after, &Post::new("4").keep_alive().bytes());
    for (stream, closes) in [(before, false), (after, true)] {
        let answers = read_answer(stream);
        let (first, second) = answers.split_at(answers.rfind("HTTP/1.1").unwrap());
        assert!(first.starts_with("HTTP/1.1 200") && !first.contains("connection: close"), "{answers}");
        // The receiver may have read the one on `before` before the signal.
        assert!(second.starts_with("HTTP/1.1 200") && (!closes || second.contains("connection: close")), "{answers}");
    }
    assert_eq!(receiver.ended().handled, count(["1", "2", "3", "4"].map(str::to_owned)));
}

/// A stranger could send it on purpose. It must not delay the shutdown to its deadline.
#[test]
fn half_a_head_does_not_hold_up_the_shutdown() {
    for example in ["axum-receiver", "actix-receiver"] {
        let receiver = Process::start(example);
        let head = Post::new("1").head();
        let mut half = receiver.connect_accepted();
        write(&mut half, &head[..head.len() / 2]);
        let signalled = Instant::now();
        assert_eq!(receiver.stop().handled, count([]), "{example}");
        assert!(signalled.elapsed() < Duration::from_secs(5), "{example}: {:?}", signalled.elapsed());
        drop(half);
    }
}

#[test]
fn half_a_head_may_be_completed_after_the_signal() {
    for example in ["axum-receiver", "actix-receiver"] {
        let receiver = Process::start(example);
        let bytes = Post::new("1").bytes();
        let (first, rest) = bytes.split_at(bytes.len() / 3);
        let mut stream = receiver.connect_accepted();
        write(&mut stream, first);
        receiver.signal(Signal::TERM);
        receiver.wait_for_shutdown();
        write(&mut stream, rest);
        assert!(read_answer(stream).starts_with("HTTP/1.1 200"), "{example}");
        assert_eq!(receiver.ended().handled, count(["1".to_owned()]), "{example}");
    }
}

/// They must not delay the shutdown.
#[test]
fn silent_connections_are_closed() {
    for example in ["axum-receiver", "actix-receiver"] {
        let receiver = Process::start(example);
        let silent: Vec<TcpStream> = (0..10).map(|_| receiver.connect_accepted()).collect();
        assert_eq!(receiver.stop().handled, count([]), "{example}");
        drop(silent);
    }
}
