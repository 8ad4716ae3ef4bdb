//! `doctor`: each check, and each thing that can be wrong.

use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use serde_json::Value;
use twenty_webhook_inbox::Inbox;
use twenty_webhook_testing::{ApiFailure, FakeTwenty, Outcome, RateLimit, Role};

use crate::support::{SECRET, Server, exchange, flat, text};
use crate::twenty::{answering, lines, on, run_on, with_key};

/// The result of the check with this name, and its line. If there are several, the first that is not `ok`.
fn found(output: &Output, check: &str) -> (String, String) {
    let lines = lines(output);
    let of_check: Vec<&Value> = lines.iter().filter(|line| line["check"] == check).collect();
    let worst = of_check.iter().find(|line| line["result"] != "ok").or(of_check.first());
    let worst = worst.unwrap_or_else(|| panic!("no check {check}: {output:?}"));
    (worst["result"].as_str().unwrap().to_owned(), worst.to_string())
}

#[track_caller]
fn assert_found(output: &Output, check: &str, result: &str, text: &str) {
    let (actual, said) = found(output, check);
    assert!(actual == result && said.contains(text), "expected {result}, and `{text}`: {said}");
    assert_eq!(
        output.status.code() == Some(1),
        lines(output).iter().any(|line| line["result"] == "wrong"),
        "{output:?}"
    );
    for line in lines(output) {
        let says = |name: &str| line[name].as_str().is_some_and(|text| !text.is_empty());
        let is_complete = says("what") && says("why") && says("fix");
        assert!(is_complete || line["result"] == "ok" || line["result"] == "skipped", "{line}");
    }
}

/// Runs the cases in parallel, because each mostly waits.
fn in_parallel<T: Send>(cases: impl IntoIterator<Item = T>, test: impl Fn(T) + Sync) {
    std::thread::scope(|scope| {
        for case in cases {
            scope.spawn(|| test(case));
        }
    });
}

#[test]
fn a_correct_setup_is_ok() {
    let (twenty, receiver) = (FakeTwenty::start(), Server::listen(&[]));
    twenty.add_webhook(&receiver.url, ["person.*"], SECRET);
    let args = ["doctor", "--private-allowed", "--want", "person.*", "--send-sample"];
    let output = run_on(&twenty, &[&args[..], &["--json"]].concat());
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    for check in
        ["api", "clock", "webhooks", "operations", "secret", "address", "get", "unsigned_post", "speed", "sample"]
    {
        assert_eq!(found(&output, check).0, "ok", "{check}: {output:?}");
    }
    assert_found(&output, "tls", "warning", "plain http");
    let codes: Vec<_> = (0..2).map(|_| receiver.report()["code"].clone()).collect();
    assert_eq!(codes, ["method_not_allowed", "unsigned"]);
    let sample = receiver.report();
    assert!(
        sample["verdict"] == "verified" && sample["record_id"].as_str().unwrap().starts_with("d0c70000-"),
        "{sample}"
    );
    assert!(sample["body"]["webhookId"].is_string() && sample["body"]["workspaceId"].is_null(), "{sample}");

    let shown = text(&run_on(&twenty, &args).stdout);
    assert!(shown.starts_with("ok      Twenty's API at http://127.0.0.1"), "{shown}");
    assert!(shown.lines().all(|line| line.chars().count() <= 80 || line.contains("http://")), "{shown}");
    assert!(!shown.contains(SECRET) && !shown.contains(twenty.api_key()), "{shown}");
}

#[test]
fn the_receiver_handles_nothing_without_send_sample() {
    let (twenty, receiver) = (FakeTwenty::start(), Server::listen(&[]));
    twenty.add_webhook(&receiver.url, ["person.*"], SECRET);
    let requests = twenty.api_requests().len();
    run_on(&twenty, &["doctor", "--private-allowed"]);
    assert_eq!(twenty.api_requests()[requests..], ["GET /rest/metadata/webhooks"], "and Twenty is only read");
    let (_, printed, _) = receiver.interrupt();
    assert!(printed.lines().count() == 2 && !printed.contains("\"verified\""), "{printed}");
}

