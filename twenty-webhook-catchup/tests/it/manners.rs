use std::time::{Duration, Instant};

use twenty_webhook_catchup::{CatchUp, CatchUpError, CatchUpStore};
use twenty_webhook_inbox::Inbox;
use twenty_webhook_testing::{ApiFailure, RateLimit};

use crate::support::{HOUR, Place};

async fn place() -> Place {
    let place = Place::new().await;
    place.people((0..450).map(|n| format!("{n:04}")));
    place
}

#[tokio::test]
async fn what_goes_wrong_for_a_while_is_asked_again() {
    for failure in [
        ApiFailure::Status(500),
        ApiFailure::Status(502),
        ApiFailure::Status(504),
        ApiFailure::Status(408),
        ApiFailure::Hang,
        ApiFailure::CutOff,
        ApiFailure::NotJson,
    ] {
        let place = place().await;
        place.twenty.fail_next([failure; 3]);
        let catch_up = place.catch_up().request_timeout(Duration::from_millis(500));
        let report = place.report(catch_up).await;
        assert_eq!((report.objects[0].read, report.requests), (450, 4 + 3), "{failure:?}");
    }
}

#[tokio::test]
async fn it_gives_up_in_the_end_and_goes_on_the_next_time() {
    let place = place().await;
    place.twenty.fail_next([ApiFailure::Status(500); 6]);
    let error = place.catch_up().run_once(&place.inbox).await.unwrap_err();
    assert!(matches!(error, CatchUpError::NoResponse { attempts: 6, .. }), "{error}");
    assert_eq!(place.run(place.catch_up()).await.read, 450);
}

#[tokio::test]
async fn an_object_that_always_fails_does_not_stop_the_others() {
    let place = place().await;
    place.twenty.create("company", serde_json::json!({ "id": "c" }));
    place.clock.advance(HOUR);
    place.twenty.set_faults(|faults| faults.failing_objects = vec!["people".to_owned()]);
    let report = place.report(place.catch_up().objects(["person", "company"])).await;
    assert!(matches!(report.objects[0].error, Some(CatchUpError::NoResponse { attempts: 6, .. })), "{report:?}");
    assert!(report.objects[1].error.is_none() && report.objects[1].read == 1, "{report:?}");
}

/// Nor do two in a row, because the data model is answered; nor their passes.
#[tokio::test]
async fn objects_that_always_fail_do_not_stop_those_after_them() {
    let place = place().await;
    place.twenty.create_many("task", (0..30).map(|n| serde_json::json!({ "id": format!("{n:04}") })));
    place.clock.advance(HOUR);
    let objects = || place.catch_up().objects(["person", "company", "task"]);
    place.twenty.set_faults(|faults| faults.failing_objects = vec!["people".to_owned(), "companies".to_owned()]);
    for (read, destroyed) in [(30, 0), (0, 1)] {
        let report = place.report(objects()).await;
        for object in &report.objects[..2] {
            assert!(matches!(object.error, Some(CatchUpError::NoResponse { attempts: 6, .. })), "{report:?}");
        }
        let task = &report.objects[2];
        assert!(task.error.is_none(), "{report:?}");
        assert_eq!((task.read, task.destroyed), (read, destroyed), "{report:?}");
        if destroyed == 0 {
            place.twenty.destroy("task", &["0007"]);
            place.clock.advance(24 * HOUR);
        }
    }
}

/// After two objects and the data model without an answer, the others are not asked.
#[tokio::test]
async fn a_server_that_does_not_answer_ends_the_run() {
    let place = place().await;
    // The data model is read before.
    place.twenty.hold_requests_after(1);
    let (inbox, catch_up) = (place.inbox.clone(), place.catch_up().objects(["person", "company", "task"]));
    let run = tokio::spawn(async move { catch_up.run_once(&inbox).await });
    while place.twenty.api_requests().len() < 2 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    place.twenty.fail_next([ApiFailure::Status(500); 20]);
    place.twenty.release_requests();
    let error = run.await.unwrap().unwrap_err();
    assert!(matches!(error, CatchUpError::NoResponse { attempts: 6, .. }), "{error}");
    assert_eq!(place.twenty.api_requests().len(), 1 + 6 + 6 + 6);
}

