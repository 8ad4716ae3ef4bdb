use std::io::Write;
use std::path::PathBuf;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Method, StatusCode};
use serde::Serialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};
use twenty_webhook_axum::{DeliveryId, EventPattern, Finding, Payload, Rejection, UnixMillis, WebhookEvent};

use crate::explain::{findings_json, findings_text, short_reason};
use crate::terminal::{self, BAD, FAINT, GOOD, WARNING};
use crate::{reason, time};

/// Twenty gives up after this time, and never sends again.
const TWENTY_WAITS: Duration = Duration::from_secs(5);

/// How reports are printed.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Style {
    Text,
    TextWithBody,
    Json,
}

/// The result of one request.
pub(super) struct Report {
    pub(super) received: UnixMillis,
    pub(super) method: Method,
    pub(super) path: String,
    pub(super) status: StatusCode,
    pub(super) rejection: Option<Rejection>,
    pub(super) findings: Vec<Finding>,
    /// The event in the body, verified or not.
    pub(super) event: Option<WebhookEvent>,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
    pub(super) duration: Duration,
    pub(super) forwarded: Option<Forwarded>,
    pub(super) saved: Option<Result<PathBuf, String>>,
}

/// The answer of the receiver that a request was forwarded to.
#[derive(Clone)]
pub(super) struct Forwarded {
    pub(super) status: Result<StatusCode, String>,
    pub(super) duration: Duration,
}

/// The result in one word.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Verdict {
    Verified,
    Duplicate,
    Rejected,
}

impl Verdict {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Verified => "verified",
            Self::Duplicate => "duplicate",
            Self::Rejected => "rejected",
        }
    }
}

impl Report {
    pub(super) fn verdict(&self) -> Verdict {
        match &self.rejection {
            Some(rejection) if rejection.is_duplicate() => Verdict::Duplicate,
            Some(_) => Verdict::Rejected,
            None => Verdict::Verified,
        }
    }

    /// For the name of a file.
    pub(super) fn label(&self) -> &str {
        self.event.as_ref().map_or("delivery", |event| event.name().as_str())
    }

