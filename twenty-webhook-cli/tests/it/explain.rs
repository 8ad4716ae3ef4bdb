//! `explain`, on every mistake of `tests/vectors/mistakes.mjs`.

use std::fs;

use serde::Deserialize;
use serde_json::Value;

use crate::support::{command, flat, json, pipe, run, text, vector};

#[derive(Deserialize)]
struct Mistake {
    name: String,
    secrets: Vec<String>,
    now: u64,
    headers: Vec<(String, String)>,
    body: String,
    /// Whether each character of the body is a byte.
    #[serde(default)]
    latin1: bool,
    findings: Vec<String>,
}

impl Mistake {
    fn body(&self) -> Vec<u8> {
        let latin1 = || self.body.chars().map(|char| u8::try_from(char).unwrap()).collect();
        if self.latin1 { latin1() } else { self.body.clone().into_bytes() }
    }

    fn saved(&self, line_end: &str) -> Vec<u8> {
        let mut lines = vec![b"POST / HTTP/1.1".to_vec()];
        lines.extend(self.headers.iter().map(|(name, value)| format!("{name}: {value}").into_bytes()));
        lines.extend([Vec::new(), self.body()]);
        lines.join(line_end.as_bytes())
    }
}

fn mistakes() -> Vec<Mistake> {
    let all: Vec<Mistake> = serde_json::from_slice(&vector("mistakes.json")).unwrap();
    assert!(all.len() >= 110, "the mistakes are there");
    all
}

/// Passes the secrets in environment variables, so that the test covers --secret-env.
fn explain(mistake: &Mistake, more: &[String]) -> std::process::Output {
    let mut explain = command(&["explain"]);
    for (number, secret) in mistake.secrets.iter().enumerate() {
        // Two line ends: `from_env` removes one.
        let ended = if secret.ends_with('\n') { format!("{secret}\n") } else { secret.clone() };
        explain.env(format!("SECRET_{number}"), ended).arg("--secret-env").arg(format!("SECRET_{number}"));
    }
    explain.args(more).output().unwrap()
}

#[test]
fn every_mistake_is_explained_from_a_saved_file() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("saved.http");
    for mistake in mistakes() {
        let received = format!("# received: {}\n", mistake.now).into_bytes();
        fs::write(&path, [received, mistake.saved("\n")].concat()).unwrap();
        let output = explain(&mistake, &["--json".into(), path.display().to_string()]);
        check(&mistake, &json(&output));
        let verified =
            mistake.findings.iter().all(|code| matches!(code.as_str(), "other_secret" | "signature_upper_case"));
        assert_eq!(output.status.code(), Some(i32::from(!verified)), "{}: {output:?}", mistake.name);

        let printed = text(&explain(&mistake, &[path.display().to_string()]).stdout);
        assert!(printed.starts_with(if verified { "verified: " } else { "rejected (as of 2026-09-14" }), "{printed}");
        assert_eq!(printed.matches("  problem  ").count(), mistake.findings.len(), "{}: {printed}", mistake.name);
        for secret in &mistake.secrets {
            let secret = secret.trim_matches(|char: char| !char.is_ascii_alphanumeric());
            assert!(!printed.contains(secret) && !text(&output.stdout).contains(secret), "{}", mistake.name);
        }
    }
}

#[test]
fn every_mistake_is_explained_from_headers_and_a_body() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("body");
    for mistake in mistakes() {
        fs::write(&path, mistake.body()).unwrap();
        let mut args = vec!["--json".into(), "--at".into(), mistake.now.to_string()];
        args.extend(["--body".into(), path.display().to_string()]);
        for (name, value) in &mistake.headers {
            args.extend(["-H".into(), format!("{name}: {value}")]);
        }
        check(&mistake, &json(&explain(&mistake, &args)));
    }
}

fn check(mistake: &Mistake, printed: &Value) {
    let codes: Vec<_> = printed["findings"].as_array().unwrap().iter().map(|finding| finding["code"].clone()).collect();
    assert_eq!(codes, mistake.findings, "{}: {printed:#}", mistake.name);
    for finding in printed["findings"].as_array().unwrap() {
        assert!(finding["problem"].is_string() && finding["fix"].is_string());
    }
}

