use std::time::{Duration, Instant};

use anyhow::Context;
use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use reqwest::{Url, redirect};

use super::NoAnswer;

/// How many redirects Twenty follows.
pub(super) const MOST_REDIRECTS: usize = 5;

/// Posts as Twenty does.
#[derive(Clone)]
pub(crate) struct Client {
    client: reqwest::Client,
    url: Url,
}

/// What came back.
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
    pub(crate) duration: Duration,
}

/// Why there was no answer.
#[derive(Clone, Debug)]
pub(crate) struct Failure {
    pub(crate) why: String,
    /// Whether the receiver may have got it.
    pub(crate) is_sent: bool,
}

impl Client {
    pub(crate) fn new(url: &Url, timeout: Duration) -> anyhow::Result<Self> {
        // Twenty follows the others too: as a GET without a body, which delivers nothing.
        let client = new_client(
            url,
            timeout,
            redirect::Policy::custom(|attempt| match attempt.status().as_u16() {
                307 | 308 if attempt.previous().len() <= MOST_REDIRECTS => attempt.follow(),
                _ => attempt.stop(),
            }),
        )?;
        Ok(Self { client, url: url.clone() })
    }

    pub(crate) async fn post(&self, headers: HeaderMap, body: Bytes) -> Result<Answer, Failure> {
        let started = Instant::now();
        let answer = async {
            let response = self.client.post(self.url.clone()).headers(headers).body(body).send().await?;
            let (status, headers) = (response.status(), response.headers().clone());
            Ok(Answer { status, headers, body: response.bytes().await?, duration: started.elapsed() })
        };
        answer.await.map_err(|error: reqwest::Error| {
            let reason = NoAnswer::of(&error);
            Failure { why: self.why(&reason), is_sent: reason.may_be_sent() }
        })
    }

    fn why(&self, reason: &NoAnswer) -> String {
        let host = self.url.origin().ascii_serialization();
        match reason {
            NoAnswer::NoConnection => format!(
                "cannot reach {host}: no connection was opened in time, so nothing was sent. Does a firewall or a security group block it, or \
                 is the port wrong?"
            ),
            NoAnswer::Unreachable(cause) => format!("cannot reach {host} ({cause}); is the receiver running there?"),
            NoAnswer::TimedOut => "no answer in time. Twenty gives up after 5 seconds, and never sends it again".into(),
            NoAnswer::BrokenOff(cause) => format!("the exchange with {host} broke off ({cause})"),
        }
    }
}

/// A client with this policy for redirects; without a proxy to this machine.
pub(crate) fn new_client(url: &Url, timeout: Duration, redirects: redirect::Policy) -> anyhow::Result<reqwest::Client> {
    install_crypto_provider();
    let builder = || {
        let builder = reqwest::Client::builder()
            .user_agent(concat!("twenty-webhook/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(connect_timeout(timeout))
            .timeout(timeout);
        if is_loopback(url) { builder.no_proxy() } else { builder }
    };
    let is_plain = url.scheme() == "http";
    let built = match builder().build() {
        // A machine without certificates can do without them.
        Err(_) if is_plain => builder().tls_certs_only([]).redirect(redirects).build(),
        Err(error) => Err(error),
        Ok(_) => builder().redirect(redirects).build(),
    };
    built.context("cannot create an HTTPS client; is the package ca-certificates installed on this machine?")
}

/// The part of a request's timeout in which its connection must be open. Less than all of it, so that a firewall is told from a slow receiver.
pub(crate) fn connect_timeout(timeout: Duration) -> Duration {
    timeout / 5 * 4
}

/// rustls has no default provider in this build.
pub(crate) fn install_crypto_provider() {
    // An error means that one is already installed.
    let _ = rustls::crypto::ring::default_provider().install_default();
}

pub(crate) fn is_loopback(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default();
    let ip: Option<std::net::IpAddr> = host.trim_matches(['[', ']']).parse().ok();
    host == "localhost" || ip.is_some_and(|ip| ip.is_loopback())
}
