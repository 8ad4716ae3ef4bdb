use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Map, Value};
use tokio::sync::oneshot;
use twenty_webhook_core::UnixMillis;

use super::change::ChangeError;
use super::state::Shared;
use super::webhooks::Webhook;
use super::{ApiFailure, FakeTwentyBuilder, Faults, Ledger, Role};

/// A Twenty in the test's process: records in memory, webhooks that are delivered over HTTP, and the REST API.
///
/// ```no_run
/// use serde_json::json;
/// use twenty_webhook_testing::{FakeTwenty, RateLimit};
///
/// # async fn test(receiver_url: &str) {
/// let twenty = FakeTwenty::start();
/// let webhook = twenty.add_webhook(receiver_url, ["person.*"], "s3cret");
///
/// let id = twenty.create("person", json!({ "city": "London" }));
/// twenty.set_faults(|faults| faults.rate_limit = Some(RateLimit::per_minute(1)));
/// twenty.update("person", &[&id], json!({ "city": "Nantes" }));
/// twenty.update("person", &[&id], json!({ "city": "Osaka" }));
/// twenty.idle().await;
///
/// let ledger = twenty.ledger();
/// assert_eq!(ledger.accepted(&webhook).len(), 2);
/// assert_eq!(ledger.missed(&webhook)[0].name, "person.updated");
/// # }
/// ```
///
/// It delivers as the real one does: a call has 5 seconds, a failed one is never repeated, up to 20 of a job are under way at once, and a
/// job waits for the slowest of the one before it. What else goes wrong is switched on by [`Faults`].
///
/// It runs in a thread of its own, so it can be used in tests of any runtime, and of none. It stops when it is dropped.
pub struct FakeTwenty {
    pub(super) shared: Arc<Shared>,
    pub(super) address: SocketAddr,
    pub(super) api_key: String,
    /// It stops when this is dropped.
    pub(super) _stop: oneshot::Sender<()>,
}

impl FakeTwenty {
    /// Starts one with the defaults.
    #[track_caller]
    pub fn start() -> Self {
        Self::builder().start()
    }

    /// Settings that cannot change later.
    pub fn builder() -> FakeTwentyBuilder {
        FakeTwentyBuilder::default()
    }

    /// The base of its API: `http://127.0.0.1:…`.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// An API key that may do everything.
    pub fn api_key(&self) -> &str {
        &self.api_key
    }

    /// Another API key, with a role.
    pub fn add_api_key(&self, role: Role) -> String {
        let mut state = self.shared.state();
        let key = format!("key-{}", state.random.hex(16));
        state.roles.insert(key.clone(), role);
        key
    }

    /// Gives an API key another role.
    pub fn set_role(&self, api_key: &str, role: Role) {
        self.shared.state().roles.insert(api_key.to_owned(), role);
    }

    /// Takes an API key away: its requests are answered with 401.
    pub fn revoke(&self, api_key: &str) {
        self.shared.state().roles.remove(api_key);
    }

    /// Switches faults on or off.
    pub fn set_faults(&self, set: impl FnOnce(&mut Faults)) {
        set(&mut self.shared.state().faults);
        self.shared.wake.notify_one();
    }

    /// Makes the next requests to the REST API fail, one after another.
    pub fn fail_next(&self, failures: impl IntoIterator<Item = ApiFailure>) {
        self.shared.state().api_failures.extend(failures);
    }

    /// The requests that the REST API has had, as `GET /rest/people?limit=200`, in the order of arrival.
    pub fn api_requests(&self) -> Vec<String> {
        self.shared.state().api_requests.clone()
    }

    /// The failures of [`fail_next`](Self::fail_next) that requests have met so far, in order.
    pub fn met_failures(&self) -> Vec<ApiFailure> {
        self.shared.state().met_failures.clone()
    }

    /// How many pages had the cursor that was sent for them, because of [`Faults::repeat_cursor`].
    pub fn repeated_cursors(&self) -> usize {
        self.shared.state().repeated_cursors
    }

    /// Lets so many more requests to the REST API through, and keeps those after them waiting, so that a test can change something between two
    /// pages: wait until [`api_requests`](Self::api_requests) has the next one. [`release_requests`](Self::release_requests) ends it.
    pub fn hold_requests_after(&self, requests: usize) {
        self.shared.gate.send_replace(Some(requests));
    }

    /// Lets all requests through again.
    pub fn release_requests(&self) {
        self.shared.gate.send_replace(None);
    }

    /// Adds a custom object to the data model, which is an event too.
    pub fn add_object(&self, singular: &str, plural: &str) {
        self.shared.add_object(singular, plural);
    }

    /// Announces a change of the data model, as `("fieldMetadata", "updated", "Launch date")`.
    pub fn change_data_model(&self, metadata_name: &str, action: &str, label: &str) {
        self.shared.change_data_model(metadata_name, action, label);
    }

    /// Adds a webhook, and returns its id. Without a secret (`""`) its deliveries are unsigned.
    pub fn add_webhook<O: Into<String>>(
        &self,
        target_url: impl Into<String>,
        operations: impl IntoIterator<Item = O>,
        secret: impl Into<String>,
    ) -> String {
        let mut state = self.shared.state();
        let id = state.random.uuid();
        state.webhooks.push(Webhook {
            id: id.clone(),
            target_url: target_url.into(),
            operations: operations.into_iter().map(Into::into).collect(),
            description: None,
            secret: secret.into(),
            cached_secret: None,
        });
        id
    }

