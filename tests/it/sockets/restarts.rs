//! The receiver restarts under load while a supervisor holds the socket. Each delivery is handled exactly once.

use std::io::Read;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use super::process::{Process, Setup, count, eventually, new_inbox};
use super::wire::{Post, write};

const CLIENTS: usize = 8;
const RESTARTS: usize = 3;
/// How many deliveries each run of the receiver handles before it is stopped.
const DELIVERIES: usize = 200;

#[test]
fn restarts_of_axum_lose_no_delivery() {
    restarts_lose_no_delivery("axum-receiver");
}

#[test]
fn restarts_of_actix_lose_no_delivery() {
    restarts_lose_no_delivery("actix-receiver");
}

#[test]
#[ignore = "builds SQLite"]
fn restarts_with_an_inbox_lose_no_delivery() {
    restarts_lose_no_delivery("inbox-receiver");
}

fn restarts_lose_no_delivery(example: &str) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = listener.local_addr().unwrap();
    let inbox = new_inbox();
    let start = || Setup::with_inbox(example, &inbox).listener(&listener).start();
    let (next, answered, enough) = (AtomicUsize::new(0), AtomicUsize::new(0), AtomicBool::new(false));
    let client = |keep_alive: bool| {
        let mut connection = None;
        while !enough.load(Ordering::Relaxed) {
            let id = next.fetch_add(1, Ordering::Relaxed).to_string();
            deliver(addr, &id, keep_alive, &mut connection);
            answered.fetch_add(1, Ordering::Relaxed);
        }
    };
    let load = |receiver: &Process| {
        let wanted = answered.load(Ordering::Relaxed) + DELIVERIES;
        eventually("the receiver answers", || answered.load(Ordering::Relaxed) >= wanted);
        assert_eq!(receiver.addr(), addr);
    };
    let mut handled = thread::scope(|scope| {
        // Every second client keeps its connection open, as Node does.
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
        // An inbox handles a delivery after its answer.
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

/// Delivers, and asserts a 2xx. Reuses an open connection.
fn deliver(addr: SocketAddr, id: &str, keep_alive: bool, connection: &mut Option<TcpStream>) {
    let post = if keep_alive { Post::new(id).keep_alive() } else { Post::new(id) };
    let mut stream = connection.take().unwrap_or_else(|| {
        let stream = TcpStream::connect(addr).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        stream
    });
    write(&mut stream, &post.bytes());
    let mut answer = String::new();
    // These answers have no body.
    while !answer.ends_with("\r\n\r\n") {
        let mut buffer = [0; 1024];
        match stream.read(&mut buffer) {
            Ok(len) if len > 0 => answer.push_str(std::str::from_utf8(&buffer[..len]).unwrap()),
            end => panic!("{id}: {end:?} after {answer:?}"),
        }
    }
    assert!(answer.starts_with("HTTP/1.1 20"), "{id}: {answer}");
    if keep_alive && !answer.contains("connection: close") {
        *connection = Some(stream);
    }
}
