//! Without the inbox: a store of one's own, and a handler.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use twenty_webhook_catchup::{
    CatchUpCommit, CatchUpError, CatchUpStore, IdCounts, InboxError, KnownRecord, MissingRecord, WebhookEvent,
};

use crate::support::Place;

/// What a store must remember, in memory.
#[derive(Clone, Default)]
struct Memory {
    progress: Arc<Mutex<HashMap<String, String>>>,
    states: Arc<Mutex<HashMap<(String, String), i64>>>,
}

impl CatchUpStore for Memory {
    async fn progress(&self, _: &str, name: &str) -> Result<Option<String>, InboxError> {
        Ok(self.progress.lock().unwrap().get(name).cloned())
    }

    async fn known(&self, _: &str, object: &str, ids: &[String]) -> Result<Vec<KnownRecord>, InboxError> {
        let states = self.states.lock().unwrap();
        let known = |id: &String| {
            let state = states.get(&(object.to_owned(), id.clone())).copied();
            KnownRecord { state, is_handled: state.is_some(), is_seen: state.is_some(), ..KnownRecord::default() }
        };
        Ok(ids.iter().map(known).collect())
    }

    async fn commit(&self, commit: CatchUpCommit) -> Result<u64, InboxError> {
        let states =
            commit.found.into_iter().filter_map(|found| Some(((commit.object.clone(), found.id), found.state?)));
        self.states.lock().unwrap().extend(states);
        self.progress.lock().unwrap().extend(commit.progress);
        Ok(commit.events.len() as u64)
    }

    async fn count_ids(&self, _: &str, _: &str, _: i64, _: &str) -> Result<IdCounts, InboxError> {
        Ok(IdCounts::default())
    }

    async fn missing(
        &self,
        _: &str,
        _: &str,
        _: i64,
        _: Option<&str>,
        _: &str,
        _: u32,
    ) -> Result<Vec<MissingRecord>, InboxError> {
        Ok(Vec::new())
    }
}

#[tokio::test]
async fn a_page_whose_handler_fails_is_not_saved_and_comes_again() {
    let (place, store) = (Place::new().await, Memory::default());
    place.people((0..250).map(|n| format!("{n:03}")));
    place.twenty.create("company", serde_json::json!({ "id": "c" }));
    place.clock.advance(Duration::from_secs(3600));
    let handled = Arc::new(Mutex::new(Vec::new()));
    let catch_up = |fails_at: &'static str| {
        let handled = Arc::clone(&handled);
        place.catch_up().objects(["person", "company"]).backfill().handle_with(move |event: WebhookEvent| {
            let id = event.record_id().unwrap_or_default().to_owned();
            let is_well = id != fails_at;
            handled.lock().unwrap().push(id);
            async move { if is_well { Ok(()) } else { Err("no space") } }
        })
    };
    let report = catch_up("220").run_once(&store).await.unwrap();
    let error = report.objects[0].error.as_ref().unwrap();
    assert!(matches!(error, CatchUpError::Handler { event, .. } if event == "person.created"), "{error}");
    assert_eq!(std::error::Error::source(error).unwrap().to_string(), "no space");
    assert!(!error.to_string().contains("no space"), "the source is not repeated");
    // The first page is saved, the second is not, and the other object goes on.
    assert_eq!((report.objects[0].created, report.objects[1].created), (200, 1));
    assert_eq!(handled.lock().unwrap().drain(..).count(), 221 + 1);

    let report = catch_up("").run_once(&store).await.unwrap();
    assert!(report.is_ok() && report.objects[0].created == 50, "{report:?}");
    let again: Vec<_> = handled.lock().unwrap().drain(..).collect();
    assert_eq!((again.len(), again[0].as_str()), (50, "200"));
    catch_up("").run_once(&store).await.unwrap();
    assert!(handled.lock().unwrap().is_empty(), "each state once");
}

/// Nothing of the object was saved, so the next run reads all of it again.
#[tokio::test]
async fn a_backfill_whose_only_page_fails_is_not_over() {
    let (place, store) = (Place::new().await, Memory::default());
    place.people(["1", "2"]);
    let calls = Arc::new(Mutex::new(0));
    let handled = Arc::new(tokio::sync::Notify::new());
    let (counted, done) = (Arc::clone(&calls), Arc::clone(&handled));
    let catch_up = place.catch_up().backfill().every(Duration::from_secs(1)).handle_with(move |_| {
        *counted.lock().unwrap() += 1;
        let call = *counted.lock().unwrap();
        if call == 3 {
            done.notify_one();
        }
        async move { if call == 1 { Err("no space") } else { Ok(()) } }
    });
    let run = catch_up.run_until(&store, handled.notified());
    tokio::time::timeout(Duration::from_secs(30), run).await.expect("both are handled");
    assert_eq!(*calls.lock().unwrap(), 3);
}

#[tokio::test]
async fn a_dry_run_calls_no_handler() {
    let (place, store) = (Place::new().await, Memory::default());
    place.people(["1"]);
    let catch_up = place.catch_up().backfill().dry_run().handle_with(|_| async {
        panic!("it is called");
        #[expect(unreachable_code, reason = "the type of its result")]
        Ok::<_, std::io::Error>(())
    });
    assert_eq!(catch_up.run_once(&store).await.unwrap().events(), 1);
}
