//! `inbox`, on SQLite.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::thread;

use rexpect::process::WaitStatus;
use rexpect::session::spawn_command;
use serde_json::Value;
use twenty_webhook_inbox::{Backoff, Claim, Inbox, Store, WebhookEvent};

use crate::support::{Server, command, exchange, flat, json, text, verified};

/// "Control sequence introducer" in one character, and "clear". JSON does not escape it.
const CLEAR: &str = "\u{9b}2J";

/// An inbox with two dead jobs of people, a dead job of a company and a done job of a task.
struct Fixture {
    dir: tempfile::TempDir,
}

impl Fixture {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        leave(&dir.path().join("inbox.db"));
        Self { dir }
    }

    fn command(&self, args: &[&str]) -> std::process::Command {
        let mut command = command(&[&["inbox"], args].concat());
        command.env("INBOX_DB", self.dir.path().join("inbox.db")).stdin(std::process::Stdio::null());
        command
    }

    fn run(&self, args: &[&str]) -> std::process::Output {
        self.command(args).output().unwrap()
    }

    /// The ids in a state, the newest first.
    fn ids(&self, state: &str) -> Vec<String> {
        self.jobs(&["--state", state]).iter().map(|job| job["id"].to_string()).collect()
    }

    fn jobs(&self, args: &[&str]) -> Vec<Value> {
        let output = self.run(&[&["list", "--json"], args].concat());
        text(&output.stdout).lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}

#[test]
fn stats_count_and_fail_only_if_asked_to() {
    let inbox = Fixture::new();
    let stats = inbox.run(&["stats", "--json"]);
    assert_eq!(stats.status.code(), Some(0));
    let stats = json(&stats);
    for (state, count) in [("pending", 0), ("running", 0), ("retrying", 0), ("done", 1), ("dead", 3)] {
        assert_eq!(stats[state], count, "{stats}");
    }
    assert_eq!((stats["paused"].as_bool(), stats["oldest_dead_seconds"].is_u64()), (Some(false), true), "{stats}");
    assert_eq!(inbox.run(&["stats", "--fail-on", "dead"]).status.code(), Some(1));
    assert_eq!(inbox.run(&["stats", "--fail-on", "pending"]).status.code(), Some(0));
    assert_eq!(inbox.run(&["stats", "--fail-on", "pending", "--fail-on", "done"]).status.code(), Some(1));
}

#[test]
fn a_list_has_a_header_and_can_be_narrowed() {
    let inbox = Fixture::new();
    let listed = text(&inbox.run(&["list"]).stdout);
    let header: Vec<_> = listed.lines().next().unwrap().split_whitespace().collect();
    assert_eq!(header, ["ID", "STATE", "AGE", "EVENT", "RECORD", "ATTEMPTS", "NEXT", "ERROR"]);
    assert_eq!(listed.lines().count(), 5);
    let dead = listed.lines().find(|line| line.contains("company.created")).unwrap();
    let dead: Vec<_> = dead.split_whitespace().collect();
    assert_eq!((dead[1], &dead[4..]), ("dead", &["company.created", "2", "1", "-", "no"][..]), "{listed}");

    for (args, count) in [
        (&["--state", "dead"][..], 3),
        (&["--state", "dead", "--state", "done"], 4),
        (&["--state", "dead", "--name", "person.*"], 2),
        (&["--record", "company/2"], 1),
        (&["--since", "1h"], 4),
        (&["--until", "1h"], 0),
        (&["--since", "2020-01-01T00:00:00Z", "--until", "2099-01-01T00:00:00Z"], 4),
        (&["--limit", "2"], 2),
        (&["--all"], 4),
    ] {
        assert_eq!(inbox.jobs(args).len(), count, "{args:?}");
    }
    let none = inbox.run(&["list", "--until", "1h"]);
    assert_eq!(none.status.code(), Some(0), "an empty list is a list: {none:?}");
    let limited = inbox.run(&["list", "--limit", "2"]);
    assert!(text(&limited.stderr).contains("There may be more"), "{limited:?}");
    let ids: Vec<_> =
        inbox.jobs(&["--state", "done", "--state", "dead"]).iter().map(|job| job["id"].as_u64()).collect();
    assert!(ids.is_sorted_by(|newer, older| newer > older), "{ids:?}");
}

