//! Operators list and change jobs.

use std::io;
use std::time::Duration;

use twenty_webhook_inbox::{Backoff, JobFilter, JobId, State, WebhookEvent};

use crate::support::{Place, Running, event, ok, until};

#[tokio::test(flavor = "multi_thread")]
async fn dead_letters_are_listed_shown_retried_and_deleted() {
    let place = Place::new();
    let inbox = place.open().await;
    let first = event("person.created", 0);
    inbox.store(&first).await.unwrap();
    for number in 1..6 {
        let name = if number < 4 { "person.created" } else { "company.updated" };
        inbox.store(&event(name, number)).await.unwrap();
    }
    let fail = |_: WebhookEvent| async { Err(io::Error::other("no")) };
    let backoff = Backoff::new(Duration::from_millis(1), Duration::from_millis(1));
    let running = Running::start(inbox.worker("test", fail).attempts(1).backoff(backoff));
    until(&inbox, |counts| counts.dead == 6).await;
    running.stop().await;

    let dead = JobFilter::in_state(State::Dead);
    let people = dead.clone().named("person.*".parse().unwrap());
    let jobs = inbox.jobs(&people).await.unwrap();
    assert_eq!(jobs.len(), 4);
    assert!(jobs.iter().all(|job| job.name == "person.created" && job.last_error.as_deref() == Some("no")));
    assert!(jobs[0].id > jobs[3].id, "the newest first");
    assert_eq!(inbox.jobs(&people.clone().limit(2)).await.unwrap().len(), 2);

    let (job, event) = inbox.job(jobs[3].id).await.unwrap().unwrap();
    let event = event.unwrap();
    assert_eq!(event.record_id(), Some("0"));
    assert_eq!(job.key, first.delivery().unwrap().replay_key());
    assert!(job.stored_at.elapsed().unwrap() < Duration::from_mins(1));
    assert!(inbox.job(JobId::new(4711)).await.unwrap().is_none());

    assert_eq!(inbox.retry(&JobFilter::id(jobs[3].id)).await.unwrap(), 1);
    assert_eq!(inbox.retry(&JobFilter::id(jobs[3].id)).await.unwrap(), 0, "it is pending");
    assert_eq!(inbox.retry(&people).await.unwrap(), 3);
    assert_eq!(inbox.delete(&dead.named("company.updated".parse().unwrap())).await.unwrap(), 2);
    let running = Running::start(inbox.worker("test", |_: WebhookEvent| async { ok() }));
    let counts = until(&inbox, |counts| counts.open() == 0).await;
    running.stop().await;
    assert_eq!((counts.done, counts.dead), (4, 0));
}

#[tokio::test]
async fn lists_of_any_length() {
    let place = Place::new();
    let inbox = place.open().await.deadline(Duration::from_mins(1));
    let events: Vec<_> = (0..1_100).map(|number| event("person.created", number)).collect();
    futures_util::future::join_all(events.iter().map(|event| inbox.store(event)))
        .await
        .into_iter()
        .for_each(Result::unwrap);
    place.sql("UPDATE twenty_webhook_jobs SET state = CASE seq % 3 WHEN 0 THEN 4 WHEN 1 THEN 3 ELSE state END").await;
    let ids: Vec<_> = inbox.jobs(&JobFilter::all()).await.unwrap().into_iter().map(|job| job.id).collect();
    assert_eq!(ids.len(), 1_100);
    assert!(ids.is_sorted_by(|one, next| one > next), "the newest first, whatever their state");
    assert_eq!(inbox.jobs(&JobFilter::all().limit(700)).await.unwrap().len(), 700);
    assert_eq!(inbox.delete(&JobFilter::all()).await.unwrap(), 1_100);
}
