//! `listen --register`: a temporary webhook.

use std::process::Command;

use rexpect::process::{Signal, WaitStatus};
use rexpect::session::spawn_command;
use serde_json::{Value, json};
use twenty_webhook_testing::{ApiFailure, FakeTwenty};

use crate::support::{Server, text};
use crate::twenty::{lines, on, run_on, until};

/// The webhooks in this Twenty.
fn webhooks(twenty: &FakeTwenty) -> Vec<Value> {
    lines(&run_on(twenty, &["webhooks", "list", "--json"]))
}

/// Listens on a free port that is known before, because the URL is an argument.
fn listen(twenty: &FakeTwenty, more: &[&str]) -> Server {
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let (addr, url) = (format!("127.0.0.1:{port}"), format!("http://127.0.0.1:{port}/hook"));
    let args = ["listen", "--addr", &addr, "--json", "--register", "--public-url", &url];
    let server = Server::start(on(twenty, &[&args[..], more].concat()), "Listening on ");
    while !server
        .stderr
        .recv_timeout(std::time::Duration::from_secs(20))
        .unwrap()
        .contains("Created the temporary webhook")
    {}
    server
}

#[test]
fn it_receives_what_twenty_sends_and_is_removed_on_ctrl_c() {
    let twenty = FakeTwenty::start();
    let server = listen(&twenty, &["--operation", "person.*"]);
    let registered = webhooks(&twenty);
    assert_eq!(registered.len(), 1);
    assert!(
        registered[0]["description"].as_str().unwrap().starts_with("twenty-webhook: temporary, of `listen`, process ")
    );
    assert_eq!(registered[0]["operations"], json!(["person.*"]));
    twenty.create("company", json!({}));
    twenty.create("person", json!({ "city": "Nantes" }));
    let report = server.report();
    assert_eq!((&report["verdict"], &report["event"]), (&json!("verified"), &json!("person.created")));
    let (status, _, stderr) = server.interrupt();
    assert!(status.success() && stderr.contains("Removed the temporary webhook."), "{stderr}");
    assert!(webhooks(&twenty).is_empty());
}

#[test]
fn a_forwarded_delivery_is_signed_with_the_receivers_secret() {
    let twenty = FakeTwenty::start();
    // `SECRET` is in both environments. Twenty signs with another secret, the temporary webhook's.
    let dir = tempfile::tempdir().unwrap();
    let receiver = Server::listen(&["--save", dir.path().to_str().unwrap()]);
    let server = listen(&twenty, &["--forward-to", &receiver.url]);
    twenty.create("person", json!({ "city": "Nantes" }));
    let (first, last) = (server.report(), receiver.report());
    assert_eq!((&first["verdict"], &first["forwarded"]["status"]), (&json!("verified"), &json!(200)));
    assert_eq!((&last["verdict"], &last["delivery_id"]), (&json!("verified"), &first["delivery_id"]));
    let saved = std::fs::read_to_string(last["saved"].as_str().unwrap()).unwrap();
    let nonce = saved.lines().find_map(|line| line.strip_prefix("x-twenty-webhook-nonce: ")).unwrap();
    let signature = saved.lines().find_map(|line| line.strip_prefix("x-twenty-webhook-signature: ")).unwrap();
    assert!(!signature.starts_with(nonce), "Twenty's nonce stays: {saved}");
}

#[test]
fn forwarding_needs_the_receivers_secret() {
    let twenty = FakeTwenty::start();
    let forward = ["listen", "--addr", "0", "--register", "--public-url", "http://127.0.0.1:1/", "--forward-to"];
    let mut command = on(&twenty, &[&forward[..], &["http://127.0.0.1:2/"]].concat());
    let output = command.env_remove("TWENTY_WEBHOOK_SECRET").output().unwrap();
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    assert!(text(&output.stderr).contains("give your receiver's secret"), "{output:?}");
    assert!(twenty.api_requests().is_empty());
}

