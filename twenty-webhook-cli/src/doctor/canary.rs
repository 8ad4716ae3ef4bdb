use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use axum::Router;
use axum::extract::State;
use axum::routing::post;
use http::StatusCode;
use tokio::net::TcpListener;
#[cfg(feature = "inbox")]
use twenty_webhook_axum::{EventName, EventPattern};
use twenty_webhook_axum::{Secret, TwentyWebhookLayer, Webhook};
#[cfg(feature = "inbox")]
use twenty_webhook_inbox::{Inbox, JobFilter, Store};

use super::args::{CanaryArgs, Place};
use super::{Check, Report};
use crate::api::{Api, ApiError};
#[cfg(feature = "inbox")]
use crate::database::Database;
use crate::register::new_secret;
use crate::signals::Interrupts;
use crate::temporary::Temporary;
use crate::terminal;
use crate::tunnel::{Tunnel, TunnelProgram};

const POLL: Duration = Duration::from_millis(100);
const TITLE: &str = "twenty-webhook doctor: a canary, which is destroyed at once";
const EVENTS: [&str; 2] = ["note.created", "note.destroyed"];

/// Creates a note and destroys it, and waits for both deliveries.
pub(super) async fn run(
    args: &CanaryArgs,
    place: &Place<'_>,
    api: &Api,
    webhooks: &[crate::api::Webhook],
    report: &mut Report,
) -> anyhow::Result<()> {
    #[cfg(not(feature = "inbox"))]
    let _ = webhooks;
    // What is created from here on is removed at the end, also on Ctrl-C.
    let mut interrupts = Interrupts::new()?;
    match place {
        Place::Tunnel(program) => through_tunnel(args, program, api, &mut interrupts, report).await,
        #[cfg(feature = "inbox")]
        Place::Inbox(db) => {
            if let Some(check) = not_subscribed(webhooks) {
                return report.add(&check);
            }
            match Database::open(db).await {
                Ok(Database::Sqlite(inbox)) => send(args, api, &inbox, &mut interrupts, report).await,
                Ok(Database::Postgres(inbox)) => send(args, api, &inbox, &mut interrupts, report).await,
                Err(error) => report.add(&not_sent(
                    &error,
                    "give the inbox of a receiver that has run, and check that this user may read it",
                )),
            }
        }
    }
}

/// The place where the deliveries would arrive is not there.
fn not_sent(error: &anyhow::Error, fix: &str) -> Check {
    Check::wrong("canary", "the canary is not sent", terminal::plain(&crate::causes(error), 600), fix)
}

/// A receiver can only get what some webhook subscribes to.
#[cfg(feature = "inbox")]
fn not_subscribed(webhooks: &[crate::api::Webhook]) -> Option<Check> {
    let operations = webhooks.iter().flat_map(|webhook| &webhook.operations);
    let patterns: Vec<EventPattern> = operations.filter_map(|operation| operation.parse().ok()).collect();
    let is_covered = |name: &str| patterns.iter().any(|pattern| pattern.subscribes_to(&EventName::from(name)));
    let name = EVENTS.into_iter().find(|name| !is_covered(name))?;
    Some(Check::wrong(
        "canary",
        format!("no webhook subscribes to {name}"),
        "the canary would not arrive",
        "add the operation note.* to a webhook, at least for now",
    ))
}

/// Receives the deliveries here, on a webhook for this run.
async fn through_tunnel(
    args: &CanaryArgs,
    program: &TunnelProgram,
    api: &Api,
    interrupts: &mut Interrupts,
    report: &mut Report,
) -> anyhow::Result<()> {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
    let addr = listener.local_addr()?;
    let (secret, received) = (new_secret()?, Received::default());
    let layer = TwentyWebhookLayer::new(Secret::new(secret.clone())?);
    let app = Router::new().fallback_service(post(receive).layer(layer).with_state(received.clone()));
    let server = tokio::spawn(axum::serve(listener, app).into_future());
    let tunnel = tokio::select! {
        tunnel = Tunnel::start(program, addr) => tunnel,
        () = interrupts.next() => bail!("stopped"),
    };
    let tunnel = match tunnel {
        Ok(tunnel) => tunnel,
        Err(error) => {
            let fix = "check the tunnel program: `twenty-webhook listen --tunnel` starts it in the same way";
            return report.add(&not_sent(&error, fix));
        }
    };
    let operations = EVENTS.map(str::to_owned);
    let webhook = match Temporary::create(api, "doctor --canary", &tunnel.url, &operations, &secret).await {
        Ok(webhook) => webhook,
        Err(error) => return report.add(&not_sent(&error, "remove this cause, and run it again")),
    };
    let ended = async {
        tokio::select! {
            () = tokio::time::sleep(args.cache_wait.0) => {}
            () = interrupts.next() => bail!("stopped"),
        }
        send(args, api, &received, interrupts, report).await
    };
    let ended = ended.await;
    webhook.remove().await;
    server.abort();
    ended
}