    /// Creates a record, and returns its id. Fields that the object does not have become custom fields of it; those that are not given
    /// have made-up values. The dates can be given too, as an import does.
    ///
    /// # Panics
    /// If there is no such object, the id is taken, or `fields` is no JSON object. So do the other methods that change records; they panic too
    /// if there is no record with one of the ids.
    #[track_caller]
    pub fn create(&self, object: &str, fields: Value) -> String {
        self.create_many(object, [fields]).remove(0)
    }

    /// Creates records in one call, and returns their ids.
    ///
    /// # Panics
    /// As [`create`](Self::create).
    #[track_caller]
    pub fn create_many(&self, object: &str, records: impl IntoIterator<Item = Value>) -> Vec<String> {
        let records: Vec<_> = records.into_iter().map(|fields| members(fields)).collect();
        done(self.shared.create(object, records))
    }

    /// Sets the same fields of records in one call.
    ///
    /// # Panics
    /// As [`create`](Self::create).
    #[track_caller]
    pub fn update(&self, object: &str, ids: &[impl AsRef<str>], fields: Value) {
        done(self.shared.update(object, &owned(ids), &members(fields)));
    }

    /// Moves records to the trash in one call.
    ///
    /// # Panics
    /// As [`create`](Self::create).
    #[track_caller]
    pub fn delete(&self, object: &str, ids: &[impl AsRef<str>]) {
        done(self.shared.delete(object, &owned(ids)));
    }

    /// Takes records out of the trash in one call.
    ///
    /// # Panics
    /// As [`create`](Self::create).
    #[track_caller]
    pub fn restore(&self, object: &str, ids: &[impl AsRef<str>]) {
        done(self.shared.restore(object, &owned(ids)));
    }

    /// Destroys records in one call.
    ///
    /// # Panics
    /// As [`create`](Self::create).
    #[track_caller]
    pub fn destroy(&self, object: &str, ids: &[impl AsRef<str>]) {
        done(self.shared.destroy(object, &owned(ids)));
    }

    /// Makes a record private: no webhook tells of it any more, and no API key sees it.
    ///
    /// # Panics
    /// If there is no such object.
    #[track_caller]
    pub fn make_private(&self, object: &str, id: &str) {
        let mut state = self.shared.state();
        let table = state.data.table_mut(object).expect("the object is in the data model");
        table.private.insert(id.to_owned());
    }

    /// The records of an object as they are now, also those in the trash, in the order of their ids.
    pub fn records(&self, object: &str) -> Vec<Value> {
        let state = self.shared.state();
        let rows = state.data.table(object).map(|table| table.rows.values());
        rows.into_iter().flatten().map(|record| serde_json::to_value(record).unwrap_or_default()).collect()
    }

    /// Keeps jobs in the queue, until [`resume`](Self::resume): a lag of the queue, as long as the test likes.
    pub fn pause(&self) {
        self.shared.state().is_paused = true;
    }

    /// Runs jobs again.
    pub fn resume(&self) {
        self.shared.state().is_paused = false;
        self.shared.wake.notify_one();
    }

    /// Waits until no job waits or runs. It waits for ever while the queue is paused, or lags by a clock that stands still.
    pub async fn idle(&self) {
        // The sender lives as long as this.
        let _ = self.shared.pending.subscribe().wait_for(|pending| *pending == 0).await;
    }

    /// The same where there is no runtime. Not for a test whose receiver runs in the same thread.
    ///
    /// # Panics
    /// If there are jobs still after `limit`.
    #[track_caller]
    pub fn wait_until_idle(&self, limit: Duration) {
        let deadline = Instant::now() + limit;
        while *self.shared.pending.borrow() > 0 {
            assert!(Instant::now() < deadline, "there are jobs still after {limit:?}");
            thread::sleep(Duration::from_millis(1));
        }
    }

    /// What changed, what was sent, and what was dropped, so far.
    pub fn ledger(&self) -> Ledger {
        self.shared.state().ledger.clone()
    }

    /// How many changes there were so far, without a copy of the ledger.
    pub fn changes(&self) -> usize {
        self.shared.state().ledger.changes.len()
    }

    /// What the server's clock shows: the injected one, and its skew.
    pub fn now(&self) -> UnixMillis {
        self.shared.now(&self.shared.state().faults)
    }
}

impl fmt::Debug for FakeTwenty {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FakeTwenty").field("url", &self.url()).finish_non_exhaustive()
    }
}

#[track_caller]
fn done<T>(result: Result<T, ChangeError>) -> T {
    match result {
        Ok(value) => value,
        Err(error) => panic!("{error}"),
    }
}

#[track_caller]
fn members(fields: Value) -> Map<String, Value> {
    match fields {
        Value::Object(fields) => fields,
        _ => panic!("fields are a JSON object"),
    }
}

fn owned(ids: &[impl AsRef<str>]) -> Vec<String> {
    ids.iter().map(|id| id.as_ref().to_owned()).collect()
}
