use std::collections::VecDeque;
use std::num::NonZeroU64;
use std::time::Duration;

use hashbrown::HashTable;

use super::memory::MemoryLease;
use crate::{Claim, GuardError, UnixMillis};

/// One more than a claim adds, so that expired entries never pile up, and none waits for a sweep.
const PURGED_PER_CLAIM: usize = 2;

/// A part of the [`MemoryReplayGuard`](crate::MemoryReplayGuard): the keys that fall to it, under one lock.
///
/// Time never goes back in here: `now` is the latest instant at which a fresh delivery was claimed. So what was forgotten stays
/// refused when the clock is set back. No honest delivery is lost by that unless the sender's clock goes back as well, and by
/// more than the tolerance: a claim is only made while the two clocks agree within it.
#[derive(Debug)]
pub(super) struct Shard {
    capacity: usize,
    now: UnixMillis,
    last_token: u64,
    /// In the order in which they were claimed or extended; nearly the order in which they expire.
    queue: VecDeque<Entry>,
    /// Which number in the queue a key has, counted from the first entry ever, wrapping. An entry that was moved to the end is not in
    /// here any more under its old number, and leaves the queue when its turn comes.
    index: HashTable<u32>,
    first_number: u32,
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    key: u128,
    expires_at: UnixMillis,
    /// `None` if it was completed.
    running: Option<Running>,
}

#[derive(Clone, Copy, Debug)]
struct Running {
    token: NonZeroU64,
    expires_at: UnixMillis,
}

impl Running {
    /// A lease that ran out long ago. The entry keeps its place, so that a delivery that fails over and over, or is made to by
    /// replays, takes the room of one.
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
        expires_at: UnixMillis,
        now: UnixMillis,
        lease: Duration,
    ) -> Claim<MemoryLease> {
        let now = now.max(self.now);
        if expires_at < now {
            return Claim::Expired;
        }
        self.now = now;
        self.purge();

        let found = self.position(key);
        let known = found.map(|at| self.queue[at]).filter(|entry| entry.is_live(now));
        let (claim, running) = match known {
            Some(Entry { running: None, .. }) => (Claim::Completed, None),
            Some(Entry { running: Some(running), .. }) if now <= running.expires_at => {
                (Claim::InProgress { retry_after: running.expires_at.saturating_since(now) }, Some(running))
            }
            _ => {
                let running = Running { token: self.next_token(), expires_at: now.saturating_add(lease) };
                (Claim::New(MemoryLease { key, delivery_expires_at: expires_at, token: running.token }), Some(running))
            }
        };
        match (found, known) {
            // Every copy of one request comes this way, however many there are: they take no room.
            (Some(at), Some(known)) if expires_at <= known.expires_at => self.queue[at].running = running,
            _ => {
                if let Some(at) = found {
                    self.unlink(at);
                }
                self.push(Entry { key, expires_at, running });
            }
        }
        claim
    }

    pub(super) fn complete(&mut self, lease: &MemoryLease) -> Result<(), GuardError> {
        let found = self.position(lease.key);
        match found.map(|at| (at, self.queue[at])) {
            Some((at, known)) if known.is_live(self.now) => match known.running {
                Some(running) if running.token != lease.token && !running.is_released() => {
                    return Err(GuardError::LeaseLost);
                }
                _ => self.queue[at].running = None,
            },
            // Forgotten at capacity, but still replayable.
            _ if self.now <= lease.delivery_expires_at => {
                if let Some(at) = found {
                    self.unlink(at);
                }
                self.push(Entry { key: lease.key, expires_at: lease.delivery_expires_at, running: None });
            }
            _ => {}
        }
        Ok(())
    }

    pub(super) fn release(&mut self, lease: &MemoryLease) {
        if let Some(at) = self.position(lease.key)
            && let Some(running) = &mut self.queue[at].running
            && running.token == lease.token
        {
            running.expires_at = Running::RELEASED;
        }
    }

    /// How many entries it holds, those included that have expired, were released, or wait to leave the queue.
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
                Some(entry) if !entry.is_live(self.now) => self.drop_first(),
                _ => return,
            }
        }
    }

    fn push(&mut self, entry: Entry) {
        while self.queue.len() >= self.capacity {
            self.drop_first();
        }
        let number = self.number(self.queue.len());
        self.queue.push_back(entry);
        let (queue, first) = (&self.queue, self.first_number);
        self.index.insert_unique(hash(entry.key), number, |&number| hash(queue[offset(number, first)].key));
    }

    fn drop_first(&mut self) {
        self.unlink(0);
        self.queue.pop_front();
        self.first_number = self.first_number.wrapping_add(1);
    }

    /// Takes the entry out of the index, if it is still there.
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
    /// A running lease keeps its entry for a copy that is signed anew, even if the first signature is no longer fresh.
    fn is_live(&self, now: UnixMillis) -> bool {
        now <= self.expires_at || self.running.is_some_and(|running| now <= running.expires_at)
    }
}

fn offset(number: u32, first: u32) -> usize {
    number.wrapping_sub(first) as usize
}

/// A key is a hash already. The lower half is for this; the guard chooses the shard by the upper half.
#[expect(clippy::cast_possible_truncation, reason = "the lower half")]
fn hash(key: u128) -> u64 {
    key as u64
}
