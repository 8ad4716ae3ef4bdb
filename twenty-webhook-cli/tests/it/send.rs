//! `send`, against `listen`.

use serde_json::json;

use crate::support::{FORMS, Server, flat, json, run, text};

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
        // A batch has them in its items, and what the data model has lost has no fields that changed.
        let tells = changed && form != "batch" && event != "metadata.objectMetadata.deleted";
        assert_eq!(report["updated_fields"].is_array(), tells, "{report}");
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
fn a_form_that_an_event_cannot_have_is_refused() {
    for (event, form) in
        [("person.created", "metadata"), ("metadata.view.created", "batch"), ("person.frobbed", "2024-08")]
    {
        let output = run(&["send", "http://127.0.0.1:1/", event, "--form", form]);
        assert_eq!(output.status.code(), Some(2), "{output:?}");
        assert!(text(&output.stderr).contains(event), "{output:?}");
    }
}

#[test]
fn what_was_changed_after_signing_is_refused_but_for_the_nonce() {
    let server = Server::listen(&[]);
    for (what, status, code) in [
        ("body", 1, json!("signature_mismatch")),
        ("signature", 1, json!("signature_mismatch")),
        ("timestamp", 1, json!("signature_mismatch")),
        ("nonce", 0, json!(null)),
    ] {
        let output = run(&["send", &server.url, "--tamper", what]);
        assert_eq!(output.status.code(), Some(status), "{what}: {output:?}");
        assert_eq!(server.report()["code"], code, "{what}");
    }
}

#[test]
fn what_is_too_old_or_from_the_future_is_refused() {
    let server = Server::listen(&[]);
    for (age, code) in [("--age=10m", "stale_timestamp"), ("--age=-10m", "future_timestamp")] {
        let output = run(&["send", &server.url, age]);
        assert_eq!(output.status.code(), Some(1), "{age}: {output:?}");
        let report = server.report();
        assert_eq!(report["code"], code);
        assert_eq!(report["findings"][0]["code"], code, "{report}");
    }
    assert!(run(&["send", &server.url, "--age", "4m"]).status.success());
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
fn a_receiver_that_never_answers_is_not_waited_for() {
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/", silent.local_addr().unwrap());
    let output = run(&["send", &url, "--timeout", "100ms"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stdout).contains("no answer in time"), "{output:?}");
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
    assert_eq!(flat(&output.stderr), "warning: Twenty sends no `person.creatd`. Did you mean `person.created`?");
    assert_eq!(server.report()["event"], "person.creatd");
    assert_eq!(text(&run(&["send", &server.url, "rocket.created"]).stderr), "");
}
