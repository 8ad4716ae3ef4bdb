//! `listen --forward-to`.

use serde_json::json;

use crate::support::{Server, command, run, text};

#[test]
fn a_verified_delivery_is_forwarded_unchanged_and_the_answer_returned() {
    let last = Server::listen(&[]);
    let first = Server::listen(&["--forward-to", &last.url]);
    assert!(run(&["send", &first.url, "opportunity.updated"]).status.success());
    let (first_report, last_report) = (first.report(), last.report());
    assert_eq!(last_report["verdict"], "verified", "headers and bytes are the same: {last_report}");
    assert_eq!(first_report["delivery_id"], last_report["delivery_id"]);
    assert_eq!(first_report["forwarded"]["status"], 200);

    assert!(!run(&["send", &first.url, "--tamper", "body"]).status.success());
    assert_eq!(first.report()["forwarded"], json!(null), "what does not verify stays here");
    let (_, rest, summary) = last.interrupt();
    assert_eq!(rest, "");
    assert!(summary.contains("1 delivery: 1 verified"), "{summary}");
}

#[test]
fn the_other_receivers_rejection_is_the_answer() {
    let mut other = command(&["listen", "--addr", "127.0.0.1:0", "--json"]);
    other.env("TWENTY_WEBHOOK_SECRET", "another one");
    let other = Server::start(other, "Listening on ");
    let first = Server::listen(&["--forward-to", &other.url]);
    let output = run(&["send", &first.url]);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let report = first.report();
    assert_eq!((&report["status"], &report["forwarded"]["status"]), (&json!(401), &json!(401)), "{report}");

    let listen = command(&["listen", "--addr", "127.0.0.1:0", "--forward-to", &other.url]);
    let first = Server::start(listen, "Listening on ");
    run(&["send", &first.url]);
    let line = first.line();
    assert!(line.contains("does the receiver have the secret that is given here?"), "{line}");
}

#[test]
fn an_unreachable_receiver_is_a_bad_gateway() {
    let first = Server::listen(&["--forward-to", "http://127.0.0.1:1/"]);
    let output = run(&["send", &first.url]);
    assert!(text(&output.stdout).contains("502 Bad Gateway"), "{output:?}");
    let report = first.report();
    assert!(report["forwarded"]["error"].as_str().unwrap().contains("cannot reach"), "{report}");
}

#[test]
fn a_forward_that_takes_over_5_seconds_gets_a_warning() {
    const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
    let slow = crate::twenty::answering(OK, std::time::Duration::from_millis(5_100));
    let listen = command(&["listen", "--addr", "0", "--forward-to", &slow]);
    let first = Server::start(listen, "Listening on ");
    run(&["send", &first.url, "--timeout", "20s"]);
    assert!(first.line().contains("over 5 s: Twenty would have given up"));
}

#[test]
fn a_forward_that_fails_has_its_duration() {
    // It closes the connection without an answer.
    let slow = crate::twenty::answering("", std::time::Duration::from_millis(5_100));
    let first = Server::listen(&["--forward-to", &slow]);
    run(&["send", &first.url, "--timeout", "20s"]);
    let forwarded = &first.report()["forwarded"];
    assert!(forwarded["error"].as_str().unwrap().contains("broke off"), "{forwarded}");
    assert!(forwarded["duration_ms"].as_f64().unwrap() > 5_000.0, "{forwarded}");
    assert_eq!(forwarded["too_slow"], true);
}
