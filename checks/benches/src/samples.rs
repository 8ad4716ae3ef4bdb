//! Bodies and requests as Twenty sends them.

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, header};
use twenty_webhook_core::{Secret, Signer};

/// A generated secret in Twenty's format.
pub const SECRET: &str = "5f1d9b3c8a7e4620b1c9d8e7f6a5b4c3d2e1f00918273645546372819a0b1c2d";

/// 16 digits in each body from [`body`]. Overwrite them to make a new body.
pub const SERIAL: &str = "0000000000000000";

/// An update of a person, exactly `len` bytes long (at least 300), as `JSON.stringify` writes it.
///
/// Below 2 KiB it is a small event. From 2 KiB on it is the one of the test vectors, with custom fields up to the length.
pub fn body(len: usize) -> Bytes {
    let (mut json, tail) = if len < 2048 { small() } else { large() };
    json.insert_str(json.len(), &format!(r#","serial":"{SERIAL}""#));
    for number in 0.. {
        let field = format!(
            r#","customField{number}":"Met at the fair; wants an offer for 40 seats by the end of May. Call back.""#
        );
        if json.len() + field.len() + 100 > len - tail.len() {
            break;
        }
        json.push_str(&field);
    }
    let rest = (len - tail.len()).checked_sub(json.len() + r#","note":"""#.len()).expect("`len` is at least 300");
    json.push_str(r#","note":""#);
    json.extend(std::iter::repeat_n('x', rest));
    json.push('"');
    json.push_str(tail);
    assert_eq!(json.len(), len);
    json.into()
}

/// The text before and after the end of the record.
fn small() -> (String, &'static str) {
    let json = r#"{"eventName":"person.updated","objectMetadata":{"id":"3f0b6a11-94d7-4c2e-8a5b-d16e7f9032c4","nameSingular":"person"},"workspaceId":"b1d6c7a2-0f3e-4a58-9c41-7e2b90d4f613","eventDate":"2026-09-14T09:02:12.004Z","record":{"id":"6b1f20a4""#;
    (json.to_owned(), "}}")
}

fn large() -> (String, &'static str) {
    let vector = include_str!("../../../tests/vectors/02-person-updated-fields.json");
    let tail = r#"},"updatedFields":["emails","companyId","updatedBy"]}"#;
    (vector.strip_suffix(tail).expect("the vector ends so").to_owned(), tail)
}

/// The headers of a request from Twenty with `body`, sent now.
pub fn headers(body: &[u8]) -> HeaderMap {
    let mut headers = common_headers(body);
    headers.extend(Signer::new(secret()).sign(body));
    headers
}

/// The headers that axios and HTTP/1.1 clients always send.
pub fn common_headers(body: &[u8]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in [
        (header::HOST, "hooks.example.test"),
        (header::ACCEPT, "application/json, text/plain, */*"),
        (header::CONTENT_TYPE, "application/json"),
        (header::USER_AGENT, "axios/1.13.2"),
        (header::ACCEPT_ENCODING, "gzip, compress, deflate, br"),
        (header::CONNECTION, "keep-alive"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    headers.insert(header::CONTENT_LENGTH, body.len().into());
    headers
}

/// [`SECRET`] as this project's type.
pub fn secret() -> Secret {
    Secret::new(SECRET).expect("it is not blank")
}

/// The numbers on the command line, in bytes, or `usual` without any.
pub fn numbers(usual: &[usize]) -> Vec<usize> {
    let asked: Vec<usize> = std::env::args().filter_map(|arg| arg.parse().ok()).collect();
    if asked.is_empty() { usual.to_vec() } else { asked }
}
