use std::fmt;
use std::hash::Hasher;
use std::num::NonZeroU64;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use siphasher::sip128::{Hasher128, SipHasher13};

use super::shard::Shard;
use crate::{Claim, Clock, Delivery, GuardError, ReplayGuard, UnixMillis};

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
/// It knows a delivery by 128 bits of SipHash-1-3 under a random key of this guard. That takes a third of the time of SHA-256; it is a keyed
/// hash, so an attacker cannot construct collisions, and only what is signed is hashed at all. By chance, among a million deliveries two
/// collide with a probability of 2⁻⁸⁹.
pub struct MemoryReplayGuard {
    shards: Box<[Mutex<Shard>]>,
    capacity: usize,
    hasher: SipHasher13,
    clock: Option<Clock>,
    lease: Duration,
}

impl MemoryReplayGuard {
    /// One million: 1,600 valid deliveries a second for the ten minutes that an entry can last (5 minutes of tolerance each way). An
    /// entry takes about 70 bytes, so that is 70 MB; a receiver of one delivery a second holds 20 to 40 KB.
    pub const DEFAULT_CAPACITY: usize = 1_000_000;

    /// 30 seconds: six times as long as Twenty waits for an answer.
    pub const DEFAULT_LEASE: Duration = Duration::from_secs(30);

    /// A guard that remembers nothing yet.
    ///
    /// # Panics
    /// If the system has no randomness.
    pub fn new() -> Self {
        let (capacity, hasher) = (Self::DEFAULT_CAPACITY, SipHasher13::new_with_key(&random_key()));
        Self { shards: shards(capacity), capacity, hasher, clock: None, lease: Self::DEFAULT_LEASE }
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

    /// Sets the clock. For tests. The default is the clock of the verifier that verified the delivery.
    #[must_use]
    pub fn clock(mut self, clock: Clock) -> Self {
        self.clock = Some(clock);
        self
    }

    /// How many entries it holds, for metrics. Expired ones that no claim has cleared away yet are counted.
    pub fn entry_count(&self) -> usize {
        self.shards.iter().map(|shard| lock(shard).len()).sum()
    }

    fn key(&self, delivery: &Delivery) -> u128 {
        let mut hasher = self.hasher;
        delivery.scope().hash(&mut hasher);
        hasher.write(delivery.body());
        hasher.finish128().as_u128()
    }

    fn shard(&self, key: u128) -> MutexGuard<'_, Shard> {
        // Not the half that the shard hashes by. The number of shards is a power of two.
        #[expect(clippy::cast_possible_truncation, reason = "a few bits of the upper half")]
        let shard = (key >> 64) as usize & (self.shards.len() - 1);
        lock(&self.shards[shard])
    }

    /// [`ReplayGuard::claim`], which never waits here.
    pub(super) fn claim_now(&self, delivery: &Delivery) -> Claim<MemoryLease> {
        let (key, now) = (self.key(delivery), self.clock.as_ref().unwrap_or(delivery.clock()).now());
        self.shard(key).claim(key, delivery.expires_at(), now, self.lease)
    }

    pub(super) fn complete_now(&self, lease: &MemoryLease) -> Result<(), GuardError> {
        self.shard(lease.key).complete(lease)
    }

    pub(super) fn release_now(&self, lease: &MemoryLease) {
        self.shard(lease.key).release(lease);
    }
}

impl ReplayGuard for MemoryReplayGuard {
    type Lease = MemoryLease;

    async fn claim(&self, delivery: &Delivery) -> Result<Claim<MemoryLease>, GuardError> {
        Ok(self.claim_now(delivery))
    }

    async fn complete(&self, lease: MemoryLease) -> Result<(), GuardError> {
        self.complete_now(&lease)
    }

    async fn release(&self, lease: MemoryLease) -> Result<(), GuardError> {
        self.release_now(&lease);
        Ok(())
    }

    fn abandon(&self, lease: MemoryLease) {
        self.release_now(&lease);
    }
}

/// A lease of the [`MemoryReplayGuard`].
#[derive(Debug)]
pub struct MemoryLease {
    pub(super) key: u128,
    pub(super) delivery_expires_at: UnixMillis,
    pub(super) token: NonZeroU64,
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

fn random_key() -> [u8; 16] {
    let mut key = [0; 16];
    getrandom::fill(&mut key).expect("the system has randomness");
    key
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
