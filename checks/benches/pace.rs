//! The time from the last byte of a large body to the answer, at the speed of a network: 1 MiB at 100 Mbit/s.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::ExitCode;
use std::thread;
use std::time::{Duration, Instant};

use benches::http::{Receiver, Requests, pin_to_load_core};
use benches::limits::Limits;
use benches::rounds::median;

const LEN: usize = 1024 * 1024;
const PIECE: usize = 16 * 1024;
const BYTES_PER_SECOND: f64 = 100e6 / 8.0;
const ROUNDS: usize = 25;

fn main() -> ExitCode {
    pin_to_load_core();
    let kinds = ["collected, not read", "streamed, not read", "collected", "ours, guarded"];
    let receivers = kinds.map(|kind| Receiver::start(env!("CARGO_BIN_EXE_receiver"), "axum", kind));
    let requests = Requests::sign(LEN, 0, receivers.len() * ROUNDS);
    let mut request = requests.template();

    let mut waits = kinds.map(|_| Vec::new());
    for _ in 0..ROUNDS {
        for (receiver, waits) in receivers.iter().zip(&mut waits) {
            assert!(requests.write_next(&mut request));
            waits.push(wait(receiver, &request));
        }
    }
    let [collected, streamed, collected_event, ours] = waits.map(median);
    println!("| 1 MiB at 100 Mbit/s | ms from the last byte to the answer |\n|---|---:|");
    println!("| verified when collected | {:.3} |", collected * 1e3);
    println!("| verified as it arrives | {:.3} |", streamed * 1e3);
    println!("| verified, identified and read when collected | {:.3} |", collected_event * 1e3);
    println!("| ours, all defaults: verified as it arrives, then claimed and read | {:.3} |", ours * 1e3);

    println!();
    let mut limits = Limits::default();
    limits.at_most("as it arrives / collected", streamed / collected, 0.25);
    println!("      with the event read: {:.2}", ours / collected_event);
    limits.exit_code()
}

/// Seconds from the last byte of the request to the first of the answer.
fn wait(receiver: &Receiver, request: &[u8]) -> f64 {
    let mut stream = TcpStream::connect(receiver.addr()).expect("it listens");
    stream.set_nodelay(true).expect("TCP has it");
    let start = Instant::now();
    for (number, piece) in request.chunks(PIECE).enumerate() {
        let due = Duration::from_secs_f64((number * PIECE) as f64 / BYTES_PER_SECOND);
        thread::sleep(due.saturating_sub(start.elapsed()));
        stream.write_all(piece).expect("it reads");
    }
    let sent = Instant::now();
    let mut answer = [0; 1024];
    let len = stream.read(&mut answer).expect("it answers");
    assert!(answer.starts_with(b"HTTP/1.1 200"), "{}", String::from_utf8_lossy(&answer[..len]));
    sent.elapsed().as_secs_f64()
}
