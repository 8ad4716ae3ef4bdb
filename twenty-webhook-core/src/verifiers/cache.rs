use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::Target;
use crate::{UnixMillis, Verifier};

/// Entries at most. One takes a few hundred bytes.
const CAPACITY: usize = 4096;

/// What was looked up, for a while, by host and path.
///
/// An entry is *proven* once a delivery was verified with it. Anybody can make the others, by asking for paths or hosts at random; so
/// only those make room when it is full.
#[derive(Default)]
pub(super) struct Cache(Mutex<HashMap<Key, Entry>>);

#[derive(Clone, PartialEq, Eq, Hash)]
pub(crate) struct Key(Box<str>);

/// What a source has answered.
#[derive(Clone)]
pub(super) enum Answer {
    Verifier(Verifier),
    NoTenant,
}

struct Entry {
    answer: Answer,
    looked_up: UnixMillis,
    proven: bool,
}

impl Key {
    /// `None` for a target that is too long to be kept.
    pub(super) fn of(target: &Target<'_>) -> Option<Self> {
        let host = target.host.unwrap_or_default();
        // A host has no slash in it, and a path begins with one.
        (host.len() + target.path.len() <= 1024).then(|| Self([host, target.path].concat().into()))
    }
}

impl Cache {
    /// What was answered for `key` less than `ttl` ago.
    pub(super) fn get(&self, key: &Key, now: UnixMillis, ttl: Duration) -> Option<Answer> {
        let entries = self.entries();
        let entry = entries.get(key)?;
        // A clock that was set back makes nothing younger.
        let is_fresh = now >= entry.looked_up && now.saturating_since(entry.looked_up) < ttl;
        is_fresh.then(|| entry.answer.clone())
    }

    pub(super) fn is_proven(&self, key: &Key) -> bool {
        self.entries().get(key).is_some_and(|entry| entry.proven)
    }

    pub(super) fn put(&self, key: Key, answer: Answer, now: UnixMillis) {
        let mut entries = self.entries();
        if entries.len() >= CAPACITY && !entries.contains_key(&key) {
            entries.retain(|_, entry| entry.proven);
            if entries.len() >= CAPACITY {
                entries.clear();
            }
        }
        let was_proven = entries.get(&key).is_some_and(|entry| entry.proven);
        let proven = was_proven && matches!(answer, Answer::Verifier(_));
        entries.insert(key, Entry { answer, looked_up: now, proven });
    }

    /// A delivery was verified with what was found for `key`.
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

    #[test]
    fn an_entry_is_used_until_it_is_as_old_as_the_ttl() {
        let (cache, at) = (Cache::default(), UnixMillis::from_millis);
        cache.put(key("/a"), Answer::NoTenant, at(10_000));
        assert!(cache.get(&key("/a"), at(14_999), TTL).is_some());
        assert!(cache.get(&key("/a"), at(15_000), TTL).is_none());
        assert!(cache.get(&key("/a"), at(9_999), TTL).is_none(), "the clock was set back");
        assert!(cache.get(&key("/b"), at(10_000), TTL).is_none());
    }

    #[test]
    fn a_flood_of_targets_takes_bounded_room_and_displaces_nothing_proven() {
        let (cache, now) = (Cache::default(), UnixMillis::from_millis(0));
        cache.put(key("/proven"), found(), now);
        cache.prove(&key("/proven"));
        for number in 0..3 * CAPACITY {
            cache.put(key(&format!("/{number}")), Answer::NoTenant, now);
        }
        assert!(cache.entries().len() <= CAPACITY);
        assert!(cache.get(&key("/proven"), now, TTL).is_some());
        assert!(cache.is_proven(&key("/proven")));
    }

    #[test]
    fn a_tenant_that_is_gone_is_not_proven_any_more() {
        let (cache, now) = (Cache::default(), UnixMillis::from_millis(0));
        cache.put(key("/gone"), found(), now);
        cache.prove(&key("/gone"));
        cache.put(key("/gone"), Answer::NoTenant, now);
        assert!(!cache.is_proven(&key("/gone")));
    }
}
