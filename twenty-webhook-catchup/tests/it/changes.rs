use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use tokio::sync::Notify;
use twenty_webhook_catchup::{CatchUpError, CatchUpStore, Progress};
use twenty_webhook_inbox::{HandlerError, JobFilter, State, WebhookEvent};
use twenty_webhook_testing::Role;

use crate::support::{HOUR, Place, verified, verified_of};

#[tokio::test]
async fn the_first_run_handles_nothing_and_the_next_what_changed() {
    let place = Place::new().await;
    place.people(["1", "2", "3", "4"]);
    let first = place.run(place.catch_up()).await;
    assert!(first.is_first && first.read == 4 && first.events() == 0, "{first:?}");
    assert!(place.stored().await.is_empty());

    place.clock.advance(HOUR);
    place.update("1", "Nantes");
    place.twenty.delete("person", &["2"]);
    place.twenty.create("person", json!({ "id": "5" }));
    place.clock.advance(HOUR);
    let second = place.run(place.catch_up()).await;
    assert_eq!((second.created, second.updated, second.deleted, second.read), (1, 1, 1, 3), "{second:?}");
    assert_eq!(place.stored().await, ["person.updated 1", "person.deleted 2", "person.created 5"]);

    let third = place.run(place.catch_up()).await;
    assert_eq!((third.read, third.events()), (0, 0));
    // Back from the trash: twice, because it is handled as it is found.
    place.twenty.restore("person", &["2"]);
    place.clock.advance(HOUR);
    assert_eq!(place.run(place.catch_up()).await.updated, 1);
}

#[tokio::test]
async fn a_caught_up_event_is_data_of_todays_form() {
    let place = Place::new().await;
    place.people(["1"]);
    place.run(place.catch_up()).await;
    place.update("1", "Nantes");
    place.run(place.catch_up()).await;
    let jobs = place.inbox.jobs(&JobFilter::all()).await.unwrap();
    let (_, event) = place.inbox.job(jobs[0].id).await.unwrap().unwrap();
    let event = event.unwrap();
    assert!(event.is_from_catchup() && event.delivery().is_none());
    assert_eq!((event.name().as_str(), event.object(), event.record_id()), ("person.updated", "person", Some("1")));
    assert_eq!(event.record_value().unwrap(), place.twenty.records("person")[0]);
    assert_eq!(event.updated_fields(), None);
    assert!(event.event_date() > event.record_updated_at());
}

/// The same as in a delivery that is pending, running or done.
#[tokio::test]
async fn a_state_that_a_delivery_brought_is_not_handled_again() {
    let place = Place::new().await;
    place.people(["1", "2", "3"]);
    place.run(place.catch_up()).await;
    place.update("1", "Nantes");
    place.inbox.store(&place.delivery("updated", "1")).await.unwrap();
    assert_eq!(place.handle().await, ["person.updated 1"]);
    place.update("2", "Nantes");
    place.inbox.store(&place.delivery("updated", "2")).await.unwrap();
    // An older state of this one arrived, and the newest was dropped.
    place.update("3", "Nantes");
    place.inbox.store(&place.delivery("updated", "3")).await.unwrap();
    place.update("3", "Osaka");
    let report = place.run(place.catch_up()).await;
    assert_eq!((report.known, report.updated), (2, 1), "{report:?}");
    assert_eq!(place.handle().await, ["person.updated 2", "person.updated 3", "person.updated 3"]);
}

#[tokio::test]
async fn a_delivery_that_comes_later_is_a_duplicate_or_stale() {
    let place = Place::new().await;
    place.people(["1"]);
    place.run(place.catch_up()).await;
    place.update("1", "Nantes");
    let older = place.delivery("updated", "1");
    place.update("1", "Osaka");
    let same = place.delivery("updated", "1");
    assert_eq!(place.run(place.catch_up()).await.updated, 1);
    for event in [&same, &older, &same] {
        place.inbox.store(event).await.unwrap();
    }
    assert_eq!(place.stored().await.len(), 2, "the same state is a duplicate");
    assert_eq!(place.handle().await.len(), 2);
    // Once the newer state is done, the older one is stale.
    place.update("1", "Lima");
    let older = place.delivery("updated", "1");
    place.update("1", "Turku");
    place.run(place.catch_up()).await;
    assert_eq!(place.handle().await, ["person.updated 1"]);
    place.inbox.store(&older).await.unwrap();
    assert_eq!(place.handle().await, ["person.updated 1 stale"]);
    // And the same state is a duplicate still.
    place.inbox.store(&place.delivery("updated", "1")).await.unwrap();
    assert!(place.handle().await.is_empty());
}

