//! Requests as bytes, valid and invalid, and their answers.

use std::io::{self, Read as _, Write};
use std::net::{Shutdown, TcpStream};
use std::time::{Duration, Instant};

use twenty_webhook_core::Signer;

use crate::samples::secret;

/// How long a receiver may take to end a connection. Its own longest deadline is 10 seconds.
const TIMEOUT: Duration = Duration::from_secs(25);

/// A signed delivery with `Connection: close`. The setters make it invalid.
#[derive(Clone)]
pub(super) struct Post {
    pub(super) start: String,
    pub(super) headers: Vec<u8>,
    /// The header line that says where the body ends.
    pub(super) framing: String,
    /// The bytes after the headers.
    pub(super) sent: Vec<u8>,
}

/// An event about the record `id`.
pub(super) fn body(id: &str) -> Vec<u8> {
    format!(r#"{{"eventName":"person.created","record":{{"id":"{id}"}}}}"#).into_bytes()
}

pub(super) fn signature(body: &[u8]) -> Vec<u8> {
    let mut lines = Vec::new();
    for (name, value) in &Signer::new(secret()).sign(body) {
        lines.extend_from_slice(&[name.as_str().as_bytes(), b": ", value.as_bytes(), b"\r\n"].concat());
    }
    lines
}

pub(super) fn chunk(data: &[u8]) -> Vec<u8> {
    [format!("{:x}\r\n", data.len()).as_bytes(), data, b"\r\n"].concat()
}

impl Post {
    pub(super) fn new(id: &str) -> Self {
        Self::of(body(id))
    }

    pub(super) fn of(body: Vec<u8>) -> Self {
        Self {
            start: "POST /webhooks/twenty HTTP/1.1".into(),
            headers: [b"Host: localhost\r\nConnection: close\r\n", signature(&body).as_slice()].concat(),
            framing: format!("Content-Length: {}", body.len()),
            sent: body,
        }
    }

    pub(super) fn start(mut self, line: &str) -> Self {
        self.start = line.into();
        self
    }

    pub(super) fn header(mut self, line: impl AsRef<[u8]>) -> Self {
        self.headers.extend_from_slice(&[line.as_ref(), b"\r\n"].concat());
        self
    }

    /// Replaces `from` in the headers, which must contain it.
    pub(super) fn edit(mut self, from: &str, to: &[u8]) -> Self {
        let at = self.headers.windows(from.len()).position(|text| text == from.as_bytes()).unwrap();
        self.headers.splice(at..at + from.len(), to.iter().copied());
        self
    }

    pub(super) fn framing(mut self, lines: &str) -> Self {
        self.framing = lines.into();
        self
    }

    /// Sends the body in chunks, as `encode` makes them.
    pub(super) fn chunked(mut self, encode: impl FnOnce(&[u8]) -> Vec<u8>) -> Self {
        self.sent = encode(&self.sent);
        self.framing("Transfer-Encoding: chunked")
    }

    pub(super) fn forged(self) -> Self {
        let mut forged = self;
        forged.headers =
            [b"Host: localhost\r\nConnection: close\r\n", signature(b"something else").as_slice()].concat();
        forged
    }

    pub(super) fn keep_alive(self) -> Self {
        self.edit("Connection: close\r\n", b"")
    }

    pub(super) fn head(&self) -> Vec<u8> {
        let framing = if self.framing.is_empty() { String::new() } else { format!("{}\r\n", self.framing) };
        [self.start.as_bytes(), b"\r\n", &self.headers, framing.as_bytes(), b"\r\n"].concat()
    }

    pub(super) fn bytes(&self) -> Vec<u8> {
        [self.head(), self.sent.clone()].concat()
    }
}

/// One thing that a client does.
pub(super) enum Step {
    Send(Vec<u8>),
    /// One byte a second, until the connection ends.
    Drip(Vec<u8>),
    /// Waits until the answers contain this text.
    Await(&'static str),
    /// Closes the client's side of the connection.
    CloseHalf,
}

/// The statuses that the client received, and how the connection ended.
#[derive(Debug)]
pub(super) struct Exchange {
    pub(super) statuses: Vec<u16>,
    pub(super) end: End,
}

#[derive(Debug, PartialEq, Eq)]
pub(super) enum End {
    Closed,
    /// The system may have discarded answers that the client had not read.
    Reset,
    StillOpen,
}

/// Runs the steps, and reads until the connection ends. The receiver may end it at any time, so the client stops sending after an error.
pub(super) fn exchange(mut stream: TcpStream, steps: Vec<Step>) -> Exchange {
    stream.set_write_timeout(Some(TIMEOUT)).unwrap();
    let mut received = Vec::new();
    for step in steps {
        let done = match step {
            Step::Send(bytes) => stream.write_all(&bytes).is_ok(),
            Step::Drip(bytes) => {
                bytes.iter().all(|&byte| stream.write_all(&[byte]).is_ok() && is_quiet(&mut stream, &mut received))
            }
            Step::Await(text) => loop {
                if String::from_utf8_lossy(&received).contains(text) {
                    break true;
                }
                if read(&mut stream, &mut received, TIMEOUT) != Some(Read::Data) {
                    break false;
                }
            },
            Step::CloseHalf => stream.shutdown(Shutdown::Write).is_ok(),
        };
        if !done {
            break;
        }
    }
    let started = Instant::now();
    let end = loop {
        let remaining = TIMEOUT.checked_sub(started.elapsed());
        match remaining.and_then(|remaining| read(&mut stream, &mut received, remaining)) {
            Some(Read::Data) => {}
            Some(Read::End(end)) => break end,
            None => break End::StillOpen,
        }
    };
    Exchange { statuses: statuses(&received), end }
}

#[derive(PartialEq, Eq)]
enum Read {
    Data,
    End(End),
}

/// Waits a second. Whether nothing arrived, and the connection is open.
fn is_quiet(stream: &mut TcpStream, received: &mut Vec<u8>) -> bool {
    read(stream, received, Duration::from_secs(1)).is_none()
}

/// Reads once. `None` after the timeout.
fn read(stream: &mut TcpStream, received: &mut Vec<u8>, timeout: Duration) -> Option<Read> {
    stream.set_read_timeout(Some(timeout.max(Duration::from_millis(1)))).unwrap();
    let mut buffer = [0; 4096];
    match stream.read(&mut buffer) {
        Ok(0) => Some(Read::End(End::Closed)),
        Ok(len) => {
            received.extend_from_slice(&buffer[..len]);
            Some(Read::Data)
        }
        Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => None,
        Err(_) => Some(Read::End(End::Reset)),
    }
}

fn statuses(received: &[u8]) -> Vec<u16> {
    let text = String::from_utf8_lossy(received);
    let lines = text.split("\r\n").filter_map(|line| line.strip_prefix("HTTP/1.1 ").or(line.strip_prefix("HTTP/1.0 ")));
    lines.map(|line| line[..3].parse().unwrap()).collect()
}

pub(super) fn write(stream: &mut TcpStream, bytes: &[u8]) {
    stream.write_all(bytes).unwrap();
}

/// Reads until the receiver ends the connection: the answers to all requests on it.
pub(super) fn read_answer(mut stream: TcpStream) -> String {
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}
