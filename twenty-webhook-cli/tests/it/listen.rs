//! `listen`: its output for each kind of request.

use serde_json::json;

use crate::support::{SECRET, Server, command, exchange, flat, pipe, run, text};

#[test]
fn a_wrong_secret_is_diagnosed_and_not_printed() {
    let server = Server::listen(&[]);
    let output =
        command(&["send", &server.url]).env("TWENTY_WEBHOOK_SECRET", format!("\"{SECRET}\"")).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(flat(&output.stdout).contains("Does the receiver have the same secret?"), "{output:?}");
    let report = server.report();
    assert_eq!(report["findings"][0]["code"], "secret_quotes_at_sender", "{report}");
    assert!(!report.to_string().contains(SECRET));
}

#[test]
fn both_secrets_are_accepted_during_a_rotation() {
    let dir = tempfile::tempdir().unwrap();
    let old = dir.path().join("old");
    std::fs::write(&old, "the old one\n").unwrap();
    let old = old.to_str().unwrap();
    let server = Server::listen(&["--secret-env", "TWENTY_WEBHOOK_SECRET", "--secret-file", old]);
    assert!(run(&["send", &server.url]).status.success());
    assert!(run(&["send", &server.url, "--secret-file", old]).status.success());
    assert!(!run(&["send", &server.url, "--secret", "another one"]).status.success());
}

#[test]
fn without_a_secret_it_makes_one_and_shows_how_to_use_it() {
    let mut listen = command(&["listen", "--addr", "127.0.0.1:0", "--json"]);
    listen.env_remove("TWENTY_WEBHOOK_SECRET");
    let server = Server::start(listen, "Listening on ");
    let output = run(&["send", &server.url]);
    assert_eq!(output.status.code(), Some(1), "the tests' secret is another one");
    assert_eq!(server.report()["code"], "signature_mismatch");
}

#[test]
fn unsigned_requests_and_other_methods_are_rejected() {
    let server = Server::listen(&[]);
    for (request, status, code) in [
        ("POST /any HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}", "401", "unsigned"),
        ("GET /any HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", "405", "method_not_allowed"),
    ] {
        let answer = exchange(&server.url, request);
        assert!(answer.starts_with(&format!("HTTP/1.1 {status}")), "{answer}");
        let report = server.report();
        assert_eq!((&report["code"], &report["path"]), (&json!(code), &json!("/any")), "{report}");
        assert_eq!(report["verdict"], "rejected");
    }
}

#[test]
fn ctrl_c_prints_a_summary() {
    let server = Server::listen(&[]);
    for more in [&[][..], &["--replay"], &["--tamper", "body"], &["--age", "1h"]] {
        run(&[&["send", &server.url], more].concat());
    }
    for _ in 0..5 {
        server.report();
    }
    let (status, _, stderr) = server.interrupt();
    assert_eq!(status.code(), Some(0));
    let summary = "5 deliveries: 2 verified, 1 duplicate, 2 rejected (signature_mismatch 1, stale_timestamp 1)";
    assert!(stderr.contains(summary), "{stderr}");
}

#[test]
fn without_json_a_delivery_is_one_line() {
    let server = Server::start(command(&["listen", "--addr", "127.0.0.1:0"]), "Listening on ");
    run(&["send", &server.url, "person.updated"]);
    let line = server.line();
    for part in ["200 verified", "person.updated", "[emails, jobTitle]", "kB", " ms"] {
        assert!(line.contains(part), "{part}: {line}");
    }
    run(&["send", &server.url, "--tamper", "timestamp"]);
    assert!(server.line().contains("401 rejected   person.created (unverified)"));
    assert_eq!(server.line(), "  why      signature mismatch", "the problem says more");
    let lines: Vec<_> = (0..4).map(|_| server.line()).collect();
    assert!(lines[0].starts_with("  problem  "), "{lines:?}");
    assert!(lines.iter().any(|line| line.starts_with("  fix      ")), "{lines:?}");
    assert!(lines.iter().all(|line| line.chars().count() <= 80), "{lines:?}");
}

