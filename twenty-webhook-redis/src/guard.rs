use std::fmt;
use std::sync::LazyLock;
use std::time::Duration;

use redis::{Client, Script};
use twenty_webhook_core::{Claim, Delivery, GuardError, ReplayGuard, ReplayKey, UnixMillis};

use crate::connection::Connection;

static CLAIM: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("claim.lua")));
static COMPLETE: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("complete.lua")));
static RELEASE: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("release.lua")));

/// How much longer than needed an entry is kept, because the clock of a replica that takes over may be this far behind.
const GRACE: Duration = Duration::from_secs(60);

/// Remembers deliveries in Redis, for several receivers.
///
/// It connects at the first call, so a receiver starts without Redis, and again after each failure, so neither side needs a restart when
/// the other one restarts. Each call runs one atomic script, and takes at most the [timeout](Self::timeout).
///
/// While Redis is unavailable, deliveries are rejected with 503, and Twenty does not resend them. To handle them anyway, with a local
/// guard in each receiver, use [`insecure_fallback`](ReplayGuard::insecure_fallback).
///
/// It needs a tokio runtime with I/O and time enabled.
///
/// ```
/// use twenty_webhook_core::{MemoryReplayGuard, ReplayGuard, Secret, WebhookConfig};
/// use twenty_webhook_redis::RedisReplayGuard;
///
/// let secret = Secret::new("s3cret")?;
/// let guard = RedisReplayGuard::new("redis://localhost:6379")?.prefix("crm-sync:");
/// let config = WebhookConfig::new(secret.clone()).replay_guard(guard);
///
/// // Weaker: during an outage, another receiver may handle a replay, but no delivery is rejected.
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
    /// 2 seconds: longer than a short restart of Redis. Twenty hangs up after 5 seconds (read in its source), so 3 are left for the body
    /// and the handler.
    pub const DEFAULT_TIMEOUT: Duration = Duration::from_secs(2);

    /// 30 seconds: six times the 5 seconds that Twenty waits for an answer.
    pub const DEFAULT_LEASE: Duration = Duration::from_secs(30);

    /// `twenty-webhook:`, so that the keys are apart from those of other programs.
    pub const DEFAULT_PREFIX: &str = "twenty-webhook:";

    /// Makes a guard for the Redis at `url`: `redis://user:password@host:port/database`, or `rediss://…` for TLS (feature `tls`). It does
    /// not connect yet.
    ///
    /// # Errors
    /// If `url` is no such URL, or needs a feature of this crate that is off.
    pub fn new(url: &str) -> Result<Self, InvalidUrl> {
        Ok(Self::with_client(Client::open(url).map_err(InvalidUrl)?))
    }

    /// Makes a guard with a client that you configured yourself, with your own certificates for example.
    pub fn with_client(client: Client) -> Self {
        #[cfg(feature = "tls")]
        if matches!(client.get_connection_info().addr(), redis::ConnectionAddr::TcpTls { .. }) {
            // An error only means that a provider is installed already.
            let _ = rustls::crypto::ring::default_provider().install_default();
        }
        Self {
            connection: Connection::new(client, Self::DEFAULT_TIMEOUT),
            prefix: Self::DEFAULT_PREFIX.to_owned(),
            lease: Self::DEFAULT_LEASE,
        }
    }

    /// Sets the prefix of all keys. The default is [`DEFAULT_PREFIX`](Self::DEFAULT_PREFIX). A key is the prefix and the delivery's
    /// [`ReplayKey`] in hex, 64 digits.
    ///
    /// Receivers that do the same work share a prefix. Receivers that do different work with the same webhook need different prefixes on
    /// one Redis: otherwise a delivery that one of them handled is a duplicate to the other.
    #[must_use]
    pub fn prefix(mut self, prefix: impl Into<String>) -> Self {
        self.prefix = prefix.into();
        self
    }

    /// Sets how long a claim blocks copies of its delivery while it is neither completed nor released, in whole milliseconds. The default
    /// is [30 seconds](Self::DEFAULT_LEASE). When the lease has expired, a copy of the delivery is accepted, because the receiver may have
    /// died. It must be longer than your handler takes: otherwise a copy may be handled at the same time.
    #[must_use]
    pub fn lease(mut self, lease: Duration) -> Self {
        self.lease = lease;
        self
    }

    /// Sets how long one call may take, including the connection and all retries. The default is [2 seconds](Self::DEFAULT_TIMEOUT). An
    /// attempt to connect, or one response, may take half of it.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.connection.timeout(timeout);
        self
    }

    fn entry(&self, key: ReplayKey) -> String {
        format!("{}{key}", self.prefix)
    }
}

/// The lease of a delivery that a [`RedisReplayGuard`] claimed.
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
        script.arg(unix_millis(expires_at)).arg(token).arg(millis(self.lease)).arg(millis(GRACE));
        let (answer, remaining): (String, u64) = self.connection.run(&script).await.map_err(GuardError::unavailable)?;
        match answer.as_str() {
            "new" => Ok(Claim::New(RedisLease { key, delivery_expires_at: expires_at, token })),
            "in_progress" => Ok(Claim::InProgress { retry_after: Duration::from_millis(remaining) }),
            "completed" => Ok(Claim::Completed),
            "expired" => Ok(Claim::Expired),
            other => Err(GuardError::unavailable(format!("Redis answered {other:?} to a claim"))),
        }
    }

    async fn complete(&self, lease: RedisLease) -> Result<(), GuardError> {
        let mut script = COMPLETE.key(self.entry(lease.key));
        script.arg(unix_millis(lease.delivery_expires_at)).arg(lease.token).arg(millis(GRACE));
        let held: bool = self.connection.run(&script).await.map_err(GuardError::unavailable)?;
        if held { Ok(()) } else { Err(GuardError::LeaseLost) }
    }

    async fn release(&self, lease: RedisLease) -> Result<(), GuardError> {
        let mut script = RELEASE.key(self.entry(lease.key));
        script.arg(lease.token);
        self.connection.run(&script).await.map_err(GuardError::unavailable)
    }

    /// Does nothing, because a call to Redis would have to wait: a copy is accepted after the lease has expired.
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

/// The URL of a Redis cannot be used. The message does not repeat the URL, because it may contain a password.
#[derive(Debug, thiserror::Error)]
#[error("not a usable Redis URL (redis://host:port, or rediss:// with the feature `tls`): {0}")]
pub struct InvalidUrl(redis::RedisError);

/// The longest time in milliseconds, 31,000 years. Lua's numbers are doubles, which hold it exactly.
const LONGEST: u64 = 1_000_000_000_000_000;

fn unix_millis(time: UnixMillis) -> u64 {
    time.as_millis().min(LONGEST)
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(LONGEST).min(LONGEST)
}
