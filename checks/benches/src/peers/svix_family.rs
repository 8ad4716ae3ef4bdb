use http::{HeaderMap, HeaderValue};

use crate::samples;

const ID: &str = "msg_2KWPBgLlAfxdpx2AI54pPJ85f4W";

/// `svix`.
pub struct Svix(svix::webhooks::Webhook);

impl Svix {
    /// Accepts requests signed with `secret`. The key is its bytes, as in this project.
    pub fn new(secret: &str) -> Self {
        Self(svix::webhooks::Webhook::from_bytes(secret.into()).expect("it is not empty"))
    }

    /// The headers of a request with `body`, sent now.
    pub fn headers(&self, body: &[u8]) -> HeaderMap {
        let now = now_in_seconds();
        let signature = self.0.sign(ID, now, body).expect("the body is UTF-8");
        headers(body, ["svix-id", "svix-timestamp", "svix-signature"], now, &signature)
    }

    /// Whether the request is genuine.
    pub fn verify(&self, headers: &HeaderMap, body: &[u8]) -> bool {
        self.0.verify(body, headers).is_ok()
    }
}

/// `standardwebhooks`.
pub struct StandardWebhooks(standardwebhooks::Webhook);

impl StandardWebhooks {
    /// Accepts requests signed with `secret`. The key is its bytes, as in this project.
    pub fn new(secret: &str) -> Self {
        Self(standardwebhooks::Webhook::from_bytes(secret.into()).expect("any bytes are a key"))
    }

    /// The headers of a request with `body`, sent now.
    pub fn headers(&self, body: &[u8]) -> HeaderMap {
        let now = now_in_seconds();
        let signature = self.0.sign(ID, now, body).expect("the body is UTF-8");
        headers(body, ["webhook-id", "webhook-timestamp", "webhook-signature"], now, &signature)
    }

    /// Whether the request is genuine.
    pub fn verify(&self, headers: &HeaderMap, body: &[u8]) -> bool {
        self.0.verify(body, headers).is_ok()
    }
}

fn headers(body: &[u8], names: [&'static str; 3], now: i64, signature: &str) -> HeaderMap {
    let mut headers = samples::common_headers(body);
    for (name, value) in names.into_iter().zip([ID, &now.to_string(), signature]) {
        headers.insert(name, HeaderValue::from_str(value).expect("it is ASCII"));
    }
    headers
}

fn now_in_seconds() -> i64 {
    let now = std::time::UNIX_EPOCH.elapsed().expect("it is after 1970");
    i64::try_from(now.as_secs()).expect("the time fits into an i64")
}
