use std::fmt;
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Client, FromRedisValue, RedisError, RedisResult, RetryMethod, ScriptInvocation};
use tokio::sync::Mutex;
use tokio::time;

/// Between two attempts to reach a server that refuses: often enough to catch one that is being restarted.
const PAUSE: Duration = Duration::from_millis(50);

/// The one connection that all calls share, made when it is first needed, and made anew after any failure.
///
/// It is not redis's own `ConnectionManager`: that one never tries again after the server has refused its password, though it be
/// right later, and it keeps a connection on which answers no longer come.
pub(crate) struct Connection {
    client: Client,
    timeout: Duration,
    current: Mutex<Current>,
}

#[derive(Default)]
struct Current {
    connection: Option<MultiplexedConnection>,
    /// Tells a failure of this connection from a late one of a connection before it.
    number: u64,
}

impl Connection {
    pub(crate) fn new(client: Client, timeout: Duration) -> Self {
        Self { client, timeout, current: Mutex::default() }
    }

    pub(crate) fn timeout(&mut self, timeout: Duration) {
        *self = Self::new(self.client.clone(), timeout);
    }

    /// Runs a script, which must be one that may be run twice. Tries for as long as the timeout, and not longer.
    pub(crate) async fn run<T: FromRedisValue>(&self, script: &ScriptInvocation<'_>) -> Result<T, Unavailable> {
        let mut failure = None;
        let attempts = async {
            loop {
                match self.attempt(script).await {
                    Err(error) if !matches!(error.retry_method(), RetryMethod::NoRetry) => failure = Some(error),
                    settled => return settled,
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

    /// While one caller connects, the others wait for it.
    async fn connect(&self) -> RedisResult<(u64, MultiplexedConnection)> {
        let mut current = self.current.lock().await;
        if let Some(connection) = &current.connection {
            return Ok((current.number, connection.clone()));
        }
        // Half of the time each, so that a connection which has died silently is found out and replaced in one call.
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

    /// Without the user and the password.
    pub(crate) fn address(&self) -> String {
        self.client.get_connection_info().addr().to_string()
    }
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