async fn receive(State(received): State<Received>, Webhook(event): Webhook) -> StatusCode {
    if let Some(id) = event.record_id() {
        received.0.lock().unwrap_or_else(PoisonError::into_inner).insert((event.name().to_string(), id.to_owned()));
    }
    StatusCode::OK
}

/// The place where the deliveries arrive.
trait Arrivals {
    async fn has(&self, name: &str, note: &str) -> anyhow::Result<bool>;
}

/// Names of events, and ids of records.
#[derive(Clone, Default)]
struct Received(Arc<Mutex<HashSet<(String, String)>>>);

impl Arrivals for Received {
    async fn has(&self, name: &str, note: &str) -> anyhow::Result<bool> {
        let received = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(received.contains(&(name.to_owned(), note.to_owned())))
    }
}

#[cfg(feature = "inbox")]
impl<S: Store> Arrivals for Inbox<S> {
    async fn has(&self, name: &str, note: &str) -> anyhow::Result<bool> {
        let filter = JobFilter::all().record("note", note).named(name.parse()?);
        Ok(!self.jobs(&filter.limit(1)).await?.is_empty())
    }
}

async fn send(
    args: &CanaryArgs,
    api: &Api,
    place: &impl Arrivals,
    interrupts: &mut Interrupts,
    report: &mut Report,
) -> anyhow::Result<()> {
    let id = new_id()?;
    let id = match api.create_note(&id, TITLE).await {
        Ok(id) => id,
        Err(error) => return report.add(&not_created(api, &id, &error).await),
    };
    let [created, destroyed] = EVENTS;
    let arrived = arrival(args, place, interrupts, &id, created).await;
    // Also after an error.
    if let Err(error) = api.destroy_note(&id).await {
        return report.add(&Check::wrong(
            "canary",
            format!("the note {} is left in Twenty", terminal::plain(&id, 60)),
            format!("it cannot be destroyed: {error}"),
            "destroy it in Twenty by hand",
        ));
    }
    report.add(&arrived?)?;
    report.add(&arrival(args, place, interrupts, &id, destroyed).await?)
}

/// Destroys the note if Twenty created it in spite of this error.
async fn not_created(api: &Api, id: &str, error: &ApiError) -> Check {
    let why = error.to_string();
    let fix = match error {
        ApiError::Status { status: StatusCode::FORBIDDEN, .. } => {
            "give the key's role the permission to create and destroy notes"
        }
        error => error.fix(),
    };
    let check = |what| Check::wrong("canary", what, why.clone(), fix);
    if !error.is_uncertain() {
        return check("the note cannot be created");
    }
    match api.destroy_note(id).await {
        Ok(()) => check("Twenty created the note in spite of an error, and it is destroyed"),
        Err(ApiError::Status { status: StatusCode::NOT_FOUND, .. }) if !error.may_be_under_way() => {
            check("the note cannot be created")
        }
        Err(_) => Check::wrong(
            "canary",
            format!("Twenty may have created the note {id}, or may still do so"),
            why,
            format!("{fix}. If there is a note with the title \"{TITLE}\" in Twenty, destroy it by hand"),
        ),
    }
}

/// A random UUID, of version 4.
fn new_id() -> anyhow::Result<String> {
    let mut random = [0; 16];
    getrandom::fill(&mut random).context("the system has no randomness")?;
    random[6] = random[6] & 0x0f | 0x40;
    random[8] = random[8] & 0x3f | 0x80;
    let hex = hex::encode(random);
    Ok([0..8, 8..12, 12..16, 16..20, 20..32].map(|part| &hex[part]).join("-"))
}

async fn arrival(
    args: &CanaryArgs,
    place: &impl Arrivals,
    interrupts: &mut Interrupts,
    note: &str,
    name: &str,
) -> anyhow::Result<Check> {
    let started = Instant::now();
    while started.elapsed() < Duration::from_secs(args.wait) {
        match place.has(name, note).await {
            Ok(true) => {
                let after = terminal::duration(started.elapsed());
                return Ok(Check::ok("canary", format!("{name} arrived after {after}")));
            }
            Ok(false) => {}
            Err(error) => {
                let cause = terminal::plain(&crate::causes(&error), 600);
                return Ok(Check::wrong(
                    "canary",
                    format!("the inbox cannot be read, to look for {name}"),
                    cause,
                    "check that the inbox's database runs, and that this user may read it",
                ));
            }
        }
        tokio::select! {
            () = tokio::time::sleep(POLL) => {}
            () = interrupts.next() => bail!("stopped; the note is destroyed"),
        }
    }
    Ok(Check::wrong(
        "canary",
        format!("{name} did not arrive within {} s", args.wait),
        "Twenty did not call, or the receiver did not accept it; Twenty does not retry",
        "look at the checks above, at the receiver's log, and at Twenty's worker: does it run?",
    ))
}
