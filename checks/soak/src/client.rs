use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use serde_json::json;
use twenty_webhook_core::{DeliveryId, Secret};
use twenty_webhook_testing::{SignedRequest, Tamper, event};

use crate::receiver::SECRET;

const HOST: &str = "localhost";

/// What clients have sent.
#[derive(Default)]
pub(crate) struct Sent {
    /// The ids of the valid deliveries, in hex.
    pub(crate) valid: Vec<String>,
    pub(crate) hostile: usize,
    /// What was not answered as it was to be.
    pub(crate) wrong: Vec<String>,
}

impl Sent {
    pub(crate) fn and(mut self, other: Self) -> Self {
        self.valid.extend(other.valid);
        self.hostile += other.hostile;
        self.wrong.extend(other.wrong);
        self
    }
}

/// Sends one request after the other, on one connection for as long as the receiver keeps it.
pub(crate) struct Client {
    addr: SocketAddr,
    name: String,
    secret: Secret,
    connection: Option<TcpStream>,
}

impl Client {
    pub(crate) fn new(addr: SocketAddr, name: &str) -> Self {
        let secret = Secret::new(SECRET).expect("it is not blank");
        Self { addr, name: name.to_owned(), secret, connection: None }
    }

    /// Of ten requests nine are valid, and the tenth is one of the hostile ones, in turn.
    pub(crate) fn drive(mut self, until: Instant) -> Sent {
        let mut sent = Sent::default();
        let mut number = 0;
        while Instant::now() < until {
            number += 1;
            let request = self.request(number);
            let is_hostile = number % 10 == 0;
            let (what, bytes, expected) = if is_hostile {
                sent.hostile += 1;
                self.hostile(number, request)
            } else {
                sent.valid.push(DeliveryId::of(&request.body()).to_string());
                ("a valid one", request.raw(HOST), Some(200))
            };
            let answer = self.send(&bytes, expected.is_some());
            match (answer, expected) {
                (Ok(status), expected) if status == expected => {}
                (answer, _) => sent.wrong.push(format!("{what}: {answer:?}")),
            }
        }
        sent
    }

    /// The valid delivery of this number: another record for each.
    fn request(&self, number: u64) -> SignedRequest {
        let fields = json!({ "id": format!("{}-{number}", self.name), "name": "Analytical Engines" });
        event("company.updated").record(fields).changed(["name"]).signed_with(&self.secret)
    }

    /// What is sent, and the status that must come of it; `None` if the client hangs up and waits for none.
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
            5 => ("broken off", raw[..raw.len() - request.body().len() / 2].to_vec(), None),
            6 => ("not HTTP", b"\x16\x03\x01\x02\r\n\r\n".to_vec(), Some(400)),
            // The one before, signed again; it was handled.
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
        let (mut heard, mut buffer) = (Vec::new(), [0; 1024]);
        while !heard.ends_with(b"\r\n\r\n") {
            match connection.read(&mut buffer)? {
                0 => break,
                len => heard.extend_from_slice(&buffer[..len]),
            }
        }
        let answer = String::from_utf8_lossy(&heard).to_lowercase();
        let status: Option<u16> = answer.get(9..12).and_then(|status| status.parse().ok());
        // Whatever was not read to its end is not followed by another.
        if status == Some(200) && !answer.contains("connection: close") {
            self.connection = Some(connection);
        }
        Ok(status)
    }
}
