use std::fmt;
use std::sync::LazyLock;
use std::time::Duration;

use redis::{Client, Script};
use twenty_webhook_core::{Claim, Delivery, GuardError, ReplayGuard, ReplayKey, UnixMillis};

use crate::connection::Connection;

static CLAIM: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("claim.lua")));
static COMPLETE: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("complete.lua")));
static RELEASE: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("release.lua")));

/// How much longer than needed an entry is kept: a replica that takes over may be this far behind.
const GRACE: Duration = Duration::from_secs(60);

/// Remembers deliveries in Redis, for several receivers.
///
/// It connects when it is first asked, so a receiver starts whether or not Redis is there; and again after every failure, so neither
/// side needs a restart for the other's. Each call is one script, run atomically, and takes at most the [timeout](Self::timeout).
///
/// When Redis is unavailable, deliveries are refused with 503. Twenty does not send them again. To handle them all the same, on
/// what each receiver knows by itself, see [`insecure_fallback`](ReplayGuard::insecure_fallback).
///
/// It must be called within a Tokio runtime with I/O and time.
///
/// ```
/// use twenty_webhook_core::{MemoryReplayGuard, ReplayGuard, Secret, WebhookConfig};
/// use twenty_webhook_redis::RedisReplayGuard;
///
/// let secret = Secret::new("s3cret")?;
/// let guard = RedisReplayGuard::new("redis://localhost:6379")?.prefix("crm-sync:");
/// let config = WebhookConfig::new(secret.clone()).replay_guard(guard);
///
/// // Weaker: prefers a replay on another receiver to a lost delivery.
/// let guard = RedisReplayGuard::new("redis://localhost:6379")?
///     .insecure_fallback(MemoryReplayGuard::default(), |error| eprintln!("{error}"));
/// let config = WebhookConfig::new(secret).replay_guard(guard);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct RedisReplayGuard {
    connection: Connection,
    prefix: String,
    lease: Duration,
}

impl RedisReplayGuard {
    /// 2 seconds. Twenty hangs up after 5: this leaves time for the body and the handler, and is longer than a short restart.
    pub const DEFAULT_TIMEOUT: Duration = Duration::from_secs(2);

    /// 30 seconds: six times as long as Twenty waits for an answer.
    pub const DEFAULT_LEASE: Duration = Duration::from_secs(30);

    /// `twenty-webhook:`
    pub const DEFAULT_PREFIX: &str = "twenty-webhook:";

    /// Keeps the claims in the Redis at `url`: `redis://user:password@host:port/database`, or `rediss://` over TLS. It does not
    /// connect yet.
    ///
    /// # Errors
    /// Refuses what is not such a URL, or needs a feature of this crate that is off.
    pub fn new(url: &str) -> Result<Self, InvalidUrl> {
        Ok(Self::with_client(Client::open(url).map_err(InvalidUrl)?))
    }

    /// Keeps the claims in the Redis that `client` connects to: for certificates of one's own, say.
    pub fn with_client(client: Client) -> Self {
        #[cfg(feature = "tls")]
        if matches!(client.get_connection_info().addr(), redis::ConnectionAddr::TcpTls { .. }) {
            // An error says that there is one already, and that is as well.
            let _ = rustls::crypto::ring::default_provider().install_default();
        }
        Self {
            connection: Connection::new(client, Self::DEFAULT_TIMEOUT),
            prefix: Self::DEFAULT_PREFIX.to_owned(),
            lease: Self::DEFAULT_LEASE,
        }
    }

    /// Sets what the keys begin with; a delivery's [`ReplayKey`] in hex follows.
    ///
    /// Receivers that do the same work share a prefix. Receivers that do different work on the same webhook and share a Redis need
    /// different ones: one of them would take a delivery for a duplicate that another one has handled.
    #[must_use]
    pub fn prefix(mut self, prefix: impl Into<String>) -> Self {
        self.prefix = prefix.into();
        self
    }

    /// Sets for how long a claim blocks its copies if it is neither completed nor released: the time until a receiver takes over
    /// from one that has died. It must be longer than the handler takes: when it has run out, a copy is handled beside it.
    #[must_use]
    pub fn lease(mut self, lease: Duration) -> Self {
        self.lease = lease;
        self
    }

    /// Sets how long one call may take, connecting and every further attempt included.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.connection.timeout(timeout);
        self
    }

    fn entry(&self, key: ReplayKey) -> String {
        format!("{}{key}", self.prefix)
    }
}

/// A lease of the [`RedisReplayGuard`].
#[derive(Debug)]
pub struct RedisLease {
    key: ReplayKey,
    delivery_expires_at: UnixMillis,
    token: u64,
}

impl ReplayGuard for RedisReplayGuard {
    type Lease = RedisLease;

    async fn claim(&self, delivery: &Delivery) -> Result<Claim<RedisLease>, GuardError> {
        let (key, expires_at) = (delivery.replay_key(), delivery.expires_at());
        let token = getrandom::u64().map_err(GuardError::unavailable)?;
        let mut script = CLAIM.key(self.entry(key));
        script.arg(instant(expires_at)).arg(token).arg(millis(self.lease)).arg(millis(GRACE));
        let (answer, left): (String, u64) = self.connection.run(&script).await.map_err(GuardError::unavailable)?;
        match answer.as_str() {
            "new" => Ok(Claim::New(RedisLease { key, delivery_expires_at: expires_at, token })),
            "in_progress" => Ok(Claim::InProgress { retry_after: Duration::from_millis(left) }),
            "completed" => Ok(Claim::Completed),
            "expired" => Ok(Claim::Expired),
            other => Err(GuardError::unavailable(format!("Redis answered {other:?} to a claim"))),
        }
    }

    async fn complete(&self, lease: RedisLease) -> Result<(), GuardError> {
        let mut script = COMPLETE.key(self.entry(lease.key));
        script.arg(instant(lease.delivery_expires_at)).arg(lease.token).arg(millis(GRACE));
        let held: bool = self.connection.run(&script).await.map_err(GuardError::unavailable)?;
        if held { Ok(()) } else { Err(GuardError::LeaseLost) }
    }

    async fn release(&self, lease: RedisLease) -> Result<(), GuardError> {
        let mut script = RELEASE.key(self.entry(lease.key));
        script.arg(lease.token);
        self.connection.run(&script).await.map_err(GuardError::unavailable)
    }

    /// Redis cannot be told without waiting: the next copy is let in when the lease has expired.
    fn abandon(&self, _: RedisLease) {}
}

impl fmt::Debug for RedisReplayGuard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisReplayGuard")
            .field("address", &self.connection.address())
            .field("prefix", &self.prefix)
            .field("lease", &self.lease)
            .finish_non_exhaustive()
    }
}

/// The URL of a Redis cannot be used. It is not repeated here, because there may be a password in it.
#[derive(Debug, thiserror::Error)]
#[error("not a usable Redis URL (redis://host:port, or rediss:// with the feature `tls`): {0}")]
pub struct InvalidUrl(redis::RedisError);

/// Lua counts in doubles, which are exact this far and further. It is 31,000 years.
const FOREVER: u64 = 1_000_000_000_000_000;

fn instant(instant: UnixMillis) -> u64 {
    instant.as_millis().min(FOREVER)
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(FOREVER).min(FOREVER)
}
