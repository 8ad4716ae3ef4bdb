//! `catch-up`, on SQLite.

use std::process::{Command, Output, Stdio};
use std::time::Duration;

use rexpect::session::spawn_command;
use serde_json::{Value, json};
use twenty_webhook_inbox::Inbox;
use twenty_webhook_testing::{ApiFailure, FakeTwenty, Role, TestClock};

use crate::support::{flat, text, verified};
use crate::twenty::{lines, on, until, with_key};

const HOUR: Duration = Duration::from_secs(3600);

/// A Twenty whose clock the test sets, and an inbox without deliveries.
struct Fixture {
    clock: TestClock,
    twenty: FakeTwenty,
    dir: tempfile::TempDir,
}

impl Fixture {
    fn new() -> Self {
        let clock = TestClock::default();
        let twenty = FakeTwenty::builder().clock(clock.clock()).bare_records().start();
        let dir = tempfile::tempdir().unwrap();
        let runtime = tokio::runtime::Runtime::new().unwrap();
        drop(runtime.block_on(Inbox::sqlite(dir.path().join("inbox.db"))).unwrap());
        Self { clock, twenty, dir }
    }

    /// With people that the first run has seen.
    fn with_people(count: usize) -> Self {
        let fixture = Self::new();
        fixture.twenty.create_many("person", (0..count).map(|n| json!({ "id": format!("{n:04}") })));
        fixture.clock.advance(HOUR);
        assert_eq!(fixture.run(&[]).status.code(), Some(0));
        fixture
    }

    fn command(&self, more: &[&str]) -> Command {
        self.command_with(self.twenty.api_key(), &[&["--objects", "person"], more].concat())
    }

    fn command_with(&self, key: &str, more: &[&str]) -> Command {
        let usual = ["catch-up", "--requests-per-minute", "100000", "--retry-wait", "1ms"];
        let mut command = with_key(&self.twenty, key, &[&usual[..], more].concat());
        command.env("INBOX_DB", self.dir.path().join("inbox.db"));
        command
    }

    fn run(&self, more: &[&str]) -> Output {
        self.command(more).output().unwrap()
    }

    /// What the run prints about people.
    fn people(&self, more: &[&str]) -> Value {
        let output = self.run(&[&["--json"], more].concat());
        lines(&output).into_iter().find(|line| line["object"] == "person").unwrap_or_else(|| panic!("{output:?}"))
    }

    fn update(&self, id: &str) {
        self.twenty.update("person", &[id], json!({ "city": "Nantes" }));
        self.clock.advance(HOUR);
    }

    /// What is in the inbox, the oldest first.
    fn stored(&self) -> Vec<String> {
        let mut list = on(&self.twenty, &["inbox", "list", "--json"]);
        let output = list.env("INBOX_DB", self.dir.path().join("inbox.db")).output().unwrap();
        let line = |job: &Value| format!("{} {}", job["event"].as_str().unwrap(), job["record_id"].as_str().unwrap());
        lines(&output).iter().rev().map(line).collect()
    }
}

#[test]
fn what_webhooks_missed_is_stored_for_the_worker() {
    let fixture = Fixture::new();
    fixture.twenty.create_many("person", (0..3).map(|n| json!({ "id": n.to_string() })));
    fixture.twenty.create("company", json!({ "id": "7" }));
    fixture.clock.advance(HOUR);
    let first = fixture.run(&[]);
    assert_eq!(first.status.code(), Some(0), "{first:?}");
    assert!(flat(&first.stdout).contains("the first run only remembers the existing records"), "{first:?}");
    assert!(fixture.stored().is_empty());

    fixture.update("1");
    fixture.twenty.delete("person", &["2"]);
    fixture.twenty.create("person", json!({ "id": "3" }));
    fixture.clock.advance(HOUR);
    let run = fixture.run(&[]);
    assert_eq!(run.status.code(), Some(0), "{run:?}");
    let shown = text(&run.stdout);
    let header: Vec<_> = shown.lines().next().unwrap().split_whitespace().collect();
    assert_eq!(header, ["OBJECT", "READ", "CREATED", "UPDATED", "DELETED", "DESTROYED", "KNOWN"]);
    let row: Vec<_> = shown.lines().nth(1).unwrap().split_whitespace().collect();
    assert_eq!(row, ["person", "3", "1", "1", "1", "0", "0"]);
    assert!(shown.ends_with("2 requests; stored 3 events\n"), "{shown}");
    assert_eq!(fixture.stored(), ["person.updated 1", "person.deleted 2", "person.created 3"]);
    assert!(text(&run.stderr).is_empty(), "no progress bar without a terminal: {run:?}");

    let again = fixture.people(&[]);
    assert_eq!((&again["updated"], &again["first_run"], &again["error"]), (&json!(0), &json!(false), &Value::Null));
    let all = fixture.command_with(fixture.twenty.api_key(), &["--all-objects", "--json"]).output().unwrap();
    assert!(lines(&all).iter().any(|line| line["object"] == "company" && line["read"] == 1), "{all:?}");
    for output in [&first, &run, &all] {
        assert!(!format!("{output:?}").contains(fixture.twenty.api_key()));
    }
}

