//! A wrong `destroyed` makes handlers delete.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::json;
use tokio::sync::Notify;
use twenty_webhook_catchup::{CatchUp, CatchUpError, ObjectReport, Phase, Progress};
use twenty_webhook_inbox::JobFilter;
use twenty_webhook_testing::{ApiFailure, Role};

use crate::support::{HOUR, Place, verified};

const DAY: Duration = Duration::from_secs(24 * 3600);

fn ids(n: usize) -> Vec<String> {
    (0..n).map(|n| format!("{n:04}")).collect()
}

/// People that are known, and a day later.
async fn place_with(people: usize) -> Place {
    let place = Place::new().await;
    place.people(ids(people));
    place.run(place.catch_up()).await;
    place.clock.advance(DAY);
    place
}

async fn pass(place: &Place, catch_up: CatchUp) -> ObjectReport {
    place.report(catch_up).await.objects.remove(0)
}

#[tokio::test]
async fn what_is_gone_is_seen_once_a_day() {
    let place = place_with(450).await;
    place.twenty.destroy("person", &["0003", "0440"]);
    place.twenty.delete("person", &["0007"]);
    place.clock.advance(HOUR);
    let report = place.run(place.catch_up()).await;
    assert_eq!((report.destroyed, report.deleted, report.compared_ids), (2, 1, true), "{report:?}");
    assert_eq!(place.stored().await, ["person.deleted 0007", "person.destroyed 0003", "person.destroyed 0440"]);
    let requests = place.twenty.api_requests();
    assert!(requests.iter().any(|request| request.contains("0440") && request.contains("limit=2")), "it was asked for");

    place.twenty.destroy("person", &["0009"]);
    place.clock.advance(HOUR);
    let report = place.run(place.catch_up()).await;
    assert!(!report.compared_ids && report.destroyed == 0, "not before the day is over");
    place.clock.advance(DAY);
    assert_eq!(place.run(place.catch_up()).await.destroyed, 1);
    place.clock.advance(DAY);
    assert_eq!(place.run(place.catch_up()).await.destroyed, 0, "once");
    assert_eq!(place.stored().await.len(), 4);
}

#[tokio::test]
async fn what_a_delivery_said_is_not_said_again_nor_counted() {
    let place = place_with(30).await;
    let gone: Vec<_> = ids(10).iter().map(|id| place.delivery("destroyed", id)).collect();
    place.twenty.destroy("person", &ids(10));
    for delivery in &gone {
        place.inbox.store(delivery).await.unwrap();
    }
    // A third is missing, and deliveries reported all of it.
    let report = place.run(place.catch_up()).await;
    assert_eq!((report.destroyed, report.compared_ids), (0, true), "{report:?}");
    assert_eq!(place.stored().await.len(), 10);
}

#[tokio::test]
async fn a_destroyed_that_is_delivered_late_is_a_duplicate() {
    let place = place_with(30).await;
    let late = place.delivery("destroyed", "0001");
    place.twenty.destroy("person", &["0001"]);
    assert_eq!(place.run(place.catch_up()).await.destroyed, 1);
    place.inbox.store(&late).await.unwrap();
    assert_eq!(place.handle().await, ["person.destroyed 0001"]);
}

#[tokio::test]
async fn too_much_is_not_believed_until_it_is_accepted() {
    for (people, gone, is_believed) in [(100, 5, true), (100, 6, false), (2100, 100, true), (2100, 101, false)] {
        let place = place_with(people).await;
        place.twenty.destroy("person", &ids(gone));
        let report = pass(&place, place.catch_up()).await;
        assert_eq!(report.error.is_none(), is_believed, "{gone} of {people}: {report:?}");
        if is_believed {
            assert_eq!(report.destroyed, gone as u64);
            continue;
        }
        let expected = (gone as u64, people as u64);
        assert!(
            matches!(report.error, Some(CatchUpError::TooManyMissing { missing, known, .. }) if (missing, known) == expected),
            "{report:?}"
        );
        assert!(place.stored().await.is_empty());
        // Nor the next time.
        assert_eq!(pass(&place, place.catch_up()).await.destroyed, 0);
        place.clock.advance(DAY);
        assert!(pass(&place, place.catch_up()).await.error.is_some());
        assert_eq!(place.run(place.catch_up().accept_destroys()).await.destroyed, gone as u64);
        assert_eq!(place.stored().await.len(), gone);
    }
}

