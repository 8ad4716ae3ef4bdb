use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use serde_json::json;
use twenty_webhook_core::{DeliveryId, Secret};
use twenty_webhook_testing::{SignedRequest, Tamper, event};

use crate::receiver::SECRET;

const HOST: &str = "localhost";

/// The requests that clients sent.
#[derive(Default)]
pub(crate) struct Sent {
    /// The ids of the valid deliveries, in hex.
    pub(crate) valid: Vec<String>,
    pub(crate) hostile: usize,
    /// The requests with an unexpected answer.
    pub(crate) wrong: Vec<String>,
}

impl Sent {
    pub(crate) fn merge(mut self, other: Self) -> Self {
        self.valid.extend(other.valid);
        self.hostile += other.hostile;
        self.wrong.extend(other.wrong);
        self
    }
}

/// Sends one request after another, on one connection until the receiver closes it.
pub(crate) struct Client {
    addr: SocketAddr,
    name: String,
    secret: Secret,
    connection: Option<TcpStream>,
}

impl Client {
    pub(crate) fn new(addr: SocketAddr, name: &str) -> Self {
        let secret = Secret::new(SECRET).expect("the secret is not blank");
        Self { addr, name: name.to_owned(), secret, connection: None }
    }

    /// Sends nine valid requests, then a hostile one, and so on until `end`. Uses each kind of hostile request in turn.
    pub(crate) fn run(mut self, end: Instant) -> Sent {
        let mut sent = Sent::default();
        let mut number = 0;
        while Instant::now() < end {
            number += 1;
            let request = self.request(number);
            let is_hostile = number % 10 == 0;
            let (what, bytes, expected) = if is_hostile {
                sent.hostile += 1;
                self.hostile(number, request)
            } else {
                sent.valid.push(DeliveryId::of(&request.body()).to_string());
                ("valid", request.raw(HOST), Some(200))
            };
            let answer = self.send(&bytes, expected.is_some());
            match (answer, expected) {
                (Ok(status), expected) if status == expected => {}
                (answer, _) => sent.wrong.push(format!("{what}: {answer:?}")),
            }
        }
        sent
    }

    /// The valid delivery with this number. Each has another record.
    fn request(&self, number: u64) -> SignedRequest {
        let fields = json!({ "id": format!("{}-{number}", self.name), "name": "Analytical Engines" });
        event("company.updated").record(fields).changed(["name"]).signed_with(&self.secret)
    }

    /// A hostile request and its expected status. `None` if the client hangs up without waiting for an answer.
    fn hostile(&self, number: u64, request: SignedRequest) -> (&'static str, Vec<u8>, Option<u16>) {
        let raw = request.raw(HOST);
        let text = || String::from_utf8_lossy(&raw).into_owned();
        match number / 10 % 8 {
            0 => ("unsigned", text().replace("x-twenty-", "x-other-").into_bytes(), Some(401)),
            1 => ("changed", request.tampered(Tamper::Body).raw(HOST), Some(401)),
            2 => ("stale", request.age(Duration::from_secs(600)).raw(HOST), Some(401)),
            3 => ("forged", request.tampered(Tamper::Signature).raw(HOST), Some(401)),
            4 => {
                let (head, _) = raw.split_at(raw.len() - request.body().len());
                let length = format!("Content-Length: {}", request.body().len());
                let huge = String::from_utf8_lossy(head).replace(&length, "Content-Length: 4000000000000000");
                ("announced too large", huge.into_bytes(), Some(413))
            }
            5 => ("incomplete", raw[..raw.len() - request.body().len() / 2].to_vec(), None),
            6 => ("not HTTP", b"\x16\x03\x01\x02\r\n\r\n".to_vec(), Some(400)),
            // The previous delivery, which was handled, signed again.
            _ => ("replayed", self.request(number - 1).rerun().raw(HOST), Some(200)),
        }
    }

    fn send(&mut self, request: &[u8], wait: bool) -> io::Result<Option<u16>> {
        let mut connection = match self.connection.take() {
            Some(connection) => connection,
            None => TcpStream::connect(self.addr)?,
        };
        connection.set_nodelay(true)?;
        connection.set_read_timeout(Some(Duration::from_secs(10)))?;
        connection.write_all(request)?;
        if !wait {
            return Ok(None);
        }
        let (mut received, mut buffer) = (Vec::new(), [0; 1024]);
        while !received.ends_with(b"\r\n\r\n") {
            match connection.read(&mut buffer)? {
                0 => break,
                len => received.extend_from_slice(&buffer[..len]),
            }
        }
        let answer = String::from_utf8_lossy(&received).to_lowercase();
        let status: Option<u16> = answer.get(9..12).and_then(|status| status.parse().ok());
        // The receiver closes the connection of a request that it did not read to the end.
        if status == Some(200) && !answer.contains("connection: close") {
            self.connection = Some(connection);
        }
        Ok(status)
    }
}
