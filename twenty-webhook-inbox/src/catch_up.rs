use std::time::Duration;

use tokio::time::timeout;
use twenty_webhook_core::WebhookEvent;

use crate::answer::answer;
use crate::{Inbox, InboxError, JobId, Store};

/// The longest lease. One that ends later was made before the clock was set back, and is free.
#[cfg(any(feature = "sqlite", feature = "postgres"))]
pub(crate) const MAX_LEASE: Duration = Duration::from_hours(1);

/// How long reading the whole table may take.
const SCAN: Duration = Duration::from_mins(10);

/// The storage of `twenty-webhook-catchup`: an [`Inbox`] on SQLite or Postgres, or your own database.
///
/// A *state* of a record is its `updatedAt` in Unix milliseconds. A *pass* is one listing of all ids of an object, and passes are numbered
/// from 1. A *scope* is a tenant or a workspace; `scope` is its [key](CatchUpScope::key). The data of different scopes is independent. An
/// `object` is named by its singular name, such as `person`.
///
/// Seven methods have a default, for programs with one workspace that never run twice at once. The example `catchup-upsert` implements the
/// others on SQLite.
pub trait CatchUpStore: Clone + Send + Sync + 'static {
    /// The scopes that have deliveries, at most three of them. If there is only one, it is the scope of an API key that names no workspace. A
    /// scope with a tenant contains the workspace's id too, if deliveries contained it. The default returns none.
    ///
    /// # Errors
    /// If the database fails.
    fn scopes(&self) -> impl Future<Output = Result<Vec<CatchUpScope>, InboxError>> + Send {
        async { Ok(Vec::new()) }
    }

    /// Moves what was saved before the workspace or the tenant was known to this scope, unless this scope has progress already. It was saved
    /// under the empty scope; or, if this scope has a tenant and a workspace, under that workspace. The default does nothing.
    ///
    /// # Errors
    /// If the database fails.
    fn adopt(&self, _scope: &CatchUpScope) -> impl Future<Output = Result<(), InboxError>> + Send {
        async { Ok(()) }
    }

    /// The key of the scope whose data [`adopt`](Self::adopt) would move. For dry runs. The default returns `None`.
    ///
    /// # Errors
    /// If the database fails.
    fn adoptable(&self, _scope: &CatchUpScope) -> impl Future<Output = Result<Option<String>, InboxError>> + Send {
        async { Ok(None) }
    }

    /// Acquires the scope's lease for `token`, or renews it, for `lease` from now, at most an hour. Zero releases it. Returns whether `token`
    /// has the lease. The default always returns `true`.
    ///
    /// # Errors
    /// If the database fails.
    fn lease(
        &self,
        _scope: &str,
        _token: i64,
        _lease: Duration,
    ) -> impl Future<Output = Result<bool, InboxError>> + Send {
        async { Ok(true) }
    }

    /// The progress that [`commit`](Self::commit) saved under this name.
    ///
    /// # Errors
    /// If the database fails.
    fn progress(&self, scope: &str, name: &str) -> impl Future<Output = Result<Option<String>, InboxError>> + Send;

    /// What is known about these records, in the order of `ids`. `KnownRecord::default()` is a record without data, and one whose `destroyed`
    /// [`commit`](Self::commit) stored: it was just read, so it is not destroyed, and its state must be handled again.
    ///
    /// # Errors
    /// If the database fails.
    fn known(
        &self,
        scope: &str,
        object: &str,
        ids: &[String],
    ) -> impl Future<Output = Result<Vec<KnownRecord>, InboxError>> + Send;

    /// Saves a page in one transaction: its events, ids and progress. Leaves out an event if its state, or a newer one, is stored by now. Returns
    /// the number of new events.
    ///
    /// A record in [`found`](CatchUpCommit::found) exists: an earlier `destroyed` of it was wrong. It is not handled any more, and what was
    /// handled before it does not count.
    ///
    /// # Errors
    /// [`InboxError::CatchUpLeaseLost`] if the token does not have the lease, or it has expired; or if the database fails.
    fn commit(&self, commit: CatchUpCommit) -> impl Future<Output = Result<u64, InboxError>> + Send;

    /// Adds the ids that are known only from deliveries, with an empty key tag. Called before a pass. The default does nothing.
    ///
    /// # Errors
    /// If the database fails.
    fn add_delivered_ids(&self, _scope: &str, _object: &str) -> impl Future<Output = Result<(), InboxError>> + Send {
        async { Ok(()) }
    }

    /// Counts the known ids of an object. First removes those that a delivery reported as destroyed.
    ///
    /// # Errors
    /// If the database fails.
    fn count_ids(
        &self,
        scope: &str,
        object: &str,
        pass: i64,
        key_tag: &str,
    ) -> impl Future<Output = Result<IdCounts, InboxError>> + Send;

    /// The known ids that this pass has not seen, in ascending order: at most `limit` of those after `after`. With `key_tag`, only ids that
    /// this API key has read before.
    ///
    /// # Errors
    /// If the database fails.
    fn missing(
        &self,
        scope: &str,
        object: &str,
        pass: i64,
        key_tag: Option<&str>,
        after: &str,
        limit: u32,
    ) -> impl Future<Output = Result<Vec<MissingRecord>, InboxError>> + Send;

    /// The number of deliveries that arrived within this time until now; it may stop counting at 1,000. Near Twenty's rate limit, Twenty drops
    /// deliveries. The default returns 0.
    ///
    /// # Errors
    /// If the database fails.
    fn deliveries_within(&self, _scope: &str, _time: Duration) -> impl Future<Output = Result<u64, InboxError>> + Send {
        async { Ok(0) }
    }

    /// A counter of possible losses: a delivery that could not be stored, or a receiver's downtime. When it grows, a run starts early. The
    /// default returns 0.
    ///
    /// # Errors
    /// If the database fails.
    fn losses(&self) -> impl Future<Output = Result<u64, InboxError>> + Send {
        async { Ok(0) }
    }
}

