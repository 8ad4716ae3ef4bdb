use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use http::HeaderMap;
use twenty_webhook_core::{Clock, DeliveryId, Secret, Signer};

use crate::receiver::SECRET;

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
    signer: Signer,
    connection: Option<TcpStream>,
}

impl Client {
    pub(crate) fn new(addr: SocketAddr, name: &str) -> Self {
        let secret = Secret::new(SECRET).expect("it is not blank");
        Self { addr, name: name.to_owned(), signer: Signer::new(secret), connection: None }
    }

    /// Of ten requests nine are valid, and the tenth is one of the hostile ones, in turn.
    pub(crate) fn drive(mut self, until: Instant) -> Sent {
        let mut sent = Sent::default();
        let mut number = 0;
        while Instant::now() < until {
            number += 1;
            let body = format!(
                r#"{{"eventName":"company.updated","record":{{"id":"{}-{number}","name":"Analytical Engines"}},"updatedFields":["name"]}}"#,
                self.name
            );
            let headers = self.signer.sign(body.as_bytes());
            let (what, request, expected) = if number % 10 == 0 {
                sent.hostile += 1;
                self.hostile(number / 10, headers, &body)
            } else {
                ("a valid one", post(&headers, body.len(), &body), Some(200))
            };
            let answer = self.send(&request, expected.is_some());
            match (answer, expected) {
                (Ok(status), expected) if status == expected => {}
                (answer, _) => sent.wrong.push(format!("{what}: {answer:?}")),
            }
            if what == "a valid one" {
                sent.valid.push(DeliveryId::of(body.as_bytes()).to_string());
            }
        }
        sent
    }

    /// What is sent, and the status that must come of it; `None` if the client hangs up and waits for none.
    fn hostile(&self, number: u64, mut headers: HeaderMap, body: &str) -> (&'static str, Vec<u8>, Option<u16>) {
        let length = body.len();
        match number % 8 {
            0 => ("unsigned", post(&HeaderMap::new(), length, body), Some(401)),
            1 => ("changed", post(&headers, length, &body.replace("Analytical", "analytical")), Some(401)),
            2 => {
                let now = Clock::system().now().as_millis();
                let old = twenty_webhook_core::UnixMillis::from_millis(now - 10 * 60 * 1000);
                ("stale", post(&self.signer.sign_at(body.as_bytes(), old), length, body), Some(401))
            }
            3 => {
                headers.insert("x-twenty-webhook-signature", "0".repeat(64).parse().expect("a header"));
                ("forged", post(&headers, length, body), Some(401))
            }
            4 => ("announced too large", post(&headers, 4_000_000_000_000_000, ""), Some(413)),
            5 => ("broken off", post(&headers, length, &body[..length / 2]), None),
            6 => ("not HTTP", b"\x16\x03\x01\x02\r\n\r\n".to_vec(), Some(400)),
            // The one before, of which only the signature's time is new; it was handled.
            _ => {
                let captured = body.replace(&format!("-{}\"", number * 10), &format!("-{}\"", number * 10 - 1));
                ("replayed", post(&self.signer.sign(captured.as_bytes()), captured.len(), &captured), Some(200))
            }
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

fn post(headers: &HeaderMap, length: usize, body: &str) -> Vec<u8> {
    let mut request =
        format!("POST /webhooks/twenty HTTP/1.1\r\nHost: localhost\r\nContent-Length: {length}\r\n").into_bytes();
    for (name, value) in headers {
        request.extend_from_slice(&[name.as_str().as_bytes(), b": ", value.as_bytes(), b"\r\n"].concat());
    }
    request.extend_from_slice(b"\r\n");
    request.extend_from_slice(body.as_bytes());
    request
}
