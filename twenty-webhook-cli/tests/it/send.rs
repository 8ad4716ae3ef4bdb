//! `send`, to `listen`.

use serde_json::json;

use crate::support::{FORMS, Server, command, flat, json, run, text};
use crate::twenty::answering;

#[test]
fn every_form_of_every_event_verifies() {
    let server = Server::listen(&[]);
    for (form, event, name) in FORMS {
        let output = run(&["send", &server.url, event, "--form", form]);
        assert!(output.status.success(), "{form} {event}: {output:?}");
        assert!(text(&output.stdout).contains("200 OK"), "{output:?}");
        let report = server.report();
        assert_eq!(report["verdict"], "verified", "{report}");
        assert_eq!(report["event"], name, "{report}");
        assert_eq!(report["record_id"].is_string(), form != "batch", "{report}");
        let changed = event.ends_with("updated") || event.ends_with("deleted") || event.ends_with("restored");
        // In a batch they are in its items. A deleted part of the data model has none.
        let has_fields = changed && form != "batch" && event != "metadata.objectMetadata.deleted";
        assert_eq!(report["updated_fields"].is_array(), has_fields, "{report}");
    }
}

#[test]
fn without_a_form_it_is_what_twenty_sends_today() {
    let server = Server::listen(&[]);
    for event in ["person.created", "metadata.fieldMetadata.updated"] {
        assert!(run(&["send", &server.url, event]).status.success());
        assert_eq!(server.report()["event"], event);
    }
    assert!(run(&["send", &server.url]).status.success());
    assert_eq!(server.report()["event"], "person.created");
}

#[test]
fn a_form_that_an_event_cannot_have_is_an_error() {
    for (event, form) in
        [("person.created", "metadata"), ("metadata.view.created", "batch"), ("person.frobbed", "2024-08")]
    {
        let output = run(&["send", "http://127.0.0.1:1/", event, "--form", form]);
        assert_eq!(output.status.code(), Some(2), "{output:?}");
        assert!(text(&output.stderr).contains(event), "{output:?}");
    }
}

#[test]
fn changes_after_signing_are_rejected_except_for_the_nonce() {
    let server = Server::listen(&[]);
    for (what, status, code) in [
        ("body", 1, json!("signature_mismatch")),
        ("signature", 1, json!("signature_mismatch")),
        ("timestamp", 1, json!("signature_mismatch")),
        ("nonce", 0, json!(null)),
    ] {
        let output = run(&["send", &server.url, "--tamper", what]);
        assert_eq!(output.status.code(), Some(status), "{what}: {output:?}");
        let says_so =
            flat(&output.stdout).ends_with("changed after it was signed, and rejected: this receiver verifies.");
        assert_eq!(says_so, status == 1, "{output:?}");
        assert_eq!(server.report()["code"], code, "{what}");
    }
}

/// If a sample had a number in a form that JavaScript never writes, such as `1.0`, the diagnosis would blame a parser.
#[test]
fn a_changed_body_looks_like_twentys() {
    let server = Server::listen(&[]);
    for (form, event, name) in FORMS {
        run(&["send", &server.url, event, "--form", form, "--tamper", "body"]);
        let report = server.report();
        assert_eq!((&report["verdict"], &report["event"]), (&json!("rejected"), &json!(name)), "{report}");
        let codes: Vec<_> = report["findings"].as_array().unwrap().iter().map(|finding| &finding["code"]).collect();
        assert_eq!(codes[0], "unexplained", "{form} {event}: {report}");
    }
}

#[test]
fn old_and_future_timestamps_are_rejected() {
    let server = Server::listen(&[]);
    for (age, code) in [("--age=10m", "stale_timestamp"), ("--age=-10m", "future_timestamp")] {
        let output = run(&["send", &server.url, age]);
        assert_eq!(output.status.code(), Some(1), "{age}: {output:?}");
        assert!(flat(&output.stdout).contains("as a receiver does that checks the age"), "{output:?}");
        let report = server.report();
        assert_eq!(report["code"], code);
        assert_eq!(report["findings"][0]["code"], code, "{report}");
    }
    assert!(run(&["send", &server.url, "--age", "4m"]).status.success());
    let output =
        command(&["send", &server.url, "--age", "4m"]).env("TWENTY_WEBHOOK_SECRET", "another").output().unwrap();
    assert!(flat(&output.stdout).contains("Does the receiver have the same secret?"), "not the age: {output:?}");
}

