//! Receivers over HTTP on one core, under load from the other: 64 connections, a fresh signed POST of 2 KiB each time.

use std::process::ExitCode;
use std::time::Duration;

use benches::bars::Bars;
use benches::http::{Load, Receiver, Requests, pin_to_load_core, run};
use benches::rounds::median;
use benches::samples::numbers;

const CONNECTIONS: usize = 64;
const TURN: Duration = Duration::from_millis(250);

/// More than a turn can send.
const PER_TURN: usize = 50_000;

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

    let mut turns: Vec<Vec<Turn>> = receivers.iter().map(|_| Vec::new()).collect();
    let mut serial = 0;
    for round in 0..=rounds {
        for (receiver, turns) in receivers.iter_mut().zip(&mut turns) {
            let turn = Turn::of(receiver, &mut serial);
            // The first warms up, which Node needs.
            if round > 0 {
                turns.push(turn);
            }
        }
    }
    report(&receivers, &turns)
}

struct Turn {
    load: Load,
    cpu_per_request: f64,
}

impl Turn {
    fn of(receiver: &Receiver, serial: &mut usize) -> Self {
        let requests = Requests::sign(2048, *serial, PER_TURN);
        *serial += PER_TURN;
        let before = receiver.usage().cpu;
        let load = run(receiver.addr(), CONNECTIONS, requests, TURN);
        let cpu = receiver.usage().cpu - before;
        let cpu_per_request = cpu.as_secs_f64() * 1e6 / load.latencies.len() as f64;
        Self { load, cpu_per_request }
    }
}

fn report(receivers: &[Receiver], turns: &[Vec<Turn>]) -> ExitCode {
    println!("| receiver | requests/s | CPU µs/request | p50 µs | p99 µs | peak MiB |\n|---|---:|---:|---:|---:|---:|");
    let mut rates = Vec::new();
    for (receiver, turns) in receivers.iter().zip(turns) {
        let middle = |of: fn(&Turn) -> f64| median(turns.iter().map(of).collect());
        let rate = middle(|turn| turn.load.rate());
        println!(
            "| {} | {rate:.0} | {:.2} | {:.0} | {:.0} | {:.0} |",
            receiver.name,
            middle(|turn| turn.cpu_per_request),
            middle(|turn| turn.load.percentile(50)),
            middle(|turn| turn.load.percentile(99)),
            receiver.usage().peak_mib,
        );
        rates.push((receiver.name.as_str(), rate, middle(|turn| turn.cpu_per_request)));
    }
    let find = |name: &str| rates.iter().find(|(receiver, ..)| *receiver == name).expect("it was measured");
    let rate = |name: &str, other: &str| find(name).1 / find(other).1;
    let cpu = |name: &str, other: &str| find(other).2 / find(name).2;

    println!();
    let mut bars = Bars::default();
    for (name, hand_written, bar) in [
        ("axum: ours", "axum: hand-written", 0.95),
        ("axum: ours, guarded", "axum: hand-written", 0.90),
        ("actix: ours", "actix: hand-written", 0.95),
        ("actix: ours, guarded", "actix: hand-written", 0.90),
    ] {
        bars.at_least(&format!("by CPU per request, {name} / {hand_written}"), cpu(name, hand_written), bar);
        println!("      by requests/s: {:.2}", rate(name, hand_written));
    }
    for name in ["actix: middleware", "actix: middleware, guarded"] {
        println!("      {name} / actix: hand-written, by CPU: {:.2}", cpu(name, "actix: hand-written"));
    }
    for name in ["axum: ours, guarded", "actix: ours, guarded"] {
        println!("      requests/s, {name} / Node: {:.2}", rate(name, "Node"));
    }
    bars.exit_code()
}
