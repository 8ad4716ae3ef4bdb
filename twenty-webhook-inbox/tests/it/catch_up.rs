//! What catch-up needs of a store, on each database.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::Notify;
use twenty_webhook_inbox::{
    CatchUpCommit, CatchUpScope, CatchUpStore, FoundRecord, HandlerError, IdCounts, Inbox, InboxError, JobFilter,
    KnownRecord, MissingRecord, State, Store, WebhookEvent,
};

use crate::support::{Place, Running, changed, until};

const LEASE: Duration = Duration::from_mins(1);
/// The second that `changed` counts from.
const EPOCH: i64 = 1_700_000_000;

fn state(second: i64) -> i64 {
    (EPOCH + second) * 1000
}

fn scope() -> CatchUpScope {
    CatchUpScope { tenant: None, workspace_id: Some("w".to_owned()) }
}

fn caught_up(action: &str, id: &str, second: i64) -> WebhookEvent {
    let date = twenty_webhook_core::jiff::Timestamp::from_second(EPOCH + second).unwrap();
    let body = format!(
        r#"{{"eventName":"person.{action}","workspaceId":"w","caughtUp":true,"record":{{"id":"{id}","updatedAt":"{date}"}}}}"#
    );
    WebhookEvent::from_stored(body).unwrap()
}

fn commit(pass: i64) -> CatchUpCommit {
    let (lease, object, key_tag) = (LEASE, "person".to_owned(), "key".to_owned());
    CatchUpCommit {
        scope: scope(),
        token: 1,
        lease,
        object,
        pass,
        key_tag,
        are_handled: true,
        ..CatchUpCommit::default()
    }
}

fn found(id: &str, state: Option<i64>) -> FoundRecord {
    FoundRecord { id: id.to_owned(), state }
}

#[tokio::test]
async fn on_sqlite() {
    let place = Place::new();
    contract(&place.open().await).await;
    adoption(&Place::new().open().await).await;
    batches(&Place::new().open().await).await;
    disproved(&Place::new().open().await).await;
    handled_before(&Place::new().open().await).await;
    let place = Place::new();
    losses(&place.open().await, &place.open().await).await;
}

#[tokio::test]
async fn a_delivery_that_could_not_be_stored_is_noted_when_the_database_is_back() {
    use sqlx::{ConnectOptions, Connection};

    let place = Place::new();
    let inbox = place.open().await.deadline(Duration::from_millis(200));
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(place.path());
    let mut other = options.connect().await.unwrap();
    let writes = other.begin_with("BEGIN EXCLUSIVE").await.unwrap();
    inbox.store(&changed("person.updated", "1", Some(5))).await.unwrap_err();
    drop(writes);
    other.close().await.unwrap();
    // Although nothing else arrives.
    noted(&inbox, 1).await;
}

async fn noted(inbox: &impl CatchUpStore, losses: u64) {
    let noted = async {
        while inbox.losses().await.unwrap() < losses {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), noted).await.expect("it is noted");
    assert_eq!(inbox.losses().await.unwrap(), losses);
}

/// Of a receiver in another process.
async fn losses<S: Store + CatchUpStore>(receiver: &Inbox<S>, other: &Inbox<S>) {
    assert_eq!(other.losses().await.unwrap(), 0);
    for record in 0..55 {
        receiver.store(&changed("person.updated", &record.to_string(), Some(5))).await.unwrap();
    }
    // It was not there before.
    noted(other, 1).await;
    assert_eq!(other.deliveries_within("w", LEASE).await.unwrap(), 55);
    other.store(&changed("person.updated", "1", Some(6))).await.unwrap();
    noted(receiver, 2).await;
}