#[test]
fn json_is_the_same_everywhere() {
    let inbox = Fixture::new();
    let job = &inbox.jobs(&["--state", "dead", "--limit", "1"])[0];
    let shown = json(&inbox.run(&["show", &job["id"].to_string(), "--json"]));
    for (name, value) in job.as_object().unwrap() {
        assert_eq!(&shown[name], value, "{name}");
    }
    assert_eq!(shown["body"]["eventName"], "company.created");
    let stored = shown["stored_at"].as_str().unwrap();
    assert!(stored.parse::<twenty_webhook_axum::core::jiff::Timestamp>().is_ok() && stored.ends_with('Z'), "{stored}");
    assert!(shown["finished_at"].is_string() && shown["due_at"].is_null(), "{shown}");
}

#[test]
fn retry_and_rerun_say_why_they_skip_a_job() {
    let inbox = Fixture::new();
    let (dead, done) = (inbox.ids("dead"), inbox.ids("done"));
    let refused = inbox.run(&["retry", &done[0], "4711"]);
    assert_eq!((text(&refused.stdout).as_str(), refused.status.code()), ("0 retried\n", Some(1)));
    assert!(text(&refused.stderr).contains(&format!("{} is done: `rerun` handles it again", done[0])), "{refused:?}");
    assert!(text(&refused.stderr).contains("4711: there is no such job"), "{refused:?}");
    assert!(text(&inbox.run(&["rerun", &dead[0]]).stderr).contains("is dead: `retry` makes it due"));

    let twice = inbox.run(&["retry", &dead[0], &dead[0]]);
    assert_eq!((text(&twice.stdout).as_str(), text(&twice.stderr).as_str()), ("1 retried\n", ""));
    assert_eq!(text(&inbox.run(&["retry", "--name", "person.*"]).stdout), "2 retried\n");
    let nothing = inbox.run(&["retry", "--name", "person.*"]);
    assert!(text(&nothing.stderr).contains("No job that matches is dead"), "{nothing:?}");
    assert_eq!(json(&inbox.run(&["rerun", "--since", "1h", "--json"])), serde_json::json!({ "rerun": 1 }));
    assert_eq!(inbox.ids("pending").len(), 4);
    assert_eq!(inbox.run(&["retry"]).status.code(), Some(2), "which?");
}

#[test]
fn a_state_narrows_ids_too() {
    let inbox = Fixture::new();
    let (dead, done) = (&inbox.ids("dead")[0], &inbox.ids("done")[0]);
    for (args, skipped) in [
        (&["delete", dead, done, "--yes", "--state", "dead", "--dry-run"][..], done),
        (&["delete", done, "--yes", "--state", "dead"], done),
        (&["retry", dead, "--state", "retrying"], dead),
        (&["rerun", done, "--state", "dead"], done),
    ] {
        let output = inbox.run(args);
        assert!(text(&output.stderr).contains(&format!("{skipped} is ")), "{args:?}: {output:?}");
        assert!(text(&output.stderr).contains("--state leaves it out"), "{args:?}: {output:?}");
    }
    assert_eq!((inbox.ids("dead").len(), inbox.ids("done").len()), (3, 1), "none was changed");
    assert_eq!(text(&inbox.run(&["delete", dead, done, "--state", "dead", "--yes"]).stdout), "1 deleted\n");
    assert_eq!(inbox.ids("done").as_slice(), std::slice::from_ref(done));
}

