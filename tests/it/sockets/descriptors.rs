//! Silent connections use up a receiver's file descriptors. A delivery then waits in the kernel's queue and is not lost.

use std::io::Write;
use std::net::TcpStream;
use std::thread;
use std::time::{Duration, Instant};

use super::process::{Setup, eventually};
use super::wire::{Post, write};

const DESCRIPTORS: u32 = 100;
const SILENT: usize = 110;

#[test]
fn silent_connections_lose_no_delivery_on_axum_and_actix() {
    // In parallel, because they mostly wait.
    thread::scope(|scope| {
        scope.spawn(|| silent_connections_lose_no_delivery("axum-receiver"));
        scope.spawn(|| silent_connections_lose_no_delivery("actix-receiver"));
        scope.spawn(|| a_client_that_does_not_read_is_closed("axum-receiver"));
    });
}

#[test]
#[ignore = "builds SQLite"]
fn with_an_inbox_silent_connections_lose_no_delivery() {
    silent_connections_lose_no_delivery("inbox-receiver");
}

fn silent_connections_lose_no_delivery(example: &str) {
    let receiver = Setup::of(example).descriptors(DESCRIPTORS).start();
    let silent: Vec<TcpStream> = (0..SILENT).map(|_| receiver.connect()).collect();
    eventually("the descriptors are used up", || receiver.descriptors() >= DESCRIPTORS as usize);
    let before = receiver.cpu_time();

    let sent = Instant::now();
    let mut delivery = receiver.connect();
    write(&mut delivery, &Post::new("waits").bytes());
    // Twenty's timeout.
    thread::sleep(Duration::from_secs(5));
    drop(delivery);
    eventually("the delivery is handled", || !receiver.handled().is_empty());
    let (took, used) = (sent.elapsed(), receiver.cpu_time().saturating_sub(before));
    println!("{example}: handled after {took:?}, with {used:?} of CPU time");
    assert!(took < Duration::from_secs(15), "{example}: {took:?}");
    assert!(used < Duration::from_secs(2), "{example} retries in a busy loop: {used:?}");
    drop(silent);
    assert_eq!(receiver.stop().handled.len(), 1, "{example}");
}

/// A client that does not read its answers must not keep its connection.
fn a_client_that_does_not_read_is_closed(example: &str) {
    let receiver = Setup::of(example).start();
    let before = receiver.descriptors();
    let mut client = receiver.connect();
    client.set_nonblocking(true).unwrap();
    let requests = b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n".repeat(1000);
    // Sends until the receiver reads no more, because it cannot write.
    let (mut last, mut rest) = (Instant::now(), requests.as_slice());
    while last.elapsed() < Duration::from_secs(1) {
        if rest.is_empty() {
            rest = &requests;
        }
        if let Ok(sent) = client.write(rest) {
            rest = &rest[sent..];
            last = Instant::now();
        } else {
            thread::sleep(Duration::from_millis(10));
        }
    }
    assert!(receiver.descriptors() > before);
    eventually("the connection is closed", || receiver.descriptors() <= before);
    drop(client);
    receiver.stop();
}
