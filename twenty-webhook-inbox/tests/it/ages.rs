//! What happens when jobs get older. The tests make the rows older, and do not wait.

use std::time::Duration;

use twenty_webhook_inbox::{Claim, Claimed, Inbox, JobFilter, Maintenance, Order, State, Store, WebhookEvent};

use crate::support::{Place, Running, changed, ok, until};

const MINUTE: Duration = Duration::from_mins(1);

/// Runs a test on both databases, with a function that makes all jobs older.
macro_rules! on_both {
    ($($test:ident),* $(,)?) => {
        mod sqlite {
            $(#[tokio::test]
            async fn $test() {
                let place = super::Place::new();
                let age = async |by| {
                    place.sql(super::older("twenty_webhook_jobs", by)).await;
                };
                super::$test(place.open().await, age).await;
            })*
        }
        #[cfg(feature = "postgres")]
        mod postgres {
            $(#[tokio::test]
            async fn $test() {
                let Some(server) = crate::postgres::shared() else { return };
                let schema = crate::postgres::new_schema();
                let config = twenty_webhook_inbox::PostgresConfig::new(&server.url()).unwrap().schema(&schema);
                let age = async |by| {
                    let older = sqlx::AssertSqlSafe(super::older(&format!("{schema}.jobs"), by));
                    sqlx::query(older).execute(&mut server.connect().await).await.unwrap();
                };
                let inbox = config.open().await.unwrap().deadline(10 * super::MINUTE);
                super::$test(inbox, age).await;
            })*
        }
    };
}

on_both!(
    a_burst_waits_until_it_is_quiet,
    a_burst_without_an_end_is_handled_after_ten_times_the_quiet,
    dead_letters_are_deleted_past_their_retention,
    dead_letters_are_kept_without_one,
    a_long_lease_of_another_worker_is_left_alone,
);

fn older(table: &str, by: Duration) -> String {
    let by = by.as_millis();
    format!(
        "UPDATE {table} SET stored_at = stored_at - {by}, run_at = run_at - {by}, finished_at = finished_at - {by},
            lease_expires_at = lease_expires_at - {by}"
    )
}

/// Claims with bursts that are quiet after a minute.
async fn claim(inbox: &Inbox<impl Store>) -> Claimed {
    let mut order = Order::default();
    order.coalesce = Some(MINUTE);
    let mut claim = Claim::new(1, 8, MINUTE);
    claim.order = Some(order);
    inbox.database().claim(&claim).await.unwrap()
}

async fn edit(inbox: &Inbox<impl Store>, second: i64) {
    inbox.store(&changed("person.updated", "a", Some(second))).await.unwrap();
}

async fn a_burst_waits_until_it_is_quiet(inbox: Inbox<impl Store>, age: impl AsyncFn(Duration)) {
    edit(&inbox, 1).await;
    age(MINUTE / 2).await;
    edit(&inbox, 2).await;
    assert_eq!(claim(&inbox).await.jobs.len(), 0);
    age(MINUTE * 3 / 4).await;
    edit(&inbox, 3).await;
    assert_eq!(claim(&inbox).await.jobs.len(), 0, "the last edit was just now");
    age(MINUTE).await;
    let jobs = claim(&inbox).await.jobs;
    assert_eq!((jobs.len(), jobs[0].merged.len()), (1, 2));
}

/// One edit every half minute, without an end.
async fn a_burst_without_an_end_is_handled_after_ten_times_the_quiet(
    inbox: Inbox<impl Store>,
    age: impl AsyncFn(Duration),
) {
    for second in 0..20 {
        edit(&inbox, second).await;
        assert_eq!(claim(&inbox).await.jobs.len(), 0, "after {second} half minutes");
        age(MINUTE / 2).await;
    }
    edit(&inbox, 20).await;
    let jobs = claim(&inbox).await.jobs;
    assert_eq!((jobs.len(), jobs[0].merged.len()), (1, 20), "all that came until then");
    // A later edit begins a new burst.
    edit(&inbox, 21).await;
    assert_eq!(claim(&inbox).await.jobs.len(), 0);
}

async fn some_dead(inbox: &Inbox<impl Store>) {
    for record in ["a", "b", "c"] {
        inbox.store(&changed("person.updated", record, None)).await.unwrap();
    }
    let fail = |event: WebhookEvent| async move {
        if event.record_id() == Some("c") { ok() } else { Err(std::io::Error::other("no")) }
    };
    let running = Running::start(inbox.worker("test", fail).attempts(1));
    until(inbox, |counts| counts.open() == 0).await;
    running.stop().await;
}

async fn dead_letters_are_deleted_past_their_retention(inbox: Inbox<impl Store>, age: impl AsyncFn(Duration)) {
    some_dead(&inbox).await;
    let mut maintenance = Maintenance::new(100 * MINUTE);
    maintenance.dead_retention = Some(10 * MINUTE);
    age(9 * MINUTE).await;
    inbox.database().maintain(&maintenance).await.unwrap();
    assert_eq!(inbox.counts().await.unwrap().dead, 2);
    // The age counts from the last attempt.
    let newest = inbox.jobs(&JobFilter::in_state(State::Dead)).await.unwrap()[0].id;
    inbox.retry(&JobFilter::id(newest)).await.unwrap();
    let fail = |_: WebhookEvent| async { Err(std::io::Error::other("no")) };
    let running = Running::start(inbox.worker("test", fail).attempts(1));
    until(&inbox, |counts| counts.dead == 2).await;
    running.stop().await;
    age(2 * MINUTE).await;
    maintenance.limit = 1;
    assert!(inbox.database().maintain(&maintenance).await.unwrap(), "there may be more");
    maintenance.limit = 500;
    assert!(!inbox.database().maintain(&maintenance).await.unwrap());
    let left = inbox.jobs(&JobFilter::in_state(State::Dead)).await.unwrap();
    assert_eq!((left.len(), left[0].id), (1, newest));
    assert_eq!(inbox.counts().await.unwrap().done, 1, "what is done has its own retention");
}

async fn dead_letters_are_kept_without_one(inbox: Inbox<impl Store>, age: impl AsyncFn(Duration)) {
    some_dead(&inbox).await;
    age(100 * 24 * 60 * MINUTE).await;
    inbox.database().maintain(&Maintenance::new(60 * MINUTE)).await.unwrap();
    let counts = inbox.counts().await.unwrap();
    assert_eq!((counts.dead, counts.done), (2, 0));
}

/// Workers of two versions may run at once, with other settings.
async fn a_long_lease_of_another_worker_is_left_alone(inbox: Inbox<impl Store>, age: impl AsyncFn(Duration)) {
    edit(&inbox, 1).await;
    let store = inbox.database();
    assert_eq!(store.claim(&Claim::new(1, 1, 100 * MINUTE)).await.unwrap().jobs.len(), 1);
    store.maintain(&Maintenance::new(60 * MINUTE)).await.unwrap();
    age(99 * MINUTE).await;
    assert_eq!(store.recover(Duration::ZERO, 5).await.unwrap().jobs, 0);
    age(2 * MINUTE).await;
    assert_eq!(store.recover(Duration::ZERO, 5).await.unwrap().jobs, 1);
}
