use std::collections::VecDeque;
use std::num::NonZeroU64;
use std::time::Duration;

use hashbrown::HashTable;

use super::memory::MemoryLease;
use crate::{Claim, GuardError, UnixMillis};

/// One more than a claim adds, so expired entries do not accumulate.
const PURGED_PER_CLAIM: usize = 2;

/// A part of the [`MemoryReplayGuard`](crate::MemoryReplayGuard), with its own lock.
///
/// Its time never goes back: `now` is the latest time that the clock and the sender of a claimed delivery had both reached. So forgotten
/// deliveries stay rejected when the clock is set back. This loses a genuine delivery only if the sender's clock is set back too, by more
/// than the tolerance. A clock that is ahead does not advance it past the senders' clocks: a tenant's long tolerance may accept such a clock,
/// and must not cost the deliveries of a tenant with a short one once the clock is corrected.
#[derive(Debug)]
pub(super) struct Shard {
    capacity: usize,
    now: UnixMillis,
    last_token: u64,
    /// In the order of claims and extensions, which is nearly the order of expiry.
    queue: VecDeque<Entry>,
    /// The number of each key's entry in the queue, counted from the first entry ever, wrapping. An extended entry is pushed again under a
    /// new number; the old one is no longer indexed, and is removed at the front of the queue.
    index: HashTable<u32>,
    first_number: u32,
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    key: u128,
    expires_at: UnixMillis,
    /// `None` if the delivery was completed.
    lease: Option<OpenLease>,
}

#[derive(Clone, Copy, Debug)]
struct OpenLease {
    token: NonZeroU64,
    expires_at: UnixMillis,
}

impl OpenLease {
    /// The expiry of a released lease. The entry stays, so a delivery that fails repeatedly takes one entry.
    const RELEASED: UnixMillis = UnixMillis::from_millis(0);

    fn is_released(self) -> bool {
        self.expires_at == Self::RELEASED
    }
}

impl Shard {
    /// Holds up to `capacity` entries, and at least one.
    pub(super) fn new(capacity: usize) -> Self {
        Self {
            capacity: capacity.clamp(1, u32::MAX as usize),
            now: UnixMillis::from_millis(0),
            last_token: 0,
            queue: VecDeque::new(),
            index: HashTable::new(),
            first_number: 0,
        }
    }

    pub(super) fn claim(
        &mut self,
        key: u128,
        sent_at: UnixMillis,
        expires_at: UnixMillis,
        now: UnixMillis,
        lease: Duration,
    ) -> Claim<MemoryLease> {
        let now = now.max(self.now);
        if expires_at < now {
            return Claim::Expired;
        }
        self.now = self.now.max(now.min(sent_at));
        self.purge();

        let found = self.position(key);
        let known = found.map(|at| self.queue[at]).filter(|entry| entry.is_live(now));
        let (claim, running) = match known {
            Some(Entry { lease: None, .. }) => (Claim::Completed, None),
            Some(Entry { lease: Some(running), .. }) if now <= running.expires_at => {
                (Claim::InProgress { retry_after: running.expires_at.saturating_since(now) }, Some(running))
            }
            _ => {
                let running = OpenLease { token: self.next_token(), expires_at: now.saturating_add(lease) };
                (Claim::New(MemoryLease { key, delivery_expires_at: expires_at, token: running.token }), Some(running))
            }
        };
        match (found, known) {
            // All copies of one request share one entry.
            (Some(at), Some(known)) if expires_at <= known.expires_at => self.queue[at].lease = running,
            _ => {
                if let Some(at) = found {
                    self.unlink(at);
                }
                self.push(Entry { key, expires_at, lease: running });
            }
        }
        claim
    }

    pub(super) fn complete(&mut self, lease: &MemoryLease) -> Result<(), GuardError> {
        let found = self.position(lease.key);
        match found.map(|at| (at, self.queue[at])) {
            Some((at, known)) if known.is_live(self.now) => match known.lease {
                Some(running) if running.token == lease.token || running.is_released() => self.queue[at].lease = None,
                // Another holder handles it, or has handled it: a lease completes only once.
                Some(_) | None => return Err(GuardError::LeaseLost),
            },
            // Evicted at capacity, but still replayable.
            _ if self.now <= lease.delivery_expires_at => {
                if let Some(at) = found {
                    self.unlink(at);
                }
                self.push(Entry { key: lease.key, expires_at: lease.delivery_expires_at, lease: None });
            }
            _ => {}
        }
        Ok(())
    }

    pub(super) fn release(&mut self, lease: &MemoryLease) {
        if let Some(at) = self.position(lease.key)
            && let Some(running) = &mut self.queue[at].lease
            && running.token == lease.token
        {
            running.expires_at = OpenLease::RELEASED;
        }
    }

    /// The number of entries, including expired, released and no longer indexed ones.
    pub(super) fn len(&self) -> usize {
        self.queue.len()
    }

    fn next_token(&mut self) -> NonZeroU64 {
        self.last_token += 1;
        NonZeroU64::new(self.last_token).unwrap_or(NonZeroU64::MIN)
    }

    fn purge(&mut self) {
        for _ in 0..PURGED_PER_CLAIM {
            match self.queue.front() {
                Some(entry) if !entry.is_live(self.now) => self.evict_first(),
                _ => return,
            }
        }
    }

    fn push(&mut self, entry: Entry) {
        while self.queue.len() >= self.capacity {
            self.evict_first();
        }
        let number = self.number(self.queue.len());
        self.queue.push_back(entry);
        let (queue, first) = (&self.queue, self.first_number);
        self.index.insert_unique(hash(entry.key), number, |&number| hash(queue[offset(number, first)].key));
    }

    fn evict_first(&mut self) {
        self.unlink(0);
        self.queue.pop_front();
        self.first_number = self.first_number.wrapping_add(1);
    }

    /// Removes the entry from the index, if it is still indexed.
    fn unlink(&mut self, at: usize) {
        let number = self.number(at);
        if let Ok(found) = self.index.find_entry(hash(self.queue[at].key), |&other| other == number) {
            found.remove();
        }
    }

    fn position(&self, key: u128) -> Option<usize> {
        let at = |&number: &u32| offset(number, self.first_number);
        self.index.find(hash(key), |number| self.queue[at(number)].key == key).map(at)
    }

    fn number(&self, at: usize) -> u32 {
        #[expect(clippy::cast_possible_truncation, reason = "the capacity fits, and numbers wrap")]
        self.first_number.wrapping_add(at as u32)
    }
}

impl Entry {
    /// An open lease keeps its entry after the signature expired: a copy with a new signature must find it.
    fn is_live(&self, now: UnixMillis) -> bool {
        now <= self.expires_at || self.lease.is_some_and(|lease| now <= lease.expires_at)
    }
}

fn offset(number: u32, first: u32) -> usize {
    number.wrapping_sub(first) as usize
}

/// A key is already a hash. The table uses the lower half, and the guard chooses the shard by the upper half.
#[expect(clippy::cast_possible_truncation, reason = "the lower half")]
fn hash(key: u128) -> u64 {
    key as u64
}