#[test]
fn an_api_error_is_reported_with_a_fix() {
    let cases = [
        (ApiFailure::Status(401), "does not accept the API key"),
        (ApiFailure::Status(402), "allowance is spent"),
        (ApiFailure::Status(403), "API keys & webhooks"),
        (ApiFailure::Status(429), "wait a minute"),
        (ApiFailure::Status(500), "answered with an error (500 Internal Server Error: This request fails for a test.)"),
        (ApiFailure::CutOff, "broke off"),
        (ApiFailure::NotJson, "not from Twenty's API"),
        (ApiFailure::Endless, "too large"),
        (ApiFailure::Hang, "did not answer within 10 seconds"),
    ];
    in_parallel(cases, |(failure, what)| {
        let twenty = FakeTwenty::start();
        twenty.fail_next([failure]);
        let output = run_on(&twenty, &["doctor", "--json"]);
        assert_found(&output, "api", "wrong", what);
        assert!(lines(&output)[0]["fix"].is_string());
        assert_eq!(lines(&output).len(), 1, "nothing is checked that is not known");
    });
    let twenty = FakeTwenty::start();
    twenty.set_faults(|faults| faults.allowance_spent = true);
    assert_found(&run_on(&twenty, &["doctor", "--json"]), "api", "wrong", "billing");
    for no_retry_after in [false, true] {
        let twenty = FakeTwenty::start();
        twenty.set_faults(|faults| {
            faults.api_rate_limit = Some(RateLimit::per_minute(0));
            faults.no_retry_after = no_retry_after;
        });
        assert_found(&run_on(&twenty, &["doctor", "--json"]), "api", "wrong", "too many requests");
    }
}

#[test]
fn wrong_keys_and_addresses_are_reported() {
    let twenty = FakeTwenty::start();
    let key = twenty.add_api_key(Role::default().without_webhooks());
    assert_found(
        &with_key(&twenty, &key, &["doctor", "--json"]).output().unwrap(),
        "api",
        "wrong",
        "API keys & webhooks",
    );
    twenty.revoke(&key);
    assert_found(&with_key(&twenty, &key, &["doctor", "--json"]).output().unwrap(), "api", "wrong", "Token invalid");

    let gone = on(&twenty, &["doctor", "--json", "--url", "http://127.0.0.1:1"]).output().unwrap();
    assert_found(&gone, "api", "wrong", "cannot reach http://127.0.0.1:1");
    let no_key = on(&twenty, &["doctor"]).env_remove("TWENTY_API_KEY").output().unwrap();
    assert_eq!(no_key.status.code(), Some(2));
    assert!(text(&no_key.stderr).contains("TWENTY_API_KEY is not set"), "{no_key:?}");
    let no_url = on(&twenty, &["doctor"]).env_remove("TWENTY_URL").output().unwrap();
    assert!(text(&no_url.stderr).contains("--url https://"), "{no_url:?}");

    // As the help says.
    assert_eq!((gone.status.code(), no_url.status.code()), (Some(1), Some(2)));
    let help = flat(&on(&twenty, &["doctor", "--help"]).output().unwrap().stdout);
    assert!(
        help.contains("1 if something is wrong, also if Twenty's API cannot be read, 2 if it could not start"),
        "{help}"
    );
}

#[test]
fn clock_differences_are_reported() {
    for (minutes, result) in [(-10, "wrong"), (10, "wrong"), (-2, "warning"), (2, "warning"), (0, "ok")] {
        let twenty = FakeTwenty::start();
        twenty.set_faults(|faults| faults.clock_skew_millis = minutes * 60_000);
        assert_found(&run_on(&twenty, &["doctor", "--json"]), "clock", result, "clock");
    }
}

