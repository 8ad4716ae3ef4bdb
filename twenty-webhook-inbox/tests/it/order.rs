//! Order per record, and its options. Each test runs on SQLite and on Postgres.

use std::collections::HashSet;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime};

use twenty_webhook_inbox::{Backoff, Claim, Inbox, Job, JobFilter, Store, WebhookEvent};

use crate::support::{Place, Running, changed, ok, until, verified};

/// Runs a test on both databases.
macro_rules! on_both {
    ($($test:ident),* $(,)?) => {
        mod sqlite {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $test() {
                let place = super::Place::new();
                super::$test(place.open().await).await;
            })*
        }
        #[cfg(feature = "postgres")]
        mod postgres {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $test() {
                let Some((_server, inbox)) = crate::postgres::shared_server().await else { return };
                super::$test(inbox).await;
            })*
        }
    };
}
pub(crate) use on_both;

on_both!(
    the_oldest_state_of_a_record_goes_first,
    ties_go_by_event_date_and_then_by_arrival,
    the_same_id_in_two_workspaces_is_two_records,
    a_retry_holds_up_the_later_ones_of_its_record_and_no_others,
    order_gives_up,
    order_gives_up_and_two_are_due,
    a_late_event_is_stale_and_handled_unless_skipped,
    a_state_older_than_one_in_a_batch_is_stale,
    a_batch_takes_the_lane_of_each_of_its_records,
    a_record_is_handled_by_one_at_a_time,
    many_jobs_behind_one_starve_no_other,
    unordered_runs_all_at_once,
    a_burst_becomes_one_call,
    a_burst_is_never_merged_across_another_action,
    a_burst_after_a_batch_becomes_one_call,
);

/// The calls of a handler, in order.
#[derive(Clone, Debug, Default)]
struct Calls(Arc<Mutex<Vec<String>>>);

impl Calls {
    fn add(&self, text: impl Into<String>) {
        self.0.lock().unwrap().push(text.into());
    }

    fn get(&self) -> Vec<String> {
        self.0.lock().unwrap().clone()
    }
}

/// The name and the second of `updatedAt`.
fn label(event: &WebhookEvent) -> String {
    let record = event.record_value().unwrap();
    let second = record["updatedAt"]
        .as_str()
        .map(|date| date.parse::<twenty_webhook_core::jiff::Timestamp>().unwrap().as_second() - 1_700_000_000);
    let second = second.map_or_else(|| "-".to_owned(), |second| second.to_string());
    format!("{} {} {second}", event.record_id().unwrap_or("-"), event.action())
}

async fn store<S: Store>(inbox: &Inbox<S>, events: &[(&str, &str, Option<i64>)]) {
    for (name, record, updated_at) in events {
        inbox.store(&changed(name, record, *updated_at)).await.unwrap();
    }
}

/// Handles all jobs, and returns them in the order of the calls.
async fn handled<S: Store>(inbox: &Inbox<S>) -> Vec<String> {
    let calls = Calls::default();
    let handler = {
        let calls = calls.clone();
        move |event: WebhookEvent| {
            calls.add(label(&event));
            async { ok() }
        }
    };
    let running = Running::start(inbox.worker("test", handler).concurrency(4));
    until(inbox, |counts| counts.open() == 0).await;
    running.stop().await;
    calls.get()
}

async fn the_oldest_state_of_a_record_goes_first(inbox: Inbox<impl Store>) {
    store(
        &inbox,
        &[
            ("person.destroyed", "a", Some(1)),
            ("person.updated", "a", Some(3)),
            ("person.updated", "b", Some(2)),
            ("person.updated", "a", Some(1)),
            ("person.created", "a", Some(2)),
            ("person.updated", "b", Some(1)),
            // Without a date the time of arrival counts, which is later than all of these dates.
            ("person.restored", "c", None),
            ("person.updated", "c", None),
            ("person.deleted", "c", Some(1)),
        ],
    )
    .await;
    let calls = handled(&inbox).await;
    let of = |record: &str| calls.iter().filter(|call| call.starts_with(record)).cloned().collect::<Vec<_>>();
    assert_eq!(of("a"), ["a updated 1", "a created 2", "a updated 3", "a destroyed 1"]);
    assert_eq!(of("b"), ["b updated 1", "b updated 2"]);
    assert_eq!(of("c"), ["c deleted 1", "c restored -", "c updated -"]);
}

