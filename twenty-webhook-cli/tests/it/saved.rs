//! Files that `listen --save` writes, and `explain` and `send --file` read.

use std::fs;
use std::io::Write;
use std::path::PathBuf;
use std::process::Stdio;

use serde_json::Value;

use crate::support::{Server, command, flat, run, text};

fn only_file(dir: &tempfile::TempDir) -> PathBuf {
    let mut files: Vec<_> = fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert_eq!(files.len(), 1, "{files:?}");
    files.pop().unwrap()
}

#[test]
fn a_saved_delivery_verifies_and_can_be_sent_again() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::listen(&["--save", dir.path().to_str().unwrap()]);
    assert!(run(&["send", &server.url, "company.updated"]).status.success());
    let report = server.report();
    let file = only_file(&dir);
    assert_eq!(report["saved"], file.display().to_string());
    assert!(file.to_str().unwrap().ends_with("Z-000000-company.updated.http"), "{}", file.display());
    #[cfg(unix)]
    assert_eq!(std::os::unix::fs::MetadataExt::mode(&fs::metadata(&file).unwrap()) & 0o777, 0o600, "customers' data");
    let saved = fs::read_to_string(&file).unwrap();
    assert!(
        saved.starts_with("# received: 20") && saved.contains("\n# verdict: 200 verified\nPOST / HTTP/1.1\n"),
        "{saved}"
    );

    let file = file.to_str().unwrap();
    let explained = run(&["explain", file]);
    assert!(explained.status.success(), "{explained:?}");
    assert!(text(&explained.stdout).starts_with("verified: company.updated"), "{explained:?}");

    let other = Server::listen(&[]);
    assert!(run(&["send", &other.url, "--file", file]).status.success());
    assert_eq!(other.report()["delivery_id"], report["delivery_id"], "the same body, byte by byte");

    // Without comments and request line.
    let (_, headers) = saved.split_once("HTTP/1.1\n").unwrap();
    fs::write(file, headers).unwrap();
    for args in [["--file", file], ["--dir", dir.path().to_str().unwrap()]] {
        let sent = run(&[&["send", &other.url], &args[..]].concat());
        assert_eq!(other.report()["delivery_id"], report["delivery_id"], "{sent:?}");
    }
}

#[test]
fn a_body_of_any_bytes_is_kept() {
    let bodies: [&[u8]; 5] = [b"", b"\n\n", b"{\"a\":\"\r\n\"}\r\n", b"\0\xff\xfe# received: x\n\nPOST ", b"caf\xe9"];
    for body in bodies {
        let dir = tempfile::tempdir().unwrap();
        let server = Server::listen(&["--save", dir.path().to_str().unwrap()]);
        let mut send = command(&["send", &server.url, "--file", "-"]);
        let mut send = send.stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
        send.stdin.take().unwrap().write_all(body).unwrap();
        assert_eq!(send.wait().unwrap().code(), Some(1), "signed, but not an event");
        assert_eq!(server.report()["code"], "not_an_event");
        let saved = fs::read(only_file(&dir)).unwrap();
        let header_end = saved.windows(2).position(|pair| pair == b"\n\n").unwrap() + 2;
        assert_eq!(&saved[header_end..], body);
    }
}

#[test]
fn a_given_body_is_signed_unchanged() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("body.json");
    let body = "{\n  \"eventName\": \"rocket.landed\"\n}\n";
    fs::write(&path, body).unwrap();
    let server = Server::listen(&[]);
    assert!(run(&["send", &server.url, "--file", path.to_str().unwrap()]).status.success());
    let report = server.report();
    assert_eq!((&report["event"], &report["bytes"]), (&"rocket.landed".into(), &body.len().into()));
}

#[test]
fn a_rejected_delivery_is_saved_with_its_reason_and_explained_later() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::listen(&["--save", dir.path().to_str().unwrap()]);
    run(&["send", &server.url, "--age", "1h"]);
    server.report();
    let file = only_file(&dir);
    assert!(fs::read_to_string(&file).unwrap().contains("# verdict: 401 stale_timestamp\n"));
    let explained = run(&["explain", file.to_str().unwrap()]);
    assert_eq!(explained.status.code(), Some(1));
    assert!(
        flat(&explained.stdout).contains("by its timestamp, the request was sent 1 h ago, and the tolerance is 5 min"),
        "{explained:?}"
    );
}

