//! What a thousand connections cost, each of which takes as much as it can get.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::thread;

use rustix::process::{Resource, getrlimit, setrlimit};

use super::process::Process;
use super::wire::Post;

const MIB: usize = 1024 * 1024;
const CONNECTIONS: usize = 1000;
const CLIENTS: usize = 8;

/// A connection may hold twice the body limit: the body so far, and what the framework has read but not yet handed on.
#[test]
fn a_thousand_bodies_that_stop_half_way_are_bounded_by_the_limit() {
    let stalled = Post::of(Vec::new()).framing(&format!("Content-Length: {MIB}"));
    let sent = [stalled.head(), vec![b' '; MIB / 2]].concat();
    peaks_below("stopped half-way through 1 MiB", &sent, "HTTP/1.1 408", CONNECTIONS * 2 * MIB);
}

#[test]
fn a_thousand_announcements_of_4_mib_cost_nothing() {
    let announced = Post::of(Vec::new()).framing(&format!("Content-Length: {}", 4 * MIB));
    peaks_below("announced 4 MiB", &announced.head(), "HTTP/1.1 413", 64 * MIB);
}

fn peaks_below(what: &str, sent: &[u8], answer: &str, bound: usize) {
    allow_many_descriptors();
    let measure = |example: &str| {
        let receiver = Process::start(example);
        let before = receiver.memory();
        let client = || -> usize {
            let connect = |_| {
                let mut connection = receiver.connect();
                // On a busy machine, it may have been refused and closed before it was half-way.
                let _ = connection.write_all(sent);
                connection
            };
            let connections: Vec<_> = (0..CONNECTIONS / CLIENTS).map(connect).collect();
            let answered = |mut connection: TcpStream| {
                let mut heard = String::new();
                connection.read_to_string(&mut heard).is_ok_and(|_| heard.starts_with(answer))
            };
            connections.into_iter().map(answered).filter(|&answered| answered).count()
        };
        let answered: usize = thread::scope(|scope| {
            let clients: Vec<_> = (0..CLIENTS).map(|_| scope.spawn(client)).collect();
            clients.into_iter().map(|client| client.join().unwrap()).sum()
        });
        let (peak, after) = (receiver.peak_memory(), receiver.memory());
        println!(
            "{example}: {answered} of {CONNECTIONS} connections, {what}: {} MiB at most, {} before, {} after; the bound is {}",
            peak / MIB,
            before / MIB,
            after / MIB,
            bound / MIB,
        );
        assert!(answered > CONNECTIONS * 9 / 10, "{example}: {what}");
        assert!(peak < bound, "{example}: {what}");
        receiver.stop();
    };
    thread::scope(|scope| {
        scope.spawn(|| measure("axum-receiver"));
        scope.spawn(|| measure("actix-receiver"));
    });
}

/// For this process, and the receivers that it starts.
fn allow_many_descriptors() {
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    setrlimit(Resource::Nofile, limit).unwrap();
}
