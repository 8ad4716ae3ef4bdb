//! `send`, to the example receivers.

use std::path::PathBuf;
use std::process::Command;

use serde_json::Value;

use crate::support::{FORMS, SECRET, Server, run};

#[test]
fn the_axum_receiver() {
    receives("axum-receiver");
}

#[test]
fn the_actix_receiver() {
    receives("actix-receiver");
}

fn receives(package: &str) {
    let mut command = Command::new(executable(package));
    command.env("TWENTY_WEBHOOK_SECRET", SECRET).env("LISTEN_ADDR", "127.0.0.1:0").env_remove("RUST_LOG");
    let server = Server::start(command, "listening on ");
    for (form, event, name) in FORMS {
        let output = run(&["send", &server.url, event, "--form", form]);
        assert!(output.status.success(), "{package}: {form} {event}: {output:?}");
        // The receiver prints a line for each record that its handler gets.
        for _ in 0..if form == "batch" { 2 } else { 1 } {
            let line: Value = serde_json::from_str(&server.line()).unwrap();
            assert_eq!(line["name"], name, "{package}");
        }
    }
    for rejected in [&["--tamper", "body"][..], &["--tamper", "signature"], &["--tamper", "timestamp"], &["--age=10m"]]
    {
        let output = run(&[&["send", &server.url], rejected].concat());
        assert_eq!(output.status.code(), Some(1), "{package}: {rejected:?}: {output:?}");
    }
    assert!(run(&["send", &server.url, "--tamper", "nonce"]).status.success(), "{package}");
    assert!(run(&["send", &server.url, "--replay"]).status.success(), "{package}");
    let (status, printed, _) = server.interrupt();
    assert!(status.success(), "{package}");
    assert_eq!(
        printed.lines().count(),
        2,
        "{package}: the one with another nonce, and the replayed one once: {printed}"
    );
}

/// Builds the package's binary, and returns its path.
pub(crate) fn executable(package: &str) -> PathBuf {
    let build = ["build", "--quiet", "--message-format=json", "--package", package];
    let output = Command::new(env!("CARGO")).args(build).current_dir(env!("CARGO_MANIFEST_DIR")).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let messages =
        output.stdout.split(|byte| *byte == b'\n').filter_map(|line| serde_json::from_slice::<Value>(line).ok());
    let mut executables = messages.filter_map(|message| message["executable"].as_str().map(PathBuf::from));
    executables.find(|path| path.file_stem().is_some_and(|name| name == package)).unwrap()
}
