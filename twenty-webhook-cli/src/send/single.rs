use std::io::Write;
use std::process::ExitCode;

use http::{StatusCode, header};
use serde_json::json;
use twenty_webhook_axum::{DeliveryId, WebhookEvent};

use super::recipe::{Recipe, Signed};
use super::tamper::Tamper;
use super::{Answer, Client, SendArgs};
use crate::terminal::{BAD, FAINT, GOOD, ODD};
use crate::{NO, terminal};

/// Sends one delivery, and again if it is to be replayed.
pub(super) async fn run(args: &SendArgs, client: &Client, recipe: &Recipe) -> anyhow::Result<ExitCode> {
    let request = recipe.make()?;
    let mut code = ExitCode::SUCCESS;
    for attempt in 0..=usize::from(args.replay) {
        let answer = client.post(request.headers.clone(), request.body.clone()).await;
        if !matches!(&answer, Ok(answer) if answer.status.is_success()) {
            code = ExitCode::from(NO);
        }
        if args.json {
            print_json(args, &request, &answer)?;
        } else {
            print(args, &request, &answer, attempt)?;
        }
    }
    Ok(code)
}

fn print_json(args: &SendArgs, request: &Signed, answer: &Result<Answer, String>) -> anyhow::Result<()> {
    let answered = answer.as_ref().ok();
    let line = json!({
        "url": args.url.as_str(),
        "event": name(request),
        "delivery_id": DeliveryId::of(&request.body).to_string(),
        "bytes": request.body.len(),
        "status": answered.map(|answer| answer.status.as_u16()),
        "took_ms": answered.map(|answer| terminal::millis(answer.took)),
        "error": answer.as_ref().err(),
    });
    Ok(writeln!(terminal::stdout(), "{line}")?)
}

fn print(args: &SendArgs, request: &Signed, answer: &Result<Answer, String>, attempt: usize) -> anyhow::Result<()> {
    let mut out = terminal::stdout();
    if attempt == 0 {
        let name = name(request).unwrap_or_else(|| "a body that is no event".into());
        writeln!(out, "{name}, {}, to {}", terminal::size(request.body.len()), args.url)?;
    } else {
        writeln!(out, "the same request again")?;
    }
    match answer {
        Ok(answer) => {
            let style = if answer.status.is_success() { GOOD } else { BAD };
            writeln!(out, "{style}{}{style:#} in {}", answer.status, terminal::took(answer.took))?;
            let text = String::from_utf8_lossy(&answer.body);
            if !text.trim().is_empty() {
                writeln!(out, "{FAINT}{}{FAINT:#}", terminal::plain(text.trim(), 400))?;
            }
            if let Some(hint) = hint(args, answer, attempt) {
                writeln!(out, "{hint}")?;
            }
        }
        Err(why) => writeln!(out, "{BAD}not delivered{BAD:#}: {why}")?,
    }
    Ok(())
}

/// What an answer may mean, where it is not plain.
fn hint(args: &SendArgs, answer: &Answer, attempt: usize) -> Option<String> {
    let tampered = matches!(args.tamper, Some(Tamper::Body | Tamper::Signature | Tamper::Timestamp));
    match answer.status {
        status if status.is_success() && tampered => {
            Some(format!("{ODD}It was changed after it was signed, and accepted{ODD:#}: does this receiver verify?"))
        }
        status if status.is_success() && attempt > 0 => Some(
            "2xx to a replay is right if it was not handled twice: to Twenty it is delivered. The receiver's log tells.".into(),
        ),
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN if !tampered && args.age.is_none() && attempt == 0 => Some(
            "Refused: has the receiver the same secret? To see why, send it to `twenty-webhook listen` with the receiver's secret.".into(),
        ),
        StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED => {
            Some("Is this the path that the receiver takes POSTs at?".into())
        }
        status if status.is_redirection() => {
            let location = answer.headers.get(header::LOCATION)?.to_str().ok()?;
            let location = terminal::plain(location, 200);
            Some(format!("Twenty would follow this with a GET without body, and deliver nothing. Give it {location} itself."))
        }
        _ => None,
    }
}

fn name(request: &Signed) -> Option<String> {
    let event = WebhookEvent::from_stored(request.body.clone()).ok()?;
    Some(terminal::plain(event.name().as_str(), 80))
}
