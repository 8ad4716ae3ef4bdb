use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, StatusCode, header};
use reqwest::{Url, redirect};
use tokio::sync::Mutex;
use tokio::time::{sleep, timeout};
use twenty_webhook_core::escaped;

use crate::api_key::ApiKey;
use crate::dates::http_date;
use crate::rate::RateLimit;
use crate::{CatchUp, CatchUpError};

/// The maximum number of attempts for one request without a usable response.
const MAX_ATTEMPTS: u32 = 6;
/// The maximum number of 429 in a row for one request.
const MAX_RATE_LIMITED: u32 = 10;
const MAX_WAIT: Duration = Duration::from_mins(1);
const MAX_RETRY_AFTER: Duration = Duration::from_mins(10);
/// The wait after a 429 without `Retry-After`, in units of the first wait.
const RATE_LIMIT_FACTOR: u32 = 15;
/// In characters.
const MAX_MESSAGE_LEN: usize = 300;

/// A client for Twenty's API that limits its rate and retries.
#[derive(Debug)]
pub(crate) struct Api {
    client: reqwest::Client,
    base: Url,
    key: ApiKey,
    first_wait: Duration,
    max_body: usize,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    rate: RateLimit,
    requests: u64,
}

/// A response with status 200.
pub(crate) struct Answer {
    pub(crate) body: Bytes,
    /// The header `Date`, in Unix milliseconds.
    pub(crate) date: i64,
    /// Whether records have more fields than Twenty sends.
    pub(crate) is_capped: bool,
}

enum Failure {
    /// Another attempt may succeed.
    Transient(String),
    /// 429, with its `Retry-After`.
    RateLimited(Option<Duration>),
    Permanent(CatchUpError),
}

pub(crate) fn client(url: &Url) -> Result<reqwest::Client, CatchUpError> {
    // An error means that a provider is already installed.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let builder = || {
        let builder = reqwest::Client::builder()
            .user_agent(concat!("twenty-webhook-catchup/", env!("CARGO_PKG_VERSION")))
            // A redirect would send the key to another server.
            .redirect(redirect::Policy::none());
        if is_loopback(url) { builder.no_proxy() } else { builder }
    };
    let client = match builder().build() {
        // Plain HTTP needs no root certificates.
        Err(_) if url.scheme() == "http" => builder().tls_certs_only([]).build(),
        built => built,
    };
    client.map_err(|error| CatchUpError::Client(last_cause(&error)))
}

impl Api {
    pub(crate) fn new(config: &CatchUp) -> Self {
        Self {
            client: config.client.clone(),
            base: config.url.clone(),
            key: config.api_key.clone(),
            first_wait: config.first_wait,
            max_body: config.max_body,
            state: Mutex::new(State { rate: RateLimit::per_minute(config.requests_per_minute), requests: 0 }),
        }
    }

    pub(crate) async fn requests(&self) -> u64 {
        self.state.lock().await.requests
    }