#[test]
fn an_address_can_be_a_port_alone_or_a_name() {
    for addr in ["0", ":0", "localhost:0", "127.0.0.1:0"] {
        let server = Server::start(command(&["listen", "--addr", addr]), "Listening on ");
        assert!(server.url.starts_with("http://127.0.0.1:"), "{addr}: {}", server.url);
    }
}

#[test]
fn an_address_in_use_is_reported() {
    let server = Server::listen(&[]);
    let addr = server.url.strip_prefix("http://").unwrap();
    let output = run(&["listen", "--addr", addr]);
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("Choose another port with --addr"), "{output:?}");
}

#[test]
fn a_closed_pipe_ends_it() {
    let server = Server::start_with_closed_stdout(command(&["listen", "--addr", "127.0.0.1:0"]));
    run(&["send", &server.url]);
    assert_eq!(server.wait().code(), Some(0));
}

#[test]
fn the_body_is_printed_on_demand_and_always_in_json() {
    let server = Server::listen(&[]);
    let body = br#"{"eventName":"person.created","b":1,"a":12345678901234567890.50}"#;
    assert!(pipe(&["send", &server.url, "--file", "-"], body).status.success());
    assert!(server.line().contains(&format!(r#""body":{}"#, text(body))), "as it was written");
    pipe(&["send", &server.url, "--file", "-"], b"no JSON");
    assert_eq!(server.report()["body"], "no JSON");

    let server = Server::start(command(&["listen", "--addr", "0", "--body"]), "Listening on ");
    pipe(&["send", &server.url, "--file", "-"], body);
    server.line();
    assert_eq!(server.line(), text(body));

    let mut listen =
        rexpect::session::spawn_command(command(&["listen", "--addr", "0", "--body"]), Some(30_000)).unwrap();
    listen.exp_string("Listening on ").unwrap();
    let url = listen.exp_string(",").unwrap();
    pipe(&["send", &url, "--file", "-"], body);
    listen.exp_string("{\r\n  \"eventName\": \"person.created\",\r\n").unwrap();
}

#[test]
fn only_matching_events_are_printed() {
    let other = Server::listen(&[]);
    let server = Server::listen(&["--events", "person.*", "--events", "*.deleted", "--forward-to", &other.url]);
    for event in ["company.created", "person.created", "task.deleted"] {
        assert!(run(&["send", &server.url, event]).status.success(), "to Twenty all are delivered");
    }
    for event in ["person.created", "task.deleted"] {
        assert_eq!(server.report()["event"], event);
        assert_eq!(other.report()["event"], event, "and others are not forwarded");
    }
    let (_, _, stderr) = server.interrupt();
    assert!(stderr.contains("2 deliveries: 2 verified"), "{stderr}");
}

#[test]
fn it_ends_after_until_or_timeout() {
    let server = Server::listen(&["--until", "2", "--timeout", "30s", "--events", "person.created"]);
    run(&["send", &server.url, "--tamper", "body"]);
    run(&["send", &server.url, "company.created"]);
    run(&["send", &server.url]);
    run(&["send", &server.url]);
    assert_eq!(server.wait().code(), Some(0));

    let server = Server::listen(&["--until", "1", "--timeout", "300ms"]);
    run(&["send", &server.url, "--tamper", "body"]);
    assert_eq!(server.wait().code(), Some(1), "a rejected delivery does not count");
}

#[test]
fn text_has_rounded_durations_and_json_exact_ones() {
    let server = Server::listen(&[]);
    run(&["send", &server.url, "--age", "1h"]);
    let report = server.report();
    let reason = report["reason"].as_str().unwrap();
    assert!(
        reason.starts_with("stale timestamp: sent 60 min ago, and the tolerance is 5 min; was it replayed"),
        "{reason}"
    );
    assert_eq!(report["numbers"]["tolerance_ms"], 300_000);
    assert!(report["numbers"]["age_ms"].as_u64().unwrap() >= 3_600_000, "{report}");
}
