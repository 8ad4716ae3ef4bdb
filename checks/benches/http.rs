//! Receivers over HTTP on one core, under load from the other core: 64 connections, each request a new signed POST of 2 KiB.

use std::process::ExitCode;
use std::time::Duration;

use benches::http::{Load, Receiver, Requests, pin_to_load_core, run};
use benches::limits::Limits;
use benches::rounds::median;
use benches::samples::numbers;

const CONNECTIONS: usize = 64;
const RUN_TIME: Duration = Duration::from_millis(250);

/// More than one run can send.
const PER_RUN: usize = 50_000;

fn main() -> ExitCode {
    pin_to_load_core();
    let rounds = numbers(&[24])[0];
    let kinds = [
        ("axum", ["bare", "hand-written", "ours", "ours, guarded"].as_slice()),
        ("actix", &["bare", "hand-written", "ours", "ours, guarded", "middleware", "middleware, guarded"]),
    ];
    let rust = kinds.iter().flat_map(|(framework, kinds)| kinds.iter().map(move |kind| (framework, kind)));
    let mut receivers: Vec<Receiver> = rust
        .map(|(framework, kind)| Receiver::start(env!("CARGO_BIN_EXE_receiver"), framework, kind))
        .chain([Receiver::start_node()])
        .collect();

    let mut runs: Vec<Vec<Run>> = receivers.iter().map(|_| Vec::new()).collect();
    let mut serial = 0;
    for round in 0..=rounds {
        for (receiver, runs) in receivers.iter_mut().zip(&mut runs) {
            let run = Run::of(receiver, &mut serial);
            // The first run is a warm-up, for Node.
            if round > 0 {
                runs.push(run);
            }
        }
    }
    report(&receivers, &runs)
}

struct Run {
    load: Load,
    cpu_per_request: f64,
}

impl Run {
    fn of(receiver: &Receiver, serial: &mut usize) -> Self {
        let requests = Requests::sign(2048, *serial, PER_RUN);
        *serial += PER_RUN;
        let before = receiver.usage().cpu;
        let load = run(receiver.addr(), CONNECTIONS, requests, RUN_TIME);
        let cpu = receiver.usage().cpu.saturating_sub(before);
        let cpu_per_request = cpu.as_secs_f64() * 1e6 / load.latencies.len() as f64;
        Self { load, cpu_per_request }
    }
}

fn report(receivers: &[Receiver], runs: &[Vec<Run>]) -> ExitCode {
    println!("| receiver | requests/s | CPU µs/request | p50 µs | p99 µs | peak MiB |\n|---|---:|---:|---:|---:|---:|");
    let mut rates = Vec::new();
    for (receiver, runs) in receivers.iter().zip(runs) {
        let median_of = |of: fn(&Run) -> f64| median(runs.iter().map(of).collect());
        let rate = median_of(|run| run.load.rate());
        println!(
            "| {} | {rate:.0} | {:.2} | {:.0} | {:.0} | {:.0} |",
            receiver.name,
            median_of(|run| run.cpu_per_request),
            median_of(|run| run.load.percentile(50)),
            median_of(|run| run.load.percentile(99)),
            receiver.usage().peak_mib,
        );
        rates.push((receiver.name.as_str(), rate, median_of(|run| run.cpu_per_request)));
    }
    let find = |name: &str| rates.iter().find(|(receiver, ..)| *receiver == name).expect("it was measured");
    let rate = |name: &str, other: &str| find(name).1 / find(other).1;
    let cpu = |name: &str, other: &str| find(other).2 / find(name).2;

    println!();
    let mut limits = Limits::default();
    for (name, hand_written, limit) in [
        ("axum: ours", "axum: hand-written", 0.95),
        ("axum: ours, guarded", "axum: hand-written", 0.90),
        ("actix: ours", "actix: hand-written", 0.95),
        ("actix: ours, guarded", "actix: hand-written", 0.90),
    ] {
        limits.at_least(&format!("by CPU per request, {name} / {hand_written}"), cpu(name, hand_written), limit);
        println!("      by requests/s: {:.2}", rate(name, hand_written));
    }
    for name in ["actix: middleware", "actix: middleware, guarded"] {
        println!("      {name} / actix: hand-written, by CPU: {:.2}", cpu(name, "actix: hand-written"));
    }
    for name in ["axum: ours, guarded", "actix: ours, guarded"] {
        println!("      requests/s, {name} / Node: {:.2}", rate(name, "Node"));
    }
    limits.exit_code()
}