#[tokio::test]
async fn no_duration_is_too_long() {
    let place = place().await;
    let longest = Duration::MAX;
    let catch_up = place.catch_up().every(longest).overlap(longest).min_age(longest).since(longest).lease(longest);
    let catch_up = catch_up.request_timeout(longest).retry_wait(longest).destroyed_every(longest);
    place.twenty.set_faults(|faults| faults.no_retry_after = true);
    assert!(catch_up.run_once(&place.inbox).await.unwrap().is_ok());
    place.twenty.fail_next([ApiFailure::Status(429)]);
    let requests = place.twenty.api_requests().len();
    let next = async {
        while place.twenty.api_requests().len() == requests {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        // Also the wait for the next request begins.
        tokio::time::sleep(Duration::from_millis(50)).await;
    };
    catch_up.run_until(&place.inbox, next).await;
}

#[tokio::test]
async fn a_refusal_is_not_asked_again() {
    for (status, is_it) in [
        (401, (|error| matches!(error, CatchUpError::Unauthorized)) as fn(&CatchUpError) -> bool),
        (402, |error| matches!(error, CatchUpError::PaymentRequired)),
        (403, |error| matches!(error, CatchUpError::Forbidden(_))),
        (400, |error| matches!(error, CatchUpError::Rejected { status: 400, .. })),
        (302, |error| matches!(error, CatchUpError::Rejected { status: 302, .. })),
    ] {
        let place = place().await;
        let before = place.twenty.api_requests().len();
        place.twenty.fail_next([ApiFailure::Status(status)]);
        let error = place.catch_up().run_once(&place.inbox).await.unwrap_err();
        assert!(is_it(&error), "{status}: {error}");
        assert_eq!(place.twenty.api_requests().len() - before, 1);
        assert!(!error.to_string().contains(place.twenty.api_key()));
    }
}

#[tokio::test]
async fn a_spent_allowance_stops_all_runs_for_an_hour() {
    let place = place().await;
    place.twenty.set_faults(|faults| faults.allowance_spent = true);
    let catch_up = place.catch_up().every(Duration::from_secs(1));
    let _ =
        tokio::time::timeout(Duration::from_secs(3), catch_up.run_until(&place.inbox, std::future::pending::<()>()))
            .await;
    assert_eq!(place.twenty.api_requests().len(), 1);
}

#[tokio::test]
async fn a_limited_rate_is_waited_for_with_and_without_retry_after() {
    let place = place().await;
    place.twenty.fail_next([ApiFailure::Status(429)]);
    let began = Instant::now();
    assert_eq!(place.run(place.catch_up()).await.read, 450);
    assert!(began.elapsed() >= Duration::from_secs(1), "as `Retry-After` says");
    place.clock.advance(HOUR);
    place.twenty.set_faults(|faults| faults.no_retry_after = true);
    place.twenty.fail_next([ApiFailure::Status(429); 3]);
    place.run(place.catch_up()).await;
    // Not for ever.
    place.twenty.fail_next([ApiFailure::Status(429); 11]);
    let error = place.catch_up().run_once(&place.inbox).await.unwrap_err();
    assert!(matches!(error, CatchUpError::RateLimited(_)), "{error}");
}

/// It says in how many seconds it answers again, and is not asked before.
#[tokio::test]
async fn a_limit_of_many_minutes_is_waited_for_between_runs() {
    let place = place().await;
    let window = Duration::from_secs(3600);
    place.twenty.set_faults(|faults| faults.api_rate_limit = Some(RateLimit { calls: 2, window }));
    let run = place.catch_up().every(Duration::from_secs(1)).run_until(&place.inbox, std::future::pending::<()>());
    assert!(tokio::time::timeout(Duration::from_secs(3), run).await.is_err());
    assert_eq!(place.twenty.api_requests().len(), 3);
}

#[tokio::test]
async fn a_limit_of_many_minutes_ends_the_run() {
    let place = place().await;
    let window = Duration::from_secs(3600);
    place.twenty.set_faults(|faults| faults.api_rate_limit = Some(RateLimit { calls: 2, window }));
    let error = place.catch_up().run_once(&place.inbox).await.unwrap_err();
    assert!(matches!(error, CatchUpError::RateLimited(wait) if wait > Duration::from_secs(600)), "{error}");
    // What was read is saved.
    place.clock.advance(HOUR);
    place.twenty.set_faults(|faults| faults.api_rate_limit = None);
    assert_eq!(place.run(place.catch_up()).await.read, 250);
}

#[tokio::test]
async fn a_cursor_that_repeats_is_refused_and_the_watermark_stays() {
    let place = place().await;
    place.run(place.catch_up()).await;
    let ids: Vec<_> = (0..450).map(|n| format!("{n:04}")).collect();
    place.twenty.update("person", &ids, serde_json::json!({ "city": "Nantes" }));
    place.clock.advance(HOUR);
    place.twenty.set_faults(|faults| faults.repeat_cursor = true);
    let report = place.report(place.catch_up()).await;
    assert!(matches!(report.objects[0].error, Some(CatchUpError::RepeatedCursor)), "{report:?}");
    assert_eq!(report.objects[0].read, 200);
    place.twenty.set_faults(|faults| faults.repeat_cursor = false);
    assert_eq!(place.run(place.catch_up()).await.updated, 250);
}

#[tokio::test]
async fn a_large_answer_is_asked_for_in_parts() {
    let place = Place::new().await;
    let text = "x".repeat(10_000);
    place.twenty.create_many("person", (0..100).map(|n| serde_json::json!({ "id": format!("{n}"), "city": text })));
    place.clock.advance(HOUR);
    let catch_up = || place.catch_up().max_body(250_000);
    assert_eq!(place.run(catch_up()).await.read, 100);
    let parts = place.twenty.api_requests().iter().filter(|request| request.contains("limit=12")).count();
    assert!(parts > 5, "{parts}");
}

#[tokio::test]
async fn an_answer_without_end_is_cut_off() {
    let place = place().await;
    place.twenty.fail_next([ApiFailure::Endless]);
    let error = place.catch_up().max_body(1 << 20).run_once(&place.inbox).await.unwrap_err();
    assert!(matches!(error, CatchUpError::ResponseTooLarge(_)), "{error}");
}

#[tokio::test]
async fn all_objects_share_one_rate() {
    let place = place().await;
    let before = place.twenty.api_requests().len();
    let catch_up = place.catch_up().objects(["person", "company"]).requests_per_minute(3);
    // The fourth request has to wait for a minute.
    let run = tokio::time::timeout(Duration::from_millis(500), catch_up.run_once(&place.inbox));
    assert!(run.await.is_err());
    assert!(place.twenty.api_requests().len() - before <= 3);
}

#[tokio::test]
async fn one_process_runs_at_a_time() {
    let place = place().await;
    place.twenty.hold_requests_after(2);
    let (inbox, catch_up) = (place.inbox.clone(), place.catch_up());
    let run = tokio::spawn(async move { catch_up.run_once(&inbox).await });
    while place.twenty.api_requests().len() < 3 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    assert_eq!(run_in_another_process(&place).await, "busy");
    place.twenty.release_requests();
    assert_eq!(run.await.unwrap().unwrap().objects[0].read, 450);
    // The lease was released.
    assert_eq!(run_in_another_process(&place).await, "ok");
}

async fn run_in_another_process(place: &Place) -> String {
    let child = tokio::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "manners::as_child", "--ignored", "--nocapture"])
        .env("INBOX", place.path())
        .envs([("URL", place.twenty.url()), ("KEY", place.twenty.api_key().to_owned())])
        .output();
    let output = String::from_utf8(child.await.unwrap().stdout).unwrap();
    let ended = output.lines().find_map(|line| line.split_once("ended: "));
    ended.unwrap_or_else(|| panic!("{output}")).1.to_owned()
}

