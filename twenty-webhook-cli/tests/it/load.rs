//! `send --count`, to `listen`.

use std::collections::HashSet;

use crate::support::{Server, json, run, text};

#[test]
fn each_request_is_a_new_delivery() {
    let server = Server::listen(&[]);
    let output = run(&["send", &server.url, "--count", "200", "--concurrency", "8", "--json"]);
    assert!(output.status.success(), "{output:?}");
    let summary = json(&output);
    assert_eq!((&summary["sent"], &summary["statuses"]["200"]), (&200.into(), &200.into()), "{summary}");
    let latency = |name: &str| summary["latency_ms"][name].as_f64().unwrap();
    let sorted = ["min", "median", "p90", "p99", "max"].map(latency);
    assert!(sorted.is_sorted() && sorted[0] > 0.0, "{summary}");
    let ids: HashSet<_> = (0..200).map(|_| server.report()["delivery_id"].as_str().unwrap().to_owned()).collect();
    assert_eq!(ids.len(), 200);
    assert_eq!(text(&output.stderr), "", "no progress bar without a terminal");
}

#[test]
fn the_rate_is_limited() {
    let server = Server::listen(&[]);
    let args = ["send", &server.url, "--count", "11", "--concurrency", "11", "--rate", "50", "--json"];
    let summary = json(&run(&args));
    assert_eq!(summary["statuses"]["200"], 11, "{summary}");
    assert!(summary["seconds"].as_f64().unwrap() >= 0.19, "ten intervals of 20 ms: {summary}");

    let shown = text(&run(&args[..args.len() - 1]).stdout);
    let (took, rate) = shown.lines().next().unwrap().split_once(", ").unwrap();
    assert!(took.starts_with("11 deliveries in "), "{shown}");
    let rate: u32 = rate.strip_suffix(" a second").unwrap().parse().unwrap();
    assert!((1..=58).contains(&rate), "eleven in at least 190 ms: {shown}");
}

#[test]
fn one_rejection_gives_status_1() {
    let server = Server::listen(&[]);
    let output = run(&["send", &server.url, "--count", "5", "--tamper", "signature"]);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let summary = text(&output.stdout);
    assert!(summary.contains("5 deliveries in") && summary.contains("401        5"), "{summary}");
    assert!(summary.contains("latency: fastest"), "{summary}");

    let unreachable = run(&["send", "http://127.0.0.1:1/", "--count", "3"]);
    assert_eq!(unreachable.status.code(), Some(2), "nothing was sent: {unreachable:?}");
    assert!(text(&unreachable.stdout).contains("---        3  cannot reach"), "{unreachable:?}");
}
