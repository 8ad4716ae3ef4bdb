use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::Duration;

use serde_json::Value;

pub(crate) const SECRET: &str = "s3cret of the tests";
const TIMEOUT: Duration = Duration::from_secs(30);

/// Runs the binary with the tests' secret in its environment.
pub(crate) fn command(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_twenty-webhook"));
    command.args(args).env("TWENTY_WEBHOOK_SECRET", SECRET).env_remove("NO_COLOR").env_remove("CLICOLOR_FORCE");
    command
}

pub(crate) fn run(args: &[&str]) -> Output {
    command(args).stdin(Stdio::null()).output().unwrap()
}

pub(crate) fn assert(args: &[&str]) -> assert_cmd::assert::Assert {
    assert_cmd::Command::from_std(command(args)).timeout(TIMEOUT).assert()
}

pub(crate) fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// A text without its wrapping.
pub(crate) fn flat(bytes: &[u8]) -> String {
    text(bytes).split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Runs a command with this text on its stdin.
pub(crate) fn pipe(args: &[&str], stdin: &[u8]) -> Output {
    let mut command = command(args);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    // A command that fails may leave it unread.
    let _ = child.stdin.take().unwrap().write_all(stdin);
    child.wait_with_output().unwrap()
}

/// The one line of JSON that a command prints.
pub(crate) fn json(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{output:?}"))
}

/// Prints why a test cannot run here, to the real stderr, which the test harness does not capture. If `CI_MUST_RUN_ALL` is set, the test fails.
#[cfg(feature = "catch-up")]
pub(crate) fn skip(why: &str) {
    assert!(std::env::var_os("CI_MUST_RUN_ALL").is_none(), "SKIPPED: {why}");
    let _ = writeln!(std::io::stderr(), "SKIPPED: {why}");
}

/// The event of a delivery with this body, as a receiver gets it.
#[cfg(feature = "inbox")]
pub(crate) fn verified(body: impl Into<bytes::Bytes>) -> twenty_webhook_axum::WebhookEvent {
    let (body, secret) = (body.into(), twenty_webhook_axum::Secret::new("s").unwrap());
    let headers = twenty_webhook_axum::Signer::new(secret.clone()).sign(&body);
    twenty_webhook_axum::Verifier::from(secret).verify(&headers, body).unwrap().into_event().unwrap()
}

pub(crate) fn vector(file: &str) -> Vec<u8> {
    let path: PathBuf = [env!("CARGO_MANIFEST_DIR"), "..", "tests", "vectors", file].iter().collect();
    fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// A process that listens on a free port.
pub(crate) struct Server {
    child: Child,
    pub(crate) url: String,
    pub(crate) stdout: Receiver<String>,
    pub(crate) stderr: Receiver<String>,
}

impl Server {
    /// `twenty-webhook listen --json`, and more.
    pub(crate) fn listen(more: &[&str]) -> Self {
        Self::listen_at("127.0.0.1:0", more)
    }

    pub(crate) fn listen_at(addr: &str, more: &[&str]) -> Self {
        Self::start(command(&[&["listen", "--addr", addr, "--json"], more].concat()), "Listening on ")
    }

    /// Starts a process, and waits for the line on stderr that holds its URL after `before`.
    pub(crate) fn start(mut command: Command, before: &str) -> Self {
        let spawned = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
        let mut child = spawned.unwrap();
        let (stdout, stderr) = (lines(child.stdout.take().unwrap()), lines(child.stderr.take().unwrap()));
        let url = loop {
            let line = stderr.recv_timeout(TIMEOUT).expect("it says where it listens");
            if let Some((_, rest)) = line.split_once(before) {
                break rest.split([',', ' ']).next().unwrap().to_owned();
            }
        };
        Self { child, url, stdout, stderr }
    }

    /// The next line that it prints.
    pub(crate) fn line(&self) -> String {
        self.stdout.recv_timeout(TIMEOUT).expect("it prints a line")
    }

    pub(crate) fn report(&self) -> Value {
        serde_json::from_str(&self.line()).unwrap()
    }

    /// Sends Ctrl-C. Returns the status, and what was not yet read of stdout and stderr.
    pub(crate) fn interrupt(mut self) -> (ExitStatus, String, String) {
        let kill = format!("kill -INT {}", self.child.id());
        assert!(Command::new("sh").args(["-c", &kill]).status().unwrap().success());
        let status = self.child.wait().unwrap();
        let rest = |lines: &Receiver<String>| lines.iter().collect::<Vec<_>>().join("\n");
        (status, rest(&self.stdout), rest(&self.stderr))
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn wait(mut self) -> ExitStatus {
        self.child.wait().unwrap()
    }

    /// Starts a process whose stdout is closed.
    pub(crate) fn start_with_closed_stdout(mut command: Command) -> Self {
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        drop(child.stdout.take());
        let stderr = lines(child.stderr.take().unwrap());
        let line = stderr.recv_timeout(TIMEOUT).unwrap();
        let url = line.strip_prefix("Listening on ").unwrap().split(',').next().unwrap().to_owned();
        Self { child, url, stdout: channel().1, stderr }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn lines(from: impl Read + Send + 'static) -> Receiver<String> {
    let (sender, receiver) = channel();
    thread::spawn(move || {
        for line in BufReader::new(from).lines().map_while(Result::ok) {
            let _ = sender.send(line);
        }
    });
    receiver
}

/// One request over a new connection. The path in `url` is ignored.
pub(crate) fn exchange(url: &str, request: &str) -> String {
    let mut stream = TcpStream::connect(url.strip_prefix("http://").unwrap().split('/').next().unwrap()).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

/// Every form, with an event that it can have, and the name that the receiver reads.
pub(crate) const FORMS: [(&str, &str, &str); 16] = [
    ("record", "person.created", "person.created"),
    ("record", "person.updated", "person.updated"),
    ("record", "company.restored", "company.restored"),
    ("record", "opportunity.updated", "opportunity.updated"),
    ("record", "task.deleted", "task.deleted"),
    ("record", "note.destroyed", "note.destroyed"),
    ("record", "workspaceMember.updated", "workspaceMember.updated"),
    ("record", "rocket.created", "rocket.created"),
    ("record", "person.upserted", "person.upserted"),
    ("metadata", "metadata.fieldMetadata.created", "metadata.fieldMetadata.created"),
    ("metadata", "metadata.fieldMetadata.updated", "metadata.fieldMetadata.updated"),
    ("early-metadata", "metadata.objectMetadata.deleted", "metadata.objectMetadata.deleted"),
    ("documented", "person.created", "person.created"),
    ("batch", "person.updated", "person.updated"),
    ("2024-08", "company.created", "company.created"),
    ("2024-01", "company.created", "company.created"),
];
