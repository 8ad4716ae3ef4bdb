use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Semaphore;

use super::Target;
use crate::{ReplayKey, UnixMillis, Verifier};

/// The maximum number of entries. An entry takes a few hundred bytes.
const CAPACITY: usize = 4096;

/// The maximum number of entries that a full cache keeps.
const MOST_KEPT: usize = CAPACITY / 8 * 7;

/// The answers of a source, by host and path.
///
/// An entry is *proven* once a delivery was verified with its answer. Requests for invented paths and hosts create the other entries, so a
/// full cache evicts those first. A delivery proves one entry: copies of it under invented hosts prove no others.
#[derive(Default)]
pub(super) struct Cache(Mutex<Entries>);

#[derive(Default)]
struct Entries {
    by_key: HashMap<Key, Entry>,
    /// How often an entry was proven.
    proofs: u64,
}

#[derive(Clone, PartialEq, Eq, Hash)]
pub(crate) struct Key {
    host: Box<str>,
    path: Box<str>,
}

/// The answer of a source.
#[derive(Clone)]
pub(super) enum Answer {
    Verifier(Verifier),
    NoTenant,
}

struct Entry {
    /// `None` until the first look-up ends. The time is when the look-up began.
    answer: Option<(Answer, UnixMillis)>,
    proof: Option<Proof>,
    /// One permit, for the request that asks the source.
    look_up: Arc<Semaphore>,
}

struct Proof {
    /// The delivery that proved the entry first.
    by: ReplayKey,
    /// The number of the latest proof.
    latest: u64,
}

/// What the cache contains for a target.
pub(super) enum CacheLookup {
    /// The answer is younger than the TTL.
    Fresh(Answer),
    /// The answer may be used while another request asks the source again.
    Stale(Answer),
    Miss,
}

impl Key {
    /// `None` for a target that is too long for the cache.
    pub(super) fn of(target: &Target<'_>) -> Option<Self> {
        let host = target.host.unwrap_or_default();
        (host.len() + target.path.len() <= 1024).then(|| Self { host: host.into(), path: target.path.into() })
    }
}

impl Cache {
    /// The answer for `key`: fresh until it is `ttl` old. A proven answer is then stale until it is twice that old.
    pub(super) fn get(&self, key: &Key, now: UnixMillis, ttl: Duration) -> CacheLookup {
        let entries = self.entries();
        let Some(Entry { answer: Some((answer, looked_up)), proof, .. }) = entries.by_key.get(key) else {
            return CacheLookup::Miss;
        };
        // After the clock was set back, the answer is expired.
        let age = if now >= *looked_up { now.saturating_since(*looked_up) } else { Duration::MAX };
        match answer {
            _ if age < ttl => CacheLookup::Fresh(answer.clone()),
            Answer::Verifier(_) if proof.is_some() && age < ttl.saturating_mul(2) => CacheLookup::Stale(answer.clone()),
            _ => CacheLookup::Miss,
        }
    }

    pub(super) fn is_proven(&self, key: &Key) -> bool {
        self.entries().by_key.get(key).is_some_and(|entry| entry.proof.is_some())
    }

    /// The semaphore of `key`: one request at a time asks the source.
    pub(super) fn look_up(&self, key: &Key) -> Arc<Semaphore> {
        let mut entries = self.entries();
        if entries.by_key.len() >= CAPACITY && !entries.by_key.contains_key(key) {
            entries.make_room();
        }
        let new = || Entry { answer: None, proof: None, look_up: Arc::new(Semaphore::new(1)) };
        Arc::clone(&entries.by_key.entry(key.clone()).or_insert_with(new).look_up)
    }

    pub(super) fn put(&self, key: &Key, answer: Answer, now: UnixMillis) {
        if let Some(entry) = self.entries().by_key.get_mut(key) {
            if matches!(answer, Answer::NoTenant) {
                entry.proof = None;
            }
            entry.answer = Some((answer, now));
        }
    }

    /// Marks the answer for `key` as proven by a delivery, unless the delivery has proven another one.
    pub(super) fn prove(&self, key: &Key, delivery: impl FnOnce() -> ReplayKey) {
        if self.entries().prove_again(key) {
            return;
        }
        // A hash of the body, so not under the lock.
        let by = delivery();
        self.entries().prove(key, by);
    }

    fn entries(&self) -> MutexGuard<'_, Entries> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Entries {
    /// Whether the entry was proven before.
    fn prove_again(&mut self, key: &Key) -> bool {
        self.proofs += 1;
        let proof = self.by_key.get_mut(key).and_then(|entry| entry.proof.as_mut());
        proof.map(|proof| proof.latest = self.proofs).is_some()
    }

    fn prove(&mut self, key: &Key, by: ReplayKey) {
        let has_proven = |entry: &Entry| entry.proof.as_ref().is_some_and(|proof| proof.by == by);
        if !self.by_key.values().any(has_proven)
            && let Some(entry) = self.by_key.get_mut(key)
        {
            entry.proof = Some(Proof { by, latest: self.proofs });
        }
    }