#[test]
fn several_files_are_named_and_one_rejection_gives_status_1() {
    let dir = tempfile::tempdir().unwrap();
    let all = mistakes();
    let paths: Vec<String> = ["good", "a dot for the colon"]
        .map(|name| {
            let mistake = all.iter().find(|mistake| mistake.name == name).unwrap();
            let path = dir.path().join(name);
            fs::write(&path, mistake.saved("\r\n")).unwrap();
            path.display().to_string()
        })
        .into();
    let good = all.iter().find(|mistake| mistake.name == "good").unwrap();
    let at = ["--at".to_owned(), good.now.to_string()];
    let output = explain(good, &[paths.as_slice(), &at].concat());
    assert_eq!(output.status.code(), Some(1));
    let printed = flat(&output.stdout);
    assert!(paths.iter().all(|path| printed.contains(path)), "{printed}");
    assert!(
        printed.contains("verified: person.created") && printed.contains("signed with `.` between them"),
        "{printed}"
    );
}

#[test]
fn one_file_is_named_in_json_and_stdin_is_a_saved_delivery_too() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("good.http").display().to_string();
    let all = mistakes();
    let good = all.iter().find(|mistake| mistake.name == "good").unwrap();
    fs::write(&path, good.saved("\n")).unwrap();
    let at = good.now.to_string();
    let printed = json(&explain(good, &["--json".into(), "--at".into(), at.clone(), path.clone()]));
    assert_eq!((&printed["file"], &printed["verified"]), (&path.into(), &true.into()));

    let output = pipe(&["explain", "--json", "--at", &at, "--secret", &good.secrets[0]], &good.saved("\n"));
    let printed = json(&output);
    assert_eq!((&printed["file"], &printed["verified"]), (&"stdin".into(), &true.into()));
}

#[test]
fn an_age_is_a_time_before_now() {
    let signed = text(&pipe(&["sign", "--age", "10m"], b"{\"eventName\":\"person.created\"}").stdout);
    let saved = format!("{signed}\n{{\"eventName\":\"person.created\"}}");
    assert_eq!(json(&pipe(&["explain", "--json"], saved.as_bytes()))["code"], "stale_timestamp");
    let judged = json(&pipe(&["explain", "--json", "--age", "9m"], saved.as_bytes()));
    assert_eq!(judged["verified"], true, "{judged}");
    assert!(text(&run(&["explain", "--age", "9m", "--at", "now"]).stderr).contains("cannot be used with"));
}

/// Of a verified event: its sender has the secret, and a customer may have named the object.
#[test]
fn a_name_is_harmless_on_a_terminal_and_whole_in_json() {
    let name = "person\u{9b}2J\u{202e}.created";
    let body = format!(r#"{{"eventName":"{name}"}}"#);
    let signed = text(&pipe(&["sign"], body.as_bytes()).stdout);
    let saved = format!("{signed}\n{body}");
    let printed = text(&pipe(&["explain", "--json"], saved.as_bytes()).stdout);
    assert!(printed.contains(r"person\u009b2J\u202e.created"), "{printed}");
    let line: Value = serde_json::from_str(&printed).unwrap();
    assert_eq!((&line["verified"], &line["event"]), (&true.into(), &name.into()));
}

#[test]
fn a_time_ahead_is_said_in_minutes_and_counted_in_milliseconds() {
    let body = b"{\"eventName\":\"person.created\"}";
    let signed = text(&pipe(&["sign", "--at", "2026-09-14T08:20:00Z"], body).stdout);
    let saved = [signed.as_bytes(), b"\n", body].concat();
    let line = json(&pipe(&["explain", "--json", "--at", "2026-09-14T08:10:00Z"], &saved));
    let reason = line["reason"].as_str().unwrap();
    assert!(reason.contains("10 min") && reason.contains("5 min"), "{reason}");
    assert_eq!(line["numbers"], serde_json::json!({ "ahead_ms": 600_000, "tolerance_ms": 300_000 }), "{line}");
}

#[test]
fn lines_are_wrapped_at_words_and_nothing_is_said_twice() {
    let all = mistakes();
    let mistake = all.iter().find(|mistake| mistake.name == "a dot for the colon").unwrap();
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("saved.http");
    fs::write(&path, mistake.saved("\n")).unwrap();
    let args = ["--at".to_owned(), mistake.now.to_string(), path.display().to_string()];
    let printed = text(&explain(mistake, &args).stdout);
    assert!(printed.lines().all(|line| line.chars().count() <= 80), "{printed}");
    assert!(printed.lines().any(|line| line.starts_with("        ")), "a hanging indent: {printed}");
    assert!(
        printed.starts_with("rejected (as of 2026-09-14T08:21:37.412Z): signature mismatch\n")
            || printed.contains(": signature mismatch\n"),
        "{printed}"
    );
}
