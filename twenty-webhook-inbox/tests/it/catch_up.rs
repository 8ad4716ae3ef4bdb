//! What catch-up needs of a store, on each database.

use std::time::Duration;

use twenty_webhook_inbox::{
    CatchUpCommit, CatchUpScope, CatchUpStore, Census, Found, Inbox, InboxError, JobFilter, Known, Missing, State,
    Store, WebhookEvent,
};

use crate::support::{Place, changed};

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

fn found(id: &str, state: Option<i64>) -> Found {
    Found { id: id.to_owned(), state }
}

#[tokio::test]
async fn on_sqlite() {
    let place = Place::new();
    contract(&place.open().await).await;
    adoption(&Place::new().open().await).await;
}

#[cfg(feature = "postgres")]
#[tokio::test]
async fn on_postgres() {
    let server = crate::postgres::Server::start();
    let of = |schema: &str| {
        let config = twenty_webhook_inbox::PostgresConfig::new(&server.url()).unwrap().schema(schema);
        async { config.open().await.unwrap() }
    };
    contract(&of("one").await).await;
    adoption(&of("two").await).await;
}

async fn known(inbox: &impl CatchUpStore, id: &str) -> Known {
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
    assert_eq!(known(inbox, "1").await, Known::default());
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
        Known { state: Some(state(5)), is_handled: true, is_seen: true, handled: Some(state(5)), dead: None }
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
    inbox.learn("w", "person").await.unwrap();
    inbox.commit(CatchUpCommit { found: vec![found("1", None)], ..commit(2) }).await.unwrap();
    let census = inbox.census("w", "person", 2, "key").await.unwrap();
    assert_eq!(census, Census { known: 3, missing: 1, unproven: 1 });
    let missing = inbox.missing("w", "person", 2, Some("key"), "", 10).await.unwrap();
    assert_eq!(missing, [Missing { id: "2".to_owned(), state: None }]);
    assert_eq!(inbox.missing("w", "person", 2, None, "", 10).await.unwrap().len(), 2);
    assert_eq!(inbox.missing("w", "person", 2, None, "2", 10).await.unwrap().len(), 1);
    assert_eq!(inbox.census("w", "company", 2, "key").await.unwrap(), Census::default());
    // What a delivery destroyed is not missing.
    inbox.store(&changed("person.destroyed", "3", Some(5))).await.unwrap();
    assert_eq!(inbox.census("w", "person", 2, "key").await.unwrap().unproven, 0);

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
    for _ in 0..2 {
        inbox.adopt(&tenant).await.unwrap();
        assert_eq!(inbox.progress("acme", "watermark").await.unwrap().as_deref(), Some("a"));
    }
    assert_eq!(inbox.progress("", "watermark").await.unwrap(), None);
    assert_eq!(inbox.census("acme", "person", 0, "key").await.unwrap().known, 1);
    assert_eq!(inbox.scopes().await.unwrap(), [tenant]);
    assert!(inbox.jobs(&JobFilter::all()).await.unwrap().iter().all(|job| job.tenant.as_deref() == Some("acme")));
    // What has progress of its own keeps it.
    inbox.adopt(&CatchUpScope::default()).await.unwrap();
    assert_eq!(inbox.progress("acme", "watermark").await.unwrap().as_deref(), Some("a"));
}
