use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::shard::Shard;
use crate::{Claim, Clock, DeliveryId, GuardError, Lease, ReplayGuard, UnixMillis};

/// Remembers deliveries in this process: the default guard, for one receiver.
///
/// It holds what was claimed within the tolerance window, so its size is bounded by how many *valid* deliveries can arrive in one:
/// nothing that is not signed gets here, and copies of one request take no room. There is no background task; each claim also
/// forgets up to two entries that have expired.
///
/// At its [capacity](Self::capacity) it forgets the oldest claims, so that a new delivery is never refused; a replay of a forgotten
/// one would then be taken for new.
///
/// It is lost with the process: a receiver that restarts accepts a replay of what it handled within the window before. Use a
/// shared guard if that matters, or if there is more than one receiver.
///
/// If the clock is set back, what was refused stays refused. Should the *sender's* clock be set back with it, by more than the
/// tolerance (both on one machine, say), then new deliveries are refused as well, until the clock has caught up: they cannot be told
/// from replays. Restart the receiver.
///
/// An attacker cannot slow it down with chosen ids: they are hashes of bodies, and a body does not get here without a signature.
pub struct MemoryReplayGuard {
    shards: Box<[Mutex<Shard>]>,
    capacity: usize,
    clock: Clock,
    lease: Duration,
}

impl MemoryReplayGuard {
    /// One million: 1,600 valid deliveries a second for the ten minutes that an entry can last (5 minutes of tolerance each way). An
    /// entry takes about 70 bytes, so that is 70 MB; a receiver of one delivery a second holds 20 to 40 KB.
    pub const DEFAULT_CAPACITY: usize = 1_000_000;

    /// 30 seconds: six times as long as Twenty waits for an answer.
    pub const DEFAULT_LEASE: Duration = Duration::from_secs(30);

    /// A guard that remembers nothing yet.
    pub fn new() -> Self {
        let capacity = Self::DEFAULT_CAPACITY;
        Self { shards: shards(capacity), capacity, clock: Clock::system(), lease: Self::DEFAULT_LEASE }
    }

    /// Sets how many claims it remembers, at least one, before it forgets the oldest.
    ///
    /// A capacity of 32,768 and more is split over as many as 64 locks by the id, so the oldest of a part may go when the whole is
    /// still a few percent short of full.
    #[must_use]
    pub fn capacity(mut self, claims: usize) -> Self {
        self.capacity = claims;
        self.shards = shards(claims);
        self
    }

    /// Sets for how long a claim blocks its copies if it is neither completed nor released. It must be longer than the handler
    /// takes: when it has run out, a copy is handled beside it.
    #[must_use]
    pub fn lease(mut self, lease: Duration) -> Self {
        self.lease = lease;
        self
    }

    /// Sets what it takes for now. For tests: it must be the verifier's clock.
    #[must_use]
    pub fn clock(mut self, clock: Clock) -> Self {
        self.clock = clock;
        self
    }

    /// How many entries it holds, for metrics. Expired ones that no claim has cleared away yet are counted.
    pub fn held(&self) -> usize {
        self.shards.iter().map(|shard| lock(shard).len()).sum()
    }

    fn shard(&self, id: DeliveryId) -> MutexGuard<'_, Shard> {
        // Not one of the bytes that the shard hashes by. The number of shards is a power of two.
        let shard = usize::from(id.as_bytes()[31]) & (self.shards.len() - 1);
        lock(&self.shards[shard])
    }
}

impl ReplayGuard for MemoryReplayGuard {
    async fn claim(&self, id: DeliveryId, until: UnixMillis) -> Result<Claim, GuardError> {
        let now = self.clock.now();
        Ok(self.shard(id).claim(id, until, now, self.lease))
    }

    async fn complete(&self, lease: Lease) -> Result<(), GuardError> {
        self.shard(lease.id()).complete(&lease)
    }

    async fn release(&self, lease: Lease) -> Result<(), GuardError> {
        self.abandon(lease);
        Ok(())
    }

    fn abandon(&self, lease: Lease) {
        self.shard(lease.id()).release(&lease);
    }
}

impl Default for MemoryReplayGuard {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for MemoryReplayGuard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryReplayGuard")
            .field("capacity", &self.capacity)
            .field("clock", &self.clock)
            .field("lease", &self.lease)
            .finish_non_exhaustive()
    }
}

/// Enough locks that receivers on many cores seldom meet at one; few enough that each part has room for the chance in it.
fn shards(capacity: usize) -> Box<[Mutex<Shard>]> {
    let count = (capacity / 16_384).clamp(1, 64).next_power_of_two();
    (0..count).map(|_| Mutex::new(Shard::new(capacity / count))).collect()
}

/// Nothing in a shard panics halfway through a change, so one that is poisoned is still whole.
fn lock(shard: &Mutex<Shard>) -> MutexGuard<'_, Shard> {
    shard.lock().unwrap_or_else(PoisonError::into_inner)
}