    /// Requests a path below `/rest`. `deadline` is the limit of one attempt.
    pub(crate) async fn get(
        &self,
        path: &[&str],
        query: &[(&str, &str)],
        deadline: Duration,
    ) -> Result<Answer, CatchUpError> {
        let mut url = self.base.clone();
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().push("rest").extend(path);
        }
        url.query_pairs_mut().extend_pairs(query);
        let (mut attempts, mut rate_limited) = (0, 0);
        loop {
            {
                let mut state = self.state.lock().await;
                state.rate.wait().await;
                state.requests += 1;
            }
            let late = || Failure::Transient(format!("no answer within {deadline:?}"));
            match timeout(deadline, self.attempt(&url, path)).await.unwrap_or_else(|_| Err(late())) {
                Ok(answer) => return Ok(answer),
                Err(Failure::Permanent(error)) => return Err(error),
                Err(Failure::Transient(why)) => {
                    attempts += 1;
                    if attempts >= MAX_ATTEMPTS {
                        return Err(CatchUpError::NoResponse { attempts, why });
                    }
                    let wait = Self::backoff(self.first_wait, attempts);
                    tracing::warn!(why, ?wait, "no usable response from Twenty: retrying");
                    sleep(wait).await;
                }
                Err(Failure::RateLimited(retry_after)) => {
                    rate_limited += 1;
                    let wait =
                        retry_after.unwrap_or_else(|| Self::backoff(self.first_wait * RATE_LIMIT_FACTOR, rate_limited));
                    if rate_limited > MAX_RATE_LIMITED || wait > MAX_RETRY_AFTER {
                        return Err(CatchUpError::RateLimited(wait));
                    }
                    tracing::info!(?wait, "Twenty limits the rate of requests: waiting");
                    sleep(wait).await;
                }
            }
        }
    }

    async fn attempt(&self, url: &Url, path: &[&str]) -> Result<Answer, Failure> {
        let request = self.client.get(url.clone()).header(header::AUTHORIZATION, self.key.header());
        let again = |error: reqwest::Error| Failure::Transient(last_cause(&error));
        let mut response = request.header(header::ACCEPT, "application/json").send().await.map_err(again)?;
        let (status, headers) = (response.status(), response.headers().clone());
        if status == StatusCode::TOO_MANY_REQUESTS {
            return Err(Failure::RateLimited(retry_after(&headers)));
        }
        let most = if status == StatusCode::OK { self.max_body } else { 16 * 1024 };
        let mut body = BytesMut::new();
        while let Some(chunk) = response.chunk().await.map_err(again)? {
            if body.len() + chunk.len() > most {
                if status == StatusCode::OK {
                    return Err(Failure::Permanent(CatchUpError::ResponseTooLarge(most)));
                }
                break;
            }
            body.extend_from_slice(&chunk);
        }
        if status == StatusCode::OK {
            // A proxy may answer 200 with an error page.
            let is_json = body.trim_ascii_start().first() == Some(&b'{') && body.trim_ascii_end().last() == Some(&b'}');
            if !is_json {
                return Err(Failure::Transient("a body that is not JSON".to_owned()));
            }
            let date = date(&headers);
            let no_date = || Failure::Permanent(CatchUpError::InvalidResponse("it has no header `Date`".to_owned()));
            return Ok(Answer {
                body: body.freeze(),
                date: date.ok_or_else(no_date)?,
                is_capped: headers.contains_key("x-twenty-fields-capped"),
            });
        }
        Err(match status {
            StatusCode::UNAUTHORIZED => Failure::Permanent(CatchUpError::Unauthorized),
            StatusCode::PAYMENT_REQUIRED => Failure::Permanent(CatchUpError::PaymentRequired),
            StatusCode::FORBIDDEN => Failure::Permanent(CatchUpError::Forbidden(path.join("/"))),
            StatusCode::REQUEST_TIMEOUT => Failure::Transient(format!("status {status}")),
            status if status.is_server_error() => Failure::Transient(format!("status {status}")),
            status => {
                let message = message(&body);
                Failure::Permanent(CatchUpError::Rejected { status: status.as_u16(), message })
            }
        })
    }

    /// Doubles with each failure, up to a minute, less a random part of up to a quarter.
    fn backoff(first: Duration, failures: u32) -> Duration {
        let wait = first.saturating_mul(1 << failures.saturating_sub(1).min(10)).min(MAX_WAIT.max(first));
        let jitter = getrandom::u32().unwrap_or_default() % 256;
        wait.saturating_sub(wait / 1024 * jitter)
    }
}

/// The header `Date`, in Unix milliseconds.
fn date(headers: &HeaderMap) -> Option<i64> {
    http_date(headers.get(header::DATE)?.to_str().ok()?)
}

/// In seconds, or a date by the server's clock.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get(header::RETRY_AFTER)?.to_str().ok()?.trim();
    let wait = match text.parse() {
        Ok(seconds) => Duration::from_secs(seconds),
        Err(_) => Duration::from_millis((http_date(text)? - date(headers)?).try_into().unwrap_or(0)),
    };
    // A wait of zero would be too early.
    Some(wait.max(Duration::from_millis(100)))
}

/// The body of an error response, shortened and escaped.
fn message(body: &[u8]) -> String {
    let text = String::from_utf8_lossy(body);
    let short: String = text.chars().take(MAX_MESSAGE_LEN).collect();
    escaped(&short).to_string()
}

fn last_cause(error: &dyn std::error::Error) -> String {
    let mut cause = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    cause.to_string()
}

fn is_loopback(url: &Url) -> bool {
    match url.host_str() {
        Some("localhost") => true,
        Some(host) => host.trim_matches(['[', ']']).parse().is_ok_and(|ip: std::net::IpAddr| ip.is_loopback()),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retry_after_is_in_seconds_or_a_date() {
        let wait = |text: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::DATE, "Sun, 06 Nov 1994 08:49:37 GMT".parse().unwrap());
            headers.insert(header::RETRY_AFTER, text.parse().unwrap());
            retry_after(&headers)
        };
        assert_eq!(wait("120"), Some(Duration::from_mins(2)));
        assert_eq!(wait("Sun, 06 Nov 1994 08:51:37 GMT"), Some(Duration::from_mins(2)));
        for past in ["0", "Sun, 06 Nov 1994 08:00:00 GMT"] {
            assert_eq!(wait(past), Some(Duration::from_millis(100)), "{past}");
        }
        assert_eq!(wait("soon"), None);
    }
}
