use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, StatusCode, header};
use reqwest::{Url, redirect};
use tokio::sync::Mutex;
use tokio::time::{sleep, timeout};
use twenty_webhook_core::escaped;

use crate::api_key::ApiKey;
use crate::dates::http_date;
use crate::rate::Rate;
use crate::{CatchUp, CatchUpError};

/// How often a request is sent that gets no usable answer.
const ATTEMPTS: u32 = 6;
/// How often in a row 429 is waited for.
const PATIENCE: u32 = 10;
const LONGEST_WAIT: Duration = Duration::from_mins(1);
const LONGEST_RETRY_AFTER: Duration = Duration::from_mins(10);
/// 429 without `Retry-After`: so many times the first wait.
const RATE_LIMIT_FACTOR: u32 = 15;
const LONGEST_MESSAGE: usize = 300;

/// Asks Twenty, at a rate, and until there is an answer.
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
    rate: Rate,
    requests: u64,
}

/// A body that came with 200, and when.
pub(crate) struct Answer {
    pub(crate) body: Bytes,
    /// By the server's clock, in Unix milliseconds.
    pub(crate) date: i64,
    /// Records have more fields than Twenty sends.
    pub(crate) is_capped: bool,
}

enum Failure {
    /// Worth another attempt.
    Again(String),
    /// 429.
    Slower(Option<Duration>),
    No(CatchUpError),
}

pub(crate) fn client(url: &Url) -> Result<reqwest::Client, CatchUpError> {
    // An error says that there is one already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let builder = || {
        let builder = reqwest::Client::builder()
            .user_agent(concat!("twenty-webhook-catchup/", env!("CARGO_PKG_VERSION")))
            // Another server must not get the key.
            .redirect(redirect::Policy::none());
        if is_loopback(url) { builder.no_proxy() } else { builder }
    };
    let client = match builder().build() {
        // A machine without certificates can do without them.
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
            state: Mutex::new(State { rate: Rate::per_minute(config.requests_per_minute), requests: 0 }),
        }
    }

    pub(crate) async fn requests(&self) -> u64 {
        self.state.lock().await.requests
    }

    /// Asks for a path below `/rest`. `deadline` is for one attempt.
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
        let (mut attempts, mut refusals) = (0, 0);
        loop {
            {
                let mut state = self.state.lock().await;
                state.rate.wait().await;
                state.requests += 1;
            }
            let late = || Failure::Again(format!("no answer within {deadline:?}"));
            match timeout(deadline, self.attempt(&url, path)).await.unwrap_or_else(|_| Err(late())) {
                Ok(answer) => return Ok(answer),
                Err(Failure::No(error)) => return Err(error),
                Err(Failure::Again(why)) => {
                    attempts += 1;
                    if attempts >= ATTEMPTS {
                        return Err(CatchUpError::Unanswered { attempts, why });
                    }
                    let wait = Self::backoff(self.first_wait, attempts);
                    tracing::warn!(why, ?wait, "no usable answer from Twenty: asked again");
                    sleep(wait).await;
                }
                Err(Failure::Slower(retry_after)) => {
                    refusals += 1;
                    let wait =
                        retry_after.unwrap_or_else(|| Self::backoff(self.first_wait * RATE_LIMIT_FACTOR, refusals));
                    if refusals > PATIENCE || wait > LONGEST_RETRY_AFTER {
                        return Err(CatchUpError::RateLimited(wait));
                    }
                    tracing::info!(?wait, "Twenty limits the rate of requests");
                    sleep(wait).await;
                }
            }
        }
    }

    async fn attempt(&self, url: &Url, path: &[&str]) -> Result<Answer, Failure> {
        let request = self.client.get(url.clone()).header(header::AUTHORIZATION, self.key.header());
        let again = |error: reqwest::Error| Failure::Again(last_cause(&error));
        let mut response = request.header(header::ACCEPT, "application/json").send().await.map_err(again)?;
        let (status, headers) = (response.status(), response.headers().clone());
        if status == StatusCode::TOO_MANY_REQUESTS {
            return Err(Failure::Slower(retry_after(&headers)));
        }
        let most = if status == StatusCode::OK { self.max_body } else { 16 * 1024 };
        let mut body = BytesMut::new();
        while let Some(chunk) = response.chunk().await.map_err(again)? {
            if body.len() + chunk.len() > most {
                if status == StatusCode::OK {
                    return Err(Failure::No(CatchUpError::TooLarge(most)));
                }
                break;
            }
            body.extend_from_slice(&chunk);
        }
        if status == StatusCode::OK {
            // What a proxy makes up in a bad moment is not an answer of Twenty's.
            let is_json = body.trim_ascii_start().first() == Some(&b'{') && body.trim_ascii_end().last() == Some(&b'}');
            if !is_json {
                return Err(Failure::Again("a body that is not JSON".to_owned()));
            }
            let date = headers.get(header::DATE).and_then(|date| http_date(date.to_str().ok()?));
            let no_date = || Failure::No(CatchUpError::Answer("it has no header `Date`".to_owned()));
            return Ok(Answer {
                body: body.freeze(),
                date: date.ok_or_else(no_date)?,
                is_capped: headers.contains_key("x-twenty-fields-capped"),
            });
        }
        Err(match status {
            StatusCode::UNAUTHORIZED => Failure::No(CatchUpError::Unauthorized),
            StatusCode::PAYMENT_REQUIRED => Failure::No(CatchUpError::AllowanceSpent),
            StatusCode::FORBIDDEN => Failure::No(CatchUpError::Forbidden(path.join("/"))),
            StatusCode::REQUEST_TIMEOUT => Failure::Again(format!("status {status}")),
            status if status.is_server_error() => Failure::Again(format!("status {status}")),
            status => {
                let message = message(&body);
                Failure::No(CatchUpError::Refused { status: status.as_u16(), message })
            }
        })
    }

    /// Doubles, up to a minute, and is less by up to a quarter, so that two programs do not ask in step.
    fn backoff(first: Duration, failures: u32) -> Duration {
        let wait = first.saturating_mul(1 << failures.saturating_sub(1).min(10)).min(LONGEST_WAIT.max(first));
        let jitter = getrandom::u32().unwrap_or_default() % 256;
        wait.saturating_sub(wait / 1024 * jitter)
    }
}

fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let seconds = headers.get(header::RETRY_AFTER)?.to_str().ok()?.trim().parse().ok()?;
    // Not at the very moment when the window ends.
    Some(Duration::from_secs(seconds).max(Duration::from_millis(100)))
}

/// What an error says of itself, in one line and not too long.
fn message(body: &[u8]) -> String {
    let text = String::from_utf8_lossy(body);
    let short: String = text.chars().take(LONGEST_MESSAGE).collect();
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