/// The run that accepted it was stopped, and the next one does not.
#[tokio::test]
async fn what_one_run_accepts_is_not_accepted_by_the_next() {
    let place = place_with(100).await;
    place.twenty.destroy("person", &ids(30));
    let catch_up = stop_at(&place, place.catch_up().accept_destroys(), Phase::Confirming).await;
    let confirmed = place.stored().await.len();
    assert!((1..30).contains(&confirmed), "{confirmed}");
    let report = pass(&place, place.catch_up()).await;
    let expected = 30 - confirmed as u64;
    assert!(
        matches!(report.error, Some(CatchUpError::TooManyMissing { missing, .. }) if missing == expected),
        "{report:?}"
    );
    assert_eq!(place.stored().await.len(), confirmed);
    assert_eq!(place.run(catch_up).await.destroyed, expected, "accepted again, it goes on at once");
}

#[tokio::test]
async fn a_role_that_was_narrowed_proves_nothing() {
    for narrowed in [Role::default().forbid("person"), Role::default().hide("person")] {
        let place = place_with(450).await;
        place.twenty.destroy("person", &["0001"]);
        place.twenty.set_role(place.twenty.api_key(), narrowed);
        let report = pass(&place, place.catch_up()).await;
        assert!(report.error.is_some() && report.destroyed == 0, "{report:?}");
        assert!(place.stored().await.is_empty());
        // Given back, it is found.
        place.twenty.set_role(place.twenty.api_key(), Role::default());
        assert_eq!(place.run(place.catch_up()).await.destroyed, 1);
    }
}

/// Between two runs of one pass: after its first page, or when it confirms.
#[tokio::test]
async fn a_role_that_is_narrowed_in_the_middle_proves_nothing() {
    for (phase, role) in [
        (Phase::Ids, Role::default().forbid("person")),
        (Phase::Ids, Role::default().hide("person")),
        (Phase::Confirming, Role::default().forbid("person")),
        (Phase::Confirming, Role::default().hide("person")),
    ] {
        let place = place_with(450).await;
        place.twenty.destroy("person", &["0001", "0002"]);
        let catch_up = pause_at(&place, phase).await;
        place.twenty.set_role(place.twenty.api_key(), role);
        let report = pass(&place, catch_up).await;
        assert!(report.error.is_some(), "{phase:?}: {report:?}");
        let said = u64::from(phase == Phase::Confirming);
        assert_eq!(place.stored().await.len() as u64, said, "{phase:?}: only what was confirmed before");
        place.twenty.set_role(place.twenty.api_key(), Role::default());
        let report = place.run(place.catch_up()).await;
        assert_eq!((report.destroyed, report.compared_ids), (2 - said, true), "{phase:?}: the pass goes on");
    }
}

/// One request of the pass meets it: a page of the list, the control, or a confirmation. The data model and the changes come before.
#[tokio::test]
async fn a_refusal_within_a_pass_ends_it_and_proves_nothing() {
    for (request, confirmed) in [(3, 0), (4, 0), (6, 0), (7, 0), (8, 1)] {
        for status in [403, 404, 400] {
            let place = place_with(450).await;
            place.twenty.destroy("person", &["0001", "0002"]);
            let refuse = || match status {
                403 => place.twenty.set_role(place.twenty.api_key(), Role::default().forbid("person")),
                404 => place.twenty.set_role(place.twenty.api_key(), Role::default().hide("person")),
                _ => place.twenty.fail_next([ApiFailure::Status(400)]),
            };
            let report = run_with_a_change_at(&place, place.catch_up(), request, refuse).await;
            let error = report.error.as_ref();
            let is_it = match error {
                Some(CatchUpError::Forbidden(_)) => status == 403,
                Some(CatchUpError::Rejected { status: rejected, .. }) => *rejected == status,
                _ => false,
            };
            assert!(is_it && !report.compared_ids, "{request} {status}: {report:?}");
            assert_eq!(place.stored().await.len(), confirmed, "{request} {status}");
            place.twenty.set_role(place.twenty.api_key(), Role::default());
            let report = place.run(place.catch_up()).await;
            assert!(!report.compared_ids && report.destroyed == 0, "{request} {status}: it does not go on: {report:?}");
            place.clock.advance(DAY);
            let report = place.run(place.catch_up()).await;
            assert_eq!(report.destroyed, 2 - confirmed as u64, "{request} {status}: the next pass finds it");
        }
    }
}