#[test]
fn retry_and_rerun_say_that_a_body_was_erased() {
    let inbox = Fixture::new();
    for record in ["company/2", "task/3"] {
        assert_eq!(text(&inbox.run(&["erase", record, "--yes"]).stdout), "1 erased\n");
    }
    for (action, state, record) in [("retry", "dead", "company/2"), ("rerun", "done", "task/3")] {
        let id = &inbox.jobs(&["--record", record])[0]["id"].to_string();
        assert_eq!(inbox.ids(state).iter().filter(|other| *other == id).count(), 1);
        for which in [&[id.as_str()][..], &["--record", record]] {
            let output = inbox.run(&[&[action], which].concat());
            assert_eq!((text(&output.stdout), output.status.code()), (format!("0 {}\n", done(action)), Some(1)));
            let (stderr, why) =
                (flat(&output.stderr), format!("is {state}: its body was erased, so it cannot be handled"));
            assert!(stderr.contains(&why) && stderr.contains(id), "{stderr}");
        }
    }
}

/// What a command prints after the count.
fn done(action: &str) -> &str {
    if action == "retry" { "retried" } else { action }
}

/// It waits for up to 512 seconds, to spare the workers.
#[test]
fn a_job_whose_process_crashed_can_be_retried() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("inbox.db");
    let crash = async || {
        let inbox = Inbox::sqlite(&path).await.unwrap();
        for name in ["person.created", "company.created"] {
            inbox.store(&verified(twenty_webhook_testing::event(name).build())).await.unwrap();
        }
        let store = inbox.database();
        store.claim(&Claim::new(1, 1, std::time::Duration::ZERO)).await.unwrap();
        while store.recover(std::time::Duration::ZERO, 5).await.unwrap().jobs == 0 {}
    };
    tokio::runtime::Runtime::new().unwrap().block_on(crash());
    let inbox = Fixture { dir };
    assert_eq!((&inbox.jobs(&[])[1]["state"], &inbox.jobs(&[])[1]["crashes"]), (&"pending".into(), &1.into()));
    let retry = inbox.run(&["retry", "1", "2"]);
    assert_eq!(text(&retry.stdout), "1 retried\n", "{retry:?}");
    assert!(text(&retry.stderr).contains("2 is pending: it is due already"), "{retry:?}");
    assert_eq!(inbox.jobs(&[])[1]["crashes"], 0);
}

#[test]
fn delete_asks_and_keeps_pending_jobs() {
    let inbox = Fixture::new();
    let dead = inbox.ids("dead");
    inbox.run(&["retry", &dead[0]]);

    let unasked = inbox.run(&["delete", "--name", "*.*"]);
    assert_eq!(unasked.status.code(), Some(2));
    assert!(text(&unasked.stderr).contains("Delete 3 jobs (1 done, 2 dead)?"), "{unasked:?}");
    let dry = inbox.run(&["delete", "--name", "*.*", "--dry-run"]);
    assert_eq!(text(&dry.stdout).lines().count(), 4, "a header and three jobs: {dry:?}");
    assert_eq!(inbox.jobs(&[]).len(), 4, "nothing was deleted");

    let surprise = inbox.run(&["delete", &dead[0], "--yes"]);
    assert_eq!(text(&surprise.stdout), "0 deleted\n");
    assert!(text(&surprise.stderr).contains("is pending: it was not handled yet; --state pending"), "{surprise:?}");
    assert_eq!(text(&inbox.run(&["delete", "--name", "*.*", "--yes"]).stdout), "3 deleted\n");
    assert_eq!(inbox.ids("pending"), dead[..1]);
    assert_eq!(text(&inbox.run(&["delete", &dead[0], "--state", "pending", "--yes"]).stdout), "1 deleted\n");
    assert_eq!(inbox.run(&["delete", "--state", "running", "--yes"]).status.code(), Some(2));
}

