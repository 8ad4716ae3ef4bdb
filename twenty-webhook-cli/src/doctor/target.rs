use std::time::{Duration, Instant};

use http::header::LOCATION;
use http::{HeaderMap, Method, StatusCode};
use reqwest::{Url, redirect};
use serde_json::{Value, json};
use twenty_webhook_axum::{Secret, Signer, UnixMillis, Verifier};

use super::tls::{self, Tls};
use super::{Check, DoctorArgs, Report};
use crate::api::Webhook;
use crate::send::{NoAnswer, connect_timeout, new_client};
use crate::{private_target, terminal, time};

/// How long Twenty waits for a receiver.
const LIMIT: Duration = Duration::from_secs(5);
/// Twenty's queue makes one call at a time, so a slow receiver delays all webhooks.
const SLOW: Duration = Duration::from_secs(1);

/// Checks one webhook: its secret, and its target.
pub(super) async fn check(
    args: &DoctorArgs,
    webhook: &Webhook,
    send_sample: bool,
    report: &mut Report,
) -> anyhow::Result<()> {
    let mut add = |check: Check| report.add(&check.of(webhook));
    add(secret(args, webhook)?)?;
    let url = match Url::parse(&webhook.target_url) {
        Ok(url) if matches!(url.scheme(), "http" | "https") => url,
        _ => {
            return add(Check::wrong(
                "target",
                "the target is no URL of http or https",
                "Twenty can call nothing else",
                "change it in the webhook's settings in Twenty",
            ));
        }
    };
    add(address(args, &url).await)?;
    if url.scheme() == "https" {
        match tls::check(&url, LIMIT).await {
            Tls::Agreed(check) => add(check)?,
            Tls::Failed(check) => return add(check),
            Tls::NoConnection => {}
        }
    } else {
        add(Check::warning(
            "tls",
            "the target is plain http",
            "anyone on the network path can read the records",
            "put a proxy with a certificate in front of the receiver",
        ))?;
    }
    let client = new_client(&url, LIMIT, redirect::Policy::none())?;
    let get = Call::make(&client, Method::GET, &url, HeaderMap::new(), "").await;
    add(get.judge("get", StatusCode::METHOD_NOT_ALLOWED, "a GET"))?;
    if get.is_unreachable() {
        return Ok(());
    }
    let post = Call::make(&client, Method::POST, &url, HeaderMap::new(), "{}").await;
    add(post.judge("unsigned_post", StatusCode::UNAUTHORIZED, "an unsigned POST"))?;
    if let Some(check) = post.speed() {
        add(check)?;
    }
    if send_sample {
        add(sample(args, webhook, &client, &url).await?)?;
    }
    Ok(())
}

/// Is the secret here the one that Twenty signs with?
fn secret(args: &DoctorArgs, webhook: &Webhook) -> anyhow::Result<Check> {
    const CODE: &str = "secret";
    let Some(text) = &webhook.secret else {
        return Ok(Check::skipped(CODE, "this API does not show the webhook's secret, so it cannot be compared"));
    };
    if text.is_empty() {
        return Ok(Check::wrong(
            CODE,
            "the webhook has no secret",
            "its deliveries are unsigned, and receivers reject them",
            "set a secret in the webhook's settings in Twenty",
        ));
    }
    let own = match Secret::new(text.clone()) {
        Ok(own) => own,
        Err(error) => {
            let id = terminal::plain(&webhook.id, 60);
            return Ok(Check::wrong(
                CODE,
                format!("the secret of the webhook {id} cannot be used"),
                error.to_string(),
                "set another one in the webhook's settings in Twenty, and give it to the receiver",
            ));
        }
    };
    if args.secrets.are_absent() {
        return Ok(Check::skipped(CODE, "no secret is given to compare: --secret-file or --secret-env"));
    }
    // `Secret` does not expose its text, so one signs and the other verifies.
    let (body, now) = (b"{}".as_slice(), time::now());
    let signed = Signer::new(own).sign_at(body, now);
    let verifier: Verifier = args.secrets.verifier()?;
    Ok(if verifier.verify_at(&signed, body, now).is_ok() {
        Check::ok(CODE, "the secret is the one that Twenty signs with")
    } else {
        Check::wrong(
            CODE,
            "Twenty signs with a different secret than the one given",
            "receivers reject each delivery with `signature_mismatch`",
            "give the receiver the secret in the webhook's settings in Twenty, without quotes and line ends",
        )
    })
}