/// The control was read before, and is hidden with all others between two confirmations.
#[tokio::test]
async fn a_confirmation_without_the_control_proves_nothing() {
    let place = place_with(60).await;
    place.twenty.destroy("person", &["0040"]);
    // It exists, but the pass does not list it.
    place.twenty.set_role(place.twenty.api_key(), Role::default().hide_record("0041"));
    let hide = || {
        let role = ids(60).into_iter().fold(Role::default(), Role::hide_record);
        place.twenty.set_role(place.twenty.api_key(), role);
    };
    // After the data model, the changes, the list, the control and the first confirmation.
    let report = run_with_a_change_at(&place, place.catch_up(), 6, hide).await;
    assert_eq!((report.destroyed, report.unconfirmed), (1, 1), "{report:?}");
    assert_eq!(place.stored().await, ["person.destroyed 0040"]);
}

/// Half of the records hidden looks like half of them destroyed.
#[tokio::test]
async fn records_that_the_role_hides_in_the_middle_are_too_many() {
    let place = place_with(450).await;
    let catch_up = pause_at(&place, Phase::Ids).await;
    let role = ids(450).into_iter().skip(225).fold(Role::default(), Role::hide_record);
    place.twenty.set_role(place.twenty.api_key(), role);
    let report = pass(&place, catch_up).await;
    assert!(matches!(report.error, Some(CatchUpError::TooManyMissing { missing: 225, .. })), "{report:?}");
    assert!(place.stored().await.is_empty());
}

/// The control is hidden too.
#[tokio::test]
async fn an_answer_without_the_control_proves_nothing() {
    let place = place_with(60).await;
    place.twenty.destroy("person", &["0041"]);
    let catch_up = pause_at(&place, Phase::Ids).await;
    // The listing is done; from now on the key reads no record, and no error says so.
    let role = ids(60).into_iter().fold(Role::default(), Role::hide_record);
    place.twenty.set_role(place.twenty.api_key(), role);
    let report = pass(&place, catch_up).await;
    assert_eq!((report.destroyed, report.unconfirmed), (0, 1), "{report:?}");
    place.twenty.set_role(place.twenty.api_key(), Role::default());
    place.clock.advance(DAY);
    assert_eq!(place.run(place.catch_up()).await.destroyed, 1);
}

#[tokio::test]
async fn another_key_says_nothing_about_what_it_never_read() {
    let place = place_with(200).await;
    place.twenty.destroy("person", &["0001"]);
    // It does not see this one, and never did.
    let other = place.twenty.add_api_key(Role::default().hide_record("0002"));
    let report = place.run(place.catch_up_with(&other)).await;
    assert_eq!((report.destroyed, report.unproven), (0, 2), "{report:?}");
    // What it has read itself counts from then on.
    place.twenty.destroy("person", &["0003"]);
    place.clock.advance(DAY);
    let report = place.run(place.catch_up_with(&other)).await;
    assert_eq!((report.destroyed, report.unproven), (1, 2), "{report:?}");
    assert_eq!(place.stored().await, ["person.destroyed 0003"]);
    // The first key still has the ids that it read, except those that the other key has read since.
    place.clock.advance(DAY);
    let report = place.run(place.catch_up()).await;
    assert_eq!((report.destroyed, report.unproven), (1, 0), "{report:?}");
}

/// Known from a delivery alone, it may be hidden from the key.
#[tokio::test]
async fn what_is_known_only_from_a_delivery_counts_when_it_is_accepted() {
    let place = place_with(40).await;
    place.twenty.create("person", json!({ "id": "new" }));
    place.inbox.store(&place.delivery("created", "new")).await.unwrap();
    place.twenty.destroy("person", &["new"]);
    let report = place.run(place.catch_up()).await;
    assert_eq!((report.destroyed, report.unproven), (0, 1), "{report:?}");
    let report = place.run(place.catch_up()).await;
    assert!(!report.compared_ids, "not before the day is over: {report:?}");
    assert_eq!(place.run(place.catch_up().accept_destroys()).await.destroyed, 1, "at once");
    assert_eq!(place.handle().await, ["person.created new", "person.destroyed new"]);
    let report = place.run(place.catch_up().accept_destroys()).await;
    assert!(!report.compared_ids, "once: {report:?}");
}

