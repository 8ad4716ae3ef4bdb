use std::net::{IpAddr, Ipv6Addr};
use std::time::Duration;

use bytes::Bytes;
use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use http::{Method, StatusCode, Uri};
use http_body_util::{BodyExt, Full, Limited};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use serde_json::Value;
use tokio::time::timeout;
use twenty_webhook_core::{NONCE_HEADER, Secret, Signer, UnixMillis};

use super::Outcome;
use crate::sample::Version;

const MOST_REDIRECTS: usize = 5;
const LONGEST_ANSWER: usize = 1024 * 1024;

/// Calls webhooks like axios.
#[derive(Clone, Debug)]
pub(super) struct Client(hyper_util::client::legacy::Client<HttpConnector, Full<Bytes>>);

/// A call that is ready to be signed and sent.
pub(super) struct Request {
    pub(super) target_url: String,
    pub(super) body: Bytes,
    pub(super) secret: String,
    pub(super) nonce: String,
    pub(super) sent_at: UnixMillis,
    pub(super) refuse_private_addresses: bool,
    pub(super) version: Version,
}

impl Client {
    pub(super) fn new() -> Self {
        let client = hyper_util::client::legacy::Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            // As long as Node's agent keeps a connection.
            .pool_idle_timeout(Duration::from_secs(5))
            .http1_title_case_headers(true)
            .build_http();
        Self(client)
    }

    pub(super) async fn send(&self, request: Request, limit: Duration) -> Outcome {
        if request.refuse_private_addresses && is_private(&request.target_url).await {
            return Outcome::PrivateAddress;
        }
        timeout(limit, self.exchange(request)).await.unwrap_or(Outcome::TimedOut)
    }

    async fn exchange(&self, request: Request) -> Outcome {
        let headers = request.headers();
        let (mut method, mut body) = (Method::POST, as_on_the_wire(&request.body, request.version));
        let mut url = request.target_url;
        for _ in 0..=MOST_REDIRECTS {
            let Ok(uri) = url.parse::<Uri>() else { return Outcome::Failed(format!("{url} is not a URL")) };
            let mut message = http::Request::new(Full::new(body.clone()));
            *message.method_mut() = method.clone();
            *message.uri_mut() = uri.clone();
            *message.headers_mut() = headers.clone();
            if method == Method::GET {
                message.headers_mut().remove(header::CONTENT_TYPE);
            }
            let response = match self.0.request(message).await {
                Ok(response) => response,
                Err(error) => return Outcome::Failed(last_cause(&error)),
            };
            let (parts, answer) = response.into_parts();
            if let Err(error) = Limited::new(answer, LONGEST_ANSWER).collect().await {
                return Outcome::Failed(error.to_string());
            }
            let location = parts.headers.get(header::LOCATION).and_then(|location| location.to_str().ok());
            let Some(location) = location.filter(|_| parts.status.is_redirection()) else {
                return Outcome::Answered(parts.status.as_u16());
            };
            // After a 301, 302 or 303, axios sends a GET without the body.
            if !matches!(parts.status, StatusCode::TEMPORARY_REDIRECT | StatusCode::PERMANENT_REDIRECT) {
                (method, body) = (Method::GET, Bytes::new());
            }
            url = resolve(&uri, location);
        }
        Outcome::Failed("too many redirects".to_owned())
    }
}

impl Request {
    fn headers(&self) -> HeaderMap {
        // A webhook without a secret sends unsigned deliveries.
        let mut headers = match Secret::new(self.secret.as_str()) {
            Ok(secret) => Signer::new(secret).sign_at(&self.body, self.sent_at),
            Err(_) => HeaderMap::new(),
        };
        if headers.contains_key(&NONCE_HEADER) {
            headers.insert(NONCE_HEADER.clone(), HeaderValue::try_from(&self.nonce).expect("hex digits"));
        }
        for (name, value) in [
            (header::CONTENT_TYPE, "application/json"),
            (header::ACCEPT, "application/json, text/plain, */*"),
            (header::ACCEPT_ENCODING, "gzip, compress, deflate, br"),
            (header::USER_AGENT, "axios/1.13.2"),
        ] {
            headers.insert::<HeaderName>(name, HeaderValue::from_static(value));
        }
        headers
    }
}

/// The body that axios sends. axios drops some keys after the body was signed, so the signature no longer matches.
fn as_on_the_wire(body: &Bytes, version: Version) -> Bytes {
    let dropped: &[&str] =
        if version >= Version::V2_21 { &["__proto__", "constructor", "prototype"] } else { &["__proto__"] };
    let text = String::from_utf8_lossy(body);
    if !dropped.iter().any(|key| text.contains(&format!("\"{key}\":"))) {
        return body.clone();
    }
    let Ok(mut value) = serde_json::from_str::<Value>(&text) else { return body.clone() };
    drop_keys(&mut value, dropped);
    value.to_string().into()
}

fn drop_keys(value: &mut Value, keys: &[&str]) {
    if let Value::Object(members) = value {
        members.retain(|key, _| !keys.contains(&key.as_str()));
        members.values_mut().for_each(|member| drop_keys(member, keys));
    }
}

async fn is_private(url: &str) -> bool {
    let Ok(uri) = url.parse::<Uri>() else { return false };
    let host = uri.host().unwrap_or_default().trim_matches(['[', ']']).to_owned();
    let port = uri.port_u16().unwrap_or(80);
    match tokio::net::lookup_host((host, port)).await {
        Ok(mut addresses) => addresses.any(|address| is_private_address(address.ip())),
        Err(_) => false,
    }
}

fn is_private_address(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => v4.is_private() || v4.is_loopback() || v4.is_link_local() || v4.is_unspecified(),
        IpAddr::V6(v6) => match v6.to_ipv4_mapped() {
            Some(v4) => is_private_address(v4.into()),
            None => {
                v6 == Ipv6Addr::LOCALHOST || v6.is_unspecified() || v6.is_unique_local() || v6.is_unicast_link_local()
            }
        },
    }
}

/// Resolves a `Location`: a complete URL, or a path on the same server.
fn resolve(base: &Uri, location: &str) -> String {
    if location.contains("://") {
        return location.to_owned();
    }
    let scheme = base.scheme_str().unwrap_or("http");
    let authority = base.authority().map(ToString::to_string).unwrap_or_default();
    format!("{scheme}://{authority}/{}", location.trim_start_matches('/'))
}

fn last_cause(error: &dyn std::error::Error) -> String {
    let mut cause = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    cause.to_string()
}