#[tokio::test]
#[ignore = "run by another test"]
async fn as_child() {
    let variable = |name| std::env::var(name).unwrap();
    let inbox = Inbox::sqlite(variable("INBOX")).await.unwrap();
    let catch_up = CatchUp::new(variable("URL"), variable("KEY")).unwrap().objects(["person"]);
    match catch_up.requests_per_minute(1_000_000).run_once(&inbox).await {
        Ok(report) if report.is_ok() => println!("ended: ok"),
        Err(CatchUpError::Busy) => println!("ended: busy"),
        ended => panic!("{ended:?}"),
    }
}

/// A process that was suspended until its lease had run out must not save what it read.
#[tokio::test]
async fn a_run_that_lost_its_lease_saves_nothing() {
    let place = place().await;
    place.twenty.hold_requests_after(2);
    let (inbox, catch_up) = (place.inbox.clone(), place.catch_up());
    let run = tokio::spawn(async move { catch_up.run_once(&inbox).await });
    while place.twenty.api_requests().len() < 3 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    place.sql("UPDATE twenty_webhook_catch_up SET lease_expires_at = 0 WHERE name = 'lease'").await;
    let other = place.opened_again().await;
    assert!(other.lease("", 7, Duration::from_secs(60)).await.unwrap());
    place.twenty.release_requests();
    assert!(matches!(run.await.unwrap(), Err(CatchUpError::Busy)));
    other.lease("", 7, Duration::ZERO).await.unwrap();
    assert_eq!(place.run(place.catch_up()).await.read, 250, "it goes on with what was saved before");
}

#[test]
fn urls_and_keys_are_checked() {
    for url in ["crm", "ftp://crm", "https://", "https://user@crm", "https://crm?x=1", "https://crm#x", "file:///etc"] {
        assert!(matches!(CatchUp::new(url, "key"), Err(CatchUpError::InvalidUrl(_))), "{url}");
    }
    assert!(matches!(CatchUp::new("https://crm", "a\nb"), Err(CatchUpError::InvalidApiKey)));
    let catch_up = CatchUp::new("https://crm.example.com/", "s3cret-key").unwrap();
    assert!(!format!("{catch_up:?}").contains("s3cret"));
}

/// What did not change costs one request for each object, and those for the data model.
#[tokio::test]
async fn a_run_over_unchanged_records_costs_one_request_for_each_object() {
    let place = Place::new().await;
    let objects = ["person", "company", "opportunity", "task", "note"];
    for object in objects {
        place.twenty.create_many(object, (0..20_000).map(|n| serde_json::json!({ "id": format!("{n:05}") })));
    }
    place.clock.advance(HOUR);
    let catch_up = place.catch_up().objects(objects);
    let first = place.report(catch_up.clone()).await;
    assert_eq!(first.objects.iter().map(|object| object.read).sum::<u64>(), 100_000);
    assert_eq!(first.requests, 500 + 1);
    place.clock.advance(HOUR);
    let second = place.report(catch_up).await;
    assert_eq!((second.requests, second.events()), (5 + 1, 0));
    let requests = place.twenty.api_requests();
    assert!(requests.last().unwrap().contains("limit=200"));
}