async fn ties_go_by_event_date_and_then_by_arrival(inbox: Inbox<impl Store>) {
    let date = |second: i64| twenty_webhook_core::jiff::Timestamp::from_second(1_700_000_000 + second).unwrap();
    for (name, event_date) in [("third", 2), ("fourth", 2), ("second", 1), ("first", 0)] {
        let (updated_at, event_date) = (date(9), date(event_date));
        inbox
            .store(&verified(format!(
                r#"{{"eventName":"person.{name}","workspaceId":"w","eventDate":"{event_date}","record":{{"id":"a","updatedAt":"{updated_at}"}}}}"#
            )))
            .await
            .unwrap();
    }
    assert_eq!(handled(&inbox).await, ["a first 9", "a second 9", "a third 9", "a fourth 9"]);
}

async fn the_same_id_in_two_workspaces_is_two_records(inbox: Inbox<impl Store>) {
    for workspace in ["w", "x", "w"] {
        let salt = getrandom::u64().unwrap();
        let body = r#""eventName":"person.updated","record":{"id":"a"}"#;
        inbox.store(&verified(format!(r#"{{"workspaceId":"{workspace}","salt":{salt},{body}}}"#))).await.unwrap();
    }
    let jobs = inbox.database().claim(&Claim::new(1, 8, Duration::from_mins(1))).await.unwrap().jobs;
    let workspaces = jobs.iter().map(|job| WebhookEvent::from_stored(job.body.clone()).unwrap());
    let workspaces: Vec<_> = workspaces.map(|event| event.workspace_id().unwrap().to_owned()).collect();
    assert_eq!(workspaces, ["w", "x"], "the second of `w` waits for the first");
}

const QUICK: Backoff = Backoff::new(Duration::from_millis(1), Duration::from_millis(1));

async fn a_retry_holds_up_the_later_ones_of_its_record_and_no_others(inbox: Inbox<impl Store>) {
    store(
        &inbox,
        &[
            ("person.updated", "a", Some(2)),
            ("person.updated", "a", Some(3)),
            ("person.updated", "b", Some(1)),
            ("company.updated", "a", Some(9)),
        ],
    )
    .await;
    let calls = Calls::default();
    let handler = {
        let calls = calls.clone();
        move |event: WebhookEvent, job: Job| {
            calls.add(label(&event));
            let fails = event.object() == "person" && label(&event) == "a updated 2" && job.attempt() < 4;
            async move { if fails { Err(std::io::Error::other("no")) } else { Ok(()) } }
        }
    };
    let slow = Backoff::new(Duration::from_mins(10), Duration::from_mins(10));
    let running = Running::start(inbox.worker("test", handler.clone()).backoff(slow));
    let counts = until(&inbox, |counts| counts.done == 2 && counts.retrying == 1).await;
    assert_eq!(counts.pending, 1, "the later one of its record waits, the others are done");
    // An older one of its record overtakes it.
    store(&inbox, &[("person.updated", "a", Some(1))]).await;
    until(&inbox, |counts| counts.done == 3).await;
    running.stop().await;
    assert_eq!(inbox.retry(&JobFilter::all()).await.unwrap(), 1);
    let running = Running::start(inbox.worker("test", handler).backoff(QUICK).poll_every(Duration::from_millis(10)));
    until(&inbox, |counts| counts.done == 5).await;
    running.stop().await;
    let last = calls.get().into_iter().filter(|call| call.starts_with("a updated")).collect::<Vec<_>>();
    assert_eq!(last.last().unwrap(), "a updated 3");
    assert_eq!(last[last.len() - 2], "a updated 2");
}

async fn order_gives_up(inbox: Inbox<impl Store>) {
    store(&inbox, &[("person.updated", "a", Some(1)), ("person.updated", "a", Some(2))]).await;
    let handler = |event: WebhookEvent| async move {
        if label(&event) == "a updated 1" { Err(std::io::Error::other("no")) } else { Ok(()) }
    };
    let slow = Backoff::new(Duration::from_mins(10), Duration::from_mins(10));
    let worker = inbox.worker("test", handler).backoff(slow).order_gives_up_after(Duration::from_secs(1));
    let running = Running::start(worker.poll_every(Duration::from_millis(20)));
    until(&inbox, |counts| counts.retrying == 1).await;
    let began = Instant::now();
    let counts = until(&inbox, |counts| counts.done == 1).await;
    assert!(began.elapsed() > Duration::from_millis(500), "{:?}", began.elapsed());
    assert_eq!(counts.retrying, 1);
    running.stop().await;
}

async fn order_gives_up_and_two_are_due(inbox: Inbox<impl Store>) {
    store(&inbox, &[("person.updated", "a", Some(1))]).await;
    let short = Duration::from_millis(50);
    let worker = inbox.worker("test", |_: WebhookEvent| async { Err::<(), _>(std::io::Error::other("no")) });
    let running = Running::start(worker.backoff(Backoff::new(short * 2, short * 2)).order_gives_up_after(short));
    until(&inbox, |counts| counts.retrying == 1).await;
    running.stop().await;
    store(&inbox, &[("person.updated", "a", Some(2))]).await;
    // Now a claim finds both, and order has been given up.
    while inbox.jobs(&JobFilter::all()).await.unwrap().iter().any(|job| job.due_at > Some(SystemTime::now())) {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let calls = Calls::default();
    let handler = {
        let calls = calls.clone();
        move |event: WebhookEvent| {
            let calls = calls.clone();
            async move {
                calls.add(format!("{} begins", label(&event)));
                tokio::time::sleep(Duration::from_millis(50)).await;
                calls.add(format!("{} ends", label(&event)));
                ok()
            }
        }
    };
    let running = Running::start(inbox.worker("test", handler).order_gives_up_after(short));
    until(&inbox, |counts| counts.done == 2).await;
    running.stop().await;
    assert_eq!(calls.get(), ["a updated 1 begins", "a updated 1 ends", "a updated 2 begins", "a updated 2 ends"]);
}

async fn a_late_event_is_stale_and_handled_unless_skipped(inbox: Inbox<impl Store>) {
    store(&inbox, &[("person.updated", "a", Some(5))]).await;
    handled(&inbox).await;
    store(&inbox, &[("person.created", "a", Some(3)), ("person.updated", "a", None), ("person.updated", "b", Some(3))])
        .await;
    let calls = Calls::default();
    let handler = || {
        let calls = calls.clone();
        move |event: WebhookEvent, job: Job| {
            calls.add(format!("{} {}", label(&event), if job.is_stale() { "stale" } else { "fresh" }));
            async { ok() }
        }
    };
    let running = Running::start(inbox.worker("test", handler()));
    until(&inbox, |counts| counts.open() == 0).await;
    running.stop().await;
    let mut seen = calls.get();
    seen.sort();
    assert_eq!(seen, ["a created 3 stale", "a updated - fresh", "b updated 3 fresh"]);
    store(&inbox, &[("person.destroyed", "a", Some(4))]).await;
    handled(&inbox).await;
    store(&inbox, &[("person.updated", "a", Some(99))]).await;
    let running = Running::start(inbox.worker("test", handler()).skip_stale());
    until(&inbox, |counts| counts.open() == 0).await;
    running.stop().await;
    assert_eq!(calls.get().len(), 3, "what is destroyed is not updated");
}

async fn a_state_older_than_one_in_a_batch_is_stale(inbox: Inbox<impl Store>) {
    let item = |id: &str, second: i64| {
        let date = twenty_webhook_core::jiff::Timestamp::from_second(1_700_000_000 + second).unwrap();
        format!(r#"{{"record":{{"id":"{id}","updatedAt":"{date}"}}}}"#)
    };
    let batch = |items: [String; 2]| {
        verified(format!(r#"{{"eventName":"person.updated","workspaceId":"w","items":[{}]}}"#, items.join(",")))
    };
    inbox.store(&batch([item("a", 5), item("b", 9)])).await.unwrap();
    let calls = Calls::default();
    let handler = {
        let calls = calls.clone();
        move |event: WebhookEvent, job: Job| {
            let label = if event.record_id().is_some() { label(&event) } else { "batch".to_owned() };
            calls.add(format!("{label} {}", if job.is_stale() { "stale" } else { "fresh" }));
            async { ok() }
        }
    };
    let running = Running::start(inbox.worker("test", handler));
    until(&inbox, |counts| counts.done == 1).await;
    let late = [("a", 4), ("a", 5), ("a", 6), ("b", 8), ("c", 1)];
    for (done, (record, second)) in (2..).zip(late) {
        store(&inbox, &[("person.updated", record, Some(second))]).await;
        until(&inbox, |counts| counts.done == done).await;
    }
    inbox.store(&batch([item("a", 1), item("d", 1)])).await.unwrap();
    until(&inbox, |counts| counts.done == 7).await;
    running.stop().await;
    assert_eq!(
        calls.get(),
        [
            "batch fresh",
            "a updated 4 stale",
            "a updated 5 fresh",
            "a updated 6 fresh",
            "b updated 8 stale",
            "c updated 1 fresh",
            "batch fresh"
        ]
    );
}

async fn a_batch_takes_the_lane_of_each_of_its_records(inbox: Inbox<impl Store>) {
    store(&inbox, &[("person.updated", "b", Some(1))]).await;
    let item = |id: &str| {
        let date = twenty_webhook_core::jiff::Timestamp::from_second(1_700_000_002).unwrap();
        format!(r#"{{"record":{{"id":"{id}","updatedAt":"{date}"}}}}"#)
    };
    let batch = format!(
        r#"{{"eventName":"person.updated","workspaceId":"w","batchSize":2,"items":[{},{}]}}"#,
        item("a"),
        item("b")
    );
    inbox.store(&verified(batch)).await.unwrap();
    store(&inbox, &[("person.updated", "a", Some(3)), ("person.updated", "c", Some(3))]).await;
    let (calls, running_now) = (Calls::default(), Calls::default());
    let handler = {
        let (calls, running_now) = (calls.clone(), running_now.clone());
        move |event: WebhookEvent| {
            let (calls, running_now) = (calls.clone(), running_now.clone());
            async move {
                let name = event.record_id().unwrap_or("batch").to_owned();
                running_now.add(format!("{name} begins"));
                tokio::time::sleep(Duration::from_millis(50)).await;
                running_now.add(format!("{name} ends"));
                calls.add(name);
                ok()
            }
        }
    };
    let running = Running::start(inbox.worker("test", handler));
    until(&inbox, |counts| counts.done == 4).await;
    running.stop().await;
    let calls: Vec<_> = calls.get().into_iter().filter(|name| name != "c").collect();
    assert_eq!(calls, ["b", "batch", "a"]);
    let now: Vec<_> = running_now.get().into_iter().filter(|name| !name.starts_with("c ")).collect();
    assert_eq!(now, ["b begins", "b ends", "batch begins", "batch ends", "a begins", "a ends"]);
    assert_eq!(
        inbox.jobs(&JobFilter::all().record("person", "a")).await.unwrap().len(),
        2,
        "the batch is found by its record"
    );
}

async fn a_record_is_handled_by_one_at_a_time(inbox: Inbox<impl Store>) {
    let inbox = inbox.deadline(Duration::from_mins(1));
    let events: Vec<_> =
        (0..300).map(|n| changed("person.updated", &format!("{}", n % 7), Some(n * 7919 % 300))).collect();
    let (active, calls) = (Arc::new(Mutex::new(HashSet::new())), Calls::default());
    let handler = {
        let (active, calls) = (active.clone(), calls.clone());
        move |event: WebhookEvent| {
            let (active, calls) = (active.clone(), calls.clone());
            async move {
                let record = event.record_id().unwrap().to_owned();
                assert!(active.lock().unwrap().insert(record.clone()), "two of record {record}");
                tokio::time::sleep(Duration::from_millis(1)).await;
                active.lock().unwrap().remove(&record);
                calls.add(record);
                ok()
            }
        }
    };
    let workers = [1, 2, 3].map(|_| {
        Running::start(inbox.worker("test", handler.clone()).attempts(1).poll_every(Duration::from_millis(10)))
    });
    for stored in futures_util::future::join_all(events.iter().map(|event| inbox.store(event))).await {
        stored.unwrap();
    }
    let counts = until(&inbox, |counts| counts.open() == 0).await;
    for worker in workers {
        worker.stop().await;
    }
    assert_eq!((counts.done, counts.dead, calls.get().len()), (300, 0, 300));
}

async fn many_jobs_behind_one_starve_no_other(inbox: Inbox<impl Store>) {
    let inbox = inbox.deadline(Duration::from_mins(1));
    let behind_one = (0..200).map(|n| changed("person.updated", "a", Some(n)));
    let others = (0..50).map(|n| changed("person.updated", &format!("other {n}"), Some(1)));
    let events: Vec<_> = behind_one.chain(others).collect();
    for stored in futures_util::future::join_all(events.iter().map(|event| inbox.store(event))).await {
        stored.unwrap();
    }
    let handler = |event: WebhookEvent| async move {
        if event.record_id() == Some("a") { Err(std::io::Error::other("no")) } else { Ok(()) }
    };
    let slow = Backoff::new(Duration::from_mins(10), Duration::from_mins(10));
    let running = Running::start(inbox.worker("test", handler).backoff(slow));
    let began = Instant::now();
    let counts = until(&inbox, |counts| counts.done == 50).await;
    assert!(began.elapsed() < Duration::from_secs(20), "{:?}", began.elapsed());
    running.stop().await;
    assert_eq!((counts.retrying, counts.pending), (1, 199), "one of the record has been tried");
    // None of them is forgotten when the job that they wait for is deleted.
    let retrying = JobFilter::in_state(twenty_webhook_inbox::State::Retrying);
    assert_eq!(inbox.delete(&retrying).await.unwrap(), 1);
    let running = Running::start(inbox.worker("test", |_: WebhookEvent| async { ok() }).concurrency(32));
    until(&inbox, |counts| counts.done == 50 + 199).await;
    running.stop().await;
}

async fn unordered_runs_all_at_once(inbox: Inbox<impl Store>) {
    store(&inbox, &[("person.updated", "a", Some(2)), ("person.updated", "a", Some(1))]).await;
    let together = Arc::new(tokio::sync::Barrier::new(2));
    let handler = move |_: WebhookEvent| {
        let together = together.clone();
        async move {
            together.wait().await;
            ok()
        }
    };
    let running = Running::start(inbox.worker("test", handler).unordered());
    until(&inbox, |counts| counts.done == 2).await;
    running.stop().await;
}

fn edited(record: &str, second: i64, field: &str) -> WebhookEvent {
    let date = twenty_webhook_core::jiff::Timestamp::from_second(1_700_000_000 + second).unwrap();
    verified(format!(
        r#"{{"eventName":"person.updated","workspaceId":"w","updatedFields":["{field}"],"record":{{"id":"{record}","updatedAt":"{date}"}}}}"#
    ))
}

async fn a_burst_becomes_one_call(inbox: Inbox<impl Store>) {
    let calls = Calls::default();
    let handler = {
        let calls = calls.clone();
        move |event: WebhookEvent, job: Job| {
            let fields = event.updated_fields().unwrap_or_default().join(",");
            calls.add(format!("{} [{fields}] merged {} attempt {}", label(&event), job.merged().len(), job.attempt()));
            async move { if job.attempt() == 1 { Err(std::io::Error::other("no")) } else { Ok(()) } }
        }
    };
    let quiet = Duration::from_millis(400);
    let worker = inbox.worker("test", handler).coalesce(quiet).backoff(QUICK).poll_every(Duration::from_millis(10));
    let running = Running::start(worker);
    let began = Instant::now();
    for (second, field) in [(1, "name"), (3, "city"), (2, "emails"), (4, "name")] {
        inbox.store(&edited("a", second, field)).await.unwrap();
    }
    inbox.store(&edited("b", 1, "name")).await.unwrap();
    until(&inbox, |counts| counts.done == 5).await;
    assert!(began.elapsed() >= quiet, "{:?}", began.elapsed());
    running.stop().await;
    let mut calls = calls.get();
    calls.sort();
    let burst = "a updated 4 [name,emails,city] merged 3 attempt";
    assert_eq!(
        calls,
        [
            format!("{burst} 1"),
            format!("{burst} 2"),
            "b updated 1 [name] merged 0 attempt 1".to_owned(),
            "b updated 1 [name] merged 0 attempt 2".to_owned()
        ]
    );
}

async fn a_burst_is_never_merged_across_another_action(inbox: Inbox<impl Store>) {
    inbox.pause().await.unwrap();
    for second in [1, 2, 4, 5] {
        inbox.store(&edited("a", second, "name")).await.unwrap();
    }
    store(&inbox, &[("person.deleted", "a", Some(3))]).await;
    let calls = Calls::default();
    let handler = {
        let calls = calls.clone();
        move |event: WebhookEvent, job: Job| {
            calls.add(format!("{} merged {}", label(&event), job.merged().len()));
            async { ok() }
        }
    };
    let running = Running::start(inbox.worker("test", handler).coalesce(Duration::from_millis(100)));
    inbox.resume().await.unwrap();
    until(&inbox, |counts| counts.done == 5).await;
    running.stop().await;
    assert_eq!(calls.get(), ["a updated 2 merged 1", "a deleted 3 merged 0", "a updated 5 merged 1"]);
}

/// A batch of the record holds up a merge only while it is open, and only in its own workspace.
async fn a_burst_after_a_batch_becomes_one_call(inbox: Inbox<impl Store>) {
    let batch = |workspace: &str| {
        let items = r#"[{"record":{"id":"a"}},{"record":{"id":"b"}}]"#;
        verified(format!(r#"{{"eventName":"person.updated","workspaceId":"{workspace}","items":{items}}}"#))
    };
    inbox.store(&batch("w")).await.unwrap();
    let running = Running::start(inbox.worker("test", |_: WebhookEvent| async { ok() }));
    until(&inbox, |counts| counts.done == 1).await;
    running.stop().await;
    inbox.store(&batch("x")).await.unwrap();
    let open = inbox.database().claim(&Claim::new(1, 1, Duration::from_hours(1))).await.unwrap().jobs;
    assert_eq!(open.len(), 1);

    for second in [2, 1, 3] {
        inbox.store(&edited("a", second, "name")).await.unwrap();
    }
    let jobs = inbox.jobs(&JobFilter::all().record("person", "a").scope("w")).await.unwrap();
    let ids: Vec<_> = jobs.iter().rev().skip(1).map(|job| job.id).collect();
    let merged = Arc::new(Mutex::new(Vec::new()));
    let handler = {
        let merged = merged.clone();
        move |_: WebhookEvent, job: Job| {
            merged.lock().unwrap().push((job.id(), job.merged().to_vec()));
            async { ok() }
        }
    };
    let running = Running::start(inbox.worker("test", handler).coalesce(Duration::from_millis(200)));
    until(&inbox, |counts| counts.done == 4).await;
    running.stop().await;
    assert_eq!(*merged.lock().unwrap(), [(ids[2], vec![ids[1], ids[0]])], "the oldest first");
}