/// Of a long transaction, dated at its start; or of a record that was hidden meanwhile.
#[tokio::test]
async fn a_change_that_becomes_visible_late_is_found_by_the_pass() {
    let place = place_with(40).await;
    place.update("0001", "Nantes");
    place.inbox.store(&place.delivery("updated", "0001")).await.unwrap();
    // Its state is known from a delivery alone, and is remembered when the delivery is deleted.
    place.twenty.create("person", json!({ "id": "new" }));
    place.inbox.store(&place.delivery("created", "new")).await.unwrap();
    place.clock.advance(HOUR);
    assert_eq!(place.run(place.catch_up()).await.events(), 0);
    place.handle().await;
    place.inbox.delete(&JobFilter::all()).await.unwrap();

    let now = place.clock.now();
    place.twenty.set_role(place.twenty.api_key(), Role::default().hide_record("0002"));
    place.update("0002", "Nantes");
    place.clock.advance(DAY);
    assert_eq!(place.run(place.catch_up().without_destroyed()).await.events(), 0);
    let later = place.clock.now();
    place.clock.set(now);
    place.twenty.update("person", &["0001"], json!({ "city": "Osaka" }));
    place.twenty.update("person", &["new"], json!({ "city": "Osaka" }));
    place.twenty.delete("person", &["0003"]);
    place.clock.set(later);
    place.twenty.set_role(place.twenty.api_key(), Role::default());
    assert_eq!(place.run(place.catch_up().without_destroyed()).await.events(), 0);
    let report = place.run(place.catch_up()).await;
    assert_eq!((report.updated, report.deleted, report.compared_ids), (3, 1, true), "{report:?}");
    let mut handled = place.handle().await;
    handled.sort();
    assert_eq!(handled, ["person.deleted 0003", "person.updated 0001", "person.updated 0002", "person.updated new"]);
    place.inbox.delete(&JobFilter::all()).await.unwrap();
    place.clock.advance(DAY);
    assert_eq!(place.run(place.catch_up()).await.events(), 0, "once");
}

#[tokio::test]
async fn what_is_created_during_the_pass_is_not_missing() {
    let place = place_with(450).await;
    let catch_up = pause_at(&place, Phase::Ids).await;
    // Before the page that was read, and after it.
    place.twenty.create("person", json!({ "id": "0000a" }));
    place.twenty.create("person", json!({ "id": "9999" }));
    place.inbox.store(&place.delivery("created", "0000a")).await.unwrap();
    place.clock.advance(HOUR);
    let report = place.run(catch_up).await;
    assert_eq!((report.destroyed, report.unproven, report.compared_ids), (0, 0, true), "{report:?}");
    place.clock.advance(DAY);
    assert_eq!(place.run(place.catch_up()).await.destroyed, 0);
}

#[tokio::test]
async fn a_record_that_is_back_disproves_it() {
    let place = place_with(40).await;
    let role = Role::default().hide_record("0005");
    place.twenty.set_role(place.twenty.api_key(), role);
    assert_eq!(place.run(place.catch_up()).await.destroyed, 1, "as it looks through the API");
    assert_eq!(place.handle().await, ["person.destroyed 0005"]);
    place.twenty.set_role(place.twenty.api_key(), Role::default());
    place.clock.advance(DAY);
    let report = place.run(place.catch_up()).await;
    assert_eq!((report.created, report.destroyed), (1, 0), "{report:?}");
    place.update("0005", "Nantes");
    place.inbox.store(&place.delivery("updated", "0005")).await.unwrap();
    assert_eq!(place.handle().await, ["person.created 0005", "person.updated 0005"], "none of them is stale");
}

