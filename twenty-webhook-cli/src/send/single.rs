use std::io::Write;
use std::process::ExitCode;

use http::{StatusCode, header};
use serde_json::json;
use twenty_webhook_axum::{DeliveryId, WebhookEvent};

use super::request::{RequestSource, Signed};
use super::tamper::Tamper;
use super::{Answer, Client, Failure, MOST_REDIRECTS, SendArgs};
use crate::terminal;
use crate::terminal::{BAD, FAINT, GOOD};
use crate::time::Age;

/// Sends one delivery, and again if it is to be replayed.
pub(super) async fn run(args: &SendArgs, client: &Client, requests: &RequestSource) -> anyhow::Result<ExitCode> {
    let request = requests.make()?;
    let (mut any_sent, mut all_delivered) = (false, true);
    for attempt in 0..=usize::from(args.replay) {
        let outcome = send(args, client, &request, attempt).await?;
        any_sent |= outcome.is_sent;
        all_delivered &= outcome.is_delivered;
    }
    Ok(super::exit_code(any_sent, all_delivered))
}

pub(super) struct Outcome {
    /// Whether the receiver can have got it.
    pub(super) is_sent: bool,
    /// Whether it was answered with 2xx.
    pub(super) is_delivered: bool,
}

/// Sends one request, and prints the answer.
pub(super) async fn send(
    args: &SendArgs,
    client: &Client,
    request: &Signed,
    attempt: usize,
) -> anyhow::Result<Outcome> {
    let answer = client.post(request.headers.clone(), request.body.clone()).await;
    if args.json {
        print_json(args, request, &answer)?;
    } else {
        print(args, request, &answer, attempt)?;
    }
    Ok(Outcome {
        is_sent: answer.as_ref().map_or_else(|failure| failure.is_sent, |_| true),
        is_delivered: matches!(&answer, Ok(answer) if answer.status.is_success()),
    })
}

fn print_json(args: &SendArgs, request: &Signed, answer: &Result<Answer, Failure>) -> anyhow::Result<()> {
    let answered = answer.as_ref().ok();
    let line = json!({
        "file": request.file,
        "url": args.url.as_str(),
        "event": name(request),
        "delivery_id": DeliveryId::of(&request.body).to_string(),
        "bytes": request.body.len(),
        "status": answered.map(|answer| answer.status.as_u16()),
        "duration_ms": answered.map(|answer| terminal::millis(answer.duration)),
        "error": answer.as_ref().err().map(|failure| &failure.why),
    });
    Ok(writeln!(terminal::stdout(), "{line}")?)
}

fn print(args: &SendArgs, request: &Signed, answer: &Result<Answer, Failure>, attempt: usize) -> anyhow::Result<()> {
    let mut out = terminal::stdout();
    if attempt == 0 {
        let name = name(request).unwrap_or_else(|| "a body that is no event".into());
        let file = request.file.as_ref().map(|file| format!("{}: ", terminal::plain(file, 200))).unwrap_or_default();
        writeln!(out, "{file}{name}, {}, to {}", terminal::size(request.body.len()), args.url)?;
    } else {
        writeln!(out, "the same request again")?;
    }
    match answer {
        Ok(answer) => {
            let style = if answer.status.is_success() { GOOD } else { BAD };
            writeln!(out, "{style}{}{style:#} in {}", answer.status, terminal::duration(answer.duration))?;
            let text = String::from_utf8_lossy(&answer.body);
            if !text.trim().is_empty() {
                writeln!(out, "{FAINT}{}{FAINT:#}", terminal::plain(text.trim(), 400))?;
            }
            if let Some(hint) = hint(args, answer, attempt) {
                writeln!(out, "{}", terminal::wrapped("", &hint))?;
            }
        }
        Err(failure) => {
            let line = terminal::wrapped("not delivered: ", &failure.why);
            writeln!(out, "{BAD}not delivered{BAD:#}{}", &line["not delivered".len()..])?;
        }
    }
    Ok(())
}

/// A hint about an unexpected answer.
fn hint(args: &SendArgs, answer: &Answer, attempt: usize) -> Option<String> {
    let tampered = matches!(args.tamper, Some(Tamper::Body | Tamper::Signature | Tamper::Timestamp));
    match answer.status {
        status if status.is_success() && tampered => {
            Some("It was changed after it was signed, and accepted. Does this receiver verify?".into())
        }
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN if tampered => {
            Some("It was changed after it was signed, and rejected: this receiver verifies.".into())
        }
        status if status.is_success() && attempt > 0 => Some(
            "2xx is the right answer to a replay, if the receiver did not handle it twice. Its log shows it.".into(),
        ),
        StatusCode::UNAUTHORIZED if args.age.is_some_and(Age::is_outside_tolerance) => Some(
            "Rejected, as a receiver does that checks the age: by default, it accepts 5 minutes each way. If it also rejects a delivery \
             sent without --age, it has another secret."
                .into(),
        ),
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN if attempt == 0 => Some(
            "Rejected. Does the receiver have the same secret? To see why, send it to `twenty-webhook listen` with the receiver's secret.".into(),
        ),
        StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED => {
            Some("Does the receiver accept POSTs at this path?".into())
        }
        StatusCode::TEMPORARY_REDIRECT | StatusCode::PERMANENT_REDIRECT => {
            Some(format!("Twenty follows at most {MOST_REDIRECTS} redirects. Register the final URL instead."))
        }
        status if status.is_redirection() => {
            let location = answer.headers.get(header::LOCATION)?.to_str().ok()?;
            let location = terminal::plain(location, 200);
            Some(format!("Twenty would follow this redirect with a GET without a body, and deliver nothing. Register {location} instead."))
        }
        _ => None,
    }
}

fn name(request: &Signed) -> Option<String> {
    let event = WebhookEvent::from_stored(request.body.clone()).ok()?;
    Some(terminal::plain(event.name().as_str(), 80))
}