#[test]
fn on_a_terminal_delete_asks() {
    let inbox = Fixture::new();
    for (answer, left) in [("n", 4), ("y", 3)] {
        // The session's terminal in place of the empty stdin.
        let mut command = inbox.command(&["delete", "--name", "task.*"]);
        command.stdin(std::process::Stdio::inherit());
        let mut session = spawn_command(command, Some(30_000)).unwrap();
        session.exp_string("Delete 1 job (1 done)? [y/N]").unwrap();
        session.send_line(answer).unwrap();
        session.exp_eof().unwrap();
        assert_eq!(inbox.jobs(&[]).len(), left, "{answer}");
        let code = i32::from(answer == "n");
        assert!(matches!(session.process().wait(), Ok(WaitStatus::Exited(_, status)) if status == code), "{answer}");
    }
    let mut command = inbox.command(&["erase", "company/2"]);
    command.stdin(std::process::Stdio::inherit());
    let mut session = spawn_command(command, Some(30_000)).unwrap();
    session.exp_string("[y/N]").unwrap();
    session.send_line("n").unwrap();
    session.exp_string("Nothing was changed.").unwrap();
    session.exp_eof().unwrap();
    assert!(matches!(session.process().wait(), Ok(WaitStatus::Exited(_, 1))));
}

#[test]
fn a_job_that_is_retried_during_the_question_is_not_deleted() {
    let inbox = Fixture::new();
    let retried = &inbox.ids("dead")[0];
    let mut command = inbox.command(&["delete", "--state", "dead"]);
    command.stdin(std::process::Stdio::inherit());
    let mut session = spawn_command(command, Some(30_000)).unwrap();
    session.exp_string("Delete 3 jobs (3 dead)? [y/N]").unwrap();
    assert!(inbox.run(&["retry", retried]).status.success());
    session.send_line("y").unwrap();
    session.exp_string("Not deleted, because the state changed meanwhile: 1.").unwrap();
    session.exp_string("2 deleted").unwrap();
    session.exp_eof().unwrap();
    assert_eq!((inbox.ids("pending"), inbox.ids("dead").len()), (vec![retried.clone()], 0));
}

#[test]
fn erased_bodies_are_gone_and_workers_can_be_paused() {
    let inbox = Fixture::new();
    assert_eq!(inbox.run(&["erase", "company/2"]).status.code(), Some(2), "it asks");
    assert_eq!(text(&inbox.run(&["erase", "company/2", "--yes"]).stdout), "1 erased\n");
    let job = &inbox.jobs(&["--name", "company.*"])[0];
    let shown = text(&inbox.run(&["show", &job["id"].to_string()]).stdout);
    assert!(shown.contains("The body was erased"), "{shown}");
    assert_eq!(json(&inbox.run(&["show", &job["id"].to_string(), "--json"]))["body"], Value::Null);
    assert_eq!(inbox.run(&["erase", "company/2", "--yes"]).status.code(), Some(1));
    assert_eq!(inbox.run(&["erase", "company"]).status.code(), Some(2));

    assert!(inbox.run(&["pause"]).status.success());
    assert!(text(&inbox.run(&["stats"]).stdout).contains("paused: workers start no jobs"));
    assert!(inbox.run(&["resume"]).status.success());
    assert_eq!(json(&inbox.run(&["stats", "--json"]))["paused"], false);
}

