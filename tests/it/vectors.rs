//! The signed bodies and requests in `tests/vectors`. Their signatures are openssl's and Node's, never our own.

use std::fs;
use std::path::PathBuf;

use bytes::Bytes;
use serde::Deserialize;
use twenty_webhook_core::UnixMillis;

/// A request, what the clock says when it comes, and what must come of it.
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
    /// The header whose name ends like this.
    pub(crate) fn header(&mut self, name: &str) -> &mut String {
        &mut self.headers.iter_mut().find(|(header, _)| header.ends_with(name)).unwrap().1
    }
}

#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
pub(crate) enum Expect {
    /// The handler runs, once, with the event of this name.
    Event(String),
    /// The handler does not run.
    Refused {
        status: u16,
        code: String,
        /// What the reason says, among the rest.
        #[serde(default)]
        says: String,
    },
}

/// Every body that Twenty has ever sent, with its signature.
pub(crate) fn signed_bodies() -> Vec<Case> {
    #[derive(Deserialize)]
    struct Signed {
        body: String,
        /// What it is called, whichever way its own spelling is.
        event: String,
        secret: String,
        timestamp: String,
        signature: String,
        nonce: String,
    }
    let all: Vec<Signed> = serde_json::from_slice(&read("signatures.json")).unwrap();
    assert!(all.len() >= 36, "the vectors are there");
    all.into_iter()
        .map(|signed| Case {
            body: read(&signed.body),
            now: UnixMillis::from_millis(signed.timestamp.parse::<u64>().unwrap() + 40),
            headers: vec![
                ("x-twenty-webhook-signature".into(), signed.signature),
                ("x-twenty-webhook-timestamp".into(), signed.timestamp),
                ("x-twenty-webhook-nonce".into(), signed.nonce),
            ],
            secret: signed.secret,
            expect: Expect::Event(signed.event),
            name: signed.body,
        })
        .collect()
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