#[tokio::test]
async fn a_dead_letter_is_listed_and_keeps_no_delivery_out() {
    let place = Place::new().await;
    place.people(["1"]);
    place.run(place.catch_up()).await;
    place.update("1", "Nantes");
    place.run(place.catch_up()).await;
    let worker = place.inbox.worker("test", |_: WebhookEvent| async { Err::<(), _>(HandlerError::permanent("no")) });
    let dead = async {
        while place.inbox.counts().await.unwrap().dead == 0 {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    worker.run_until(dead).await;
    // It is looked at once more within the overlap.
    let job = place.inbox.jobs(&JobFilter::in_state(State::Dead)).await.unwrap()[0].id;
    let report = place.run(place.catch_up().overlap(4 * HOUR)).await;
    assert_eq!((report.events(), report.dead), (0, vec![job]));
    place.inbox.store(&place.delivery("updated", "1")).await.unwrap();
    assert_eq!(place.handle().await, ["person.updated 1"]);
}

#[tokio::test]
async fn what_changed_just_now_is_left_to_its_delivery_and_the_next_run() {
    let place = Place::new().await;
    place.people(["1"]);
    place.run(place.catch_up()).await;
    place.clock.advance(HOUR);
    place.twenty.update("person", &["1"], json!({ "city": "Nantes" }));
    let report = place.run(place.catch_up()).await;
    assert_eq!((report.too_recent, report.events()), (1, 0));
    place.clock.advance(Duration::from_secs(11));
    assert_eq!(place.run(place.catch_up()).await.updated, 1);
}

/// No event said that it exists, though a run or a pass has read it.
#[tokio::test]
async fn a_new_record_that_was_read_without_an_event_is_created() {
    let place = Place::new().await;
    place.people(["1"]);
    place.run(place.catch_up()).await;
    // Listed by a pass that runs behind the changes, and too recent for a run.
    place.clock.advance(24 * HOUR);
    place.twenty.hold_requests_after(2);
    let (inbox, catch_up) = (place.inbox.clone(), place.catch_up());
    let before = place.twenty.api_requests().len();
    let run = tokio::spawn(async move { catch_up.run_once(&inbox).await.unwrap() });
    while place.twenty.api_requests().len() < before + 3 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    place.twenty.create("person", json!({ "id": "2" }));
    place.twenty.release_requests();
    assert!(run.await.unwrap().objects[0].compared_ids);
    place.clock.advance(HOUR);
    place.twenty.create("person", json!({ "id": "3" }));
    let report = place.run(place.catch_up()).await;
    assert_eq!((report.too_recent, report.created), (1, 1), "{report:?}");
    place.clock.advance(HOUR);
    assert_eq!(place.run(place.catch_up()).await.created, 1);
    assert_eq!(place.stored().await, ["person.created 2", "person.created 3"]);
    // What is known is updated, also if it is not much older than the last run.
    place.update("3", "Nantes");
    assert_eq!(place.run(place.catch_up().overlap(9 * HOUR)).await.updated, 1);
}

#[tokio::test]
async fn imports_that_are_dated_back_or_ahead_are_found() {
    let place = Place::new().await;
    place.people(["1"]);
    place.run(place.catch_up()).await;
    place.twenty.create("person", json!({ "id": "back", "updatedAt": "2020-01-01T00:00:00.000Z" }));
    place.twenty.create("person", json!({ "id": "ahead", "updatedAt": "2050-01-01T00:00:00.000Z" }));
    let far = json!({ "id": "far", "createdAt": "2020-01-01T00:00:00.000Z", "updatedAt": "2020-01-01T00:00:00.000Z" });
    place.twenty.create("person", far);
    place.clock.advance(HOUR);
    assert_eq!(place.run(place.catch_up()).await.created, 2);
    assert_eq!(place.stored().await, ["person.created ahead", "person.created back"]);
    // Both of its dates are old: only the list of all ids shows it.
    place.clock.advance(24 * HOUR);
    assert_eq!(place.run(place.catch_up()).await.created, 1);
    assert_eq!(place.stored().await[2], "person.created far");
}

#[tokio::test]
async fn a_change_between_two_pages_is_found_by_the_next_run() {
    let place = Place::new().await;
    place.people((0..450).map(|n| format!("{n:04}")));
    place.run(place.catch_up()).await;
    let ids: Vec<_> = (0..450).map(|n| format!("{n:04}")).collect();
    place.twenty.update("person", &ids, json!({ "city": "Nantes" }));
    place.clock.advance(HOUR);
    let before = place.twenty.api_requests().len();
    place.twenty.hold_requests_after(2);
    let (inbox, catch_up) = (place.inbox.clone(), place.catch_up());
    let run = tokio::spawn(async move { catch_up.run_once(&inbox).await });
    while place.twenty.api_requests().len() < before + 3 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    // On the page that was read, long before the last answer; and on the page that was not.
    place.update("0001", "Osaka");
    place.twenty.update("person", &["0449"], json!({ "city": "Osaka" }));
    place.twenty.release_requests();
    let report = run.await.unwrap().unwrap();
    assert_eq!((report.objects[0].updated, report.objects[0].too_recent), (449, 1), "{report:?}");
    place.clock.advance(HOUR);
    assert_eq!(place.run(place.catch_up()).await.updated, 2);
}

/// Dropped in the middle, it goes on with the page that was not saved.
#[tokio::test]
async fn a_run_that_was_stopped_goes_on_where_it_was() {
    let place = Place::new().await;
    place.people((0..1000).map(|n| format!("{n:04}")));
    for _ in 0..2 {
        let stop = Arc::new(Notify::new());
        let stopped = Arc::clone(&stop);
        let show = move |progress: &Progress| {
            if progress.done == 400 {
                stop.notify_one();
            }
        };
        place.catch_up().on_progress(show).run_until(&place.inbox, stopped.notified()).await;
    }
    let before = place.twenty.api_requests().len();
    let report = place.run(place.catch_up()).await;
    assert!(report.is_first && report.read == 200, "{report:?}");
    assert_eq!(place.twenty.api_requests().len() - before, 2, "the data model, and the last page");
    assert_eq!(place.run(place.catch_up()).await.read, 0);
}

#[tokio::test]
async fn a_backfill_handles_all_once() {
    let place = Place::new().await;
    place.people(["1", "2", "3"]);
    place.inbox.store(&place.delivery("created", "2")).await.unwrap();
    place.run(place.catch_up()).await;
    let report = place.run(place.catch_up().backfill()).await;
    assert_eq!((report.events(), report.known), (2, 1), "{report:?}");
    let again = place.run(place.catch_up().backfill()).await;
    assert_eq!((again.events(), again.known), (0, 3), "{again:?}");
    assert_eq!(place.run(place.catch_up()).await.events(), 0);
}

#[tokio::test]
async fn a_first_run_can_look_back() {
    let place = Place::new().await;
    place.people(["old"]);
    place.clock.advance(5 * HOUR);
    place.people(["new"]);
    let report = place.run(place.catch_up().since(2 * HOUR)).await;
    assert_eq!((report.created, report.read), (1, 2));
    assert_eq!(place.stored().await, ["person.created new"]);
}

/// What the first run only remembered is handled when somebody asks for it: by its age, or all of it.
#[tokio::test]
async fn what_a_first_run_remembered_can_be_asked_for() {
    let place = Place::new().await;
    place.people(["old"]);
    place.clock.advance(5 * HOUR);
    place.twenty.create("person", json!({ "id": "new" }));
    place.clock.advance(Duration::from_secs(60));
    assert_eq!(place.run(place.catch_up()).await.read, 2);
    // Not by the next run, which reads the newest of it again.
    let report = place.run(place.catch_up()).await;
    assert_eq!((report.events(), report.known), (0, 1), "{report:?}");
    let report = place.run(place.catch_up().since(3 * HOUR)).await;
    assert_eq!((report.events(), report.known), (1, 0), "{report:?}");
    let report = place.run(place.catch_up().backfill()).await;
    assert_eq!((report.events(), report.known), (1, 1), "{report:?}");
    assert_eq!(place.run(place.catch_up().backfill()).await.events(), 0);
    let mut stored = place.stored().await;
    stored.sort();
    assert_eq!(stored.len(), 2);
    assert!(stored[0].ends_with(" new") && stored[1].ends_with(" old"), "{stored:?}");
}

#[tokio::test]
async fn a_normal_run_ends_a_backfill_that_was_stopped() {
    let place = Place::new().await;
    place.people((0..450).map(|n| format!("{n:04}")));
    place.run(place.catch_up()).await;
    let stop = Arc::new(Notify::new());
    let stopped = Arc::clone(&stop);
    let catch_up = place.catch_up().backfill().on_progress(move |_| stop.notify_one());
    assert!(catch_up.run_once_until(&place.inbox, stopped.notified()).await.unwrap().is_none());
    assert_eq!(place.stored().await.len(), 200);
    assert_eq!(place.run(place.catch_up()).await.events(), 250);
}

/// Of one object a page could not be handled, and nothing was saved.
#[tokio::test]
async fn a_backfill_goes_on_with_the_objects_that_failed() {
    let place = Place::new().await;
    place.people(["1", "2"]);
    place.twenty.create("company", json!({ "id": "c" }));
    place.clock.advance(HOUR);
    place.twenty.set_faults(|faults| faults.failing_objects = vec!["people".to_owned()]);
    let read = ["company", "person"].map(|_| Arc::new(Notify::new()));
    let [company, person] = read.clone();
    let show = move |progress: &Progress| {
        if progress.object == "company" { company.notify_one() } else { person.notify_one() }
    };
    let both = async {
        read[0].notified().await;
        place.twenty.set_faults(|faults| faults.failing_objects.clear());
        read[1].notified().await;
    };
    let catch_up = place.catch_up().objects(["person", "company"]).every(Duration::from_secs(1)).backfill();
    let run = catch_up.on_progress(show).run_until(&place.inbox, both);
    tokio::time::timeout(Duration::from_secs(30), run).await.expect("it goes on");
    let mut stored = place.stored().await;
    stored.sort();
    assert_eq!(stored, ["company.created c", "person.created 1", "person.created 2"]);
}

/// Each run needs a name; what has another name since, or is new, would otherwise begin with a run that handles nothing.
#[tokio::test]
async fn the_records_of_an_object_that_is_new_or_renamed_are_handled() {
    let place = Place::new().await;
    place.people(["1"]);
    let catch_up = || place.catch_up().all_objects();
    let _ = place.report(catch_up()).await;
    place.twenty.add_object("rocket", "rockets");
    place.twenty.create("rocket", json!({ "id": "r" }));
    place.clock.advance(HOUR);
    let report = place.report(catch_up()).await;
    assert_eq!(report.events(), 1, "{report:?}");
    assert_eq!(place.stored().await, ["rocket.created r"]);
    assert_eq!(place.report(catch_up()).await.events(), 0);
}

/// Known to the server before, it is only new here.
#[tokio::test]
async fn an_object_that_is_added_here_begins_with_a_first_run() {
    let place = Place::new().await;
    place.people(["1"]);
    let _ = place.report(place.catch_up()).await;
    place.twenty.create("company", json!({ "id": "c" }));
    place.clock.advance(HOUR);
    let report = place.report(place.catch_up().objects(["person", "company"])).await;
    assert_eq!((report.events(), report.objects[1].is_first), (0, true), "{report:?}");
}

#[tokio::test]
async fn a_dry_run_changes_nothing() {
    let place = Place::new().await;
    place.people(["1"]);
    place.run(place.catch_up()).await;
    place.update("1", "Nantes");
    let (send, shown) = std::sync::mpsc::channel();
    let show = move |event: &WebhookEvent| send.send(event.name().to_string()).unwrap();
    let report = place.run(place.catch_up().dry_run().on_event(show)).await;
    assert_eq!((report.updated, shown.try_iter().collect::<Vec<_>>()), (1, vec!["person.updated".to_owned()]));
    assert!(place.stored().await.is_empty());
    assert_eq!(place.run(place.catch_up()).await.updated, 1);
}

#[tokio::test]
async fn the_data_model_has_the_names_of_custom_objects() {
    let place = Place::new().await;
    place.twenty.add_object("rocket", "rocketFleet");
    place.twenty.create("rocket", json!({ "id": "1" }));
    let report = place.report(place.catch_up().objects(["rocket", "person", "unicorn"])).await;
    assert_eq!(report.objects[0].read, 1);
    assert!(report.objects[1].error.is_none());
    assert!(matches!(&report.objects[2].error, Some(CatchUpError::NoSuchObject(name)) if name == "unicorn"));
    let all = place.report(place.catch_up().all_objects()).await;
    assert!(all.is_ok() && all.objects.iter().any(|object| object.object == "rocket"), "{all:?}");
}

#[tokio::test]
async fn the_page_info_may_be_inside_the_data() {
    let place = Place::new().await;
    place.twenty.set_faults(|faults| faults.page_info_in_data = true);
    place.people((0..450).map(|n| format!("{n:04}")));
    assert_eq!(place.run(place.catch_up()).await.read, 450);
}

/// Of a delivery that holds several records, each is known in its own state.
#[tokio::test]
async fn the_records_of_a_batch_are_known() {
    let place = Place::new().await;
    place.people(["1", "2", "3"]);
    place.run(place.catch_up()).await;
    place.update("1", "Nantes");
    place.twenty.update("person", &["2", "3"], json!({ "city": "Nantes" }));
    place.clock.advance(HOUR);
    let items: Vec<_> = place.twenty.records("person").iter().map(|record| json!({ "record": record })).collect();
    place.inbox.store(&verified(json!({ "eventName": "person.updated", "items": items }).to_string())).await.unwrap();
    // This one was dropped.
    place.update("1", "Osaka");
    let report = place.run(place.catch_up()).await;
    assert_eq!((report.known, report.updated), (2, 1), "{report:?}");
}

/// Twenty's clock is ahead of ours, or behind it, and is set.
#[tokio::test]
async fn clocks_that_differ_by_three_minutes_hide_nothing() {
    for (before, after) in [(180_000, 180_000), (-180_000, -180_000), (-180_000, 180_000), (180_000, -180_000)] {
        let place = Place::new().await;
        place.twenty.set_faults(|faults| faults.clock_skew_millis = before);
        place.people(["1", "2"]);
        place.run(place.catch_up()).await;
        place.twenty.set_faults(|faults| faults.clock_skew_millis = after);
        // Twenty's clock shows less than at the first run, if it was set back.
        place.twenty.update("person", &["1"], json!({ "city": "Nantes" }));
        place.clock.advance(Duration::from_secs(15));
        let report = place.run(place.catch_up()).await;
        assert_eq!(report.updated, 1, "{before} {after}: {report:?}");
        place.update("2", "Nantes");
        assert_eq!(place.run(place.catch_up()).await.updated, 1);
    }
}

/// {"alg":"HS256"}.{"workspaceId":"w1"}, by `basenc --base64url`.
const KEY_OF_W1: &str = "eyJhbGciOiJIUzI1NiJ9.eyJ3b3Jrc3BhY2VJZCI6IncxIn0.c2ln";

/// Of a real key: it names its workspace, and where deliveries are a tenant's they are found all the same.
#[tokio::test]
async fn a_tenants_deliveries_are_known() {
    let place = Place::new().await;
    let catch_up = || place.catch_up_with(KEY_OF_W1);
    place.people(["1"]);
    let record = place.twenty.records("person").remove(0);
    let body =
        |salt: u64| format!(r#"{{"eventName":"person.updated","salt":{salt},"workspaceId":"w1","record":{record}}}"#);
    let error = catch_up().run_once(&place.inbox).await.unwrap_err();
    assert!(matches!(error, CatchUpError::Unauthorized), "{error}");
    place.inbox.store(&verified_of("acme", body(1))).await.unwrap();
    let error = catch_up().run_once(&place.inbox).await.unwrap_err();
    assert!(matches!(error, CatchUpError::Unauthorized), "one tenant is enough to know: {error}");
    place.inbox.store(&verified_of("other", body(2))).await.unwrap();
    let error = catch_up().run_once(&place.inbox).await.unwrap_err();
    assert!(matches!(error, CatchUpError::AmbiguousWorkspace { .. }), "{error}");
    assert!(error.to_string().contains(r#"(for example tenant "acme", tenant "other")"#), "{error}");
    let error = catch_up().tenant("acme").run_once(&place.inbox).await.unwrap_err();
    assert!(matches!(error, CatchUpError::Unauthorized), "{error}");
}

/// The first run knew the workspace from the key, and no tenant.
#[tokio::test]
async fn what_was_read_before_the_tenant_was_known_is_adopted() {
    for is_set in [false, true] {
        let place = Place::new().await;
        place.twenty.set_role(KEY_OF_W1, Role::default());
        let catch_up = || {
            let catch_up = place.catch_up_with(KEY_OF_W1);
            if is_set { catch_up.tenant("acme") } else { catch_up }
        };
        place.people(["1", "2"]);
        assert!(place.run(place.catch_up_with(KEY_OF_W1)).await.is_first);
        place.update("1", "Nantes");
        let record = place.twenty.records("person").remove(0);
        let body = format!(r#"{{"eventName":"person.updated","workspaceId":"w1","record":{record}}}"#);
        place.inbox.store(&verified_of("acme", body)).await.unwrap();
        place.update("2", "Nantes");
        assert_eq!(place.run(catch_up().dry_run()).await.updated, 1);
        let report = place.run(catch_up()).await;
        assert_eq!((report.is_first, report.updated, report.known), (false, 1, 1), "{report:?}");
        let jobs = place.inbox.jobs(&JobFilter::all()).await.unwrap();
        assert!(jobs.len() == 2 && jobs.iter().all(|job| job.tenant.as_deref() == Some("acme")), "{jobs:?}");
    }
}

/// The only tenant so far is not the key's.
#[tokio::test]
async fn the_workspace_of_a_key_is_not_another_ones_tenant() {
    let place = Place::new().await;
    place.twenty.set_role(KEY_OF_W1, Role::default());
    place.people(["1"]);
    let record = place.twenty.records("person").remove(0);
    let body = format!(r#"{{"eventName":"person.updated","workspaceId":"w2","record":{record}}}"#);
    place.inbox.store(&verified_of("acme", body)).await.unwrap();
    place.run(place.catch_up_with(KEY_OF_W1)).await;
    place.update("1", "Nantes");
    assert_eq!(place.run(place.catch_up_with(KEY_OF_W1)).await.updated, 1);
    assert_eq!(place.inbox.jobs(&JobFilter::all().scope("w1")).await.unwrap().len(), 1);
}

/// A first run before the first delivery must not be followed by another first run, which would handle nothing.
#[tokio::test]
async fn what_was_read_before_the_workspace_was_known_is_adopted() {
    let place = Place::new().await;
    place.people(["1", "2"]);
    assert!(place.run(place.catch_up()).await.is_first);
    place.update("1", "Nantes");
    assert_eq!(place.run(place.catch_up()).await.updated, 1);
    let same = place.twenty.records("person").remove(0);
    let of =
        |salt: u64| format!(r#"{{"eventName":"person.updated","salt":{salt},"workspaceId":"w1","record":{same}}}"#);
    place.inbox.store(&verified(of(1))).await.unwrap();
    place.update("2", "Nantes");
    let report = place.run(place.catch_up()).await;
    assert_eq!((report.is_first, report.updated), (false, 1), "{report:?}");
    // From now on what was caught up before is of the workspace.
    place.inbox.store(&verified(of(2))).await.unwrap();
    let of_w1 = place.inbox.jobs(&JobFilter::all().scope("w1")).await.unwrap();
    assert_eq!((of_w1.len(), place.stored().await.len()), (3, 3));
    // It is known also when no delivery is left that says so.
    place.inbox.delete(&JobFilter::all()).await.unwrap();
    assert_eq!(place.inbox.scopes().await.unwrap()[0].workspace_id.as_deref(), Some("w1"));
    assert!(!place.run(place.catch_up()).await.is_first);
}

#[tokio::test]
async fn the_workspace_is_that_of_the_deliveries() {
    let place = Place::new().await;
    place.people(["1", "2"]);
    let mut record = place.twenty.records("person").remove(0);
    record["updatedAt"] = "2020-01-01T00:00:00.000Z".into();
    let of = |workspace: &str, salt: u64| {
        let body =
            format!(r#"{{"eventName":"person.updated","salt":{salt},"workspaceId":"{workspace}","record":{record}}}"#);
        verified(body)
    };
    place.inbox.store(&of("w1", 1)).await.unwrap();
    let scopes = place.inbox.scopes().await.unwrap();
    assert_eq!(scopes.len(), 1);
    assert_eq!(scopes[0].workspace_id.as_deref(), Some("w1"));
    let unnamed = format!(r#"{{"eventName":"person.updated","record":{record}}}"#);
    place.inbox.store(&verified(unnamed)).await.unwrap();
    assert_eq!(place.inbox.scopes().await.unwrap().len(), 2);
    place.run(place.catch_up()).await;
    place.inbox.store(&of("w2", 2)).await.unwrap();
    let error = place.catch_up().run_once(&place.inbox).await.unwrap_err();
    let expected = r#"the inbox has deliveries of several workspaces or tenants (for example workspace "w1", workspace "w2"): set the one that this API key belongs to, with `.workspace_id(…)` or `.tenant(…)`"#;
    assert_eq!(error.to_string(), expected);
    place.update("1", "Nantes");
    assert_eq!(place.run(place.catch_up().workspace_id("w1")).await.updated, 1);
    let jobs = place.inbox.jobs(&JobFilter::all().scope("w1")).await.unwrap();
    assert_eq!(jobs.len(), 2);
}