/// Identifies the workspace of stored data, as for deliveries: by the tenant whose secret signs, or else by the workspace's id.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CatchUpScope {
    /// The [tenant](twenty_webhook_core::Verifier::tenant) of the verifier.
    pub tenant: Option<String>,
    /// The workspace's id, a UUID.
    pub workspace_id: Option<String>,
}

impl CatchUpScope {
    /// The tenant, else the workspace's id, else an empty string.
    pub fn key(&self) -> &str {
        self.tenant.as_deref().or(self.workspace_id.as_deref()).unwrap_or_default()
    }

    /// The keys under which data of this scope may have been saved before it was known.
    #[cfg(any(feature = "sqlite", feature = "postgres"))]
    pub(crate) fn adopts_from(&self) -> impl Iterator<Item = &str> {
        let workspace = self.workspace_id.as_deref().filter(|_| self.tenant.is_some());
        workspace.into_iter().chain([""])
    }
}

/// What is known about a record. States are in Unix milliseconds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KnownRecord {
    /// The newest state that catch-up has seen and need not read again. `None` if there is none.
    pub state: Option<i64>,
    /// Whether an event exists for that state. There is none for a state that the first run found.
    pub is_handled: bool,
    /// Whether the id was seen before, through the API or in a delivery.
    pub is_seen: bool,
    /// The newest state whose event is pending, running or done; [`i64::MAX`] if a delivery reported the record as destroyed.
    pub handled: Option<i64>,
    /// The dead letter with the newest state: its job, and the state.
    pub dead: Option<(JobId, i64)>,
}

/// A record that the API returned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FoundRecord {
    /// The record's id.
    pub id: String,
    /// Its state in Unix milliseconds, if later runs need not read this state again.
    pub state: Option<i64>,
}