#[test]
fn a_file_that_is_not_a_saved_delivery_is_reported() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("file");
    for (file, why) in [
        ("{}", "give it as --body"),
        ("[]", "give it as --body"),
        ("", "has no headers"),
        ("POST / HTTP/1.1\nX: y", "no empty line"),
        ("POST / HTTP/1.1\nno header\n\n", "`no header` is not a header"),
        ("POST / HTTP/1.1\nbad name: x\n\n", "`bad name: x`"),
    ] {
        fs::write(&path, file).unwrap();
        let output = run(&["explain", path.to_str().unwrap()]);
        assert_eq!(output.status.code(), Some(2));
        assert!(text(&output.stderr).contains(why), "{output:?}");
    }
}

#[test]
fn a_directory_is_sent_in_the_order_of_arrival() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().to_str().unwrap();
    let server = Server::listen(&["--save", path]);
    let events = ["task.created", "person.created", "company.created", "note.deleted"];
    for event in events {
        assert!(run(&["send", &server.url, event]).status.success());
        server.report();
    }
    fs::write(dir.path().join("README"), "not a delivery").unwrap();
    let other = Server::listen(&[]);
    let output = run(&["send", &other.url, "--dir", path, "--json"]);
    assert!(output.status.success(), "{output:?}");
    assert_eq!(text(&output.stdout).lines().count(), events.len());
    for event in events {
        assert_eq!(other.report()["event"], event);
    }

    fs::write(dir.path().join("0.http"), "POST / HTTP/1.1\nno header\n\n").unwrap();
    let broken = run(&["send", &other.url, "--dir", path]);
    assert_eq!(broken.status.code(), Some(2));
    assert!(text(&broken.stderr).contains("0.http is no saved delivery"), "{broken:?}");
    assert_eq!(text(&broken.stdout), "", "nothing was sent");
    let empty = tempfile::tempdir().unwrap();
    let output = run(&["send", &other.url, "--dir", empty.path().to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("there is no saved delivery"), "{output:?}");
}

/// Otherwise `send --dir` would sign what a stranger sent, and the receiver would take it for Twenty's.
#[test]
fn what_did_not_verify_is_not_sent_with_the_directory() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().to_str().unwrap();
    let server = Server::listen(&["--save", path]);
    for tampering in [&["--tamper", "body"][..], &["--age", "1h"], &["--replay"]] {
        run(&[&["send", &server.url, "task.created"], tampering].concat());
        server.report();
    }
    assert_eq!(server.report()["code"], "already_completed");

    let other = Server::listen(&[]);
    let output = run(&["send", &other.url, "--dir", path]);
    assert!(output.status.success(), "{output:?}");
    let why = "Skipped 2 of 4 files, because they did not verify when they were saved (1 signature_mismatch, 1 stale_timestamp)";
    assert!(flat(&output.stderr).contains(why), "{output:?}");
    let printed = text(&output.stdout);
    assert_eq!(printed.matches("200 OK").count(), 2, "the delivery and its duplicate: {printed}");
    assert!(printed.contains("Z-000002-task.created.http: task.created, "), "{printed}");
    assert_eq!(other.report()["verdict"], "verified");

    let all = run(&["send", &other.url, "--dir", path, "--include-rejected", "--json"]);
    let files: Vec<_> = text(&all.stdout).lines().map(|line| serde_json::from_str::<Value>(line).unwrap()).collect();
    assert_eq!(files.len(), 4, "{all:?}");
    assert!(files[0]["file"].as_str().unwrap().ends_with("Z-000000-task.created.http"), "{all:?}");
    assert_eq!(text(&all.stderr), "");
}

#[test]
fn a_directory_with_nothing_that_verified_is_not_sent() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().to_str().unwrap();
    let server = Server::listen(&["--save", path]);
    run(&["send", &server.url, "--tamper", "signature"]);
    server.report();
    let output = run(&["send", "http://127.0.0.1:1/", "--dir", path]);
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    assert!(flat(&output.stderr).contains("so nothing was sent"), "{output:?}");
}