#[test]
fn missing_and_temporary_webhooks_are_reported() {
    let twenty = FakeTwenty::start();
    assert_found(&run_on(&twenty, &["doctor", "--json"]), "webhooks", "wrong", "`twenty-webhook register` creates one");
    twenty.add_webhook("http://127.0.0.1:1/", ["person.*"], SECRET);
    let output = run_on(&twenty, &["doctor", "--json", "--webhook", "another"]);
    assert_found(&output, "webhooks", "wrong", "there is no webhook another");
    let output = run_on(&twenty, &["doctor", "--json", "--webhook", "http://127.0.0.1:1"]);
    assert_eq!(found(&output, "webhooks").0, "ok", "URLs are compared, not text: {output:?}");
}

#[test]
fn uncovered_events_are_reported() {
    let twenty = FakeTwenty::start();
    twenty.add_webhook("http://127.0.0.1:1/", ["person.created", "company.*"], SECRET);
    let check = |wanted: &str| run_on(&twenty, &["doctor", "--json", "--want", wanted]);
    assert_eq!(found(&check("person.created"), "operations").0, "ok");
    assert_eq!(found(&check("company.*"), "operations").0, "ok");
    assert_found(&check("person.*"), "operations", "wrong", "no webhook subscribes to person.updated, person.deleted");
    assert_found(&check("*.created"), "operations", "wrong", "add the operation *.created");
    let twenty = FakeTwenty::start();
    twenty.add_webhook("http://127.0.0.1:1/", ["*.*", "person.create"], SECRET);
    let output = run_on(&twenty, &["doctor", "--json", "--want", "workflowRun.*"]);
    assert!(text(&output.stdout).contains("No wildcard includes it"), "{output:?}");
    assert_found(&output, "operations", "wrong", "`person.create` matches no event");
}

#[test]
fn wrong_and_hidden_secrets_are_reported() {
    let (twenty, receiver) = (FakeTwenty::start(), Server::listen(&[]));
    twenty.add_webhook(&receiver.url, ["person.*"], "another secret");
    let args = ["doctor", "--json", "--private-allowed", "--send-sample"];
    assert_found(&run_on(&twenty, &args), "secret", "wrong", "Twenty signs with a different secret than the one given");
    twenty.set_faults(|faults| faults.hide_secrets = true);
    assert_found(&run_on(&twenty, &args), "secret", "skipped", "does not show");
    let bare = on(&twenty, &args).env_remove("TWENTY_WEBHOOK_SECRET").output().unwrap();
    assert_found(&bare, "sample", "wrong", "only be sent with a secret");

    // As some versions do with a webhook that is made without a secret.
    let twenty = FakeTwenty::start();
    twenty.add_webhook(&receiver.url, ["person.*"], "");
    assert_found(&run_on(&twenty, &args), "secret", "wrong", "unsigned");
}

/// The addresses of other networks are in a unit test: a test must not call what is there.
#[test]
fn a_private_target_is_refused_by_twenty() {
    let receiver = Server::listen(&[]);
    for url in [receiver.url.as_str(), "http://[::1]:1/", "http://localhost:1/", "http://0.0.0.0:1/"] {
        let twenty = FakeTwenty::start();
        twenty.set_faults(|faults| faults.refuse_private_addresses = true);
        let id = twenty.add_webhook(url, ["person.*"], SECRET);
        let output = run_on(&twenty, &["doctor", "--json"]);
        assert_found(&output, "address", "wrong", "OUTBOUND_HTTP_ALLOWED_INTERNAL_HOSTS");
        assert_found(&output, "address", "wrong", "worker may resolve the name otherwise");
        twenty.create("person", serde_json::json!({}));
        twenty.wait_until_idle(Duration::from_secs(20));
        let outcomes: Vec<_> = twenty.ledger().calls_to(&id).map(|call| call.outcome.clone()).collect();
        assert_eq!(outcomes, [Outcome::PrivateAddress], "{url}: doctor and Twenty agree");
    }
    let twenty = FakeTwenty::start();
    twenty.add_webhook("http://name.invalid/", ["person.*"], SECRET);
    assert_found(&run_on(&twenty, &["doctor", "--json"]), "address", "wrong", "cannot be resolved");
}

