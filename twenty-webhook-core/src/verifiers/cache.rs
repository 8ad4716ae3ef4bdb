use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Semaphore;

use super::Target;
use crate::{UnixMillis, Verifier};

/// The maximum number of entries. An entry takes a few hundred bytes.
const CAPACITY: usize = 4096;

/// The answers of a source, by host and path.
///
/// An entry is *proven* once a delivery was verified with its answer. Requests for invented paths and hosts create the other entries, so a
/// full cache evicts those first.
#[derive(Default)]
pub(super) struct Cache(Mutex<HashMap<Key, Entry>>);

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
    proven: bool,
    /// One permit, for the request that asks the source.
    look_up: Arc<Semaphore>,
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
        let Some(Entry { answer: Some((answer, looked_up)), proven, .. }) = entries.get(key) else {
            return CacheLookup::Miss;
        };
        // After the clock was set back, the answer is expired.
        let age = if now >= *looked_up { now.saturating_since(*looked_up) } else { Duration::MAX };
        match answer {
            _ if age < ttl => CacheLookup::Fresh(answer.clone()),
            Answer::Verifier(_) if *proven && age < ttl.saturating_mul(2) => CacheLookup::Stale(answer.clone()),
            _ => CacheLookup::Miss,
        }
    }

    pub(super) fn is_proven(&self, key: &Key) -> bool {
        self.entries().get(key).is_some_and(|entry| entry.proven)
    }

    /// The semaphore of `key`: one request at a time asks the source.
    pub(super) fn look_up(&self, key: &Key) -> Arc<Semaphore> {
        let mut entries = self.entries();
        if entries.len() >= CAPACITY && !entries.contains_key(key) {
            entries.retain(|_, entry| entry.proven);
            if entries.len() >= CAPACITY {
                entries.clear();
            }
        }
        let new = || Entry { answer: None, proven: false, look_up: Arc::new(Semaphore::new(1)) };
        Arc::clone(&entries.entry(key.clone()).or_insert_with(new).look_up)
    }

    pub(super) fn put(&self, key: &Key, answer: Answer, now: UnixMillis) {
        if let Some(entry) = self.entries().get_mut(key) {
            entry.proven &= matches!(answer, Answer::Verifier(_));
            entry.answer = Some((answer, now));
        }
    }

    /// Marks the answer for `key` as proven: a delivery was verified with it.
    pub(super) fn prove(&self, key: &Key) {
        if let Some(entry) = self.entries().get_mut(key) {
            entry.proven = true;
        }
    }

    fn entries(&self) -> MutexGuard<'_, HashMap<Key, Entry>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Secret;

    const TTL: Duration = Duration::from_secs(5);

    fn key(path: &str) -> Key {
        Key::of(&Target::new("POST", path, None)).unwrap()
    }

    fn found() -> Answer {
        Answer::Verifier(Verifier::new(Secret::new("s3cret").unwrap()))
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
        cache.prove(&key("/a"));
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
        cache.prove(&key("/proven"));
        for number in 0..3 * CAPACITY {
            put(&cache, &format!("/{number}"), Answer::NoTenant, now);
        }
        assert!(cache.entries().len() <= CAPACITY);
        assert!(matches!(cache.get(&key("/proven"), now, TTL), CacheLookup::Fresh(_)));
        assert!(cache.is_proven(&key("/proven")));
    }

    #[test]
    fn a_removed_tenant_is_no_longer_proven() {
        let (cache, now) = (Cache::default(), UnixMillis::from_millis(0));
        put(&cache, "/gone", found(), now);
        cache.prove(&key("/gone"));
        cache.put(&key("/gone"), Answer::NoTenant, now);
        assert!(!cache.is_proven(&key("/gone")));
    }
}
