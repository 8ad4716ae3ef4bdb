//! Requests as bytes, right or wrong, and what comes back for them.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::{Duration, Instant};

use twenty_webhook_core::Signer;

use crate::samples::secret;

/// How long a receiver may take to end a connection that it has no reason to keep: the longest deadline in it is 10 s.
const PATIENCE: Duration = Duration::from_secs(25);

/// A signed delivery with `Connection: close`, to be spoiled.
#[derive(Clone)]
pub(super) struct Post {
    pub(super) start: String,
    pub(super) headers: Vec<u8>,
    /// The line that says where the body ends.
    pub(super) framing: String,
    /// What goes over the wire after the headers.
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

    /// Replaces something in the headers, which must be there.
    pub(super) fn edit(mut self, from: &str, to: &[u8]) -> Self {
        let at = self.headers.windows(from.len()).position(|text| text == from.as_bytes()).unwrap();
        self.headers.splice(at..at + from.len(), to.iter().copied());
        self
    }

    pub(super) fn framing(mut self, lines: &str) -> Self {
        self.framing = lines.into();
        self
    }

    /// The body, as `encode` puts it into chunks.
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
    /// One byte a second, for as long as the connection lives.
    Drip(Vec<u8>),
    /// Waits until these bytes have come back.
    Await(&'static str),
    /// No more will be sent.
    CloseHalf,
}

/// The statuses that came back until the receiver ended the connection.
#[derive(Debug)]
pub(super) struct Heard {
    pub(super) statuses: Vec<u16>,
    pub(super) end: End,
}

#[derive(Debug, PartialEq, Eq)]
pub(super) enum End {
    Closed,
    /// By which the system may have thrown away what was still on its way to us.
    Reset,
    StillOpen,
}

/// Does the steps, and listens until the end. What cannot be sent any more is not: the receiver may hang up when it likes.
pub(super) fn talk(mut stream: TcpStream, steps: Vec<Step>) -> Heard {
    stream.set_write_timeout(Some(PATIENCE)).unwrap();
    let mut heard = Vec::new();
    for step in steps {
        let done = match step {
            Step::Send(bytes) => stream.write_all(&bytes).is_ok(),
            Step::Drip(bytes) => {
                bytes.iter().all(|&byte| stream.write_all(&[byte]).is_ok() && quiet(&mut stream, &mut heard))
            }
            Step::Await(text) => loop {
                if String::from_utf8_lossy(&heard).contains(text) {
                    break true;
                }
                if listen(&mut stream, &mut heard, PATIENCE) != Some(Listened::Data) {
                    break false;
                }
            },
            Step::CloseHalf => stream.shutdown(Shutdown::Write).is_ok(),
        };
        if !done {
            break;
        }
    }
    let began = Instant::now();
    let end = loop {
        match PATIENCE.checked_sub(began.elapsed()).and_then(|left| listen(&mut stream, &mut heard, left)) {
            Some(Listened::Data) => {}
            Some(Listened::End(end)) => break end,
            None => break End::StillOpen,
        }
    };
    Heard { statuses: statuses(&heard), end }
}

#[derive(PartialEq, Eq)]
enum Listened {
    Data,
    End(End),
}

/// Whether a second has passed and nothing has come.
fn quiet(stream: &mut TcpStream, heard: &mut Vec<u8>) -> bool {
    listen(stream, heard, Duration::from_secs(1)).is_none()
}

/// `None` if there is nothing for that long.
fn listen(stream: &mut TcpStream, heard: &mut Vec<u8>, patience: Duration) -> Option<Listened> {
    stream.set_read_timeout(Some(patience.max(Duration::from_millis(1)))).unwrap();
    let mut buffer = [0; 4096];
    match stream.read(&mut buffer) {
        Ok(0) => Some(Listened::End(End::Closed)),
        Ok(len) => {
            heard.extend_from_slice(&buffer[..len]);
            Some(Listened::Data)
        }
        Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => None,
        Err(_) => Some(Listened::End(End::Reset)),
    }
}

fn statuses(heard: &[u8]) -> Vec<u16> {
    let text = String::from_utf8_lossy(heard);
    let lines = text.split("\r\n").filter_map(|line| line.strip_prefix("HTTP/1.1 ").or(line.strip_prefix("HTTP/1.0 ")));
    lines.map(|line| line[..3].parse().unwrap()).collect()
}

pub(super) fn write(stream: &mut TcpStream, bytes: &[u8]) {
    stream.write_all(bytes).unwrap();
}

/// All that comes back until the receiver ends the connection; for a keep-alive connection, of all its requests.
pub(super) fn read_answer(mut stream: TcpStream) -> String {
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}
