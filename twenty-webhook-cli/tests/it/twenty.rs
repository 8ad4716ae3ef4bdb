//! Commands that talk to a `FakeTwenty`.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::process::{Command, Output};
use std::thread;
use std::time::Duration;

use serde_json::Value;
use twenty_webhook_testing::FakeTwenty;

use crate::support::{command, text};

/// The binary, with the URL and an API key of this Twenty.
pub(crate) fn on(twenty: &FakeTwenty, args: &[&str]) -> Command {
    with_key(twenty, twenty.api_key(), args)
}

pub(crate) fn with_key(twenty: &FakeTwenty, key: &str, args: &[&str]) -> Command {
    let mut command = command(args);
    command.env("TWENTY_URL", twenty.url()).env("TWENTY_API_KEY", key).stdin(std::process::Stdio::null());
    command
}

pub(crate) fn run_on(twenty: &FakeTwenty, args: &[&str]) -> Output {
    on(twenty, args).output().unwrap()
}

pub(crate) fn lines(output: &Output) -> Vec<Value> {
    text(&output.stdout).lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// A server that answers each request with the same bytes, after a while.
pub(crate) fn answering(answer: &'static str, after: Duration) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/hook", listener.local_addr().unwrap());
    thread::spawn(move || {
        for stream in listener.incoming() {
            thread::spawn(move || {
                let mut stream = stream.unwrap();
                let mut request = [0; 16_384];
                let _ = stream.read(&mut request);
                thread::sleep(after);
                let _ = stream.write_all(answer.as_bytes());
            });
        }
    });
    url
}

/// Waits until the condition holds.
#[track_caller]
pub(crate) fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let deadline = std::time::Instant::now() + Duration::from_secs(20);
    while !is_so() {
        assert!(std::time::Instant::now() < deadline, "{what}");
        thread::sleep(Duration::from_millis(10));
    }
}
