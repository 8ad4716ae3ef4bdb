use std::error::Error;
use std::sync::Arc;

use futures_util::FutureExt;
use sqlx::postgres::PgTransaction;

use crate::attempt::LeaseLost;
use crate::handler::Handled;
use crate::{Inbox, InboxError, Job, Outcome, PostgresStore, WebhookEvent, Worker};

/// The settings of a transaction from a pool that may be the user's, and two that it must have already. If its client vanishes or is stopped,
/// its locks are free within half a minute, as on the inbox's own connections. A shorter time of the user's stays.
const SETTINGS: &str = "SELECT current_setting('synchronous_commit'), current_setting('transaction_isolation'),
    set_config(idle.name, (1000 * extract(epoch FROM least(nullif(current_setting(idle.name)::interval, '0'), '15s')))::bigint::text, true),
    set_config(lock.name, (1000 * extract(epoch FROM least(nullif(current_setting(lock.name)::interval, '0'), '10s')))::bigint::text, true),
    set_config('tcp_keepalives_idle', '10', true), set_config('tcp_keepalives_interval', '5', true),
    set_config('tcp_keepalives_count', '3', true), set_config('tcp_user_timeout', '25000', true)
    FROM (VALUES ('idle_in_transaction_session_timeout')) AS idle (name), (VALUES ('lock_timeout')) AS lock (name)";

impl Inbox<PostgresStore> {
    /// A worker whose handler writes to your own tables in the same database, in one commit with the job's completion. So those writes
    /// happen exactly once, even if processes are killed. The handler gets the transaction, and returns it:
    ///
    /// ```no_run
    /// use sqlx::postgres::{PgPool, PgTransaction};
    /// use twenty_webhook_inbox::{Inbox, Job, WebhookEvent};
    ///
    /// async fn record(event: WebhookEvent, _: Job, mut tx: PgTransaction<'static>) -> Result<PgTransaction<'static>, sqlx::Error> {
    ///     sqlx::query("INSERT INTO audit (name) VALUES ($1)").bind(event.name().as_str()).execute(&mut *tx).await?;
    ///     Ok(tx)
    /// }
    ///
    /// # async fn run() -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    /// let inbox = Inbox::on_postgres_pool(&PgPool::connect("postgres://localhost/app").await?).await?;
    /// inbox.run_in_transaction("audit", record).run_until(tokio::signal::ctrl_c()).await;
    /// # Ok(()) }
    /// ```
    ///
    /// The transaction comes from the pool that the inbox was opened on. Return the same transaction, neither committed nor rolled back. An
    /// error rolls it back, and counts like any handler's error. Effects elsewhere, such as an HTTP call, may still happen twice. A
    /// connection with `synchronous_commit = off` is refused, because its commits may be lost; and one whose transactions are not `read
    /// committed`, because the heartbeat renews the job's lease meanwhile, and the completion would fail.
    ///
    /// *The transaction is open as long as the handler runs. Postgres ends it if the handler pauses for 15 seconds between two statements*,
    /// for a slow HTTP call for example, and then the attempt fails, although [`timeout`](Worker::timeout) is a minute. A statement that waits
    /// for a lock for 10 seconds fails, too. So the locks of a worker whose host has vanished are free soon. Shorter times of your pool stay.
    pub fn run_in_transaction<H, F, E>(&self, name: impl Into<String>, handler: H) -> Worker<PostgresStore>
    where
        H: Fn(WebhookEvent, Job, PgTransaction<'static>) -> F + Send + Sync + 'static,
        F: Future<Output = Result<PgTransaction<'static>, E>> + Send + 'static,
        E: Into<Box<dyn Error + Send + Sync>> + 'static,
    {
        let (store, handler) = (self.store.clone(), Arc::new(handler));
        let handler = Arc::new(move |event, job: Job, token| {
            let (store, handler) = (store.clone(), Arc::clone(&handler));
            let handle = async move {
                let completions = job.completions(token, &Outcome::Done);
                let mut tx = store.handlers.begin().await?;
                let settings = store.dialect.query_as(SETTINGS).fetch_one(&mut *tx);
                let (commit, isolation): (String, String) = settings.await?;
                if commit == "off" {
                    return Err(InboxError::database("synchronous_commit is off: the commit might be lost").into());
                }
                if isolation != "read committed" {
                    let why = format!("the transaction is {isolation}: it must be read committed");
                    return Err(InboxError::database(why).into());
                }
                let mut tx = handler(event, job, tx).await.map_err(Into::into)?;
                let completed = store.complete_in(&mut tx, &completions).await?;
                if completed.jobs.len() < completions.len() {
                    return Err(LeaseLost.into());
                }
                tx.commit().await?;
                Ok(Handled::Completed)
            };
            handle.boxed()
        });
        Worker::new(self.clone(), name.into(), handler)
    }
}
