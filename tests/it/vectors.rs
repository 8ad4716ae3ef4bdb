//! The signed bodies and requests in `tests/vectors`. openssl and Node made their signatures, not this project.

use std::fs;
use std::path::PathBuf;

use bytes::Bytes;
use serde::Deserialize;
use twenty_webhook_core::UnixMillis;

/// A request, the time at which it arrives, and the expected result.
#[derive(Clone, Debug)]
pub(crate) struct Case {
    pub(crate) name: String,
    pub(crate) secret: String,
    pub(crate) now: UnixMillis,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Bytes,
    pub(crate) expect: Expect,
}

impl Case {
    /// The header whose name ends with `name`.
    pub(crate) fn header(&mut self, name: &str) -> &mut String {
        &mut self.headers.iter_mut().find(|(header, _)| header.ends_with(name)).unwrap().1
    }
}

#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
pub(crate) enum Expect {
    /// The handler runs once, with an event of this name.
    Event(String),
    /// The handler does not run.
    Rejected {
        status: u16,
        code: String,
        /// A part of the reason's text.
        #[serde(default)]
        says: String,
    },
}

/// A signed body.
#[derive(Deserialize)]
struct Signed {
    /// The canonical name of the event.
    #[serde(alias = "name")]
    event: String,
    /// In `signatures.json`, the file that contains the body.
    body: String,
    secret: String,
    timestamp: String,
    signature: String,
    nonce: String,
}

impl Signed {
    /// A request that arrives 40 ms after it was sent.
    fn case(self, name: String, body: Bytes) -> Case {
        Case {
            name,
            body,
            now: UnixMillis::from_millis(self.timestamp.parse::<u64>().unwrap() + 40),
            headers: vec![
                ("x-twenty-webhook-signature".into(), self.signature),
                ("x-twenty-webhook-timestamp".into(), self.timestamp),
                ("x-twenty-webhook-nonce".into(), self.nonce),
            ],
            secret: self.secret,
            expect: Expect::Event(self.event),
        }
    }
}

/// A signed body of each form that Twenty has sent.
pub(crate) fn signed_bodies() -> Vec<Case> {
    let all: Vec<Signed> = serde_json::from_slice(&read("signatures.json")).unwrap();
    assert!(all.len() >= 36, "the vectors are there");
    all.into_iter()
        .map(|signed| {
            let (name, body) = (signed.body.clone(), read(&signed.body));
            signed.case(name, body)
        })
        .collect()
}

/// The deliveries of a real Twenty 2.21 server.
pub(crate) fn real_deliveries() -> Vec<Case> {
    let lines = read("real-2.21.jsonl");
    let all: Vec<Case> = str::from_utf8(&lines)
        .unwrap()
        .lines()
        .map(|line| {
            let signed: Signed = serde_json::from_str(line).unwrap();
            let (name, body) = (format!("{} of 2.21", signed.event), signed.body.clone().into());
            signed.case(name, body)
        })
        .collect();
    assert_eq!(all.len(), 47, "the deliveries are there");
    all
}

/// Good and bad requests, from `requests.mjs`.
pub(crate) fn requests() -> Vec<Case> {
    #[derive(Deserialize)]
    struct File {
        secret: String,
        requests: Vec<Request>,
    }
    #[derive(Deserialize)]
    struct Request {
        name: String,
        now: u64,
        headers: Vec<(String, String)>,
        body: Body,
        expect: Expect,
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "snake_case")]
    enum Body {
        Text(String),
        PadTo(usize),
    }
    let file: File = serde_json::from_slice(&read("requests.json")).unwrap();
    assert!(file.requests.len() >= 80, "the requests are there");
    file.requests
        .into_iter()
        .map(|request| Case {
            name: request.name,
            secret: file.secret.clone(),
            now: UnixMillis::from_millis(request.now),
            headers: request.headers,
            body: match request.body {
                Body::Text(text) => text.into(),
                Body::PadTo(len) => padded(len),
            },
            expect: request.expect,
        })
        .collect()
}

/// The same padding as in `requests.mjs`.
fn padded(len: usize) -> Bytes {
    let (before, after) = (r#"{"eventName":"person.created","pad":""#, r#""}"#);
    let padding = "a".repeat(len - before.len() - after.len());
    format!("{before}{padding}{after}").into()
}

fn read(file: &str) -> Bytes {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("vectors").join(file);
    fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display())).into()
}