#[test]
fn a_replay_is_a_duplicate() {
    let server = Server::listen(&[]);
    let output = run(&["send", &server.url, "--replay"]);
    assert!(output.status.success(), "{output:?}");
    let (first, second) = (server.report(), server.report());
    assert_eq!((&first["verdict"], &second["verdict"]), (&json!("verified"), &json!("duplicate")));
    assert_eq!(first["delivery_id"], second["delivery_id"]);
    assert_eq!(second["code"], "already_completed");
}

#[test]
fn json_shows_what_was_sent_and_answered() {
    let server = Server::listen(&[]);
    let sent = json(&run(&["send", &server.url, "task.deleted", "--json"]));
    let report = server.report();
    assert_eq!((&sent["event"], &sent["status"]), (&json!("task.deleted"), &json!(200)));
    assert_eq!(sent["delivery_id"], report["delivery_id"]);
    assert_eq!(sent["bytes"], report["bytes"]);
    assert!(sent["duration_ms"].as_f64().unwrap() > 0.0);

    let unreachable = run(&["send", "http://127.0.0.1:1/", "--json"]);
    assert_eq!(unreachable.status.code(), Some(2), "nothing was sent");
    let unreachable = json(&unreachable);
    assert!(unreachable["status"].is_null() && unreachable["error"].as_str().unwrap().contains("cannot reach"));
}

#[test]
fn a_receiver_that_never_answers_times_out() {
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/", silent.local_addr().unwrap());
    let output = run(&["send", &url, "--timeout", "100ms"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stdout).contains("no answer in time"), "{output:?}");
}

#[cfg(target_os = "linux")]
#[test]
fn without_a_connection_nothing_was_sent() {
    let blocked = crate::twenty::Blocked::start();
    for load in [&["--json"][..], &["--count", "3", "--concurrency", "3", "--json"]] {
        let output = run(&[&["send", &blocked.url, "--timeout", "2s"], load].concat());
        assert_eq!(output.status.code(), Some(2), "{output:?}");
        let said = text(&output.stdout);
        assert!(said.contains("no connection was opened in time, so nothing was sent"), "{said}");
        assert!(said.contains("a firewall or a security group"), "{said}");
    }
}

#[test]
fn redirects_are_followed_as_by_twenty() {
    let server = Server::listen(&[]);
    let redirect = |status, to: &str| {
        let answer = format!("HTTP/1.1 {status}\r\nLocation: {to}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
        answering(answer, std::time::Duration::ZERO)
    };
    for status in ["301 Moved Permanently", "302 Found", "303 See Other"] {
        let output = run(&["send", &redirect(status, &server.url)]);
        assert_eq!(output.status.code(), Some(1), "{output:?}");
        let hint = format!("with a GET without a body, and deliver nothing. Register {} instead.", server.url);
        assert!(flat(&output.stdout).contains(&hint), "{output:?}");
    }
    for status in ["307 Temporary Redirect", "308 Permanent Redirect"] {
        let output = run(&["send", &redirect(status, &server.url)]);
        assert!(output.status.success(), "{output:?}");
        assert_eq!(server.report()["verdict"], "verified");
    }
    let redirects = |count| (0..count).fold(server.url.clone(), |to, _| redirect("307 Temporary Redirect", &to));
    assert!(run(&["send", &redirects(5)]).status.success());
    let output = run(&["send", &redirects(6)]);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert!(flat(&output.stdout).contains("Twenty follows at most 5 redirects"), "{output:?}");
}

#[test]
fn a_form_alone_has_an_event_that_fits() {
    let server = Server::listen(&[]);
    for (form, event) in [("metadata", "metadata.fieldMetadata.updated"), ("2024-08", "person.created")] {
        assert!(run(&["send", &server.url, "--form", form]).status.success());
        assert_eq!(server.report()["event"], event);
    }
}

#[test]
fn a_name_that_looks_misspelled_is_sent_with_a_warning() {
    let server = Server::listen(&[]);
    let output = run(&["send", &server.url, "person.creatd"]);
    assert!(output.status.success(), "{output:?}");
    let warning =
        "warning: Twenty has no event `person.creatd`, and it is used as it is. Did you mean `person.created`?";
    assert_eq!(flat(&output.stderr), warning);
    assert_eq!(server.report()["event"], "person.creatd");
    assert_eq!(text(&run(&["send", &server.url, "rocket.created"]).stderr), "");
}
