//! `inbox`: on a file that a receiver and a worker have left.

use rexpect::session::spawn_command;
use serde_json::Value;
use twenty_webhook_axum::{Secret, Signer, Verifier};
use twenty_webhook_inbox::{Backoff, Inbox, WebhookEvent};

use crate::support::{command, json, text};

/// "Control sequence introducer" in one character, and "clear". JSON lets it stand as it is.
const CLEAR: &str = "\u{9b}2J";

#[test]
fn dead_letters_are_found_and_put_right() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("inbox.db");
    leave(&path);
    let db = path.to_str().unwrap();
    let run = |args: &[&str]| command(&[&["inbox"], args, &["--db", db]].concat()).output().unwrap();

    let stats = run(&["stats", "--json"]);
    assert_eq!(json(&stats), serde_json::json!({"pending": 0, "running": 0, "retrying": 0, "done": 1, "dead": 3}));
    assert_eq!(stats.status.code(), Some(1), "there are dead letters");

    let people = run(&["list", "--state", "dead", "--name", "person.*", "--json"]);
    let people: Vec<Value> = text(&people.stdout).lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(people.len(), 2);
    assert_eq!(people[0]["last_error"], "no");
    assert_eq!(text(&run(&["list"]).stdout).lines().count(), 4);
    assert_eq!(text(&run(&["list", "--limit", "2"]).stdout).lines().count(), 2);

    let id = &people[0]["id"].to_string();
    let shown = text(&run(&["show", id]).stdout);
    assert!(shown.contains("state     dead") && shown.contains(r#""eventName":"person.created""#), "{shown}");
    assert_eq!(run(&["show", "4711"]).status.code(), Some(1));

    assert_eq!(text(&run(&["retry", id]).stdout), "1 retried\n");
    assert_eq!(text(&run(&["retry", "--name", "person.*"]).stdout), "1 retried\n");
    assert_eq!(text(&run(&["drop", "--name", "*.*"]).stdout), "1 dropped\n");
    assert_eq!(run(&["drop", "--name", "*.*"]).status.code(), Some(1), "there is nothing left");
    assert_eq!(run(&["drop"]).status.code(), Some(2), "which?");
    let stats = run(&["stats", "--json"]);
    assert_eq!(json(&stats), serde_json::json!({"pending": 2, "running": 0, "retrying": 0, "done": 1, "dead": 0}));
    assert_eq!(stats.status.code(), Some(0));
}

/// What a customer wrote is shown, and does not command the terminal that it is shown on.
#[test]
fn a_body_is_harmless_on_a_terminal_and_whole_elsewhere() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("inbox.db");
    leave(&path);
    let db = path.to_str().unwrap();
    let list = command(&["inbox", "list", "--limit", "1", "--json", "--db", db]).output().unwrap();
    let id = json(&list)["id"].to_string();
    let show = || command(&["inbox", "show", &id, "--db", db]);
    let on_a_terminal = spawn_command(show(), Some(30_000)).unwrap().exp_eof().unwrap();
    // `rexpect` takes each byte for a character; the one that commands would be the second of two.
    assert!(on_a_terminal.contains("2J") && !on_a_terminal.contains('\u{9b}'), "{on_a_terminal:?}");
    let piped = text(&show().output().unwrap().stdout);
    assert!(piped.ends_with(&format!("\"note\":\"{CLEAR}\"}}}}\n")), "{piped:?}");
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
            let secret = Secret::new("s").unwrap();
            let headers = Signer::new(secret.clone()).sign(body.as_bytes());
            inbox.store(&Verifier::from(secret).verify(&headers, body).unwrap().into_event().unwrap()).await.unwrap();
        }
        let handler = |event: WebhookEvent| async move {
            if event.object() == "task" { Ok(()) } else { Err(std::io::Error::other("no")) }
        };
        let settled = async {
            while inbox.counts().await.unwrap().open() > 0 {
                tokio::time::sleep(std::time::Duration::from_millis(20)).await;
            }
        };
        inbox.worker("test", handler).attempts(1).backoff(Backoff::default()).run_until(settled).await;
    });
}
