//! `doctor` on a target with https: the TLS version, and errors of the certificate.
// The verifiers of other systems do not read SSL_CERT_FILE, which has the tests' authority.
#![cfg(target_os = "linux")]

use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::Arc;
use std::thread;

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, date_time_ymd};
use rustls::pki_types::PrivateKeyDer;
use rustls::version::{TLS12, TLS13};
use rustls::{ServerConfig, ServerConnection, SupportedProtocolVersion};
use serde_json::Value;
use twenty_webhook_testing::FakeTwenty;

use crate::support::SECRET;
use crate::twenty::{lines, on};

/// A certificate authority, and a file with its certificate.
struct Authority {
    issuer: Issuer<'static, KeyPair>,
    file: tempfile::NamedTempFile,
}

impl Authority {
    fn new(name: &str) -> Self {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), params.self_signed(&key).unwrap().pem()).unwrap();
        Self { issuer: Issuer::new(params, key), file }
    }

    /// Starts a server on 127.0.0.1 that answers as a receiver does. Its certificate is for this name, and valid until this year.
    fn server(&self, name: &str, until: i32, version: &'static SupportedProtocolVersion) -> String {
        let mut params = CertificateParams::new([name.to_owned()]).unwrap();
        params.not_after = date_time_ymd(until, 1, 1);
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider).with_protocol_versions(&[version]).unwrap();
        let config = config.with_no_client_auth().with_single_cert(vec![certificate.der().clone()], key).unwrap();
        let (config, listener) = (Arc::new(config), TcpListener::bind("127.0.0.1:0").unwrap());
        let url = format!("https://localhost:{}/hook", listener.local_addr().unwrap().port());
        thread::spawn(move || {
            for stream in listener.incoming() {
                let connection = ServerConnection::new(Arc::clone(&config)).unwrap();
                thread::spawn(move || answer(rustls::StreamOwned::new(connection, stream.unwrap())));
            }
        });
        url
    }
}

fn answer(mut stream: impl Read + Write) {
    let mut request = [0; 16_384];
    let Ok(len) = stream.read(&mut request) else { return };
    let status = if request[..len].starts_with(b"GET") { "405 Method Not Allowed" } else { "401 Unauthorized" };
    let _ = write!(stream, "HTTP/1.1 {status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
    let _ = stream.flush();
}

/// What `doctor` finds on a machine that trusts this authority.
fn doctor(target: &str, trusted: &Authority) -> Vec<Value> {
    let twenty = FakeTwenty::start();
    twenty.add_webhook(target, ["person.*"], SECRET);
    let mut doctor = on(&twenty, &["doctor", "--json", "--private-allowed"]);
    lines(&doctor.env("SSL_CERT_FILE", trusted.file.path()).env_remove("SSL_CERT_DIR").output().unwrap())
}

#[track_caller]
fn assert_tls(found: &[Value], result: &str, what: &str) {
    let tls = found.iter().find(|line| line["check"] == "tls").unwrap_or_else(|| panic!("{found:?}"));
    assert!(tls["result"] == result && tls["what"].as_str().unwrap().contains(what), "{tls}");
    assert_eq!((tls["why"].is_string(), tls["fix"].is_string()), (result == "wrong", result == "wrong"), "{tls}");
    // Without TLS no request can be made.
    assert_eq!(found.iter().any(|line| line["check"] == "get"), result == "ok", "{found:?}");
}

#[test]
fn the_version_is_named() {
    let authority = Authority::new("one");
    for (version, name) in [(&TLS13, "TLS 1.3"), (&TLS12, "TLS 1.2")] {
        let found = doctor(&authority.server("localhost", 2099, version), &authority);
        assert_tls(&found, "ok", name);
        assert!(found.iter().all(|line| line["result"] != "wrong"), "{found:?}");
    }
}

#[test]
fn certificate_errors_are_named() {
    let (authority, other) = (Authority::new("one"), Authority::new("another"));
    let expired = authority.server("localhost", 2020, &TLS13);
    assert_tls(&doctor(&expired, &authority), "wrong", "the certificate expired on 2020-01-01");
    let of_another_name = authority.server("crm.example.test", 2099, &TLS13);
    assert_tls(&doctor(&of_another_name, &authority), "wrong", "is not for localhost, but for");
    let good = authority.server("localhost", 2099, &TLS13);
    assert_tls(&doctor(&good, &other), "wrong", "an authority that this machine does not trust");
}

#[test]
fn a_target_without_tls_is_reported() {
    let authority = Authority::new("one");
    let plain = crate::twenty::answering("HTTP/1.1 400 Bad Request\r\n\r\n", std::time::Duration::ZERO);
    let found = doctor(&plain.replace("http://", "https://"), &authority);
    assert_tls(&found, "wrong", "does not speak TLS at this port");
    let closes = crate::twenty::answering("", std::time::Duration::ZERO).replace("http://", "https://");
    assert_tls(&doctor(&closes, &authority), "wrong", "the TLS handshake broke off");
}