/// Is the target at an address that Twenty refuses?
async fn address(args: &DoctorArgs, url: &Url) -> Check {
    const CODE: &str = "address";
    let private = match private_target::addresses(url).await {
        Ok(private) => private,
        Err(error) => {
            let host = url.host_str().unwrap_or_default();
            return Check::wrong(
                CODE,
                format!("the name {} cannot be resolved here ({error})", terminal::plain(host, 80)),
                "Twenty cannot call a name that has no address; Twenty's worker may use another name server",
                "check the name in the webhook's target, and its DNS record",
            );
        }
    };
    if private.is_empty() {
        return Check::ok(CODE, "the target is at a public address, as resolved here; Twenty's worker may see another");
    }
    let private = private_target::list(&private);
    if args.private_allowed {
        return Check::ok(CODE, format!("the target is at the private address {private}, which you say is allowed"));
    }
    Check::wrong(
        CODE,
        private_target::problem(&private),
        private_target::WHY,
        format!("{}. Then say --private-allowed", private_target::FIX),
    )
}

/// One request to the target.
struct Call {
    answer: Result<(StatusCode, HeaderMap), NoAnswer>,
    duration: Duration,
}

impl Call {
    async fn make(
        client: &reqwest::Client,
        method: Method,
        url: &Url,
        headers: HeaderMap,
        body: impl Into<reqwest::Body>,
    ) -> Self {
        let started = Instant::now();
        let request = client.request(method, url.clone()).headers(headers).body(body);
        let answer = match request.send().await {
            Ok(response) => Ok((response.status(), response.headers().clone())),
            Err(error) => Err(NoAnswer::of(&error)),
        };
        Self { answer, duration: started.elapsed() }
    }

    fn is_unreachable(&self) -> bool {
        self.answer.as_ref().is_err_and(|reason| !reason.may_be_sent())
    }

    /// Whether a receiver answered as it should.
    fn judge(&self, code: &'static str, expected: StatusCode, what: &str) -> Check {
        let duration = terminal::duration(self.duration);
        let (status, headers) = match &self.answer {
            Ok((status, headers)) => (*status, headers),
            Err(NoAnswer::TimedOut) => {
                return Check::wrong(
                    code,
                    format!("{what} was not answered within 5 seconds"),
                    "Twenty gives up after 5 seconds, never sends it again, and delays all other webhooks",
                    "answer first and work later: the crate twenty-webhook-inbox does so",
                );
            }
            Err(NoAnswer::NoConnection) => {
                let limit = connect_timeout(LIMIT).as_secs();
                return Check::wrong(
                    code,
                    format!("the target cannot be reached from here: no connection was opened within {limit} seconds"),
                    "a firewall or a security group drops the packets, or no machine has this address; Twenty gives up after 5 seconds",
                    "open the port in the firewall and in the security group, or correct the address and the port in the webhook's target",
                );
            }
            Err(NoAnswer::Unreachable(cause)) => {
                return Check::wrong(
                    code,
                    format!("the target cannot be reached from here ({})", terminal::plain(cause, 120)),
                    "without a connection Twenty delivers nothing, and it does not try again",
                    "check that the receiver runs, its port, its certificate, and the firewall",
                );
            }
            Err(NoAnswer::BrokenOff(cause)) => {
                return Check::wrong(
                    code,
                    format!("the answer to {what} broke off ({})", terminal::plain(cause, 120)),
                    "the receiver or a proxy closed the connection before the answer was complete",
                    "look at the receiver's log, and at the proxy's",
                );
            }
        };
        if status == expected {
            return Check::ok(code, format!("{what} is answered with {status}, in {duration}"));
        }
        let answered = format!("{what} is answered with {status} in place of {expected}");
        if let Some(location) = headers.get(LOCATION).filter(|_| status.is_redirection()) {
            let location = terminal::plain(&String::from_utf8_lossy(location.as_bytes()), 200);
            return redirected(code, status, answered, &location);
        }
        let (why, fix) = match status {
            StatusCode::NOT_FOUND => (
                "the receiver has no route with this path, so it gets no delivery",
                "correct the path in the webhook's target, or the receiver's route",
            ),
            StatusCode::METHOD_NOT_ALLOWED => {
                ("this path accepts no POST", "correct the path in the webhook's target, or the receiver's route")
            }
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
                ("something before the receiver may ask for a login", "let the webhook's path through without a login")
            }
            status if status.is_success() && code == "unsigned_post" => (
                "what accepts unsigned requests accepts forged ones",
                "verify signatures there; if another program answers at this URL, correct the target",
            ),
            status if status.is_server_error() => (
                "the receiver failed, or the proxy before it does not reach the receiver",
                "look at the receiver's log, and at the proxy's",
            ),
            _ => (
                "This library's receivers answer with the expected status. Another program may answer at this URL.",
                "correct the webhook's target, if this is not your receiver",
            ),
        };
        Check::wrong(code, answered, why, fix)
    }

    fn speed(&self) -> Option<Check> {
        let duration = terminal::duration(self.duration);
        if self.answer.is_err() {
            return None;
        }
        Some(if self.duration > SLOW {
            Check::warning(
                "speed",
                format!("the receiver took {duration}; Twenty gives up after 5 s"),
                "Twenty's queue makes one call at a time, and waits for the slowest receiver",
                "answer first and work later: the crate twenty-webhook-inbox does so",
            )
        } else {
            Check::ok("speed", format!("the receiver took {duration}; Twenty gives up after 5 s"))
        })
    }
}