#[test]
fn the_dashboard_needs_this_runs_token_and_a_loopback_host() {
    let inbox = Fixture::new();
    let server = Server::start(inbox.command(&["dashboard"]), "The dashboard is at ");
    let (origin, token) = server.url.split_once("/?token=").unwrap();
    let host = origin.strip_prefix("http://").unwrap();
    let get = |path: &str, host: &str, more: &str| {
        exchange(origin, &format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n{more}\r\n"))
    };
    assert!(get("/", host, "").starts_with("HTTP/1.1 403"), "without the token");
    assert!(get("/?token=0123456789abcdef0123456789abcdef", host, "").starts_with("HTTP/1.1 403"), "another token");
    let rebound = get(&format!("/?token={token}"), "evil.example", "");
    assert!(rebound.starts_with("HTTP/1.1 421") && !rebound.contains(token), "{rebound}");
    let entry = get(&format!("/?token={token}"), host, "");
    assert!(entry.starts_with("HTTP/1.1 303") && entry.contains("location: /\r\n"), "{entry}");
    let cookie = entry.lines().find_map(|line| line.strip_prefix("set-cookie: ")).unwrap();
    assert!(cookie.contains("HttpOnly; SameSite=Strict"), "{cookie}");
    let cookie = format!("Cookie: a=b; {}\r\n", cookie.split(';').next().unwrap());
    let page = get("/", host, &cookie);
    assert!(page.starts_with("HTTP/1.1 200") && page.contains("company.created"), "{page}");
    assert!(page.to_lowercase().contains("content-security-policy: default-src 'none'"), "{page}");
    assert!(get("/", "evil.example", &cookie).starts_with("HTTP/1.1 421"), "a rebound name with the cookie");
    assert!(get("/", "localhost", &cookie).starts_with("HTTP/1.1 421"), "another port's name");
    assert!(!page.contains("Rerun"), "it only shows");

    let open = inbox.run(&["dashboard", "--addr", "0.0.0.0:0"]);
    assert_eq!(open.status.code(), Some(2));
    assert!(text(&open.stderr).contains("on loopback only"), "{open:?}");
}

/// A Postgres that answers every start with an error of this code.
fn refusing_postgres(code: &'static str, message: &'static str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = listener.local_addr().unwrap();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut start = [0; 1024];
            while let Ok(read) = stream.read(&mut start) {
                if read == 8 {
                    // A request for TLS: no.
                    stream.write_all(b"N").unwrap();
                    continue;
                }
                let fields = format!("SFATAL\0VFATAL\0C{code}\0M{message}\0\0");
                let length = u32::try_from(fields.len() + 4).unwrap().to_be_bytes();
                let _ = stream.write_all(&[b"E", &length[..], fields.as_bytes()].concat());
                break;
            }
        }
    });
    format!("postgres://someone:hunter2@{addr}/some_db")
}

#[test]
fn errors_of_postgres_name_the_cause_once_and_no_password() {
    let refused = "postgres://someone:hunter2@127.0.0.1:1/some_db".to_owned();
    for (url, cause) in [
        (refused, "Connection refused"),
        (
            refusing_postgres("28P01", "password authentication failed for user \"someone\""),
            "password authentication failed",
        ),
        (refusing_postgres("3D000", "database \"some_db\" does not exist"), "database \"some_db\" does not exist"),
    ] {
        let output = command(&["inbox", "stats", "--db", &url]).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{output:?}");
        let printed = text(&output.stderr);
        assert_eq!(printed.matches(cause).count(), 1, "{printed}");
        assert!(!printed.contains("timed out") && !printed.contains("hunter2"), "{printed}");
    }
}

/// Control characters in a customer's text do not reach the terminal.
#[test]
fn a_body_is_harmless_on_a_terminal_and_whole_in_json() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("inbox.db");
    leave(&path);
    let db = path.to_str().unwrap();
    let list = command(&["inbox", "list", "--limit", "1", "--json", "--db", db]).output().unwrap();
    let id = json(&list)["id"].to_string();
    let show = || command(&["inbox", "show", &id, "--db", db]);
    let on_a_terminal = spawn_command(show(), Some(30_000)).unwrap().exp_eof().unwrap();
    // `rexpect` reads each byte as a character; the control character would be the second of two.
    assert!(on_a_terminal.contains("2J") && !on_a_terminal.contains('\u{9b}'), "{on_a_terminal:?}");
    let shown = json(&show().arg("--json").output().unwrap());
    assert_eq!(shown["body"]["record"]["note"], CLEAR, "JSON is escaped, and stays the same value");
}

#[test]
fn the_database_of_another_program_is_no_inbox() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("text.db");
    std::fs::write(&path, "no database at all").unwrap();
    let output = command(&["inbox", "stats", "--db", path.to_str().unwrap()]).output().unwrap();
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    assert_eq!(std::fs::read(&path).unwrap(), b"no database at all");
}

