//! An event router as a worker's handler.

use std::future::ready;

use serde_json::Value;
use twenty_webhook_core::EventRouter;
use twenty_webhook_inbox::{HandlerError, JobFilter, State, WebhookEvent};

use crate::support::{Place, Running, Seen, event, until};

#[tokio::test]
async fn a_worker_calls_the_routes_and_heeds_their_errors() {
    let place = Place::new();
    let inbox = place.open().await;
    let seen = Seen::default();
    let notes = seen.clone();
    let events = EventRouter::new()
        .on("person.*", move |event: WebhookEvent, _: Value| {
            notes.add(&event);
            ready(())
        })
        .on("company.*", async |_: WebhookEvent| Err(HandlerError::permanent("no companies")));
    for name in ["person.created", "company.created", "task.created"] {
        inbox.store(&event(name, 1)).await.unwrap();
    }
    let running = Running::start(inbox.worker("crm-sync", events.clone()));
    let counts = until(&inbox, |counts| counts.done + counts.dead == 3).await;
    running.stop().await;
    // A permanent error is permanent behind a router too.
    assert_eq!((counts.done, counts.dead, seen.len()), (2, 1, 1));
    let dead = inbox.jobs(&JobFilter::in_state(State::Dead)).await.unwrap();
    let error = dead[0].last_error.as_deref().unwrap();
    assert!(error.contains("route `company.*`") && error.contains("no companies"), "{error}");
}