#[test]
fn it_is_removed_however_the_command_ends() {
    let twenty = FakeTwenty::start();
    let server = listen(&twenty, &["--until", "1"]);
    twenty.create("person", json!({}));
    assert!(server.wait().success());
    assert!(webhooks(&twenty).is_empty(), "after --until");
    let server = listen(&twenty, &["--until", "1", "--timeout", "100ms"]);
    assert_eq!(server.wait().code(), Some(1));
    assert!(webhooks(&twenty).is_empty(), "after --timeout");
    for signal in ["TERM", "HUP"] {
        let server = listen(&twenty, &[]);
        assert!(
            Command::new("kill").args([&format!("-{signal}"), &server.id().to_string()]).status().unwrap().success()
        );
        assert!(server.wait().success());
        assert!(webhooks(&twenty).is_empty(), "after {signal}");
    }
}

#[test]
fn a_webhook_left_by_a_kill_is_offered_for_removal() {
    let twenty = FakeTwenty::start();
    // Dropping the server kills its process.
    drop(listen(&twenty, &[]));
    let left = webhooks(&twenty)[0]["id"].as_str().unwrap().to_owned();
    let doctor = text(&run_on(&twenty, &["doctor", "--private-allowed", "--json"]).stdout);
    assert!(doctor.contains("temporary_webhook") && doctor.contains(&format!("webhooks delete {left}")), "{doctor}");

    let args = ["listen", "--addr", "0", "--register", "--public-url", "http://127.0.0.1:1/"];
    let without_a_terminal = Server::start(on(&twenty, &args), "Listening on ");
    let mut said = String::new();
    while !said.contains("Created the temporary webhook") {
        said += &without_a_terminal.stderr.recv_timeout(std::time::Duration::from_secs(20)).unwrap();
        said.push(' ');
    }
    assert!(
        said.split_whitespace().collect::<Vec<_>>().join(" ").contains("There is a temporary webhook already"),
        "{said}"
    );
    assert_eq!(webhooks(&twenty).len(), 2, "without a terminal nothing is removed");
    drop(without_a_terminal);

    let mut command = on(&twenty, &args);
    command.stdin(std::process::Stdio::inherit());
    let mut session = spawn_command(command, Some(20_000)).unwrap();
    for _ in 0..2 {
        session.exp_string("[y/N]").unwrap();
        session.send_line("y").unwrap();
    }
    session.exp_string("Created the temporary webhook").unwrap();
    let now = webhooks(&twenty);
    assert!(now.len() == 1 && now[0]["id"] != left.as_str(), "{now:?}");
    session.send_control('c').unwrap();
    session.exp_string("Removed the temporary webhook.").unwrap();
    session.exp_eof().unwrap();
    assert!(webhooks(&twenty).is_empty());
}

/// By its own run, or in Twenty's settings.
#[test]
fn a_left_webhook_may_be_deleted_during_the_question() {
    let twenty = FakeTwenty::start();
    let args = ["listen", "--addr", "0", "--register", "--public-url", "http://127.0.0.1:1/"];
    for (failure, said) in [(None, None), (Some(ApiFailure::Status(500)), Some("is not removed"))] {
        drop(listen(&twenty, &[]));
        let left = webhooks(&twenty)[0]["id"].as_str().unwrap().to_owned();
        let mut command = on(&twenty, &args);
        command.stdin(std::process::Stdio::inherit());
        let mut session = spawn_command(command, Some(20_000)).unwrap();
        session.exp_string("[y/N]").unwrap();
        match failure {
            Some(failure) => twenty.fail_next([failure]),
            None => assert!(run_on(&twenty, &["webhooks", "delete", &left, "--yes"]).status.success()),
        }
        session.send_line("y").unwrap();
        let before = session.exp_string("Created the temporary webhook").unwrap();
        assert_eq!(before.contains("warning"), said.is_some(), "{before}");
        assert!(said.is_none_or(|said| before.contains(said)), "{before}");
        session.send_control('c').unwrap();
        session.exp_string("Removed the temporary webhook.").unwrap();
        session.exp_eof().unwrap();
        assert!(matches!(session.process().wait(), Ok(WaitStatus::Exited(_, 0))));
    }
}

