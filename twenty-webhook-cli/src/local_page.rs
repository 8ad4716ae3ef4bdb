//! Pages for the user of this machine: on loopback, for browsers that have the token of this run. Requests for another host name are refused.

use std::future::Future;
use std::hint::black_box;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::Context;
use axum::Router;
use axum::extract::{Request, State};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, COOKIE, HOST, LOCATION, ORIGIN, REFERRER_POLICY, SET_COOKIE,
    X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use http::{HeaderName, HeaderValue, StatusCode};
use tokio::net::TcpListener;

/// A page that is about to be served.
pub(crate) struct LocalPage {
    listener: TcpListener,
    guard: Arc<Guard>,
}

/// Admits the requests that have the token.
struct Guard {
    token: String,
    addr: SocketAddr,
}

impl LocalPage {
    /// Listens at `addr`, which must be a loopback address.
    pub(crate) async fn bind(addr: SocketAddr) -> anyhow::Result<Self> {
        anyhow::ensure!(addr.ip().is_loopback(), "{addr} is not on loopback");
        let listener = TcpListener::bind(addr).await.with_context(|| format!("cannot listen on {addr}"))?;
        let mut random = [0; 16];
        getrandom::fill(&mut random).context("the system has no randomness")?;
        let guard = Guard { token: hex::encode(random), addr: listener.local_addr()? };
        Ok(Self { listener, guard: Arc::new(guard) })
    }

    /// The URL to open, with the token.
    pub(crate) fn url(&self) -> String {
        format!("http://{}/?token={}", self.guard.addr, self.guard.token)
    }

    /// Serves the page until `end`.
    pub(crate) async fn serve(self, page: Router, end: impl Future<Output = ()>) -> io::Result<()> {
        let page = page.layer(from_fn_with_state(self.guard, admit));
        // Not gracefully: a stream of events never ends.
        tokio::select! {
            served = axum::serve(self.listener, page) => served,
            () = end => Ok(()),
        }
    }
}

/// No content from other origins, no frames, no caching. A page may set a stricter policy.
const HEADERS: [(HeaderName, &str); 5] = [
    (
        CONTENT_SECURITY_POLICY,
        "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; form-action 'self'; \
         frame-ancestors 'none'; base-uri 'none'",
    ),
    (X_FRAME_OPTIONS, "DENY"),
    (X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (REFERRER_POLICY, "same-origin"),
    (CACHE_CONTROL, "no-store"),
];

async fn admit(State(guard): State<Arc<Guard>>, request: Request, next: Next) -> Response {
    let mut response = match guard.judge(&request) {
        Ok(()) => next.run(request).await,
        Err(response) => response,
    };
    for (name, value) in HEADERS {
        response.headers_mut().entry(name).or_insert(HeaderValue::from_static(value));
    }
    response
}

impl Guard {
    /// The answer to a request that may not pass.
    #[expect(clippy::result_large_err, reason = "it is the answer")]
    fn judge(&self, request: &Request) -> Result<(), Response> {
        // DNS rebinding: another site can make its name resolve to 127.0.0.1, and read the answers.
        let host = request.headers().get(HOST).and_then(|host| host.to_str().ok());
        if !host.is_some_and(|host| self.is_own_host(host)) {
            return Err(
                (StatusCode::MISDIRECTED_REQUEST, "Open the page by the URL that was printed.\n").into_response()
            );
        }
        let query = request.uri().query().unwrap_or_default();
        if query.split('&').filter_map(|pair| pair.strip_prefix("token=")).any(|token| self.is_token(token)) {
            // Into a cookie, so that it does not stay in the address bar and the history.
            let cookie = format!("{}={}; HttpOnly; SameSite=Strict; Path=/", self.cookie(), self.token);
            return Err((StatusCode::SEE_OTHER, [(SET_COOKIE, cookie), (LOCATION, "/".to_owned())]).into_response());
        }
        let cookies = request.headers().get_all(COOKIE).iter().filter_map(|cookie| cookie.to_str().ok());
        let name = self.cookie();
        let has_token = cookies
            .flat_map(|cookies| cookies.split(';'))
            .filter_map(|cookie| cookie.trim().split_once('='))
            .any(|(own, token)| own == name && self.is_token(token));
        if has_token && is_own(request) {
            return Ok(());
        }
        Err((StatusCode::FORBIDDEN, "Open the page by the URL that was printed: it has the token of this run.\n")
            .into_response())
    }

    /// Whether a `Host` names this machine and this port.
    fn is_own_host(&self, host: &str) -> bool {
        let name = host.strip_suffix(&format!(":{}", self.addr.port()));
        // Browsers leave out the port of http.
        let name = name.or_else(|| (self.addr.port() == 80).then_some(host));
        let bound = SocketAddr::new(self.addr.ip(), 0).to_string();
        name.is_some_and(|name| {
            ["127.0.0.1", "localhost", "[::1]"].contains(&name) || bound.strip_suffix(":0") == Some(name)
        })
    }

    /// Cookies are shared by all ports of a host.
    fn cookie(&self) -> String {
        format!("twenty-webhook-{}", self.addr.port())
    }

    /// Compares in constant time.
    fn is_token(&self, text: &str) -> bool {
        let (own, text) = (self.token.as_bytes(), text.as_bytes());
        own.len() == text.len() && black_box(own.iter().zip(text).fold(0, |diff, (a, b)| diff | (a ^ b))) == 0
    }
}

/// Whether a request that changes something comes from the page itself.
fn is_own(request: &Request) -> bool {
    let origin = request.headers().get(ORIGIN).map(HeaderValue::as_bytes);
    let host = request.headers().get(HOST).map(HeaderValue::as_bytes);
    request.method().is_safe() || origin.and_then(|origin| origin.strip_prefix(b"http://")) == host
}

#[cfg(test)]
mod tests {
    use super::Guard;

    #[test]
    fn the_hosts_of_the_printed_url_are_admitted() {
        for (addr, host, is_own) in [
            ("127.0.0.1:4000", "127.0.0.1:4000", true),
            ("127.0.0.1:4000", "localhost:4000", true),
            ("127.0.0.1:4000", "127.0.0.1", false),
            ("127.0.0.1:4000", "127.0.0.1:4001", false),
            ("127.0.0.1:4000", "127.0.0.2:4000", false),
            ("127.0.0.1:4000", "evil.example:4000", false),
            ("127.0.1.1:4000", "127.0.1.1:4000", true),
            ("[::1]:4000", "[::1]:4000", true),
            ("127.0.0.1:80", "127.0.0.1", true),
            ("127.0.0.1:80", "localhost", true),
            ("127.0.0.1:80", "127.0.0.1:80", true),
            ("[::1]:80", "[::1]", true),
            ("127.0.0.1:80", "evil.example", false),
        ] {
            let guard = Guard { token: String::new(), addr: addr.parse().unwrap() };
            assert_eq!(guard.is_own_host(host), is_own, "{addr}: {host}");
        }
    }
}