/// The inbox still has its state: from a delivery, from a delivery of several records, or from a run.
#[tokio::test]
async fn a_record_that_is_back_as_it_was_is_handled_again() {
    for source in ["a delivery", "a batch", "a run"] {
        let place = place_with(40).await;
        place.update("0005", "Nantes");
        match source {
            "a delivery" => place.inbox.store(&place.delivery("updated", "0005")).await.unwrap(),
            "a batch" => {
                let items: Vec<_> =
                    place.twenty.records("person").iter().map(|record| json!({ "record": record })).collect();
                let batch = json!({ "eventName": "person.updated", "items": items });
                place.inbox.store(&verified(batch.to_string())).await.unwrap();
            }
            _ => assert_eq!(place.run(place.catch_up().without_destroyed()).await.updated, 1),
        }
        assert_eq!(place.handle().await.len(), 1);
        place.twenty.set_role(place.twenty.api_key(), Role::default().hide_record("0005"));
        assert_eq!(place.run(place.catch_up()).await.destroyed, 1, "{source}");
        // One comes late, and one later still: it is stale, so a handler may skip it.
        place.inbox.store(&place.delivery("updated", "0005")).await.unwrap();
        assert_eq!(place.handle().await.last().unwrap(), "person.destroyed 0005", "{source}");
        place.inbox.store(&place.delivery("updated", "0005")).await.unwrap();
        place.handle().await;
        place.twenty.set_role(place.twenty.api_key(), Role::default());
        place.clock.advance(DAY);
        let report = place.run(place.catch_up()).await;
        assert_eq!((report.created, report.destroyed), (1, 0), "{source}: {report:?}");
        assert_eq!(place.handle().await, ["person.created 0005"], "{source}");
        place.inbox.store(&place.delivery("updated", "0005")).await.unwrap();
        place.clock.advance(DAY);
        assert_eq!(place.run(place.catch_up()).await.events(), 0, "{source}");
        assert!(place.handle().await.is_empty(), "{source}: once, and its delivery is a duplicate");
    }
}

#[tokio::test]
async fn a_pass_goes_on_after_a_stop_and_gives_way() {
    let place = place_with(1000).await;
    place.twenty.destroy("person", &["0001", "0999"]);
    let before = place.twenty.api_requests().len();
    let catch_up = pause_at(&place, Phase::Ids).await;
    let report = place.run(catch_up).await;
    assert_eq!((report.destroyed, report.compared_ids), (2, true));
    // Twice the data model and the changes; 5 pages, the one that was under way twice at most; a control, and two confirmations.
    let requests = place.twenty.api_requests().len() - before;
    assert!((12..=13).contains(&requests), "{requests}");
}

/// Also where reading the changes takes longer than the interval.
#[tokio::test]
async fn a_pass_gives_way_to_runs_that_are_due_and_still_goes_on() {
    let place = place_with(450).await;
    let before = place.twenty.api_requests().len();
    let (interval, stop) = (Duration::from_secs(1), Arc::new(Notify::new()));
    let (stopped, pages) = (Arc::clone(&stop), AtomicUsize::new(0));
    let show = move |progress: &Progress| match progress.phase {
        Phase::Changes => std::thread::sleep(interval),
        Phase::Ids if pages.fetch_add(1, Ordering::Relaxed) == 2 => stop.notify_one(),
        _ => {}
    };
    let runs = place.catch_up().every(interval).on_progress(show).run_until(&place.inbox, stopped.notified());
    tokio::time::timeout(Duration::from_secs(30), runs).await.expect("the pass ends");
    let lists = place.twenty.api_requests().split_off(before);
    let lists = lists.iter().filter(|request| request.contains("/rest/people?"));
    let kinds: Vec<_> = lists.map(|list| if list.contains("updatedAt") { "changes" } else { "ids" }).collect();
    assert_eq!(kinds, ["changes", "ids"].repeat(3));
}

/// Most known ids were read by another key only, so few missing ones are many of those that this key can prove.
#[tokio::test]
async fn what_the_key_never_read_does_not_make_missing_ids_look_few() {
    let place = place_with(1000).await;
    let hidden = ids(1000).into_iter().skip(50);
    let other = place.twenty.add_api_key(hidden.fold(Role::default(), Role::hide_record));
    // The pass reads 50 of the 1,000.
    assert_eq!(place.run(place.catch_up_with(&other)).await.unproven, 950);
    place.clock.advance(DAY);
    let narrowed = ids(1000).into_iter().skip(10).fold(Role::default(), Role::hide_record);
    place.twenty.set_role(&other, narrowed);
    let report = pass(&place, place.catch_up_with(&other)).await;
    assert!(matches!(report.error, Some(CatchUpError::TooManyMissing { missing: 40, known: 50, .. })), "{report:?}");
    assert!(place.stored().await.is_empty());
}

