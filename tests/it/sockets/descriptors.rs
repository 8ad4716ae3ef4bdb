//! Silent connections use up a receiver's descriptors. A delivery then waits in the kernel's queue, and is not lost.

use std::io::Write;
use std::net::TcpStream;
use std::thread;
use std::time::{Duration, Instant};

use super::process::{Setup, eventually};
use super::wire::{Post, write};

const DESCRIPTORS: u32 = 100;
const SILENT: usize = 110;

#[test]
fn silent_connections_lose_nothing_on_axum_and_actix() {
    // At once, because most of the time is waiting.
    thread::scope(|scope| {
        scope.spawn(|| silent_connections_lose_nothing("axum-receiver"));
        scope.spawn(|| silent_connections_lose_nothing("actix-receiver"));
        scope.spawn(|| a_client_that_does_not_read_is_closed("axum-receiver"));
    });
}

#[test]
#[ignore = "builds SQLite"]
fn with_an_inbox_silent_connections_lose_nothing() {
    silent_connections_lose_nothing("inbox-receiver");
}

fn silent_connections_lose_nothing(example: &str) {
    let receiver = Setup::of(example).descriptors(DESCRIPTORS).start();
    let silent: Vec<TcpStream> = (0..SILENT).map(|_| receiver.connect()).collect();
    eventually("the descriptors are used up", || receiver.descriptors() >= DESCRIPTORS as usize);
    let before = receiver.processor_time();

    let sent = Instant::now();
    let mut delivery = receiver.connect();
    write(&mut delivery, &Post::new("waits").bytes());
    // What Twenty does.
    thread::sleep(Duration::from_secs(5));
    drop(delivery);
    eventually("the delivery is handled", || !receiver.handled().is_empty());
    let (took, used) = (sent.elapsed(), receiver.processor_time().saturating_sub(before));
    println!("{example}: handled after {took:?}, for {used:?} of a processor");
    assert!(took < Duration::from_secs(15), "{example}: {took:?}");
    assert!(used < Duration::from_secs(2), "{example} tries again and again: {used:?}");
    drop(silent);
    assert_eq!(receiver.stop().handled.len(), 1, "{example}");
}

/// A client that does not read its answers is no better than one that sends nothing.
fn a_client_that_does_not_read_is_closed(example: &str) {
    let receiver = Setup::of(example).start();
    let before = receiver.descriptors();
    let mut deaf = receiver.connect();
    deaf.set_nonblocking(true).unwrap();
    let requests = b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n".repeat(1000);
    // Until the receiver takes no more, because it cannot write.
    let (mut last, mut rest) = (Instant::now(), requests.as_slice());
    while last.elapsed() < Duration::from_secs(1) {
        if rest.is_empty() {
            rest = &requests;
        }
        if let Ok(sent) = deaf.write(rest) {
            rest = &rest[sent..];
            last = Instant::now();
        } else {
            thread::sleep(Duration::from_millis(10));
        }
    }
    assert!(receiver.descriptors() > before);
    eventually("the connection is closed", || receiver.descriptors() <= before);
    drop(deaf);
    receiver.stop();
}
