//! From the request to the handler.

use std::time::Duration;

use axum::body::Body;
use axum::http::{Request, StatusCode};
use tower::ServiceExt;
use twenty_webhook_core::Signer;
use twenty_webhook_inbox::{InboxError, JobFilter, Secret, WebhookEvent};

use crate::support::{Place, Running, SECRET, Seen, body, event, ok, until};

async fn deliver(app: &axum::Router, body: &str) -> StatusCode {
    let mut request = Request::post("/webhooks/twenty").body(Body::from(body.to_owned())).unwrap();
    request.headers_mut().extend(Signer::new(Secret::new(SECRET).unwrap()).sign(body.as_bytes()));
    app.clone().oneshot(request).await.unwrap().status()
}

#[tokio::test]
async fn verified_stored_answered_handled() {
    let place = Place::new();
    let inbox = place.open().await;
    let app = axum::Router::new().route("/webhooks/twenty", inbox.receiver(Secret::new(SECRET).unwrap()));
    let body = body("person.created", 42);
    assert_eq!(deliver(&app, &body).await, StatusCode::ACCEPTED);
    // Twenty's queue signs again when it repeats a job: the same delivery.
    assert_eq!(deliver(&app, &body).await, StatusCode::ACCEPTED);
    assert_eq!(inbox.counts().await.unwrap().pending, 1);

    let (handled, events) = tokio::sync::mpsc::unbounded_channel();
    let mut events = events;
    let worker = inbox.worker("test", move |event: WebhookEvent| {
        let handled = handled.clone();
        async move {
            handled.send(event).unwrap();
            ok()
        }
    });
    let running = Running::start(worker);
    let event = events.recv().await.unwrap();
    assert_eq!(&event.body()[..], body.as_bytes(), "the same bytes, lone surrogate and all");
    assert_eq!(event.record_id(), Some("42"));
    assert!(event.delivery().is_none(), "what was stored is data, not proof");
    until(&inbox, |counts| counts.done == 1).await;

    // A duplicate is known as long as the row is kept.
    assert_eq!(deliver(&app, &body).await, StatusCode::ACCEPTED);
    tokio::time::sleep(Duration::from_millis(700)).await;
    running.stop().await;
    assert!(events.try_recv().is_err());
    assert_eq!(inbox.counts().await.unwrap().done, 1);
}

#[tokio::test]
async fn what_is_not_signed_is_refused_and_not_stored() {
    let place = Place::new();
    let inbox = place.open().await;
    let app = axum::Router::new().route("/webhooks/twenty", inbox.receiver(Secret::new("another").unwrap()));
    assert_eq!(deliver(&app, &body("person.created", 1)).await, StatusCode::UNAUTHORIZED);
    let stored = WebhookEvent::from_stored(body("person.created", 1)).unwrap();
    assert!(matches!(inbox.store(&stored).await, Err(InboxError::Unverified)));
    assert_eq!(inbox.counts().await.unwrap().open(), 0);
}

#[tokio::test]
async fn what_is_done_is_deleted_after_the_retention() {
    let place = Place::new();
    let inbox = place.open().await.retention(Duration::from_hours(2));
    for number in 0..3 {
        inbox.store(&event("person.created", number)).await.unwrap();
    }
    let seen = Seen::default();
    let worker = {
        let seen = seen.clone();
        inbox
            .worker("test", move |event: WebhookEvent| {
                seen.add(&event);
                async { ok() }
            })
            .recover_after(Duration::from_secs(3))
    };
    let running = Running::start(worker);
    until(&inbox, |counts| counts.done == 3).await;
    place.sql("UPDATE twenty_webhook_jobs SET finished_at = (unixepoch() - 7300) * 1000 WHERE seq <= 2").await;
    until(&inbox, |counts| counts.done == 1).await;
    running.stop().await;
    assert_eq!(seen.len(), 3);
    assert_eq!(inbox.jobs(&JobFilter::all()).await.unwrap().len(), 1);
}