/// What [`CatchUpStore::commit`] saves.
#[derive(Clone, Debug, Default)]
pub struct CatchUpCommit {
    /// The workspace.
    pub scope: CatchUpScope,
    /// The token that must have the lease.
    pub token: i64,
    /// The lease is renewed for this long from now.
    pub lease: Duration,
    /// The singular name of the object.
    pub object: String,
    /// The number of the running or last pass.
    pub pass: i64,
    /// Identifies the API key: the first 64 bits of a hash, in hex. Not secret.
    pub key_tag: String,
    /// The events to store.
    pub events: Vec<WebhookEvent>,
    /// Records that exist.
    pub found: Vec<FoundRecord>,
    /// The value of [`KnownRecord::is_handled`] for the states in `found`.
    pub are_handled: bool,
    /// Ids of records that no longer exist.
    pub gone: Vec<String>,
    /// Progress to save: names and values, both opaque text.
    pub progress: Vec<(String, String)>,
}

/// Numbers of known ids of an object.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct IdCounts {
    /// All known ids.
    pub known: u64,
    /// Ids that the pass has not seen, and that the same API key has read before.
    pub missing: u64,
    /// Ids that the pass has not seen, and that this API key has never read.
    pub unproven: u64,
}

/// A known record that a pass has not seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MissingRecord {
    /// The record's id.
    pub id: String,
    /// Its last known state, in Unix milliseconds.
    pub state: Option<i64>,
}

/// For a call that reads the whole table.
async fn scan<T>(call: impl Future<Output = Result<T, InboxError>>) -> Result<T, InboxError> {
    timeout(SCAN, call).await.unwrap_or(Err(InboxError::Deadline(SCAN)))
}

/// Wakes the workers of this inbox for new events. Each call has a deadline, so that a run does not wait for a database that is gone: 25
/// seconds, and 10 minutes for `scopes` and `add_delivered_ids`, which read the whole table.
impl<S: Store + CatchUpStore> CatchUpStore for Inbox<S> {
    async fn scopes(&self) -> Result<Vec<CatchUpScope>, InboxError> {
        scan(self.store.scopes()).await
    }

    async fn adopt(&self, scope: &CatchUpScope) -> Result<(), InboxError> {
        answer(self.store.adopt(scope)).await
    }

    async fn adoptable(&self, scope: &CatchUpScope) -> Result<Option<String>, InboxError> {
        answer(self.store.adoptable(scope)).await
    }

    async fn lease(&self, scope: &str, token: i64, lease: Duration) -> Result<bool, InboxError> {
        answer(self.store.lease(scope, token, lease)).await
    }

    async fn progress(&self, scope: &str, name: &str) -> Result<Option<String>, InboxError> {
        answer(self.store.progress(scope, name)).await
    }

    async fn known(&self, scope: &str, object: &str, ids: &[String]) -> Result<Vec<KnownRecord>, InboxError> {
        answer(self.store.known(scope, object, ids)).await
    }

    async fn commit(&self, commit: CatchUpCommit) -> Result<u64, InboxError> {
        let new = answer(self.store.commit(commit)).await?;
        if new > 0 {
            self.wake.notify_one();
        }
        Ok(new)
    }

    async fn add_delivered_ids(&self, scope: &str, object: &str) -> Result<(), InboxError> {
        scan(self.store.add_delivered_ids(scope, object)).await
    }

    async fn count_ids(&self, scope: &str, object: &str, pass: i64, key_tag: &str) -> Result<IdCounts, InboxError> {
        answer(self.store.count_ids(scope, object, pass, key_tag)).await
    }

    async fn missing(
        &self,
        scope: &str,
        object: &str,
        pass: i64,
        key_tag: Option<&str>,
        after: &str,
        limit: u32,
    ) -> Result<Vec<MissingRecord>, InboxError> {
        answer(self.store.missing(scope, object, pass, key_tag, after, limit)).await
    }

    async fn deliveries_within(&self, scope: &str, time: Duration) -> Result<u64, InboxError> {
        answer(self.store.deliveries_within(scope, time)).await
    }

    async fn losses(&self) -> Result<u64, InboxError> {
        answer(self.store.losses()).await
    }
}