#[test]
fn a_sample_is_sent_to_one_webhook_only() {
    let (twenty, receiver, other) = (FakeTwenty::start(), Server::listen(&[]), Server::listen(&[]));
    let id = twenty.add_webhook(&receiver.url, ["person.*"], SECRET);
    twenty.add_webhook(&other.url, ["person.*"], SECRET);
    let args = ["doctor", "--json", "--private-allowed", "--send-sample"];
    assert_found(&run_on(&twenty, &args), "sample", "wrong", "choose one by its id, with --webhook");
    assert_eq!(run_on(&twenty, &[&args[..], &["--webhook", &id]].concat()).status.code(), Some(0));
    let verified = |server: Server| server.interrupt().1.matches("\"verdict\":\"verified\"").count();
    assert_eq!((verified(receiver), verified(other)), (1, 0));
}

#[test]
fn during_a_rotation_the_sample_has_the_first_secret() {
    let (twenty, receiver, old) = (FakeTwenty::start(), Server::listen(&[]), tempfile::NamedTempFile::new().unwrap());
    std::fs::write(old.path(), "the old one").unwrap();
    twenty.add_webhook(&receiver.url, ["person.*"], SECRET);
    let secrets = ["--secret-env", "TWENTY_WEBHOOK_SECRET", "--secret-file", old.path().to_str().unwrap()];
    let args = ["doctor", "--json", "--private-allowed", "--send-sample"];
    let output = run_on(&twenty, &[&args[..], &secrets].concat());
    assert_found(&output, "sample", "ok", "a signed sample");
}

#[test]
fn a_blank_secret_in_twenty_is_reported_with_its_webhook() {
    let (twenty, receiver) = (FakeTwenty::start(), Server::listen(&[]));
    let id = twenty.add_webhook(&receiver.url, ["person.*"], " ");
    twenty.add_webhook(&receiver.url, ["company.*"], SECRET);
    let output = run_on(&twenty, &["doctor", "--json", "--private-allowed"]);
    assert_found(&output, "secret", "wrong", &format!("the secret of the webhook {id} cannot be used"));
    let secrets: Vec<_> = lines(&output).into_iter().filter(|line| line["check"] == "secret").collect();
    assert_eq!(secrets[1]["result"], "ok", "and the next one is checked: {output:?}");
}

#[test]
fn wrong_answers_of_the_target_are_reported() {
    const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
    const NOT_FOUND: &str = "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
    const DOWN: &str = "HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
    let cases = [
        ("http://127.0.0.1:1/".to_owned(), "get", "cannot be reached"),
        (answering(OK, Duration::ZERO), "unsigned_post", "accepts forged ones"),
        (answering(NOT_FOUND, Duration::ZERO), "unsigned_post", "correct the path"),
        (answering(DOWN, Duration::ZERO), "unsigned_post", "proxy's"),
        (answering("", Duration::ZERO), "unsigned_post", "broke off"),
        (answering(OK, Duration::from_secs(6)), "unsigned_post", "not answered within 5 seconds"),
    ];
    in_parallel(cases, |(target, check, what)| {
        let twenty = FakeTwenty::start();
        twenty.add_webhook(&target, ["person.*"], SECRET);
        assert_found(&run_on(&twenty, &["doctor", "--json", "--private-allowed"]), check, "wrong", what);
    });
    let twenty = FakeTwenty::start();
    twenty.add_webhook(answering(OK, Duration::from_millis(1_200)), ["person.*"], SECRET);
    assert_found(&run_on(&twenty, &["doctor", "--json", "--private-allowed"]), "speed", "warning", "slowest receiver");
}

#[test]
fn redirects_of_the_target_are_reported() {
    let redirect = |status| {
        let answer = format!(
            "HTTP/1.1 {status}\r\nLocation: https://x.test/hook/\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
        );
        answering(answer, Duration::ZERO)
    };
    let cases = [
        ("301 Moved Permanently", "wrong", "with a GET without a body"),
        ("302 Found", "wrong", "with a GET without a body"),
        ("303 See Other", "wrong", "with a GET without a body"),
        ("307 Temporary Redirect", "warning", "sends the POST again"),
        ("308 Permanent Redirect", "warning", "sends the POST again"),
    ];
    in_parallel(cases, |(status, result, why)| {
        let twenty = FakeTwenty::start();
        twenty.add_webhook(redirect(status), ["person.*"], SECRET);
        let output = run_on(&twenty, &["doctor", "--json", "--private-allowed"]);
        for check in ["get", "unsigned_post"] {
            assert_found(&output, check, result, status);
            assert_found(&output, check, result, why);
            assert_found(&output, check, result, "register the final URL in Twenty: https://x.test/hook/");
        }
    });
}

