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

/// A fake Twenty in the test's process: records in memory, webhooks over HTTP, and the REST API.
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
/// It delivers like the real one: a call has 5 seconds, a failed call is never retried, up to 20 calls of a job run concurrently, and the
/// next job waits for the slowest call. [`Faults`] switches on further faults.
///
/// It runs in its own thread, so it works with any runtime and without one. It stops when it is dropped.
pub struct FakeTwenty {
    pub(super) shared: Arc<Shared>,
    pub(super) address: SocketAddr,
    pub(super) api_key: String,
    /// Dropping it stops the thread.
    pub(super) _stop: oneshot::Sender<()>,
}

impl FakeTwenty {
    /// Starts one with the default settings.
    ///
    /// # Panics
    /// If it cannot listen on 127.0.0.1, or a thread cannot be started.
    #[track_caller]
    pub fn start() -> Self {
        Self::builder().start()
    }

    /// Settings that cannot change after the start.
    pub fn builder() -> FakeTwentyBuilder {
        FakeTwentyBuilder::default()
    }

    /// The base URL of its API: `http://127.0.0.1:…`.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// An API key with all permissions.
    pub fn api_key(&self) -> &str {
        &self.api_key
    }

    /// Adds an API key with a role, and returns it.
    pub fn add_api_key(&self, role: Role) -> String {
        let mut state = self.shared.state();
        let key = format!("key-{}", state.random.hex(16));
        state.roles.insert(key.clone(), role);
        key
    }

    /// Sets the role of an API key.
    pub fn set_role(&self, api_key: &str, role: Role) {
        self.shared.state().roles.insert(api_key.to_owned(), role);
    }

    /// Revokes an API key. Its requests get 401.
    pub fn revoke(&self, api_key: &str) {
        self.shared.state().roles.remove(api_key);
    }

    /// Switches faults on or off.
    pub fn set_faults(&self, set: impl FnOnce(&mut Faults)) {
        set(&mut self.shared.state().faults);
        self.shared.wake.notify_one();
    }

    /// Makes the next requests to the REST API fail, each in one of these ways.
    pub fn fail_next(&self, failures: impl IntoIterator<Item = ApiFailure>) {
        self.shared.state().api_failures.extend(failures);
    }

    /// The requests to the REST API in order of arrival, for example `GET /rest/people?limit=200`.
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

    /// Lets `requests` more requests to the REST API through and holds the later ones, so that a test can change something between two
    /// pages. Wait until [`api_requests`](Self::api_requests) has the held request. [`release_requests`](Self::release_requests) ends it.
    pub fn hold_requests_after(&self, requests: usize) {
        self.shared.gate.send_replace(Some(requests));
    }

    /// Lets all requests through again.
    pub fn release_requests(&self) {
        self.shared.gate.send_replace(None);
    }

    /// Adds a custom object to the data model, and emits the event for it.
    pub fn add_object(&self, singular: &str, plural: &str) {
        self.shared.add_object(singular, plural);
    }

    /// Emits an event for a change of the data model, for example `("fieldMetadata", "updated", "Launch date")`.
    pub fn change_data_model(&self, metadata_name: &str, action: &str, label: &str) {
        self.shared.change_data_model(metadata_name, action, label);
    }

    /// Adds a webhook and returns its id. With an empty secret, its deliveries are unsigned.
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

    /// Creates a record and returns its id. Fields that the object does not have become custom fields; fields that you do not give are made
    /// up. You can also set the dates, as an import does.
    ///
    /// # Panics
    /// If the object does not exist, the id exists already, or `fields` is not a JSON object. The other methods that change records also
    /// panic if a record does not exist.
    #[track_caller]
    pub fn create(&self, object: &str, fields: Value) -> String {
        self.create_many(object, [fields]).remove(0)
    }

    /// Creates records in one call and returns their ids.
    ///
    /// # Panics
    /// As [`create`](Self::create).
    #[track_caller]
    pub fn create_many(&self, object: &str, records: impl IntoIterator<Item = Value>) -> Vec<String> {
        let records: Vec<_> = records.into_iter().map(|fields| members(fields)).collect();
        done(self.shared.create(object, records))
    }

    /// Sets the same fields in several records in one call.
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

    /// Restores records from the trash in one call.
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

    /// Makes a record private: it sends no more events, and no API key sees it.
    ///
    /// # Panics
    /// If the object does not exist.
    #[track_caller]
    pub fn make_private(&self, object: &str, id: &str) {
        let mut state = self.shared.state();
        let table = state.data.table_mut(object).expect("the object is in the data model");
        table.private.insert(id.to_owned());
    }

    /// The current records of an object, including those in the trash, ordered by id.
    pub fn records(&self, object: &str) -> Vec<Value> {
        let state = self.shared.state();
        let rows = state.data.table(object).map(|table| table.rows.values());
        rows.into_iter().flatten().map(|record| serde_json::to_value(record).unwrap_or_default()).collect()
    }

    /// Pauses the queue until [`resume`](Self::resume).
    pub fn pause(&self) {
        self.shared.state().is_paused = true;
    }

    /// Resumes the queue.
    pub fn resume(&self) {
        self.shared.state().is_paused = false;
        self.shared.wake.notify_one();
    }

    /// Waits until no job waits or runs. It never returns while the queue is paused, or while a lag waits for a clock that the test does not
    /// advance.
    pub async fn idle(&self) {
        // It cannot fail: `self` owns the sender.
        let _ = self.shared.pending.subscribe().wait_for(|pending| *pending == 0).await;
    }

    /// Like [`idle`](Self::idle), but blocks the thread. Do not use it if the receiver runs in the same thread.
    ///
    /// # Panics
    /// If jobs remain after `limit`.
    #[track_caller]
    pub fn wait_until_idle(&self, limit: Duration) {
        let deadline = Instant::now() + limit;
        while *self.shared.pending.borrow() > 0 {
            assert!(Instant::now() < deadline, "jobs remain after {limit:?}");
            thread::sleep(Duration::from_millis(1));
        }
    }

    /// Everything that changed, was sent and was dropped so far.
    pub fn ledger(&self) -> Ledger {
        self.shared.state().ledger.clone()
    }

    /// The number of changes so far, without a copy of the ledger.
    pub fn changes(&self) -> usize {
        self.shared.state().ledger.changes.len()
    }

    /// The time of the server's clock: the injected clock and its skew.
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
        _ => panic!("fields must be a JSON object"),
    }
}

fn owned(ids: &[impl AsRef<str>]) -> Vec<String> {
    ids.iter().map(|id| id.as_ref().to_owned()).collect()
}
