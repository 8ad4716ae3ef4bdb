//! A dry run finds what the run after it finds, and changes nothing.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::json;
use twenty_webhook_catchup::{CatchUp, Phase, Progress, Report};
use twenty_webhook_inbox::JobFilter;

use crate::support::{HOUR, Place};

fn ids(range: std::ops::Range<usize>) -> Vec<String> {
    range.map(|n| format!("{n:04}")).collect()
}

/// A run, and the events that it shows.
async fn shown(place: &Place, catch_up: CatchUp) -> (Report, Vec<String>) {
    let shown = Arc::new(Mutex::new(Vec::new()));
    let events = Arc::clone(&shown);
    let catch_up = catch_up.on_event(move |event| {
        let line = format!("{} {}", event.name(), event.record_id().unwrap_or_default());
        events.lock().unwrap().push(line);
    });
    let report = place.report(catch_up).await;
    let shown = shown.lock().unwrap().clone();
    (report, shown)
}

/// The counts of a report, and its error.
fn counts(report: &Report) -> String {
    format!("{report:?}")
}

#[tokio::test]
async fn what_was_destroyed_is_found_too() {
    let place = Place::new().await;
    place.people(ids(0..450));
    place.run(place.catch_up()).await;
    place.clock.advance(24 * HOUR);

    place.update("0001", "Nantes");
    place.twenty.delete("person", &["0002"]);
    let delivered = place.delivery("destroyed", "0003");
    place.twenty.destroy("person", &["0003", "0004", "0449"]);
    place.inbox.store(&delivered).await.unwrap();
    place.twenty.create("person", json!({ "id": "0500" }));
    // One that an import dated back: only the list of ids shows it.
    let before = place.clock.now();
    place.clock.set(twenty_webhook_core::UnixMillis::from_millis(before.as_millis() - 48 * 3_600_000));
    place.twenty.create("person", json!({ "id": "0501" }));
    place.clock.set(before);
    place.clock.advance(HOUR);

    let stored = place.stored().await;
    let (dry, found) = shown(&place, place.catch_up().dry_run()).await;
    assert_eq!(place.stored().await, stored, "nothing is stored");
    let expected = [
        "person.updated 0001",
        "person.deleted 0002",
        "person.created 0500",
        "person.created 0501",
        "person.destroyed 0004",
        "person.destroyed 0449",
    ];
    assert_eq!(found, expected);
    let (run, stored) = shown(&place, place.catch_up()).await;
    assert_eq!((counts(&dry), found), (counts(&run), stored), "the run after it finds the same");
    let (after, nothing) = shown(&place, place.catch_up().dry_run().destroyed_every(Duration::ZERO)).await;
    assert!(nothing.is_empty() && after.objects[0].compared_ids, "{after:?} {nothing:?}");
}

#[tokio::test]
async fn too_much_is_not_believed_either() {
    let place = Place::new().await;
    place.people(ids(0..1100));
    place.run(place.catch_up()).await;
    place.clock.advance(24 * HOUR);
    place.twenty.destroy("person", &ids(0..1050));
    place.twenty.create("person", json!({ "id": "2000" }));
    place.clock.advance(HOUR);
    let (dry, found) = shown(&place, place.catch_up().dry_run()).await;
    assert_eq!(found, ["person.created 2000"]);
    let (run, _) = shown(&place, place.catch_up()).await;
    assert_eq!(counts(&dry), counts(&run));
    assert!(dry.objects[0].error.as_ref().unwrap().to_string().starts_with("1050 of 1101 known records"), "{dry:?}");
}

#[tokio::test]
async fn it_can_accept_destroys() {
    let place = Place::new().await;
    place.people(ids(0..30));
    place.run(place.catch_up()).await;
    place.clock.advance(24 * HOUR);
    place.twenty.destroy("person", &ids(0..29));
    place.clock.advance(HOUR);
    let (accepted, destroyed) = shown(&place, place.catch_up().dry_run().accept_destroys()).await;
    assert!(accepted.is_ok() && destroyed.len() == 29, "{accepted:?}");
}

/// What was caught up before the first delivery is saved under the empty scope, until a delivery names the workspace.
#[tokio::test]
async fn what_was_read_before_the_workspace_was_known_is_seen() {
    let place = Place::new().await;
    place.people(ids(0..450));
    place.run(place.catch_up()).await;
    place.update("0001", "Nantes");
    place.run(place.catch_up()).await;
    place.handle().await;
    let record = place.twenty.records("person").remove(1);
    place.update("0002", "Nantes");
    let body = format!(r#"{{"eventName":"person.updated","workspaceId":"w1","record":{record}}}"#);
    place.inbox.store(&crate::support::verified(body)).await.unwrap();
    place.twenty.destroy("person", &["0003", "0449"]);
    place.clock.advance(24 * HOUR);

    let stored = place.stored().await;
    let (dry, found) = shown(&place, place.catch_up().dry_run()).await;
    assert_eq!(found, ["person.updated 0002", "person.destroyed 0003", "person.destroyed 0449"]);
    assert_eq!(place.stored().await, stored, "nothing is stored");
    let unknown = place.inbox.jobs(&JobFilter::all().scope("w1")).await.unwrap();
    assert_eq!(unknown.len(), 1, "nothing is moved to the workspace");
    let (run, stored) = shown(&place, place.catch_up()).await;
    assert_eq!((counts(&dry), found), (counts(&run), stored), "the run after it finds the same");
    let (after, nothing) = shown(&place, place.catch_up().dry_run().destroyed_every(Duration::ZERO)).await;
    assert!(nothing.is_empty() && !after.objects[0].is_first, "{after:?} {nothing:?}");
}

#[tokio::test]
async fn a_run_that_is_stopped_gives_its_lease_back() {
    let place = Place::new().await;
    place.people(ids(0..450));
    place.twenty.hold_requests_after(2);
    let stopped = async {
        while place.twenty.api_requests().len() < 3 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    let ended = place.catch_up().run_once_until(&place.inbox, stopped).await.unwrap();
    assert!(ended.is_none());
    place.twenty.release_requests();
    let report = place.run(place.catch_up()).await;
    assert_eq!(report.read, 250, "it continues, and at once: {report:?}");
    let whole = place.catch_up().run_once_until(&place.inbox, std::future::pending::<()>()).await.unwrap();
    assert!(whole.unwrap().is_ok());
}

/// It would begin again with the first page, because nothing is saved.
#[tokio::test]
async fn a_pass_that_takes_longer_than_the_interval_ends() {
    let place = Place::new().await;
    place.people(ids(0..450));
    place.run(place.catch_up()).await;
    place.clock.advance(24 * HOUR);
    place.twenty.destroy("person", &["0449"]);
    let (interval, confirmed) = (Duration::from_secs(1), Arc::new(tokio::sync::Notify::new()));
    let ended = Arc::clone(&confirmed);
    let show = move |progress: &Progress| match progress.phase {
        Phase::Changes => std::thread::sleep(interval),
        Phase::Ids => {}
        _ => confirmed.notify_one(),
    };
    let runs = place.catch_up().dry_run().every(interval).on_progress(show);
    let runs = runs.run_until(&place.inbox, ended.notified());
    tokio::time::timeout(Duration::from_secs(20), runs).await.expect("the pass ends");
}