#[test]
fn a_mistyped_path_is_no_new_inbox() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("inbax.db");
    let output = command(&["inbox", "stats", "--db", path.to_str().unwrap()]).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("this is no inbox: there is no file at"), "{output:?}");
    assert!(!path.exists());
}

/// An inbox with one job, which failed and waits.
fn retrying(backoff: Backoff) -> Fixture {
    let dir = tempfile::tempdir().unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let inbox = Inbox::sqlite(&dir.path().join("inbox.db")).await.unwrap();
        inbox.store(&verified(twenty_webhook_testing::event("person.created").build())).await.unwrap();
        let failed = async {
            while inbox.counts().await.unwrap().retrying == 0 {
                tokio::time::sleep(std::time::Duration::from_millis(20)).await;
            }
        };
        let handler = |_: WebhookEvent| async { Err::<(), _>(std::io::Error::other("no")) };
        inbox.worker("test", handler).backoff(backoff).run_until(failed).await;
    });
    Fixture { dir }
}

#[test]
fn a_list_says_how_old_a_job_is_and_when_it_is_due() {
    let minute = std::time::Duration::from_mins(1);
    let inbox = retrying(Backoff::new(minute, minute));
    std::thread::sleep(std::time::Duration::from_millis(1_100));
    let listed = text(&inbox.run(&["list"]).stdout);
    let row: Vec<_> = listed.lines().nth(1).unwrap().split_whitespace().collect();
    let [id, state, age, seconds, ..] = row[..] else { panic!("{listed}") };
    assert_eq!((id, state, seconds), ("1", "retrying", "s"), "{listed}");
    assert!((1..60).contains(&age.parse::<u64>().unwrap()), "{listed}");
    let [.., attempts, r#in, wait, seconds, error] = row[..] else { panic!("{listed}") };
    assert_eq!((attempts, r#in, seconds, error), ("1", "in", "s", "no"), "{listed}");
    assert!((30..80).contains(&wait.parse::<u64>().unwrap()), "{listed}");
}

#[test]
fn a_body_is_shown_with_line_ends() {
    let inbox = Fixture::new();
    let shown = text(&inbox.run(&["show", &inbox.ids("done")[0]]).stdout);
    let body = "\n\n{\n  \"eventName\": \"task.created\",\n  \"record\": {\n    \"id\": \"3\",\n    \"note\": \"\\u{9b}2J\"\n  }\n}\n";
    assert!(shown.ends_with(body), "{shown}");
}

#[test]
fn a_job_that_waits_for_a_retry_is_not_shown_as_finished() {
    let inbox = retrying(Backoff::default());
    let shown = text(&inbox.run(&["show", "1"]).stdout);
    assert!(shown.contains("\nlast attempt ended  20") && !shown.contains("\nfinished"), "{shown}");

    let done = Fixture::new();
    let shown = text(&done.run(&["show", &done.ids("done")[0]]).stdout);
    assert!(shown.contains("\nfinished  20") && !shown.contains("\nlast attempt"), "{shown}");
}

/// Two people and a company that failed, and a task that did not.
fn leave(path: &std::path::Path) {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let inbox = Inbox::sqlite(path).await.unwrap();
        for (number, name) in ["person.created", "person.updated", "company.created", "task.created"].iter().enumerate()
        {
            let body = format!(
                r#"{{"eventName":"{}","record":{{"id":"{number}","note":"{CLEAR}"}}}}"#,
                if number == 1 { "person.created" } else { name }
            );
            inbox.store(&verified(body)).await.unwrap();
        }
        let handler = |event: WebhookEvent| async move {
            if event.object() == "task" { Ok(()) } else { Err(std::io::Error::other("no")) }
        };
        let finished = async {
            while inbox.counts().await.unwrap().open() > 0 {
                tokio::time::sleep(std::time::Duration::from_millis(20)).await;
            }
        };
        inbox.worker("test", handler).attempts(1).backoff(Backoff::default()).run_until(finished).await;
    });
}
