//! `sign`: the signatures are those of openssl and Node.

use std::fs;
use std::io::Write;
use std::process::Stdio;

use serde::Deserialize;

use crate::support::{Server, command, json, pipe, run, text, vector};

#[derive(Deserialize)]
struct Vector {
    body: String,
    secret: String,
    timestamp: String,
    signature: String,
}

#[test]
fn signs_as_twenty_does() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("body");
    let vectors: Vec<Vector> = serde_json::from_slice(&vector("signatures.json")).unwrap();
    assert!(vectors.len() >= 12);
    for vector_ in vectors {
        fs::write(&path, vector(&vector_.body)).unwrap();
        let mut sign = command(&["sign", path.to_str().unwrap(), "--at", &vector_.timestamp]);
        let output = sign.env("TWENTY_WEBHOOK_SECRET", &vector_.secret).output().unwrap();
        let headers = text(&output.stdout);
        assert!(headers.contains(&format!("X-Twenty-Webhook-Signature: {}\n", vector_.signature)), "{headers}");
        assert!(headers.contains(&format!("X-Twenty-Webhook-Timestamp: {}\n", vector_.timestamp)), "{headers}");
        assert_eq!(headers.lines().count(), 3);
    }
}

#[test]
fn stdin_is_a_body_too() {
    let mut sign = command(&["sign", "--at", "2026-09-14T08:21:37.412Z"]);
    let mut child = sign.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(b"{}").unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(text(&output.stdout).contains("X-Twenty-Webhook-Timestamp: 1789374097412\n"), "{output:?}");
}

#[test]
fn of_a_saved_delivery_the_body_is_signed() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("saved.http");
    let at = ["sign", "--at", "1789374097412"];
    let body = "{\n\n  \"eventName\": \"person.created\"\n}\n";
    let signed = pipe(&at, body.as_bytes()).stdout;
    assert!(text(&signed).contains("X-Twenty-Webhook-Signature: "));
    for head in [
        "# received: 2026-09-14T08:21:37.412Z\n# verdict: 200 verified\nPOST / HTTP/1.1\nX-A: b\n\n",
        "# from production\nPOST / HTTP/1.1\nX-A: b\n\n",
        "POST / HTTP/1.1\nX-A: b\n\n",
        "X-A: b\ncontent-type: application/json\n\n",
        "X-Twenty-Webhook-Timestamp: 1789374097412\r\nX-A: b\r\n\r\n",
    ] {
        let saved = format!("{head}{body}");
        fs::write(&path, &saved).unwrap();
        for output in [run(&[&at[..], &[path.to_str().unwrap()]].concat()), pipe(&at, saved.as_bytes())] {
            assert_eq!(text(&output.stdout), text(&signed), "{head}: {output:?}");
        }
        let explained = json(&pipe(&["explain", "--json"], saved.as_bytes()));
        assert_eq!(explained["verified"], false, "`explain` recognizes it too: {explained}");
    }
    let broken = pipe(&at, b"X-A: b\n{}");
    assert_eq!(broken.status.code(), Some(2));
    assert!(text(&broken.stderr).contains("no empty line between the headers and the body"), "{broken:?}");
    for body in ["", "\n{}", "[1]\n", "a: b", "no header\n\n"] {
        let output = pipe(&at, body.as_bytes());
        assert!(output.status.success(), "{body:?} is a body: {output:?}");
    }
}

#[test]
fn an_age_is_in_the_timestamp() {
    let now = || {
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
        i64::try_from(since.as_millis()).unwrap()
    };
    for (age, seconds) in [("--age=10m", 600), ("--age=90s", 90), ("--age=-10m", -600)] {
        let before = now();
        let headers = text(&pipe(&["sign", age], b"{}").stdout);
        let timestamp = headers.lines().find_map(|line| line.strip_prefix("X-Twenty-Webhook-Timestamp: ")).unwrap();
        let sent = timestamp.parse::<i64>().unwrap() + seconds * 1_000;
        assert!((before..=now()).contains(&sent), "{age}: {headers}");
    }
    let both = run(&["sign", "--age", "10m", "--at", "now"]);
    assert_eq!(both.status.code(), Some(2), "{both:?}");
}

#[test]
fn a_shell_accepts_the_curl_command() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("body");
    let body = "@{\"eventName\":\"person.created\",\"record\":{\"id\":\"it's $HOME `x` \\\\ \"}}\n\n";
    fs::write(&path, body).unwrap();
    let server = Server::listen(&[]);
    let output = run(&["sign", path.to_str().unwrap(), "--curl", &server.url]);
    let line = text(&output.stdout);
    // What the shell would hand to curl, whether or not it is installed.
    let script = format!("curl() {{ for arg; do printf '%s\\0' \"$arg\"; done; }}\n{line}");
    let shell = std::process::Command::new("sh").args(["-c", &script]).output().unwrap();
    let args: Vec<&[u8]> = shell.stdout.split(|byte| *byte == 0).collect();
    assert_eq!(args[1], server.url.as_bytes(), "{line}");
    assert_eq!(args[args.len() - 3..args.len() - 1], [b"--data-raw".as_slice(), body.as_bytes()], "{line}");
    assert_eq!(args.iter().filter(|arg| arg.starts_with(b"X-Twenty-Webhook-")).count(), 3);
}