/// A redirect. Twenty follows it, but a delivery arrives only as a POST.
fn redirected(code: &'static str, status: StatusCode, answered: String, location: &str) -> Check {
    let fix = format!("register the final URL in Twenty: {location}");
    if matches!(status, StatusCode::TEMPORARY_REDIRECT | StatusCode::PERMANENT_REDIRECT) {
        let why =
            "Twenty sends the POST again, to the final URL, within the same 5 seconds. That URL is not checked here";
        return Check::warning(code, answered, why, fix);
    }
    let why = "Twenty follows this redirect with a GET without a body, which delivers nothing";
    Check::wrong(code, answered, why, fix)
}

/// A signed sample, with ids that say what it is.
async fn sample(args: &DoctorArgs, webhook: &Webhook, client: &reqwest::Client, url: &Url) -> anyhow::Result<Check> {
    const CODE: &str = "sample";
    if args.secrets.are_absent() {
        return Ok(Check::wrong(
            CODE,
            "a sample can only be sent with a secret",
            "the receiver rejects a sample without a signature",
            "give the secret with --secret-file or --secret-env",
        ));
    }
    let now: UnixMillis = time::now();
    let id = format!("d0c70000-0000-4000-8000-{:012x}", now.as_millis() & 0xffff_ffff_ffff);
    let name = json!({ "firstName": "twenty-webhook doctor", "lastName": "sample" });
    let body = twenty_webhook_testing::event("person.created")
        .record(json!({ "id": id, "name": name }))
        .member("webhookId", webhook.id.as_str())
        // The API does not tell it, and a made-up one would be a second workspace in the receiver's inbox.
        .member("workspaceId", Value::Null)
        .target_url(url.as_str())
        .at(now)
        .try_build()?;
    let mut headers = Signer::new(args.secrets.first()?).sign_at(&body, now);
    headers.insert(http::header::CONTENT_TYPE, http::HeaderValue::from_static("application/json"));
    let call = Call::make(client, Method::POST, url, headers, body).await;
    Ok(match &call.answer {
        Ok((status, _)) if status.is_success() => Check::ok(
            CODE,
            format!(
                "a signed sample, of the person {id}, is answered with {status}, in {}",
                terminal::duration(call.duration)
            ),
        ),
        Ok((status @ (StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN), _)) => Check::wrong(
            CODE,
            format!("a signed sample is answered with {status}"),
            "the receiver has another secret, a wrong clock, or something on the way changes the body",
            "look at the receiver's log, or let it diagnose its rejections; `twenty-webhook listen --forward-to` shows more",
        ),
        _ => call.judge(CODE, StatusCode::OK, "a signed sample"),
    })
}
