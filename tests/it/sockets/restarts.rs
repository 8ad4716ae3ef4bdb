//! A supervisor holds the socket, and the receiver is started again and again under load: nothing is lost, and nothing is handled twice.

use std::io::Read;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use super::process::{Process, Setup, count, eventually, new_inbox};
use super::wire::{Post, write};

const CLIENTS: usize = 8;
const RESTARTS: usize = 3;
/// How many deliveries each run of the receiver handles before it is asked to end.
const DELIVERIES: usize = 200;

#[test]
fn restarts_of_axum_lose_nothing() {
    restarts_lose_nothing("axum-receiver");
}

#[test]
fn restarts_of_actix_lose_nothing() {
    restarts_lose_nothing("actix-receiver");
}

#[test]
#[ignore = "builds SQLite"]
fn restarts_with_an_inbox_lose_nothing() {
    restarts_lose_nothing("inbox-receiver");
}

fn restarts_lose_nothing(example: &str) {
    let held = TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = held.local_addr().unwrap();
    let inbox = new_inbox();
    let start = || Setup::with_inbox(example, &inbox).listener(&held).start();
    let (next, answered, enough) = (AtomicUsize::new(0), AtomicUsize::new(0), AtomicBool::new(false));
    let client = |keeps: bool| {
        let mut kept = None;
        while !enough.load(Ordering::Relaxed) {
            let id = next.fetch_add(1, Ordering::Relaxed).to_string();
            deliver(addr, &id, keeps, &mut kept);
            answered.fetch_add(1, Ordering::Relaxed);
        }
    };
    let load = |receiver: &Process| {
        let wanted = answered.load(Ordering::Relaxed) + DELIVERIES;
        eventually("the receiver answers", || answered.load(Ordering::Relaxed) >= wanted);
        // For the message, if it does not.
        assert_eq!(receiver.addr(), addr);
    };
    let mut handled = thread::scope(|scope| {
        // Every second client keeps its connection, as Node does.
        let clients: Vec<_> = (0..CLIENTS)
            .map(|number| {
                let client = &client;
                scope.spawn(move || client(number % 2 == 0))
            })
            .collect();
        let mut handled = Vec::new();
        let mut receiver = start();
        for _ in 0..RESTARTS {
            load(&receiver);
            handled.extend(receiver.stop().handled);
            receiver = start();
        }
        load(&receiver);
        enough.store(true, Ordering::Relaxed);
        for client in clients {
            client.join().unwrap();
        }
        // An inbox handles after it has answered.
        let sent = next.load(Ordering::Relaxed);
        eventually("all are handled", || handled.len() + receiver.handled().len() >= sent);
        handled.extend(receiver.stop().handled);
        handled
    });
    let sent = next.load(Ordering::Relaxed);
    println!("{example}: {sent} deliveries, {RESTARTS} restarts");
    handled.sort();
    let all = count((0..sent).map(|id| id.to_string()));
    assert_eq!(handled, all.into_iter().collect::<Vec<_>>(), "{example}");
}

/// Delivers, and reads the answer, which must come.
fn deliver(addr: SocketAddr, id: &str, keeps: bool, kept: &mut Option<TcpStream>) {
    let post = if keeps { Post::new(id).keep_alive() } else { Post::new(id) };
    let mut stream = kept.take().unwrap_or_else(|| {
        let stream = TcpStream::connect(addr).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        stream
    });
    write(&mut stream, &post.bytes());
    let mut answer = String::new();
    // The answers here have no body.
    while !answer.ends_with("\r\n\r\n") {
        let mut buffer = [0; 1024];
        match stream.read(&mut buffer) {
            Ok(len) if len > 0 => answer.push_str(std::str::from_utf8(&buffer[..len]).unwrap()),
            ended => panic!("{id}: {ended:?} after {answer:?}"),
        }
    }
    assert!(answer.starts_with("HTTP/1.1 20"), "{id}: {answer}");
    if keeps && !answer.contains("connection: close") {
        *kept = Some(stream);
    }
}