#[cfg(target_os = "linux")]
#[test]
fn a_firewall_is_told_from_a_slow_receiver() {
    let blocked = crate::twenty::Blocked::start();
    in_parallel([blocked.url.clone(), blocked.url.replace("http://", "https://")], |target| {
        let twenty = FakeTwenty::start();
        twenty.add_webhook(target, ["person.*"], SECRET);
        let output = run_on(&twenty, &["doctor", "--json", "--private-allowed", "--send-sample"]);
        for part in ["no connection was opened within 4 seconds", "firewall", "security group", "port"] {
            assert_found(&output, "get", "wrong", part);
        }
        let is_sent = |line: &Value| line["check"] == "unsigned_post" || line["check"] == "sample";
        assert!(!lines(&output).iter().any(is_sent), "{output:?}");
    });
    let twenty = FakeTwenty::start();
    let output = run_on(&twenty, &["doctor", "--json", "--url", &blocked.url]);
    assert_found(&output, "api", "wrong", "no connection was opened in time");
    assert_found(&output, "api", "wrong", "the firewall");
}

#[test]
fn each_line_names_its_webhook() {
    let (twenty, receiver) = (FakeTwenty::start(), Server::listen(&[]));
    let other = "http://127.0.0.1:1/";
    let targets = [
        (twenty.add_webhook(&receiver.url, ["person.*"], SECRET), receiver.url.as_str()),
        (twenty.add_webhook(other, ["person.create"], SECRET), other),
    ];
    let output = run_on(&twenty, &["doctor", "--json", "--private-allowed"]);
    let lines = lines(&output);
    for (id, target) in &targets {
        let of_it: Vec<_> = lines.iter().filter(|line| line["webhook"] == *id).collect();
        assert!(of_it.iter().all(|line| line["target_url"] == *target), "{of_it:?}");
        for check in ["secret", "address", "tls", "get"] {
            assert_eq!(of_it.iter().filter(|line| line["check"] == check).count(), 1, "{check}: {of_it:?}");
        }
    }
    for line in &lines {
        let expected = match line["check"].as_str().unwrap() {
            "api" | "clock" | "webhooks" => &Value::Null,
            "operations" => &Value::from(targets[1].0.as_str()),
            _ => continue,
        };
        assert_eq!(line["webhook"], *expected, "{line}");
    }
}

/// A receiver in this process with an inbox, and the inbox's path.
struct InboxReceiver {
    _runtime: tokio::runtime::Runtime,
    url: String,
    path: String,
    _dir: tempfile::TempDir,
}

impl InboxReceiver {
    fn start() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("inbox.db");
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let url = runtime.block_on(async {
            let inbox = Inbox::sqlite(&path).await.unwrap();
            let app =
                axum::Router::new().route("/hook", inbox.receiver(twenty_webhook_axum::Secret::new(SECRET).unwrap()));
            let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
            let url = format!("http://{}/hook", listener.local_addr().unwrap());
            tokio::spawn(async move { axum::serve(listener, app).await });
            url
        });
        Self { _runtime: runtime, url, path: path.to_str().unwrap().to_owned(), _dir: dir }
    }
}

