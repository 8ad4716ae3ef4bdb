use std::time::Duration;

use twenty_webhook_core::WebhookEvent;

use crate::{Inbox, InboxError, JobId, Store};

/// Where `twenty-webhook-catchup` keeps its progress: an [`Inbox`] on SQLite or Postgres, or a database of your own.
///
/// A *state* of a record is its `updatedAt` in Unix milliseconds. A *pass* is one listing of all ids of an object. Everything is kept apart
/// by the key of the scope (a tenant or a workspace).
pub trait CatchUpStore: Clone + Send + Sync + 'static {
    /// The scopes that deliveries came from, at most two of them. Where nothing else tells which workspace an API key is of, one that is
    /// alone does.
    fn scopes(&self) -> impl Future<Output = Result<Vec<CatchUpScope>, InboxError>> + Send {
        async { Ok(Vec::new()) }
    }

    /// Moves what was saved under the empty scope, before anything said which workspace it is of, to this one; unless that has progress of
    /// its own. By default nothing is: that is for databases of one workspace.
    fn adopt(&self, _scope: &CatchUpScope) -> impl Future<Output = Result<(), InboxError>> + Send {
        async { Ok(()) }
    }

    /// Whether [`adopt`](Self::adopt) would move anything to this scope. For a dry run. By default it would not.
    fn can_adopt(&self, _scope: &CatchUpScope) -> impl Future<Output = Result<bool, InboxError>> + Send {
        async { Ok(false) }
    }

    /// Takes the scope's one lease, or extends it; a length of zero gives it back. Returns whether it is this token's now. By default it
    /// always is: that is for programs that never run twice at once.
    fn lease(
        &self,
        _scope: &str,
        _token: i64,
        _lease: Duration,
    ) -> impl Future<Output = Result<bool, InboxError>> + Send {
        async { Ok(true) }
    }

    /// What [`commit`](Self::commit) saved under this name.
    fn progress(&self, scope: &str, name: &str) -> impl Future<Output = Result<Option<String>, InboxError>> + Send;

    /// What is known of these records; in the same order.
    fn known(
        &self,
        scope: &str,
        object: &str,
        ids: &[String],
    ) -> impl Future<Output = Result<Vec<Known>, InboxError>> + Send;

    /// Saves one page: its events, ids and the progress, all or nothing. An event whose state, or a newer one, is known by now is left out.
    /// Returns how many events are new.
    ///
    /// # Errors
    /// [`InboxError::CatchUpLeaseLost`] if the lease is not this token's, or ran out.
    fn commit(&self, commit: CatchUpCommit) -> impl Future<Output = Result<u64, InboxError>> + Send;

    /// Before a pass: adds the ids that are known only from deliveries, with an empty key tag. By default there are none.
    fn learn(&self, _scope: &str, _object: &str) -> impl Future<Output = Result<(), InboxError>> + Send {
        async { Ok(()) }
    }

    /// Counts the ids of an object, after leaving out those that a delivery said are destroyed.
    fn census(
        &self,
        scope: &str,
        object: &str,
        pass: i64,
        key_tag: &str,
    ) -> impl Future<Output = Result<Census, InboxError>> + Send;

    /// A page of the ids that this pass has not seen, in order, after `after`. With `key_tag`, only those that this API key has read
    /// before.
    fn missing(
        &self,
        scope: &str,
        object: &str,
        pass: i64,
        key_tag: Option<&str>,
        after: &str,
        limit: u32,
    ) -> impl Future<Output = Result<Vec<Missing>, InboxError>> + Send;

    /// How many deliveries, at most a thousand, arrived within this time: at Twenty's ceiling more were dropped. By default none.
    fn deliveries_within(&self, _scope: &str, _time: Duration) -> impl Future<Output = Result<u64, InboxError>> + Send {
        async { Ok(0) }
    }

    /// How often deliveries may have been lost so far: because one could not be stored, or because a receiver was down. When the number
    /// grows, a run starts. By default it never does.
    fn losses(&self) -> impl Future<Output = Result<u64, InboxError>> + Send {
        async { Ok(0) }
    }
}

/// What keeps workspaces apart, as deliveries do: the tenant whose secret signs, or else the workspace.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CatchUpScope {
    /// The tenant of the verifier.
    pub tenant: Option<String>,
    /// The workspace's id.
    pub workspace_id: Option<String>,
}