#[test]
fn a_webhook_that_is_deleted_elsewhere_is_removed() {
    let twenty = FakeTwenty::start();
    let server = listen(&twenty, &[]);
    let id = webhooks(&twenty)[0]["id"].as_str().unwrap().to_owned();
    assert!(run_on(&twenty, &["webhooks", "delete", &id, "--yes"]).status.success());
    let (status, _, stderr) = server.interrupt();
    assert!(status.success() && !stderr.contains("warning"), "{stderr}");
}

#[test]
fn ctrl_c_while_twenty_creates_the_webhook_removes_it() {
    let twenty = FakeTwenty::start();
    twenty.hold_requests_after(1);
    let args = ["listen", "--addr", "0", "--register", "--public-url", "http://127.0.0.1:1/"];
    let server = Server::start(on(&twenty, &args), "Listening on ");
    until("it posts", || twenty.api_requests().iter().any(|request| request.starts_with("POST")));
    let kill = ["-INT", &server.id().to_string()].map(str::to_owned);
    assert!(Command::new("kill").args(kill).status().unwrap().success());
    std::thread::sleep(std::time::Duration::from_millis(100));
    twenty.release_requests();
    assert!(server.wait().success());
    let requests = twenty.api_requests();
    assert!(requests.iter().any(|request| request.starts_with("DELETE")), "{requests:?}");
    assert!(webhooks(&twenty).is_empty());
}

#[test]
fn a_signal_ends_it_at_the_question() {
    let twenty = FakeTwenty::start();
    drop(listen(&twenty, &[]));
    for signal in [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP] {
        let mut command = on(&twenty, &["listen", "--addr", "0", "--register", "--public-url", "http://127.0.0.1:1/"]);
        command.stdin(std::process::Stdio::inherit());
        let mut session = spawn_command(command, Some(20_000)).unwrap();
        session.exp_string("[y/N]").unwrap();
        match signal {
            Signal::SIGINT => session.send_control('c').unwrap(),
            other => session.process_mut().signal(other).unwrap(),
        }
        session.exp_eof().unwrap();
        assert!(matches!(session.process().wait(), Ok(WaitStatus::Exited(_, 0))), "{signal}");
        assert_eq!(webhooks(&twenty).len(), 1, "{signal}: it is kept, and there is no other");
    }
}

#[test]
fn a_failed_registration_leaves_no_webhook() {
    let twenty = FakeTwenty::start();
    let nowhere = run_on(&twenty, &["listen", "--addr", "0", "--register"]);
    assert_eq!(nowhere.status.code(), Some(2));
    assert!(text(&nowhere.stderr).contains("--tunnel cloudflared"), "{nowhere:?}");
    for (failure, may_exist) in [
        (ApiFailure::Status(403), false),
        (ApiFailure::Status(500), false),
        (ApiFailure::Status(504), true),
        (ApiFailure::CutOff, true),
    ] {
        let twenty = FakeTwenty::start();
        twenty.hold_requests_after(1);
        let args = ["listen", "--addr", "0", "--register", "--public-url", "http://127.0.0.1:1/"];
        let child = on(&twenty, &args).stderr(std::process::Stdio::piped()).spawn().unwrap();
        until("it posts", || twenty.api_requests().iter().any(|request| request.starts_with("POST")));
        twenty.fail_next([failure]);
        twenty.release_requests();
        let output = child.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{failure:?}: {output:?}");
        let said = text(&output.stderr);
        assert!(said.contains("cannot create a webhook"), "{said}");
        for part in
            ["may still do so", "description \"twenty-webhook: temporary, of `listen`, process ", "webhooks delete ID"]
        {
            assert_eq!(said.contains(part), may_exist, "{failure:?}: {said}");
        }
        assert!(webhooks(&twenty).is_empty());
    }
}