    pub(super) fn code(&self) -> Option<&'static str> {
        self.rejection.as_ref().map(Rejection::code)
    }

    fn reason(&self) -> Option<String> {
        self.rejection.as_ref().map(reason::text)
    }

    /// Whether it matches a pattern, or there is none. A request without an event always does.
    pub(super) fn is_wanted(&self, patterns: &[EventPattern]) -> bool {
        let event = self.event.as_ref();
        patterns.is_empty() || event.is_none_or(|event| patterns.iter().any(|pattern| pattern.matches(event)))
    }

    pub(super) fn print(&self, style: Style) -> std::io::Result<()> {
        let mut out = terminal::stdout();
        if style == Style::Json {
            return writeln!(out, "{}", self.to_json_line());
        }
        let mut text = self.to_text();
        if style == Style::TextWithBody && !self.body.is_empty() {
            text += &if out.is_terminal() {
                terminal::pretty_json(&self.body)
            } else {
                terminal::harmless(&String::from_utf8_lossy(&self.body))
            };
            text.push('\n');
        }
        // In one write: a line, and its details.
        out.write_all(text.as_bytes())?;
        out.flush()
    }

    /// One line of JSON with the body in it, as it was written. A body that is not JSON is a string.
    pub(super) fn to_json_line(&self) -> String {
        #[derive(Serialize)]
        struct Line<'a> {
            #[serde(flatten)]
            report: Value,
            body: Body<'a>,
        }
        #[derive(Serialize)]
        #[serde(untagged)]
        enum Body<'a> {
            Json(&'a RawValue),
            Other(String),
        }
        let json = serde_json::from_slice(&self.body).map(Body::Json);
        let body = json.unwrap_or_else(|_| Body::Other(String::from_utf8_lossy(&self.body).into_owned()));
        let line = serde_json::to_string(&Line { report: self.to_json(), body });
        terminal::one_line(&line.unwrap_or_default())
    }

    fn to_text(&self) -> String {
        let style = match self.verdict() {
            Verdict::Verified => GOOD,
            Verdict::Duplicate => WARNING,
            Verdict::Rejected => BAD,
        };
        let (status, verdict) = (self.status.as_u16(), self.verdict().as_str());
        let time = time::iso(self.received);
        let time = time.split_once('T').map_or("", |(_, time)| time);
        let mut parts = vec![self.about()];
        parts.push(terminal::size(self.body.len()));
        parts.push(terminal::duration(self.duration));
        match &self.forwarded {
            Some(Forwarded { status: Ok(status), duration }) => {
                parts.push(format!("forwarded: {status} in {}", terminal::duration(*duration)));
                if matches!(*status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN) {
                    parts.push("does the receiver have the secret that is given here?".to_owned());
                }
            }
            Some(Forwarded { status: Err(why), .. }) => parts.push(format!("{BAD}not forwarded{BAD:#}: {why}")),
            None => {}
        }
        if self.forwarded.as_ref().is_some_and(|forwarded| forwarded.duration > TWENTY_WAITS) {
            parts.push(format!("{WARNING}over 5 s{WARNING:#}: Twenty would have given up"));
        }
        match &self.saved {
            Some(Ok(path)) => parts.push(format!("saved as {}", path.display())),
            Some(Err(why)) => parts.push(format!("{BAD}not saved{BAD:#} in {why}")),
            None => {}
        }
        let line = format!("{FAINT}{time}{FAINT:#}  {style}{status} {verdict:<9}{style:#}  {}\n", parts.join("  "));
        let why = self.rejection.as_ref().map(|rejection| short_reason(rejection, &self.findings));
        let why = why.map(|why| terminal::labelled("why", &why)).unwrap_or_default();
        [line, why, findings_text(&self.findings)].concat()
    }

    /// The event's name; its record and changed fields only if the body is verified.
    fn about(&self) -> String {
        let Some(event) = &self.event else { return format!("{} {}", self.method, terminal::plain(&self.path, 80)) };
        let name = terminal::plain(event.name().as_str(), 80);
        if self.verdict() == Verdict::Rejected {
            return format!("{name} (unverified)");
        }
        let record = match event.payload() {
            Payload::Batch { items, .. } => format!("{} records", items.len()),
            _ => terminal::plain(event.record_id().unwrap_or("-"), 60),
        };
        let fields = event.updated_fields().filter(|fields| !fields.is_empty());
        let fields = fields.map(|fields| format!("  [{}]", terminal::plain(&fields.join(", "), 120)));
        format!("{name}  {record}{}", fields.unwrap_or_default())
    }

    /// Without the body.
    pub(super) fn to_json(&self) -> Value {
        let event = self.event.as_ref();
        json!({
            "time": time::iso(self.received),
            "verdict": self.verdict().as_str(),
            "status": self.status.as_u16(),
            "code": self.code(),
            "reason": self.reason(),
            "numbers": self.rejection.as_ref().map(reason::numbers),
            "findings": findings_json(&self.findings),
            "method": self.method.as_str(),
            "path": self.path,
            "event": event.map(|event| event.name().as_str()),
            "record_id": event.and_then(WebhookEvent::record_id),
            "updated_fields": event.and_then(WebhookEvent::updated_fields),
            "delivery_id": event.map(|event| DeliveryId::of(event.body()).to_string()),
            "bytes": self.body.len(),
            "duration_ms": terminal::millis(self.duration),
            "forwarded": self.forwarded.as_ref().map(|forwarded| json!({
                "status": forwarded.status.as_ref().ok().map(StatusCode::as_u16),
                "error": forwarded.status.as_ref().err(),
                "duration_ms": terminal::millis(forwarded.duration),
                "too_slow": forwarded.duration > TWENTY_WAITS,
            })),
            "saved": self.saved.as_ref().and_then(|saved| saved.as_ref().ok()).map(|path| path.display().to_string()),
        })
    }
}