impl CatchUpScope {
    /// The tenant, or else the workspace, or else nothing.
    pub fn key(&self) -> &str {
        self.tenant.as_deref().or(self.workspace_id.as_deref()).unwrap_or_default()
    }
}

/// What is known of a record.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Known {
    /// The newest state that catch-up has accounted for; `None` if its id was not seen, or not in a state that counts.
    pub state: Option<i64>,
    /// Whether an event was made of that state, or was known: not so for what the first run found.
    pub is_handled: bool,
    /// Whether its id was seen before, by the API or in a delivery.
    pub is_seen: bool,
    /// The newest state that is pending, running or done; [`i64::MAX`] for `destroyed` by a delivery.
    pub handled: Option<i64>,
    /// The dead letter with the newest state, and that state.
    pub dead: Option<(JobId, i64)>,
}

/// An id that the API has shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// The record's id.
    pub id: String,
    /// Its state, if it is accounted for from now on.
    pub state: Option<i64>,
}

/// What [`CatchUpStore::commit`] saves.
#[derive(Clone, Debug, Default)]
pub struct CatchUpCommit {
    /// The workspace.
    pub scope: CatchUpScope,
    /// The lease that must still hold.
    pub token: i64,
    /// It is extended to this long from now.
    pub lease: Duration,
    /// The object, by its singular name.
    pub object: String,
    /// The running or last pass.
    pub pass: i64,
    /// Tells API keys apart; not secret.
    pub key_tag: String,
    /// Caught-up events.
    pub events: Vec<WebhookEvent>,
    /// Ids of records that exist.
    pub found: Vec<Found>,
    /// Whether their states are handled, by these events or by earlier ones: [`Known::is_handled`].
    pub are_handled: bool,
    /// Ids of records that do not.
    pub gone: Vec<String>,
    /// Names and values.
    pub progress: Vec<(String, String)>,
}

/// How many ids of an object are known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Census {
    /// All.
    pub known: u64,
    /// Those that the pass has not seen, and that the same API key had read before.
    pub missing: u64,
    /// Those that the pass has not seen, and that this API key never read.
    pub unproven: u64,
}

/// An id that a pass has not seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Missing {
    /// The record's id.
    pub id: String,
    /// Its last state, if one is known.
    pub state: Option<i64>,
}

/// Wakes its workers for new events.
impl<S: Store + CatchUpStore> CatchUpStore for Inbox<S> {
    async fn scopes(&self) -> Result<Vec<CatchUpScope>, InboxError> {
        self.store.scopes().await
    }

    async fn adopt(&self, scope: &CatchUpScope) -> Result<(), InboxError> {
        self.store.adopt(scope).await
    }

    async fn can_adopt(&self, scope: &CatchUpScope) -> Result<bool, InboxError> {
        self.store.can_adopt(scope).await
    }

    async fn lease(&self, scope: &str, token: i64, lease: Duration) -> Result<bool, InboxError> {
        self.store.lease(scope, token, lease).await
    }

    async fn progress(&self, scope: &str, name: &str) -> Result<Option<String>, InboxError> {
        self.store.progress(scope, name).await
    }

    async fn known(&self, scope: &str, object: &str, ids: &[String]) -> Result<Vec<Known>, InboxError> {
        self.store.known(scope, object, ids).await
    }

    async fn commit(&self, commit: CatchUpCommit) -> Result<u64, InboxError> {
        let new = self.store.commit(commit).await?;
        if new > 0 {
            self.wake.notify_one();
        }
        Ok(new)
    }

    async fn learn(&self, scope: &str, object: &str) -> Result<(), InboxError> {
        self.store.learn(scope, object).await
    }

    async fn census(&self, scope: &str, object: &str, pass: i64, key_tag: &str) -> Result<Census, InboxError> {
        self.store.census(scope, object, pass, key_tag).await
    }

    async fn missing(
        &self,
        scope: &str,
        object: &str,
        pass: i64,
        key_tag: Option<&str>,
        after: &str,
        limit: u32,
    ) -> Result<Vec<Missing>, InboxError> {
        self.store.missing(scope, object, pass, key_tag, after, limit).await
    }

    async fn deliveries_within(&self, scope: &str, time: Duration) -> Result<u64, InboxError> {
        self.store.deliveries_within(scope, time).await
    }

    async fn losses(&self) -> Result<u64, InboxError> {
        self.store.losses().await
    }
}
