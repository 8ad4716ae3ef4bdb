//! How the cost grows with the size of the body, the number of secrets, the guard's entries and the connections.

use std::time::Duration;

use benches::claims::{claim_all, deliveries, memory_guard};
use benches::http::{Receiver, Requests, pin_to_load_core, run};
use benches::rounds::{Case, Medians, median};
use benches::samples;
use twenty_webhook_core::{Secret, Verifier};

fn main() {
    body();
    secrets();
    entries();
    connections();
}

fn body() {
    println!("| verify + event of | µs | ns per byte |\n|---|---:|---:|");
    for len in [300, 1 << 10, 1 << 12, 1 << 14, 1 << 16, 1 << 18, 1 << 20, 1 << 22, 1 << 24] {
        let body = samples::body(len);
        let headers = samples::headers(&body);
        let verifier = Verifier::new(samples::secret());
        let ours = Case::new("ours", || verifier.verify(&headers, body.clone()).unwrap().into_event().unwrap());
        let nanos = Medians::of(vec![ours], if len <= 1 << 18 { 400 } else { 30 }).time("ours").as_nanos() as f64;
        println!("| {len} bytes | {:.3} | {:.3} |", nanos / 1e3, nanos / len as f64);
    }
}

/// The last secret that is tried is the right one.
fn secrets() {
    let body = samples::body(2048);
    let headers = samples::headers(&body);
    println!("\n| verify 2 KiB, signed with | µs |\n|---|---:|");
    for tried in 1..=4 {
        let other = |number: usize| Secret::new(format!("another secret, number {number}")).unwrap();
        let verifier = match tried {
            1 => Verifier::new(samples::secret()),
            _ => (2..tried)
                .fold(Verifier::new(other(1)), |verifier, number| verifier.also_accept(other(number)))
                .also_accept(samples::secret()),
        };
        let case = Case::new("ours", || verifier.verify(&headers, body.clone()).unwrap());
        let time = Medians::of(vec![case], 400).time("ours");
        println!("| number {tried} of {tried} secrets | {:.3} |", time.as_nanos() as f64 / 1e3);
    }
}

fn entries() {
    println!("\n| claim and complete, in a guard that holds | µs |\n|---|---:|");
    for entries in [1_000, 10_000, 100_000, 1_000_000, 10_000_000] {
        let guard = memory_guard(entries);
        let times = (0..15).map(|round| claim_all(&guard, &deliveries(entries + round * 1000, 1000))).collect();
        println!("| {entries} entries | {:.3} |", median::<f64>(times) / 1e3);
    }
}

fn connections() {
    pin_to_load_core();
    println!("\n| axum, all defaults | CPU µs/request | p50 µs | p99 µs | MiB |\n|---|---:|---:|---:|---:|");
    let mut serial = 0;
    for connections in [1, 16, 64, 256, 1000, 4000] {
        let receiver = Receiver::start(env!("CARGO_BIN_EXE_receiver"), "axum", "ours, guarded");
        let requests = Requests::sign(2048, serial, 200_000);
        serial += 200_000;
        let load = run(receiver.addr(), connections, requests, Duration::from_secs(2));
        let usage = receiver.usage();
        println!(
            "| {connections} connections | {:.2} | {:.0} | {:.0} | {:.0} |",
            usage.cpu.as_secs_f64() * 1e6 / load.latencies.len() as f64,
            load.percentile(50),
            load.percentile(99),
            usage.peak_mib
        );
    }
}
