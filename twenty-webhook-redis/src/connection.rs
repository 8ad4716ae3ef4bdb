use std::fmt;
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Client, FromRedisValue, RedisError, RedisResult, RetryMethod, ScriptInvocation};
use tokio::sync::Mutex;
use tokio::time;

/// The pause between two attempts to reach a server. Short, so that a server which restarts is found quickly.
const PAUSE: Duration = Duration::from_millis(50);

/// One connection that all calls share. It connects at the first call, and again after each failure.
///
/// redis's own `ConnectionManager` does not fit: after a refused password it never tries again, and it keeps a connection that no longer
/// answers.
pub(crate) struct Connection {
    client: Client,
    timeout: Duration,
    current: Mutex<Current>,
}

#[derive(Default)]
struct Current {
    connection: Option<MultiplexedConnection>,
    /// Distinguishes a failure of this connection from a late failure of an earlier one.
    number: u64,
}

impl Connection {
    pub(crate) fn new(client: Client, timeout: Duration) -> Self {
        Self { client, timeout, current: Mutex::default() }
    }

    pub(crate) fn timeout(&mut self, timeout: Duration) {
        *self = Self::new(self.client.clone(), timeout);
    }

    /// Runs a script, which must be safe to run twice. Retries until the timeout.
    pub(crate) async fn run<T: FromRedisValue>(&self, script: &ScriptInvocation<'_>) -> Result<T, Unavailable> {
        let mut failure = None;
        let attempts = async {
            loop {
                match self.attempt(script).await {
                    Err(error) if is_temporary(&error) => failure = Some(error),
                    result => return result,
                }
                time::sleep(PAUSE).await;
            }
        };
        let failure = match time::timeout(self.timeout, attempts).await {
            Ok(Ok(answer)) => return Ok(answer),
            Ok(Err(error)) => Some(error),
            Err(_) => failure,
        };
        Err(Unavailable { address: self.address(), timeout: self.timeout, failure })
    }

    async fn attempt<T: FromRedisValue>(&self, script: &ScriptInvocation<'_>) -> RedisResult<T> {
        let (number, mut connection) = self.connect().await?;
        let answer = script.invoke_async(&mut connection).await;
        if answer.is_err() {
            self.discard(number).await;
        }
        answer
    }

    /// Only one caller connects; the others wait for it.
    async fn connect(&self) -> RedisResult<(u64, MultiplexedConnection)> {
        let mut current = self.current.lock().await;
        if let Some(connection) = &current.connection {
            return Ok((current.number, connection.clone()));
        }
        // Half of the timeout each, so that one call can detect a dead connection and replace it.
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(self.timeout / 2))
            .set_response_timeout(Some(self.timeout / 2));
        let connection = self.client.get_multiplexed_async_connection_with_config(&config).await?;
        current.number += 1;
        current.connection = Some(connection.clone());
        Ok((current.number, connection))
    }

    async fn discard(&self, number: u64) {
        let mut current = self.current.lock().await;
        if current.number == number {
            current.connection = None;
        }
    }

    /// The address, without user and password.
    pub(crate) fn address(&self) -> String {
        self.client.get_connection_info().addr().to_string()
    }
}

/// Whether the same call may succeed soon: after a failover, a slow script of another client, a full disk, a restart.
fn is_temporary(error: &RedisError) -> bool {
    const CODES: [&str; 8] =
        ["READONLY", "NOREPLICAS", "MISCONF", "BUSY", "LOADING", "MASTERDOWN", "CLUSTERDOWN", "TRYAGAIN"];
    // For a write in a script, Redis 5 and 6 answer `ERR`, and the code is in the text.
    let codes = [error.code(), error.detail()].into_iter().flatten().flat_map(|text| text.split([' ', '-']));
    !matches!(error.retry_method(), RetryMethod::NoRetry) || codes.into_iter().any(|code| CODES.contains(&code))
}

/// Redis gave no usable answer.
#[derive(Debug)]
pub(crate) struct Unavailable {
    address: String,
    timeout: Duration,
    failure: Option<RedisError>,
}

impl std::error::Error for Unavailable {}

impl fmt::Display for Unavailable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { address, timeout, failure } = self;
        match failure {
            Some(failure) => write!(f, "Redis at {address}: {failure}"),
            None => write!(f, "Redis at {address} did not answer within {timeout:?}"),
        }
    }
}
