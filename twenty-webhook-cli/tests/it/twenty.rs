//! Commands that talk to a `FakeTwenty`.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::process::{Command, Output};
use std::sync::Arc;
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
pub(crate) fn answering(answer: impl Into<Arc<str>>, after: Duration) -> String {
    let answer = answer.into();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/hook", listener.local_addr().unwrap());
    thread::spawn(move || {
        for stream in listener.incoming() {
            let answer = Arc::clone(&answer);
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

/// A port that opens no connection, as behind a firewall that drops packets: its queue of new connections is full.
#[cfg(target_os = "linux")]
pub(crate) struct Blocked {
    pub(crate) url: String,
    _listener: TcpListener,
    _queue: Vec<std::net::TcpStream>,
}

#[cfg(target_os = "linux")]
impl Blocked {
    pub(crate) fn start() -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let listener = runtime.block_on(async {
            let socket = tokio::net::TcpSocket::new_v4().unwrap();
            socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
            socket.listen(0).unwrap().into_std().unwrap()
        });
        let address = listener.local_addr().unwrap();
        let connect = || std::net::TcpStream::connect_timeout(&address, Duration::from_millis(500)).ok();
        let queue = std::iter::from_fn(connect).collect();
        Self { url: format!("http://{address}/hook"), _listener: listener, _queue: queue }
    }
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