#[test]
fn a_dry_run_prints_what_a_run_would_store() {
    let fixture = Fixture::with_people(30);
    fixture.update("0001");
    fixture.twenty.destroy("person", &["0002"]);
    fixture.clock.advance(HOUR);
    let args = ["--dry-run", "--destroyed", "now"];
    let found = fixture.run(&[&args[..], &["--json"]].concat());
    assert_eq!(found.status.code(), Some(0), "{found:?}");
    let found = lines(&found);
    let updated_at = |id: &str| {
        let record = fixture.twenty.records("person").into_iter().find(|record| record["id"] == id);
        record.map(|record| record["updatedAt"].clone())
    };
    assert_eq!(
        found[0],
        json!({ "event": "person.updated", "record_id": "0001", "updated_at": updated_at("0001").unwrap() })
    );
    assert_eq!((&found[1]["event"], &found[1]["record_id"]), (&json!("person.destroyed"), &json!("0002")));
    assert_eq!((&found[2]["updated"], &found[2]["destroyed"], found.len()), (&json!(1), &json!(1), 3));

    let shown = text(&fixture.run(&args).stdout);
    let row: Vec<_> = shown.lines().next().unwrap().split_whitespace().collect();
    assert_eq!(row, ["person.updated", "0001", updated_at("0001").unwrap().as_str().unwrap()]);
    assert!(shown.ends_with("a run would store 2 events\n"), "{shown}");

    assert!(fixture.stored().is_empty(), "nothing was stored");
    assert!(fixture.twenty.api_requests().iter().all(|request| request.starts_with("GET ")));
    let run = fixture.people(&["--destroyed", "now"]);
    assert_eq!((&run["updated"], &run["destroyed"]), (&json!(1), &json!(1)), "the run finds the same");
}

#[test]
fn fields_that_the_api_leaves_out_are_named() {
    let fixture = Fixture::with_people(1);
    let fields: serde_json::Map<_, _> = (0..210).map(|n| (format!("field{n}"), json!("text"))).collect();
    fixture.twenty.create("person", Value::Object(fields));
    fixture.clock.advance(HOUR);
    let said = flat(&fixture.run(&["--dry-run"]).stdout);
    assert!(said.contains("its records have more than 200 fields, and Twenty's API leaves out the others"), "{said}");
    assert_eq!(fixture.people(&[])["fields_left_out"], true);
}

#[test]
fn a_first_run_can_handle_existing_records() {
    let fixture = Fixture::new();
    fixture.twenty.create("person", json!({ "id": "1" }));
    fixture.clock.advance(3 * HOUR);
    fixture.twenty.create("person", json!({ "id": "2" }));
    fixture.clock.advance(HOUR);
    assert_eq!(fixture.people(&["--since", "2h", "--dry-run"])["created"], 1);
    fixture.people(&["--since", "2h"]);
    assert_eq!(fixture.stored(), ["person.created 2"]);
    fixture.people(&["--backfill"]);
    assert_eq!(fixture.stored(), ["person.created 2", "person.created 1"]);
}

#[test]
fn destroyed_records_are_looked_for_daily_now_or_never() {
    let fixture = Fixture::with_people(30);
    fixture.twenty.destroy("person", &["0001"]);
    fixture.clock.advance(HOUR);
    let listed = |more: &[&str]| {
        let people = fixture.people(more);
        (people["ids_listed"].as_bool().unwrap(), people["destroyed"].as_u64().unwrap())
    };
    assert_eq!(listed(&[]), (false, 0), "not before the day is over");
    assert_eq!(listed(&["--destroyed", "now"]), (true, 1));
    fixture.clock.advance(25 * HOUR);
    assert_eq!(listed(&["--destroyed", "never"]), (false, 0));
    assert_eq!(listed(&["--destroyed", "daily"]), (true, 0));
}

#[test]
fn too_many_missing_records_have_their_own_status() {
    let fixture = Fixture::with_people(30);
    let gone: Vec<_> = (0..10).map(|n| format!("{n:04}")).collect();
    fixture.twenty.destroy("person", &gone);
    fixture.clock.advance(HOUR);
    let refused = fixture.run(&["--destroyed", "now"]);
    assert_eq!(refused.status.code(), Some(3), "{refused:?}");
    assert!(flat(&refused.stdout).contains("10 of 30 known records of person are missing"), "{refused:?}");
    assert!(flat(&refused.stdout).contains("--accept-destroys"), "{refused:?}");
    assert!(!flat(&refused.stdout).contains("accept_destroys"), "the library's name: {refused:?}");
    assert!(fixture.stored().is_empty());
    let accepted = fixture.run(&["--accept-destroys"]);
    assert_eq!(accepted.status.code(), Some(0), "{accepted:?}");
    assert_eq!(fixture.stored().len(), 10);
}