/// Its `destroyed` was not handled yet.
#[tokio::test]
async fn the_state_of_a_record_that_is_back_is_handled() {
    let place = place_with(40).await;
    place.twenty.set_role(place.twenty.api_key(), Role::default().hide_record("0005"));
    assert_eq!(place.run(place.catch_up()).await.destroyed, 1);
    place.twenty.set_role(place.twenty.api_key(), Role::default());
    place.update("0005", "Nantes");
    let report = place.run(place.catch_up()).await;
    assert_eq!((report.updated + report.created, report.known), (1, 0), "{report:?}");
    let handled = place.handle().await;
    assert!(matches!(&handled[..], [one] if !one.contains("destroyed") && one.ends_with(" 0005")), "{handled:?}");
}

/// An answer that cannot be read does not end a pass.
#[tokio::test]
async fn a_pass_continues_after_an_object_without_an_answer() {
    let place = place_with(450).await;
    place.twenty.create_many("company", ["1", "2"].map(|id| json!({ "id": id })));
    place.clock.advance(HOUR);
    let both = || place.catch_up().objects(["person", "company"]);
    let _ = place.report(both().without_destroyed()).await;
    place.twenty.destroy("person", &["0440"]);
    place.clock.advance(DAY);
    let catch_up = pause_at(&place, Phase::Ids).await.objects(["person", "company"]);
    // From the fourth request on, after the data model and the changes.
    let before = place.twenty.api_requests().len();
    place.twenty.hold_requests_after(3);
    let inbox = place.inbox.clone();
    let run = tokio::spawn(async move { catch_up.run_once(&inbox).await.unwrap() });
    while place.twenty.api_requests().len() < before + 4 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    place.twenty.set_faults(|faults| faults.failing_objects = vec!["people".to_owned()]);
    place.twenty.release_requests();
    let report = run.await.unwrap();
    assert!(matches!(report.objects[0].error, Some(CatchUpError::NoResponse { .. })), "{report:?}");
    assert!(report.objects[1].compared_ids, "{report:?}");
    place.twenty.set_faults(|faults| faults.failing_objects.clear());
    let before = place.twenty.api_requests().len();
    assert_eq!(place.report(both()).await.objects[0].destroyed, 1, "though it is the same day");
    let lists = place.twenty.api_requests().split_off(before);
    let lists = lists.iter().filter(|request| request.contains("/rest/people?") && request.contains("limit=200"));
    assert_eq!(lists.count(), 1 + 2, "the changes, and the two pages that were left");
}

#[tokio::test]
async fn the_last_record_of_an_object_is_gone() {
    let place = place_with(1).await;
    place.twenty.destroy("person", &["0000"]);
    assert!(pass(&place, place.catch_up()).await.error.is_some());
    assert_eq!(place.run(place.catch_up().accept_destroys()).await.destroyed, 1);
}

/// Runs until the first page, or the first confirmation, of a pass is saved.
async fn pause_at(place: &Place, phase: Phase) -> CatchUp {
    stop_at(place, place.catch_up(), phase).await
}

async fn stop_at(place: &Place, catch_up: CatchUp, phase: Phase) -> CatchUp {
    let stop = Arc::new(Notify::new());
    let stopped = Arc::clone(&stop);
    let show = move |progress: &Progress| {
        if progress.phase == phase {
            stop.notify_one();
        }
    };
    catch_up.clone().on_progress(show).run_until(&place.inbox, stopped.notified()).await;
    catch_up
}

/// One run. Its request with this number, counted from 1, is held until `change` was made.
async fn run_with_a_change_at(place: &Place, catch_up: CatchUp, request: usize, change: impl FnOnce()) -> ObjectReport {
    let before = place.twenty.api_requests().len();
    place.twenty.hold_requests_after(request - 1);
    let inbox = place.inbox.clone();
    let run = tokio::spawn(async move { catch_up.run_once(&inbox).await.unwrap() });
    while place.twenty.api_requests().len() < before + request {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    change();
    place.twenty.release_requests();
    run.await.unwrap().objects.remove(0)
}
