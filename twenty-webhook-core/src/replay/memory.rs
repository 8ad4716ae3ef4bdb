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
/// It holds the claims of the tolerance window, so the number of *valid* deliveries in one window bounds its size. Unsigned requests never
/// reach it, and copies of one request share an entry. There is no background task: each claim removes up to two expired entries.
///
/// At its [capacity](Self::capacity) it forgets the oldest claims instead of rejecting new deliveries. A replay of a forgotten claim is then
/// accepted.
///
/// Its content is lost with the process: after a restart, a receiver accepts replays of deliveries from the last window. If that matters, or
/// with more than one receiver, use a shared guard.
///
/// A clock that is set back does not make old deliveries acceptable. If the *sender's* clock is set back too, by more than the tolerance
/// (both on one machine, for example), new deliveries are rejected until the clock reaches its old time, because they look like replays. In
/// that case restart the receiver.
///
/// It identifies a delivery by 128 bits of SipHash-1-3 with a random key, which takes a third of the time of SHA-256. The hash is keyed and
/// only signed bodies are hashed, so an attacker cannot construct collisions. The probability of a collision among a million deliveries is
/// 2⁻⁸⁹.
///
/// ```
/// use std::time::Duration;
/// use twenty_webhook_core::{MemoryReplayGuard, Secret, WebhookConfig};
///
/// let guard = MemoryReplayGuard::new().capacity(100_000).lease(Duration::from_secs(60));
/// let config = WebhookConfig::new(Secret::new("s3cret")?).replay_guard(guard);
/// # Ok::<(), twenty_webhook_core::SecretError>(())
/// ```
pub struct MemoryReplayGuard {
    shards: Box<[Mutex<Shard>]>,
    capacity: usize,
    hasher: SipHasher13,
    clock: Option<Clock>,
    lease: Duration,
}

impl MemoryReplayGuard {
    /// One million entries: 1,600 valid deliveries per second for the 10 minutes that an entry lasts at most (5 minutes of tolerance each
    /// way). An entry takes about 70 bytes, so that is 70 MB. At one delivery per second it holds 20 to 40 KB.
    pub const DEFAULT_CAPACITY: usize = 1_000_000;

    /// 30 seconds: six times Twenty's timeout.
    pub const DEFAULT_LEASE: Duration = Duration::from_secs(30);

    /// An empty guard.
    ///
    /// # Panics
    /// If the system's random number generator fails.
    pub fn new() -> Self {
        let (capacity, hasher) = (Self::DEFAULT_CAPACITY, SipHasher13::new_with_key(&random_key()));
        Self { shards: shards(capacity), capacity, hasher, clock: None, lease: Self::DEFAULT_LEASE }
    }

    /// Sets how many claims it remembers before it forgets the oldest. The minimum is one.
    ///
    /// A capacity of 32,768 or more is divided among up to 64 shards. A shard can be full, and forget its oldest claim, when the whole guard
    /// still has a few percent of its capacity left.
    #[must_use]
    pub fn capacity(mut self, claims: usize) -> Self {
        self.capacity = claims;
        self.shards = shards(claims);
        self
    }

    /// Sets how long a claim blocks copies of its delivery if it is neither completed nor released. It must be longer than the handler's
    /// slowest run: after the lease, a copy is handled concurrently.
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

    /// The number of entries, for metrics. It includes expired entries that no claim has removed yet.
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
        // The shard's table uses the other half. The number of shards is a power of two.
        #[expect(clippy::cast_possible_truncation, reason = "a few bits of the upper half")]
        let shard = (key >> 64) as usize & (self.shards.len() - 1);
        lock(&self.shards[shard])
    }

    /// [`ReplayGuard::claim`], which never waits here.
    pub(super) fn claim_now(&self, delivery: &Delivery) -> Claim<MemoryLease> {
        let (key, now) = (self.key(delivery), self.clock.as_ref().unwrap_or(delivery.clock()).now());
        self.shard(key).claim(key, delivery.sent_at(), delivery.expires_at(), now, self.lease)
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
    getrandom::fill(&mut key).expect("the system's random number generator works");
    key
}

/// Enough shards that receivers on many cores seldom contend for a lock; few enough that keys spread evenly over them.
fn shards(capacity: usize) -> Box<[Mutex<Shard>]> {
    let count = (capacity / 16_384).clamp(1, 64).next_power_of_two();
    (0..count).map(|_| Mutex::new(Shard::new(capacity / count))).collect()
}

/// A shard never panics within a change, so its data is consistent even if the lock is poisoned.
fn lock(shard: &Mutex<Shard>) -> MutexGuard<'_, Shard> {
    shard.lock().unwrap_or_else(PoisonError::into_inner)
}
