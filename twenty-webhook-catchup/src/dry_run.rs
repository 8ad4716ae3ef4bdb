use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use twenty_webhook_inbox::{
    CatchUpCommit, CatchUpScope, CatchUpStore, IdCounts, InboxError, KnownRecord, MissingRecord,
};

/// How many ids are read from the store at a time.
const PAGE: u32 = 1000;

/// Reads from a store, and keeps the writes of a run in memory. So a dry run executes the same code as a run.
#[derive(Clone, Debug)]
pub(crate) struct DryRun<S> {
    store: S,
    written: Arc<Mutex<Written>>,
}

#[derive(Debug, Default)]
struct Written {
    /// The scope whose data a run would move here.
    adopted_from: Option<String>,
    progress: HashMap<String, String>,
    objects: HashMap<String, Ids>,
}

/// The ids of one object.
#[derive(Debug, Default)]
struct Ids {
    found: BTreeMap<String, Seen>,
    gone: BTreeSet<String>,
}

#[derive(Clone, Copy, Debug)]
struct Seen {
    pass: i64,
    state: Option<i64>,
    is_handled: bool,
}

impl<S: CatchUpStore> DryRun<S> {
    pub(crate) fn on(store: S) -> Self {
        Self { store, written: Arc::default() }
    }

    fn written(&self) -> MutexGuard<'_, Written> {
        self.written.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn seen(&self, object: &str, id: &str) -> Option<Seen> {
        self.written().objects.get(object)?.found.get(id).copied()
    }

    /// The scope that the store has the progress and the ids under.
    fn saved_under(&self, scope: &str) -> String {
        self.written().adopted_from.clone().unwrap_or_else(|| scope.to_owned())
    }

    /// What the store knows: from the deliveries of this scope, and from what catch-up saved.
    async fn stored(&self, scope: &str, object: &str, ids: &[String]) -> Result<Vec<KnownRecord>, InboxError> {
        let known = self.store.known(scope, object, ids).await?;
        let saved_under = self.saved_under(scope);
        if saved_under == scope {
            return Ok(known);
        }
        let saved = self.store.known(&saved_under, object, ids).await?;
        Ok(known.into_iter().zip(saved).map(|(one, other)| merged(&one, &other)).collect())
    }

    /// Whether a pass has not seen this id.
    fn is_missing(&self, object: &str, id: &str, pass: i64) -> bool {
        let written = self.written();
        let Some(ids) = written.objects.get(object) else { return true };
        !ids.gone.contains(id) && ids.found.get(id).is_none_or(|seen| seen.pass != pass)
    }

    /// The next stored ids that the pass has not seen, without those destroyed by a delivery; and the last id that was read.
    async fn page(
        &self,
        scope: &str,
        object: &str,
        pass: i64,
        key_tag: Option<&str>,
        after: &str,
        limit: u32,
    ) -> Result<(Vec<MissingRecord>, Option<String>), InboxError> {
        let page = self.store.missing(&self.saved_under(scope), object, pass, key_tag, after, limit).await?;
        let last = page.last().map(|missing| missing.id.clone());
        let ids: Vec<_> = page.iter().map(|missing| missing.id.clone()).collect();
        let known = if ids.is_empty() { Vec::new() } else { self.stored(scope, object, &ids).await? };
        let page = page.into_iter().zip(known).filter(|(_, known)| known.handled != Some(i64::MAX));
        Ok((page.map(|(missing, _)| missing).collect(), last))
    }

    async fn count(
        &self,
        scope: &str,
        object: &str,
        pass: i64,
        key_tag: Option<&str>,
        counts: impl Fn(&str) -> bool,
    ) -> Result<u64, InboxError> {
        let (mut count, mut after) = (0, String::new());
        loop {
            let (page, last) = self.page(scope, object, pass, key_tag, &after, PAGE).await?;
            count += page.iter().filter(|missing| counts(&missing.id)).count() as u64;
            let Some(last) = last else { return Ok(count) };
            after = last;
        }
    }
}

impl<S: CatchUpStore> CatchUpStore for DryRun<S> {
    async fn scopes(&self) -> Result<Vec<CatchUpScope>, InboxError> {
        self.store.scopes().await
    }

    async fn adopt(&self, scope: &CatchUpScope) -> Result<(), InboxError> {
        let from = self.store.adoptable(scope).await?;
        self.written().adopted_from = from;
        Ok(())
    }

    async fn progress(&self, scope: &str, name: &str) -> Result<Option<String>, InboxError> {
        let written = self.written().progress.get(name).cloned();
        if written.is_some() { Ok(written) } else { self.store.progress(&self.saved_under(scope), name).await }
    }

    async fn known(&self, scope: &str, object: &str, ids: &[String]) -> Result<Vec<KnownRecord>, InboxError> {
        let mut known = self.stored(scope, object, ids).await?;
        for (id, known) in ids.iter().zip(&mut known) {
            let Some(seen) = self.seen(object, id) else { continue };
            known.is_seen = true;
            if seen.state > known.state {
                (known.state, known.is_handled) = (seen.state, seen.is_handled);
            }
        }
        Ok(known)
    }

    async fn commit(&self, commit: CatchUpCommit) -> Result<u64, InboxError> {
        let mut written = self.written();
        written.progress.extend(commit.progress);
        let ids = written.objects.entry(commit.object).or_default();
        for found in commit.found {
            let seen = Seen { pass: commit.pass, state: found.state, is_handled: commit.are_handled };
            ids.gone.remove(&found.id);
            ids.found.insert(found.id, seen);
        }
        for id in commit.gone {
            ids.found.remove(&id);
            ids.gone.insert(id);
        }
        Ok(commit.events.len() as u64)
    }

    async fn count_ids(&self, scope: &str, object: &str, pass: i64, key_tag: &str) -> Result<IdCounts, InboxError> {
        // No pass has this number, so all ids are missing from it.
        let stored = self.count(scope, object, i64::MIN, None, |id| self.seen(object, id).is_none()).await?;
        let found = self.written().objects.get(object).map_or(0, |ids| ids.found.len()) as u64;
        let is_missing = |id: &str| self.is_missing(object, id, pass);
        let missing = self.count(scope, object, pass, Some(key_tag), is_missing).await?;
        let unproven = self.count(scope, object, pass, None, is_missing).await?.saturating_sub(missing);
        Ok(IdCounts { known: stored + found, missing, unproven })
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
        let mut after = after.to_owned();
        loop {
            let (mut page, last) = self.page(scope, object, pass, key_tag, &after, limit).await?;
            page.retain(|missing| self.is_missing(object, &missing.id, pass));
            match last {
                // This page has no missing ids; the next one may.
                Some(last) if page.is_empty() => after = last,
                _ => return Ok(page),
            }
        }
    }

    async fn deliveries_within(&self, scope: &str, time: Duration) -> Result<u64, InboxError> {
        self.store.deliveries_within(scope, time).await
    }

    async fn losses(&self) -> Result<u64, InboxError> {
        self.store.losses().await
    }
}

/// What two scopes know of one record.
fn merged(one: &KnownRecord, other: &KnownRecord) -> KnownRecord {
    let (state, is_handled) = (one.state, one.is_handled).max((other.state, other.is_handled));
    KnownRecord {
        state,
        is_handled,
        is_seen: one.is_seen || other.is_seen,
        handled: one.handled.max(other.handled),
        dead: one.dead.into_iter().chain(other.dead).max_by_key(|(_, state)| *state),
    }
}