/// The exit status of a run, and its output.
fn status(output: &Output) -> (Option<i32>, String) {
    (output.status.code(), flat(&output.stderr) + &flat(&output.stdout))
}

#[test]
fn each_outcome_has_an_exit_status() {
    let fixture = Fixture::with_people(1);
    let of = |command: &mut Command| status(&command.output().unwrap());
    let expect = |(code, said): (Option<i32>, String), expected: i32, what: &str| {
        assert!(code == Some(expected) && said.contains(what), "expected {expected}, and `{what}`: {code:?} {said}");
    };
    // One object fails, and the other is done.
    let key = fixture.twenty.add_api_key(Role::default().forbid("company"));
    let partly = fixture.command_with(&key, &["--objects", "company,person", "--json"]).output().unwrap();
    assert_eq!(partly.status.code(), Some(1), "{partly:?}");
    let found = lines(&partly);
    assert!(found[0]["error"].as_str().unwrap().contains("403") && found[1]["error"].is_null(), "{found:?}");
    expect(of(&mut fixture.command_with(&key, &["--objects", "unicorn"])), 1, "no object \"unicorn\"");

    expect(of(fixture.command(&[]).args(["--db", "/nowhere/inbox.db"])), 2, "there is no file");
    expect(of(&mut fixture.command_with(&key, &[])), 2, "--objects");
    expect(of(&mut fixture.command_with(&key, &["--objects", "person,"])), 2, "an empty name");
    expect(of(fixture.command(&[]).env_remove("TWENTY_API_KEY")), 2, "TWENTY_API_KEY is not set");

    fixture.twenty.revoke(&key);
    expect(of(&mut fixture.command_with(&key, &["--objects", "person"])), 4, "Make a new API key");
    fixture.twenty.set_faults(|faults| faults.allowance_spent = true);
    expect(of(&mut fixture.command(&[])), 4, "allowance");
    fixture.twenty.set_faults(|faults| faults.allowance_spent = false);

    expect(of(fixture.command(&[]).args(["--url", "http://127.0.0.1:1"])), 5, "no answer from Twenty after 6 attempts");
    fixture.twenty.fail_next([ApiFailure::NotJson; 6]);
    expect(of(&mut fixture.command(&[])), 5, "Check the address");
    fixture.twenty.fail_next([ApiFailure::Status(404)]);
    expect(of(&mut fixture.command(&[])), 4, "without /rest");
    assert_eq!(fixture.run(&[]).status.code(), Some(0), "and the next run is well");
}

#[test]
fn one_run_at_a_time_and_ctrl_c_releases_the_lease() {
    let fixture = Fixture::with_people(1);
    let before = fixture.twenty.api_requests().len();
    fixture.twenty.hold_requests_after(0);
    let first = fixture.command(&[]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    until("it asks", || fixture.twenty.api_requests().len() > before);
    let (code, said) = status(&fixture.run(&[]));
    assert!(code == Some(6) && said.contains("another process catches up"), "{code:?} {said}");
    assert!(Command::new("kill").args(["-INT", &first.id().to_string()]).status().unwrap().success());
    let (code, said) = status(&first.wait_with_output().unwrap());
    assert!(code == Some(7) && said.contains("the next run continues there"), "{code:?} {said}");
    fixture.twenty.release_requests();
    assert_eq!(fixture.run(&[]).status.code(), Some(0), "without waiting for the lease");
}

#[test]
fn a_progress_bar_is_shown_on_a_terminal() {
    let fixture = Fixture::with_people(1);
    fixture.twenty.create_many("person", (0..450).map(|n| json!({ "id": format!("new-{n:04}") })));
    fixture.clock.advance(HOUR);
    // Slow enough that the bar shows each step.
    fixture.twenty.set_faults(|faults| faults.api_delay = Duration::from_millis(300));
    let mut command = fixture.command(&[]);
    command.env("TERM", "xterm-256color");
    let mut session = spawn_command(command, Some(30_000)).unwrap();
    session.exp_string("reading the data model").unwrap();
    session.exp_string("200/450").unwrap();
    session.exp_string("person: changes, 200 found").unwrap();
    session.exp_string("400/450").unwrap();
    session.exp_string("stored 450 events").unwrap();
    session.exp_eof().unwrap();
}

#[test]
fn with_several_workspaces_the_error_names_them_and_the_options() {
    let fixture = Fixture::new();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let inbox = Inbox::sqlite(fixture.dir.path().join("inbox.db")).await.unwrap();
        for workspace in ["w1", "w2"] {
            let body = twenty_webhook_testing::event("person.created").member("workspaceId", workspace).build();
            inbox.store(&verified(body)).await.unwrap();
        }
    });
    let output = fixture.run(&[]);
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    let error = flat(&output.stderr);
    assert!(
        error.contains(r#"(for example workspace "w1", workspace "w2")"#) && error.ends_with("--workspace or --tenant"),
        "{error}"
    );
    assert_eq!(fixture.run(&["--workspace", "w1"]).status.code(), Some(0));
}