    /// Evicts all entries that are not proven, and if those are few, also the least recently proven ones. Some at once, because each time takes
    /// a pass over all entries.
    fn make_room(&mut self) {
        self.by_key.retain(|_, entry| entry.proof.is_some());
        if self.by_key.len() > MOST_KEPT {
            let mut proofs: Vec<u64> =
                self.by_key.values().filter_map(|entry| Some(entry.proof.as_ref()?.latest)).collect();
            let evicted = proofs.len() - MOST_KEPT;
            let (_, &mut oldest_kept, _) = proofs.select_nth_unstable(evicted);
            self.by_key.retain(|_, entry| entry.proof.as_ref().is_some_and(|proof| proof.latest >= oldest_kept));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::replay::Scope;
    use crate::{DeliveryId, Secret};

    const TTL: Duration = Duration::from_secs(5);

    fn key(path: &str) -> Key {
        Key::of(&Target::new("POST", path, None)).unwrap()
    }

    fn found() -> Answer {
        Answer::Verifier(Verifier::new(Secret::new("s3cret").unwrap()))
    }

    fn prove(cache: &Cache, path: &str, body: &str) {
        cache.prove(&key(path), || ReplayKey::new(Scope::Tenant("acme"), DeliveryId::of(body.as_bytes())));
    }

    fn put(cache: &Cache, path: &str, answer: Answer, now: UnixMillis) {
        let _ = cache.look_up(&key(path));
        cache.put(&key(path), answer, now);
    }

    #[test]
    fn an_answer_is_fresh_until_it_is_as_old_as_the_ttl() {
        let (cache, at) = (Cache::default(), UnixMillis::from_millis);
        put(&cache, "/a", Answer::NoTenant, at(10_000));
        assert!(matches!(cache.get(&key("/a"), at(14_999), TTL), CacheLookup::Fresh(_)));
        assert!(matches!(cache.get(&key("/a"), at(15_000), TTL), CacheLookup::Miss));
        assert!(matches!(cache.get(&key("/a"), at(9_999), TTL), CacheLookup::Miss), "the clock was set back");
        assert!(matches!(cache.get(&key("/b"), at(10_000), TTL), CacheLookup::Miss));
    }

    #[test]
    fn only_a_proven_answer_becomes_stale() {
        let (cache, at) = (Cache::default(), UnixMillis::from_millis);
        put(&cache, "/a", found(), at(0));
        assert!(matches!(cache.get(&key("/a"), at(5_000), TTL), CacheLookup::Miss));
        prove(&cache, "/a", "body");
        assert!(matches!(cache.get(&key("/a"), at(9_999), TTL), CacheLookup::Stale(_)));
        assert!(matches!(cache.get(&key("/a"), at(10_000), TTL), CacheLookup::Miss));
    }

    #[test]
    fn a_host_is_no_part_of_a_path() {
        let of = |host, path| Key::of(&Target::new("POST", path, Some(host))).unwrap();
        assert!(of("crm.example/webhooks", "/acme") != of("crm.example", "/webhooks/acme"));
    }

    #[test]
    fn a_flood_of_targets_is_bounded_and_evicts_no_proven_entry() {
        let (cache, now) = (Cache::default(), UnixMillis::from_millis(0));
        put(&cache, "/proven", found(), now);
        prove(&cache, "/proven", "body");
        for number in 0..3 * CAPACITY {
            put(&cache, &format!("/{number}"), Answer::NoTenant, now);
        }
        assert!(cache.entries().by_key.len() <= CAPACITY);
        assert!(matches!(cache.get(&key("/proven"), now, TTL), CacheLookup::Fresh(_)));
        assert!(cache.is_proven(&key("/proven")));
    }

    #[test]
    fn a_full_cache_evicts_the_least_recently_proven() {
        let (cache, now) = (Cache::default(), UnixMillis::from_millis(0));
        for number in 0..CAPACITY {
            put(&cache, &format!("/{number}"), found(), now);
            prove(&cache, &format!("/{number}"), &format!("{number}"));
        }
        // The oldest one is proven again.
        prove(&cache, "/0", "another");
        put(&cache, "/new", found(), now);
        assert_eq!(cache.entries().by_key.len(), MOST_KEPT + 1);
        for (number, kept) in [(0, true), (1, false), (CAPACITY - MOST_KEPT, false), (CAPACITY - MOST_KEPT + 1, true)] {
            assert_eq!(cache.is_proven(&key(&format!("/{number}"))), kept, "{number}");
        }
    }

    #[test]
    fn a_delivery_proves_one_entry() {
        let (cache, now) = (Cache::default(), UnixMillis::from_millis(0));
        for path in ["/a", "/b"] {
            put(&cache, path, found(), now);
            prove(&cache, path, "one");
        }
        assert_eq!((cache.is_proven(&key("/a")), cache.is_proven(&key("/b"))), (true, false));
        prove(&cache, "/b", "another");
        assert!(cache.is_proven(&key("/b")));
    }

    #[test]
    fn a_removed_tenant_is_no_longer_proven() {
        let (cache, now) = (Cache::default(), UnixMillis::from_millis(0));
        put(&cache, "/gone", found(), now);
        prove(&cache, "/gone", "body");
        cache.put(&key("/gone"), Answer::NoTenant, now);
        assert!(!cache.is_proven(&key("/gone")));
    }
}
