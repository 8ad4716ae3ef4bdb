//! The memory that a thousand hostile connections can use.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Barrier;
use std::thread;

use rustix::process::{Resource, getrlimit, setrlimit};

use super::process::Process;
use super::wire::{Post, read_answer, write};

const MIB: usize = 1024 * 1024;
const CONNECTIONS: usize = 1000;
const CLIENTS: usize = 8;

/// The bodies share a budget of 256 MiB. Each also has its first 64 KiB and what the framework reads ahead.
#[test]
fn a_thousand_stalled_bodies_share_a_budget() {
    let stalled = Post::of(Vec::new()).framing(&format!("Content-Length: {MIB}"));
    let sent = [stalled.head(), vec![b' '; MIB / 2]].concat();
    peak_is_below("stalled half-way through 1 MiB", &sent, &["HTTP/1.1 408", "HTTP/1.1 503"], 400 * MIB);
}

#[test]
fn a_thousand_announcements_of_33_mib_allocate_nothing() {
    let announced = Post::of(Vec::new()).framing(&format!("Content-Length: {}", 33 * MIB));
    peak_is_below("announced 33 MiB", &announced.head(), &["HTTP/1.1 413"], 64 * MIB);
}

fn peak_is_below(what: &str, sent: &[u8], answers: &[&str], bound: usize) {
    allow_many_descriptors();
    let measure = |example: &str| {
        let receiver = Process::start(example);
        let before = receiver.memory();
        let all_sent = Barrier::new(CLIENTS + 1);
        let client = || -> usize {
            let connect = |_| {
                let mut connection = receiver.connect();
                // An error means that the receiver rejected the body and closed the connection.
                let _ = connection.write_all(sent);
                connection
            };
            let connections: Vec<_> = (0..CONNECTIONS / CLIENTS).map(connect).collect();
            all_sent.wait();
            let answered = |mut connection: TcpStream| {
                // Not until the end of the connection: actix keeps it open for a while.
                let mut status_line = [0; 12];
                connection.read_exact(&mut status_line).is_ok()
                    && answers.iter().any(|&answer| status_line == *answer.as_bytes())
            };
            connections.into_iter().map(answered).filter(|&answered| answered).count()
        };
        let (answered, small) = thread::scope(|scope| {
            let clients: Vec<_> = (0..CLIENTS).map(|_| scope.spawn(client)).collect();
            all_sent.wait();
            // A genuine delivery at the same time.
            let mut connection = receiver.connect();
            write(&mut connection, &Post::new("small").bytes());
            let small = read_answer(connection);
            (clients.into_iter().map(|client| client.join().unwrap()).sum::<usize>(), small)
        });
        let (peak, after) = (receiver.peak_memory(), receiver.memory());
        println!(
            "{example}: {answered} of {CONNECTIONS} connections, {what}: {} MiB at most, {} before, {} after; the bound is {}",
            peak / MIB,
            before / MIB,
            after / MIB,
            bound / MIB,
        );
        assert!(small.starts_with("HTTP/1.1 200"), "{example}: {small}");
        assert!(answered > CONNECTIONS * 9 / 10, "{example}: {what}");
        assert!(peak < bound, "{example}: {what}");
        receiver.stop();
    };
    thread::scope(|scope| {
        scope.spawn(|| measure("axum-receiver"));
        scope.spawn(|| measure("actix-receiver"));
    });
}

/// Twenty sends a note's text twice. Notes of 18 MB have been seen.
#[test]
fn a_note_of_18_mb_is_handled() {
    let text = "x".repeat(9_000_000);
    let note = format!(
        r#"{{"eventName":"note.created","record":{{"id":"note","bodyV2":{{"markdown":"{text}","blocknote":"{text}"}}}}}}"#
    );
    for example in ["axum-receiver", "actix-receiver"] {
        let receiver = Process::start(example);
        let mut connection = receiver.connect();
        write(&mut connection, &Post::of(note.clone().into_bytes()).bytes());
        let answer = read_answer(connection);
        assert!(answer.starts_with("HTTP/1.1 200"), "{example}: {answer}");
        assert_eq!(receiver.stop().handled.into_keys().collect::<Vec<_>>(), ["note"], "{example}");
    }
}

/// Raises the limit of open files for this process and the receivers that it starts.
fn allow_many_descriptors() {
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    setrlimit(Resource::Nofile, limit).unwrap();
}
