//! `sample`.

use rexpect::session::spawn_command;
use serde_json::Value;

use crate::support::{FORMS, Server, command, flat, pipe, run, text};

#[test]
fn every_form_is_a_body_that_verifies_when_it_is_signed() {
    let server = Server::listen(&[]);
    for (form, event, name) in FORMS {
        let output = run(&["sample", event, "--form", form]);
        assert!(output.status.success(), "{output:?}");
        let body: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert!(body.is_object());
        assert!(pipe(&["send", &server.url, "--file", "-"], &output.stdout).status.success());
        assert_eq!(server.report()["event"], name);
    }
}

#[test]
fn it_is_one_line_with_new_ids_each_time() {
    let [first, second] = [(); 2].map(|()| run(&["sample", "person.updated", "--target-url", "https://x.test/hook"]));
    assert_eq!(text(&first.stdout).lines().count(), 1);
    assert!(text(&first.stdout).contains(r#""targetUrl":"https://x.test/hook""#), "{first:?}");
    let id = |output: &std::process::Output| {
        serde_json::from_slice::<Value>(&output.stdout).unwrap()["record"]["id"].as_str().unwrap().to_owned()
    };
    assert_ne!(id(&first), id(&second));
}

#[test]
fn on_a_terminal_it_is_indented() {
    let shown = spawn_command(command(&["sample"]), Some(30_000)).unwrap().exp_eof().unwrap();
    assert!(shown.contains("\r\n  \"eventName\": \"person.created\""), "{shown}");
}

#[test]
fn a_misspelled_name_gets_a_warning_and_an_invalid_one_an_error() {
    let output = run(&["sample", "compny.created"]);
    assert!(output.status.success());
    assert!(flat(&output.stderr).contains("Did you mean `company.created`?"), "{output:?}");
    let output = run(&["sample", "person"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("write OBJECT.ACTION"), "{output:?}");
}

#[test]
fn an_international_host_name_is_written_in_ascii() {
    let output = run(&["sample", "person.created", "--target-url", "https://bücher.example/"]);
    assert!(text(&output.stdout).contains(r#""targetUrl":"https://xn--bcher-kva.example/""#), "{output:?}");
}