#[test]
fn a_canary_arrives_or_is_reported_missing() {
    let (twenty, receiver) = (FakeTwenty::start(), InboxReceiver::start());
    let args = ["doctor", "--json", "--private-allowed", "--canary", "--db", &receiver.path, "--wait", "10"];
    twenty.add_webhook(&receiver.url, ["person.*"], SECRET);
    assert_found(&run_on(&twenty, &args), "canary", "wrong", "no webhook subscribes to note.created");
    assert!(twenty.records("note").is_empty(), "so no note was created");

    twenty.add_webhook(&receiver.url, ["note.*"], SECRET);
    let output = run_on(&twenty, &args);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert_found(&output, "canary", "ok", "note.created arrived");
    assert!(twenty.records("note").is_empty(), "it was destroyed");

    twenty.set_faults(|faults| faults.receiver_down = true);
    let output = run_on(&twenty, &[&args[..7], &["1"]].concat());
    assert_found(&output, "canary", "wrong", "did not arrive within 1 s");
    assert!(twenty.records("note").is_empty(), "it was destroyed, too");

    let key = twenty.add_api_key(Role::default().forbid("note"));
    let output = with_key(&twenty, &key, &args).output().unwrap();
    assert_found(&output, "canary", "wrong", "permission to create and destroy notes");
}