fn batch(action: &str, records: &[(&str, i64)]) -> WebhookEvent {
    let item = |(id, second): &(&str, i64)| {
        let date = twenty_webhook_core::jiff::Timestamp::from_second(EPOCH + second).unwrap();
        format!(r#"{{"record":{{"id":"{id}","updatedAt":"{date}"}}}}"#)
    };
    let items = records.iter().map(item).collect::<Vec<_>>().join(",");
    crate::support::verified(format!(r#"{{"eventName":"person.{action}","workspaceId":"w","items":[{items}]}}"#))
}

/// A delivery that holds several records, each in its own state.
async fn batches<S: Store + CatchUpStore>(inbox: &Inbox<S>) {
    assert!(inbox.lease("w", 1, LEASE).await.unwrap());
    inbox.store(&batch("updated", &[("1", 5), ("2", 9)])).await.unwrap();
    assert_eq!(known(inbox, "1").await.handled, Some(state(5)));
    assert_eq!(known(inbox, "2").await.handled, Some(state(9)));
    assert_eq!(known(inbox, "3").await.handled, None);
    // The first record has changed since, though not later than the second one.
    for (record, second, new) in [("1", 5, 0), ("1", 7, 1), ("2", 7, 0), ("2", 9, 0), ("2", 10, 1)] {
        let page = CatchUpCommit { events: vec![caught_up("updated", record, second)], ..commit(1) };
        assert_eq!(inbox.commit(page).await.unwrap(), new, "{record} {second}");
    }
    inbox.add_delivered_ids("w", "person").await.unwrap();
    assert_eq!(inbox.count_ids("w", "person", 2, "key").await.unwrap(), IdCounts { known: 2, missing: 0, unproven: 2 });
    inbox.store(&batch("destroyed", &[("1", 5), ("2", 9)])).await.unwrap();
    assert_eq!(known(inbox, "1").await.handled, Some(i64::MAX));
    assert_eq!(inbox.count_ids("w", "person", 2, "key").await.unwrap().known, 0);
}

/// What was handled before a wrong `destroyed` does not count: alone, in a batch, or from a run. What waits still counts.
async fn handled_before<S: Store + CatchUpStore>(inbox: &Inbox<S>) {
    assert!(inbox.lease("w", 1, LEASE).await.unwrap());
    inbox.store(&changed("person.updated", "1", Some(5))).await.unwrap();
    inbox.store(&batch("updated", &[("2", 5), ("9", 5)])).await.unwrap();
    let events = vec![caught_up("updated", "3", 5)];
    inbox.commit(CatchUpCommit { events, ..commit(1) }).await.unwrap();
    let running = Running::start(inbox.worker("test", |_: WebhookEvent| async { Ok::<_, HandlerError>(()) }));
    until(inbox, |counts| counts.done == 3).await;
    running.stop().await;
    let ids = ["1", "2", "3", "4"];
    let events = ids.map(|id| caught_up("destroyed", id, 5)).to_vec();
    assert_eq!(inbox.commit(CatchUpCommit { events, ..commit(1) }).await.unwrap(), 4);
    inbox.store(&changed("person.updated", "4", Some(5))).await.unwrap();
    for (id, new) in ids.into_iter().zip([1, 1, 1, 0]) {
        assert_eq!(known(inbox, id).await, KnownRecord::default(), "{id}");
        let back = || CatchUpCommit {
            events: vec![caught_up("created", id, 5)],
            found: vec![found(id, Some(state(5)))],
            ..commit(2)
        };
        assert_eq!(inbox.commit(back()).await.unwrap(), new, "{id}");
        assert_eq!(inbox.commit(back()).await.unwrap(), 0, "{id}: once");
        assert_eq!(known(inbox, id).await.handled, Some(state(5)), "{id}");
    }
    assert_eq!(known(inbox, "9").await.handled, Some(state(5)), "of the same batch");
}

/// A `destroyed` of a record that exists after all is not handled any more: neither one whose attempt fails, nor a dead one.
async fn disproved<S: Store + CatchUpStore>(inbox: &Inbox<S>) {
    assert!(inbox.lease("w", 1, LEASE).await.unwrap());
    for (id, is_permanent) in [("1", false), ("2", true)] {
        let events = vec![caught_up("destroyed", id, 5)];
        inbox.commit(CatchUpCommit { events, gone: vec![id.to_owned()], ..commit(1) }).await.unwrap();
        let handled = Arc::new(Mutex::new(Vec::new()));
        let [began, end] = [Arc::new(Notify::new()), Arc::new(Notify::new())];
        let worker = inbox.worker("test", {
            let (handled, began, end) = (handled.clone(), began.clone(), end.clone());
            move |event: WebhookEvent| {
                let (handled, began, end) = (handled.clone(), began.clone(), end.clone());
                async move {
                    handled.lock().unwrap().push(event.name().to_string());
                    if event.name().as_str() != "person.destroyed" {
                        return Ok(());
                    }
                    began.notify_one();
                    end.notified().await;
                    Err(if is_permanent {
                        HandlerError::permanent("no")
                    } else {
                        HandlerError::retry_after(Duration::ZERO, "no")
                    })
                }
            }
        });
        let running = Running::start(worker);
        began.notified().await;
        if is_permanent {
            end.notify_one();
            until(inbox, |counts| counts.dead == 1).await;
        }
        assert_eq!(known(inbox, id).await, KnownRecord::default(), "nothing hides its changes");
        let (events, found) = (vec![caught_up("created", id, 6)], vec![found(id, Some(state(6)))]);
        assert_eq!(inbox.commit(CatchUpCommit { events, found, ..commit(2) }).await.unwrap(), 1);
        end.notify_one();
        until(inbox, |counts| counts.pending + counts.running + counts.retrying + counts.dead == 0).await;
        assert_eq!(inbox.retry(&JobFilter::all()).await.unwrap(), 0);
        let destroyed = JobFilter::all().named("person.destroyed".parse().unwrap()).record("person", id);
        assert_eq!(inbox.rerun(&destroyed).await.unwrap(), 0, "nor if an operator asks for it");
        running.stop().await;
        assert_eq!(*handled.lock().unwrap(), ["person.destroyed", "person.created"]);
    }
}

#[cfg(feature = "postgres")]
#[tokio::test]
async fn on_postgres() {
    let Some(server) = crate::postgres::Server::start() else { return };
    let of = |schema: &str| {
        let config = twenty_webhook_inbox::PostgresConfig::new(&server.url()).unwrap().schema(schema);
        async { config.open().await.unwrap() }
    };
    contract(&of("one").await).await;
    adoption(&of("two").await).await;
    batches(&of("three").await).await;
    losses(&of("four").await, &of("four").await).await;
    disproved(&of("five").await).await;
    handled_before(&of("six").await).await;
}

/// The run's transaction does not see the delivery, nor the delivery's the run.
#[cfg(feature = "postgres")]
#[tokio::test(flavor = "multi_thread")]
async fn on_postgres_a_state_that_both_store_in_the_same_instant_is_handled_once() {
    let Some(server) = crate::postgres::Server::start() else { return };
    let inbox = twenty_webhook_inbox::PostgresConfig::new(&server.url()).unwrap().open().await.unwrap();
    let progress = |value: &str| vec![("place".to_owned(), value.to_owned())];
    assert!(inbox.lease("w", 1, LEASE).await.unwrap());
    inbox.commit(CatchUpCommit { progress: progress("a"), ..commit(1) }).await.unwrap();
    // Whichever of the two is the first in order.
    for (record, event_date) in [("1", "2020-01-01T00:00:00.000Z"), ("2", "2030-01-01T00:00:00.000Z")] {
        let mut other = server.connect().await;
        let lock = "BEGIN; SELECT 1 FROM twenty_webhook.catch_up WHERE name = 'place' FOR UPDATE";
        sqlx::raw_sql(lock).execute(&mut other).await.unwrap();
        let events = vec![caught_up("updated", record, 5)];
        let page = CatchUpCommit { events, progress: progress("b"), ..commit(1) };
        let run = tokio::spawn({
            let inbox = inbox.clone();
            async move { inbox.commit(page).await }
        });
        // It has inserted its event, and waits before its commit.
        let mut looks = server.connect().await;
        let waits = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE '%catch_up%'";
        while sqlx::query_scalar::<_, i64>(waits).fetch_one(&mut looks).await.unwrap() == 0 {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        let date = twenty_webhook_core::jiff::Timestamp::from_second(EPOCH + 5).unwrap();
        let delivery = format!(
            r#"{{"eventName":"person.updated","workspaceId":"w","eventDate":"{event_date}","record":{{"id":"{record}","updatedAt":"{date}"}}}}"#
        );
        inbox.store(&crate::support::verified(delivery)).await.unwrap();
        sqlx::raw_sql("COMMIT").execute(&mut other).await.unwrap();
        assert_eq!(run.await.unwrap().unwrap(), 1);
    }
    assert_eq!(inbox.counts().await.unwrap().pending, 4, "both were stored");
    let (send, mut handled) = tokio::sync::mpsc::unbounded_channel();
    let worker = inbox.worker("test", move |event: WebhookEvent| {
        let _ = send.send(event.record_id().unwrap_or_default().to_owned());
        async { Ok::<_, std::io::Error>(()) }
    });
    let running = Running::start(worker);
    until(&inbox, |counts| counts.done == 4).await;
    running.stop().await;
    let mut records = Vec::new();
    while let Ok(record) = handled.try_recv() {
        records.push(record);
    }
    records.sort();
    assert_eq!(records, ["1", "2"]);
}

/// Also if another job with the same state of its record is done.
#[cfg(feature = "postgres")]
#[tokio::test(flavor = "multi_thread")]
async fn on_postgres_what_an_operator_asks_for_is_handled_again() {
    use std::sync::atomic::{AtomicUsize, Ordering};

    let Some((_server, inbox)) = crate::postgres::shared_server().await else { return };
    assert!(inbox.lease("w", 1, LEASE).await.unwrap());
    inbox.commit(CatchUpCommit { events: vec![caught_up("updated", "1", 5)], ..commit(1) }).await.unwrap();
    let calls = Arc::new(AtomicUsize::new(0));
    let handler = {
        let calls = calls.clone();
        move |_: WebhookEvent| {
            let is_first = calls.fetch_add(1, Ordering::SeqCst) == 0;
            async move { if is_first { Err(HandlerError::permanent("no")) } else { Ok(()) } }
        }
    };
    let running = Running::start(inbox.worker("test", handler));
    until(&inbox, |counts| counts.dead == 1).await;
    inbox.store(&changed("person.updated", "1", Some(5))).await.unwrap();
    until(&inbox, |counts| counts.done == 1).await;
    assert_eq!(inbox.retry(&JobFilter::all()).await.unwrap(), 1);
    until(&inbox, |counts| counts.done == 2).await;
    assert_eq!(calls.load(Ordering::SeqCst), 3);
    assert_eq!(inbox.rerun(&JobFilter::all()).await.unwrap(), 2);
    until(&inbox, |counts| counts.done == 2).await;
    running.stop().await;
    assert_eq!(calls.load(Ordering::SeqCst), 5);
}

async fn known(inbox: &impl CatchUpStore, id: &str) -> KnownRecord {
    inbox.known("w", "person", &[id.to_owned()]).await.unwrap().remove(0)
}

pub(crate) async fn contract<S: Store + CatchUpStore>(inbox: &Inbox<S>) {
    // One token at a time holds the lease of a scope.
    assert!(inbox.lease("w", 1, LEASE).await.unwrap());
    assert!(!inbox.lease("w", 2, LEASE).await.unwrap());
    assert!(inbox.lease("other", 2, LEASE).await.unwrap());
    assert!(inbox.lease("w", 1, LEASE).await.unwrap(), "extended");
    inbox.lease("w", 2, Duration::ZERO).await.unwrap();
    assert!(!inbox.lease("w", 2, LEASE).await.unwrap(), "another's is not given back");
    inbox.lease("w", 1, Duration::ZERO).await.unwrap();
    let error = inbox.commit(commit(0)).await.unwrap_err();
    assert!(matches!(error, InboxError::CatchUpLeaseLost), "{error}");
    assert!(inbox.lease("w", 1, LEASE).await.unwrap());

    // Events, ids and progress in one.
    assert_eq!(known(inbox, "1").await, KnownRecord::default());
    let progress = vec![("watermark".to_owned(), "a".to_owned())];
    let events = vec![caught_up("updated", "1", 5), caught_up("created", "2", 5)];
    let page =
        CatchUpCommit { events, found: vec![found("1", Some(state(5))), found("2", None)], progress, ..commit(1) };
    assert_eq!(inbox.commit(page.clone()).await.unwrap(), 2);
    assert_eq!(inbox.commit(page).await.unwrap(), 0, "each state once");
    assert_eq!(inbox.progress("w", "watermark").await.unwrap().as_deref(), Some("a"));
    assert_eq!(inbox.progress("other", "watermark").await.unwrap(), None);
    let one = known(inbox, "1").await;
    assert_eq!(
        one,
        KnownRecord { state: Some(state(5)), is_handled: true, is_seen: true, handled: Some(state(5)), dead: None }
    );
    assert_eq!(known(inbox, "2").await.state, None);

    // A delivery of the same state is a duplicate, and one of another state or record is not.
    for (id, second, new) in [("1", 5, 0), ("1", 4, 1), ("1", 6, 1), ("3", 5, 1)] {
        let before = inbox.jobs(&JobFilter::all()).await.unwrap().len();
        inbox.store(&changed("person.updated", id, Some(second))).await.unwrap();
        assert_eq!(inbox.jobs(&JobFilter::all()).await.unwrap().len() - before, new, "{id} {second}");
    }
    // And an event of a state that a delivery brought is left out; of a newer one it is not.
    for (second, new) in [(5, 0), (6, 0), (7, 1)] {
        let page = CatchUpCommit { events: vec![caught_up("updated", "1", second)], ..commit(1) };
        assert_eq!(inbox.commit(page).await.unwrap(), new, "{second}");
    }
    assert_eq!(inbox.deliveries_within("w", LEASE).await.unwrap(), 3);
    assert_eq!(inbox.deliveries_within("other", LEASE).await.unwrap(), 0);
    assert_eq!(inbox.scopes().await.unwrap(), [scope()]);

    // A state goes never back, and stays handled.
    let page = CatchUpCommit { found: vec![found("1", Some(state(4)))], are_handled: false, ..commit(1) };
    inbox.commit(page).await.unwrap();
    assert_eq!((known(inbox, "1").await.state, known(inbox, "1").await.is_handled), (Some(state(5)), true));

    // A pass: 3 is known from a delivery alone, 2 is not seen.
    inbox.add_delivered_ids("w", "person").await.unwrap();
    inbox.commit(CatchUpCommit { found: vec![found("1", None)], ..commit(2) }).await.unwrap();
    let count_ids = inbox.count_ids("w", "person", 2, "key").await.unwrap();
    assert_eq!(count_ids, IdCounts { known: 3, missing: 1, unproven: 1 });
    let missing = inbox.missing("w", "person", 2, Some("key"), "", 10).await.unwrap();
    assert_eq!(missing, [MissingRecord { id: "2".to_owned(), state: None }]);
    assert_eq!(inbox.missing("w", "person", 2, None, "", 10).await.unwrap().len(), 2);
    assert_eq!(inbox.missing("w", "person", 2, None, "2", 10).await.unwrap().len(), 1);
    assert_eq!(inbox.count_ids("w", "company", 2, "key").await.unwrap(), IdCounts::default());
    // What a delivery destroyed is not missing.
    inbox.store(&changed("person.destroyed", "3", Some(5))).await.unwrap();
    assert_eq!(inbox.count_ids("w", "person", 2, "key").await.unwrap().unproven, 0);

    // Gone, and back again.
    let gone = CatchUpCommit { events: vec![caught_up("destroyed", "2", 5)], gone: vec!["2".to_owned()], ..commit(2) };
    assert_eq!(inbox.commit(gone).await.unwrap(), 1);
    assert_eq!(inbox.missing("w", "person", 2, None, "", 10).await.unwrap().len(), 0);
    inbox.store(&changed("person.destroyed", "2", Some(5))).await.unwrap();
    let destroyed =
        inbox.jobs(&JobFilter::all().named("person.destroyed".parse().unwrap()).record("person", "2")).await.unwrap();
    assert_eq!((destroyed.len(), destroyed[0].state), (1, State::Pending), "the delivery is a duplicate");
    let back = CatchUpCommit {
        events: vec![caught_up("created", "2", 6)],
        found: vec![found("2", Some(state(6)))],
        ..commit(3)
    };
    assert_eq!(inbox.commit(back).await.unwrap(), 1);
    let destroyed = inbox.job(destroyed[0].id).await.unwrap().unwrap().0;
    assert_eq!(destroyed.state, State::Done, "what was disproved is not handled");

    // Destroyed after all, and more than once.
    for pass in [4, 5] {
        let gone =
            CatchUpCommit { events: vec![caught_up("destroyed", "2", 6)], gone: vec!["2".to_owned()], ..commit(pass) };
        assert_eq!(inbox.commit(gone).await.unwrap(), 1);
        assert_eq!(known(inbox, "2").await.state, None);
        inbox.commit(CatchUpCommit { found: vec![found("2", None)], ..commit(pass) }).await.unwrap();
    }

    // Only what was caught up.
    let event = WebhookEvent::from_stored(r#"{"eventName":"person.updated","record":{"id":"9"}}"#).unwrap();
    assert!(inbox.commit(CatchUpCommit { events: vec![event], ..commit(3) }).await.is_err());
}

pub(crate) async fn adoption<S: Store + CatchUpStore>(inbox: &Inbox<S>) {
    let unknown = CatchUpScope::default();
    assert!(inbox.lease("", 1, LEASE).await.unwrap());
    let progress = vec![("watermark".to_owned(), "a".to_owned())];
    let page = CatchUpCommit {
        scope: unknown,
        events: vec![caught_up("updated", "1", 5)],
        found: vec![found("1", Some(state(5)))],
        progress,
        ..commit(1)
    };
    inbox.commit(page).await.unwrap();
    let tenant = CatchUpScope { tenant: Some("acme".to_owned()), workspace_id: None };
    assert_eq!(inbox.adoptable(&tenant).await.unwrap().as_deref(), Some(""));
    assert_eq!(inbox.adoptable(&CatchUpScope::default()).await.unwrap(), None);
    for _ in 0..2 {
        inbox.adopt(&tenant).await.unwrap();
        assert_eq!(inbox.adoptable(&tenant).await.unwrap(), None);
        assert_eq!(inbox.progress("acme", "watermark").await.unwrap().as_deref(), Some("a"));
    }
    assert_eq!(inbox.progress("", "watermark").await.unwrap(), None);
    assert_eq!(inbox.count_ids("acme", "person", 0, "key").await.unwrap().known, 1);
    assert_eq!(inbox.scopes().await.unwrap(), [tenant]);
    assert!(inbox.jobs(&JobFilter::all()).await.unwrap().iter().all(|job| job.tenant.as_deref() == Some("acme")));
    // What has progress keeps it.
    inbox.adopt(&CatchUpScope::default()).await.unwrap();
    assert_eq!(inbox.progress("acme", "watermark").await.unwrap().as_deref(), Some("a"));
}