/// Runs a canary, and lets one request fail: the first that begins with `request`, which comes after so many others.
fn canary_with_failure(twenty: &FakeTwenty, after: usize, request: &str, failure: ApiFailure) -> Output {
    let receiver = InboxReceiver::start();
    twenty.add_webhook(&receiver.url, ["note.*"], SECRET);
    twenty.hold_requests_after(after);
    let args = ["doctor", "--json", "--private-allowed", "--canary", "--db", &receiver.path, "--wait", "10"];
    let doctor = on(twenty, &args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    crate::twenty::until("it asks", || twenty.api_requests().iter().any(|asked| asked.starts_with(request)));
    twenty.fail_next([failure]);
    twenty.release_requests();
    doctor.wait_with_output().unwrap()
}

#[test]
fn a_canary_that_cannot_be_created_is_reported() {
    let cases = [
        (ApiFailure::Status(429), "the note cannot be created", "wait a minute"),
        (ApiFailure::Status(500), "the note cannot be created", "look at Twenty's log"),
        (ApiFailure::NotJson, "the note cannot be created", "give the address of Twenty's server"),
        (ApiFailure::Status(502), "may have created the note", "destroy it by hand"),
        (ApiFailure::CutOff, "may have created the note", "destroy it by hand"),
    ];
    in_parallel(cases, |(failure, what, fix)| {
        let twenty = FakeTwenty::start();
        let output = canary_with_failure(&twenty, 1, "POST /rest/notes", failure);
        assert_found(&output, "canary", "wrong", what);
        assert_found(&output, "canary", "wrong", fix);
        assert!(!found(&output, "canary").1.contains("permission"), "it is no 403: {output:?}");
        let destroys =
            twenty.api_requests().iter().filter(|request| request.starts_with("DELETE /rest/notes/")).count();
        assert_eq!(destroys, usize::from(failure != ApiFailure::Status(429)), "{failure:?}");
    });
}

#[test]
fn a_canary_that_was_created_in_spite_of_an_error_is_destroyed() {
    const DOWN: &str = "HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
    const HTML: &str = "HTTP/1.1 200 OK\r\nContent-Length: 6\r\nConnection: close\r\n\r\n<html>";
    in_parallel([("", "broke off"), (DOWN, "502"), (HTML, "not from Twenty's API")], |(answer, why)| {
        let (twenty, receiver) = (FakeTwenty::start(), InboxReceiver::start());
        twenty.add_webhook(&receiver.url, ["note.*"], SECRET);
        let args = ["doctor", "--json", "--private-allowed", "--canary", "--db", &receiver.path];
        let output = on(&twenty, &args).env("TWENTY_URL", losing_the_note(&twenty, answer)).output().unwrap();
        assert_found(&output, "canary", "wrong", "and it is destroyed");
        assert_found(&output, "canary", "wrong", why);
        let created = twenty.ledger().changes.iter().filter(|change| change.name == "note.created").count();
        assert_eq!((created, twenty.records("note").len()), (1, 0), "{output:?}");
    });
}

/// A proxy in front of this Twenty. Twenty creates the note, and the client gets this answer in place of Twenty's.
fn losing_the_note(twenty: &FakeTwenty, answer: &'static str) -> String {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let (url, upstream) = (format!("http://{}", listener.local_addr().unwrap()), twenty.url());
    std::thread::spawn(move || {
        for client in listener.incoming() {
            let mut client = BufReader::new(client.unwrap());
            let request = request(&mut client);
            let answered = exchange(&upstream, &request);
            let answered = if request.starts_with("POST /rest/notes") { answer } else { &answered };
            client.get_mut().write_all(answered.as_bytes()).unwrap();
        }
    });
    url
}

/// One request, changed to be the last of its connection.
fn request(client: &mut impl BufRead) -> String {
    let (mut request, mut length) = (String::new(), 0);
    while !request.ends_with("\r\n\r\n") {
        let start = request.len();
        client.read_line(&mut request).unwrap();
        if let Some(value) = request[start..].strip_prefix("content-length: ") {
            length = value.trim().parse().unwrap();
        }
    }
    let mut body = vec![0; length];
    client.read_exact(&mut body).unwrap();
    request.replacen("\r\n", "\r\nConnection: close\r\n", 1) + &text(&body)
}

#[test]
fn a_canary_that_cannot_be_destroyed_is_reported() {
    let twenty = FakeTwenty::start();
    let output = canary_with_failure(&twenty, 2, "DELETE /rest/notes/", ApiFailure::Status(500));
    let left = twenty.records("note");
    assert_eq!(left.len(), 1);
    let what = format!("the note {} is left in Twenty", left[0]["id"].as_str().unwrap());
    assert_found(&output, "canary", "wrong", &what);
    assert_found(&output, "canary", "wrong", "500 Internal Server Error");
    assert_found(&output, "canary", "wrong", "destroy it in Twenty by hand");
}

#[cfg(unix)]
#[test]
fn ctrl_c_destroys_the_canary_of_an_inbox() {
    let (twenty, receiver) = (FakeTwenty::start(), InboxReceiver::start());
    twenty.add_webhook(&receiver.url, ["note.*"], SECRET);
    twenty.set_faults(|faults| faults.receiver_down = true);
    let args = ["doctor", "--json", "--private-allowed", "--canary", "--db", &receiver.path];
    let doctor = on(&twenty, &args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    crate::twenty::until("the note is there", || !twenty.records("note").is_empty());
    assert!(Command::new("kill").args(["-INT", &doctor.id().to_string()]).status().unwrap().success());
    let output = doctor.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    assert!(flat(&output.stderr).ends_with("error: stopped; the note is destroyed"), "{output:?}");
    assert!(twenty.records("note").is_empty());
}

#[test]
fn the_canarys_inbox_can_be_in_the_environment() {
    let (twenty, receiver) = (FakeTwenty::start(), InboxReceiver::start());
    twenty.add_webhook(&receiver.url, ["note.*"], SECRET);
    let with_inbox = |db: &str, args: &[&str]| on(&twenty, args).env("INBOX_DB", db).output().unwrap();
    let args = ["doctor", "--json", "--private-allowed", "--canary", "--wait", "10"];
    assert_found(&with_inbox(&receiver.path, &args), "canary", "ok", "note.created arrived");
    // Without --canary it has no effect.
    let output = with_inbox("/nonexistent/inbox.db", &args[..3]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");

    let nowhere = run_on(&twenty, &args);
    assert_eq!(nowhere.status.code(), Some(2));
    assert!(text(&nowhere.stderr).contains("Give the inbox as --db"), "{nowhere:?}");
    assert!(nowhere.stdout.is_empty(), "it fails before it asks: {nowhere:?}");
}

#[test]
fn a_canary_without_its_inbox_or_tunnel_is_wrong() {
    let twenty = FakeTwenty::start();
    twenty.add_webhook("http://127.0.0.1:1/", ["note.*"], SECRET);
    let missing = run_on(&twenty, &["doctor", "--json", "--canary", "--db", "/nonexistent/inbox.db"]);
    assert_found(&missing, "canary", "wrong", "cannot open the inbox");
    let empty = tempfile::tempdir().unwrap();
    let mut through = on(&twenty, &["doctor", "--json", "--canary", "--tunnel", "ngrok"]);
    // Also with an inbox in the environment.
    let missing = through.env("PATH", empty.path()).env("INBOX_DB", "inbox.db").output().unwrap();
    assert_found(&missing, "canary", "wrong", "ngrok is not installed");
    assert!(twenty.records("note").is_empty());
}

/// Prints the local port's URL as if it were the tunnel's.
#[cfg(unix)]
const TUNNEL: &str = r#"for arg; do case "$arg" in 80:*) echo "Forwarding HTTP traffic from http://${arg#80:}";; esac; done; exec sleep 60"#;

#[cfg(unix)]
fn through_a_tunnel(twenty: &FakeTwenty, dir: &tempfile::TempDir, more: &[&str]) -> Command {
    let usual = ["doctor", "--json", "--canary", "--tunnel", "ssh:serveo.net"];
    let mut command = on(twenty, &[&usual[..], more].concat());
    crate::tunnel::with_path(&mut command, dir);
    command
}

#[cfg(unix)]
#[test]
fn a_canary_arrives_through_a_tunnel() {
    let (twenty, dir) = (FakeTwenty::start(), crate::tunnel::program("ssh", TUNNEL));
    let output = through_a_tunnel(&twenty, &dir, &["--cache-wait", "1ms"]).output().unwrap();
    let canary: Vec<_> = lines(&output).into_iter().filter(|line| line["check"] == "canary").collect();
    assert_eq!(canary.len(), 2, "{output:?}");
    for (check, name) in canary.iter().zip(["note.created arrived", "note.destroyed arrived"]) {
        assert!(check["result"] == "ok" && check["what"].as_str().unwrap().starts_with(name), "{check}");
    }
    let left = |twenty: &FakeTwenty| lines(&run_on(twenty, &["webhooks", "list", "--json"])).len();
    assert_eq!((left(&twenty), twenty.records("note").len()), (0, 0), "nothing is left");

    twenty.set_faults(|faults| faults.receiver_down = true);
    let output = through_a_tunnel(&twenty, &dir, &["--cache-wait", "1ms", "--wait", "1"]).output().unwrap();
    assert_found(&output, "canary", "wrong", "did not arrive within 1 s");
    assert_eq!((left(&twenty), twenty.records("note").len()), (0, 0), "nothing is left after a failure");
}

#[cfg(unix)]
#[test]
fn ctrl_c_removes_the_canary() {
    let dir = crate::tunnel::program("ssh", TUNNEL);
    // While it waits for Twenty's cache, and while it waits for a delivery.
    for (wait, asks) in [("1h", "POST /rest/metadata/webhooks"), ("1ms", "POST /rest/notes")] {
        let twenty = FakeTwenty::start();
        twenty.set_faults(|faults| faults.receiver_down = true);
        let mut command = through_a_tunnel(&twenty, &dir, &["--cache-wait", wait]);
        let child = command.stderr(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        crate::twenty::until("it asks", || twenty.api_requests().iter().any(|request| request.starts_with(asks)));
        assert!(Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap().success());
        let output = child.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{output:?}");
        assert!(flat(&output.stderr).contains("Removed the temporary webhook. error: stopped"), "{output:?}");
        assert!(
            lines(&run_on(&twenty, &["webhooks", "list", "--json"])).is_empty() && twenty.records("note").is_empty()
        );
    }
}

#[test]
fn text_output_is_wrapped_and_indented() {
    let twenty = FakeTwenty::start();
    twenty.add_webhook("http://127.0.0.1:1/hook", ["person.*"], SECRET);
    let output = run_on(&twenty, &["doctor"]);
    assert_eq!(output.status.code(), Some(1));
    let shown = flat(&output.stdout);
    for part in [
        "ok Twenty's API",
        "wrong the target is at the private address 127.0.0.1",
        "why Twenty refuses",
        "fix use a public address",
    ] {
        assert!(shown.contains(part), "{part}: {shown}");
    }
}
