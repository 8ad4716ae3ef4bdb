use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use sqlx::sqlite::{SqliteQueryResult, SqliteRow};
use sqlx::{Execute, Executor, Sqlite, SqliteConnection};
use tokio::runtime::Handle;
use tokio::sync::Mutex;
use tokio::time::{Instant, timeout_at};

use crate::attempt::{LeaseLost, panicked};
use crate::handler::Handled;
use crate::sqlite::{SqliteStore, Tx};
use crate::{Completion, Inbox, InboxError, Job, Outcome, WebhookEvent, Worker};

type BoxError = Box<dyn Error + Send + Sync>;

/// How long a handler may hold SQLite's write lock. Receivers wait meanwhile, and their deadline is 3 seconds.
const LONGEST: Duration = Duration::from_millis(500);

impl Inbox<SqliteStore> {
    /// A worker whose handler writes to your own tables in the same file, in one commit with the job's completion. So those writes happen
    /// exactly once, even if processes are killed.
    ///
    /// SQLite has one writer. So the handler first does what takes time, and then returns a closure that writes. The closure runs under `BEGIN
    /// IMMEDIATE`. If it takes longer than half a second, it is rolled back, and the attempt fails.
    ///
    /// ```no_run
    /// use sqlx::sqlite::SqlitePool;
    /// use twenty_webhook_inbox::{Inbox, Job, SqliteTransaction, WebhookEvent};
    ///
    /// # async fn look_up(_: &WebhookEvent) -> String { String::new() }
    /// # async fn run() -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    /// let inbox = Inbox::on_sqlite_pool(&SqlitePool::connect("sqlite:app.db?mode=rwc").await?).await?;
    /// let worker = inbox.run_in_transaction("audit", |event: WebhookEvent, _: Job| async move {
    ///     let name = look_up(&event).await;
    ///     Ok::<_, sqlx::Error>(move |tx: &mut SqliteTransaction| {
    ///         tx.execute(sqlx::query("INSERT INTO audit (name) VALUES (?)").bind(name))?;
    ///         Ok(())
    ///     })
    /// });
    /// worker.run_until(tokio::signal::ctrl_c()).await;
    /// # Ok(()) }
    /// ```
    ///
    /// An error of either part counts like any handler's error. After some errors SQLite rolls back the whole transaction; then the attempt
    /// fails, even if the closure ignores the error. Effects elsewhere, such as an HTTP call, may still happen twice.
    pub fn run_in_transaction<H, F, W, E>(&self, name: impl Into<String>, handler: H) -> Worker<SqliteStore>
    where
        H: Fn(WebhookEvent, Job) -> F + Send + Sync + 'static,
        F: Future<Output = Result<W, E>> + Send + 'static,
        W: FnOnce(&mut SqliteTransaction) -> Result<(), E> + Send + 'static,
        E: Into<BoxError> + 'static,
    {
        let (store, handler) = (self.store.clone(), Arc::new(handler));
        let handler = Arc::new(move |event, job: Job, token| {
            let (store, handler) = (store.clone(), Arc::clone(&handler));
            let handle = async move {
                let completions = job.completions(token, &Outcome::Done);
                let write = handler(event, job).await.map_err(Into::into)?;
                store.write_and_complete(move |tx| write(tx).map_err(Into::into), completions).await?;
                Ok(Handled::Completed)
            };
            handle.boxed()
        });
        Worker::new(self.clone(), name.into(), handler)
    }
}

/// SQLite's write transaction, for a closure that is not async: see [`Inbox::run_in_transaction`].
#[derive(Debug)]
pub struct SqliteTransaction {
    open: Arc<Mutex<Open>>,
    runtime: Handle,
}

impl SqliteTransaction {
    /// Executes a statement.
    ///
    /// # Errors
    /// If the database fails, or the half second is over.
    pub fn execute<'q>(&mut self, query: impl Execute<'q, Sqlite> + 'q) -> Result<SqliteQueryResult, sqlx::Error> {
        self.run(async |tx| tx.execute(query).await)
    }

    /// Executes a statement, and returns its rows.
    ///
    /// # Errors
    /// If the database fails, or the half second is over.
    pub fn fetch_all<'q>(&mut self, query: impl Execute<'q, Sqlite> + 'q) -> Result<Vec<SqliteRow>, sqlx::Error> {
        self.run(async |tx| tx.fetch_all(query).await)
    }

    /// Executes a statement, and returns its first row, if there is one.
    ///
    /// # Errors
    /// If the database fails, or the half second is over.
    pub fn fetch_optional<'q>(
        &mut self,
        query: impl Execute<'q, Sqlite> + 'q,
    ) -> Result<Option<SqliteRow>, sqlx::Error> {
        self.run(async |tx| tx.fetch_optional(query).await)
    }

    fn run<T>(
        &mut self,
        statement: impl AsyncFnOnce(&mut SqliteConnection) -> Result<T, sqlx::Error>,
    ) -> Result<T, sqlx::Error> {
        self.runtime.block_on(async {
            let open = &mut *self.open.lock().await;
            let tx = open.tx.as_mut().filter(|_| !open.is_rolled_back);
            let why = if open.is_rolled_back { ROLLED_BACK.to_owned() } else { too_long() };
            let tx = tx.ok_or(sqlx::Error::Protocol(why))?;
            let done = statement(tx).await;
            open.is_rolled_back = done.is_err() && is_rolled_back(tx).await;
            done
        })
    }
}

#[derive(Debug)]
struct Open {
    /// Taken out when the time is over.
    tx: Option<Tx>,
    /// Also if the handler ignores the error.
    is_rolled_back: bool,
}

const ROLLED_BACK: &str = "SQLite has rolled back the transaction, after an error of one of its statements";

fn too_long() -> String {
    format!("the transaction took longer than {LONGEST:?}")
}

/// SQLite may end a transaction by itself: if a statement is interrupted, says `OR ROLLBACK`, or meets a full disk. What follows would be
/// committed, statement by statement. Inside a transaction `BEGIN` fails and changes nothing; otherwise it begins one, to be rolled back.
async fn is_rolled_back(tx: &mut SqliteConnection) -> bool {
    let begun = sqlx::query("BEGIN").execute(tx).await;
    !begun.is_err_and(|error| error.to_string().contains("within a transaction"))
}

impl SqliteStore {
    async fn write_and_complete(
        &self,
        write: impl FnOnce(&mut SqliteTransaction) -> Result<(), BoxError> + Send + 'static,
        completions: Vec<Completion>,
    ) -> Result<(), BoxError> {
        let this = self.clone();
        // The result is inside, because the driver knows only the inbox's errors.
        self.driver.run(async move { Ok(this.run_write(write, &completions).await) }).await?
    }

    async fn run_write(
        &self,
        write: impl FnOnce(&mut SqliteTransaction) -> Result<(), BoxError> + Send + 'static,
        completions: &[Completion],
    ) -> Result<(), BoxError> {
        let _guard = self.write_lock.acquire().await;
        let mut begun = self.write.begin_with("BEGIN IMMEDIATE").await?;
        let deadline = Instant::now() + LONGEST;
        // Also interrupts a long statement.
        begun.lock_handle().await?.set_progress_handler(10_000, move || Instant::now() < deadline);
        let shared = Arc::new(Mutex::new(Open { tx: Some(begun), is_rolled_back: false }));
        let mut transaction = SqliteTransaction { open: Arc::clone(&shared), runtime: Handle::current() };
        let written = tokio::task::spawn_blocking(move || write(&mut transaction));
        let written = timeout_at(deadline, written).await;
        // Waits for the statement that is under way.
        let mut open = shared.lock().await;
        let Some(mut tx) = open.tx.take() else { return Err(LeaseLost.into()) };
        tx.lock_handle().await?.remove_progress_handler();
        let is_rolled_back = open.is_rolled_back || is_rolled_back(&mut tx).await;
        drop(open);
        let written = match written {
            Ok(Ok(written)) => written,
            Ok(Err(error)) => match error.try_into_panic() {
                Ok(panic) => Err(panicked(&*panic).into()),
                Err(error) => Err(error.into()),
            },
            Err(_) => Err(InboxError::database(too_long()).into()),
        };
        let written = if is_rolled_back { written.and(Err(InboxError::database(ROLLED_BACK).into())) } else { written };
        if let Err(error) = written {
            tx.rollback().await?;
            return Err(error);
        }
        let completed = self.run_complete(&mut tx, completions).await?;
        if completed.jobs.len() < completions.len() {
            tx.rollback().await?;
            return Err(LeaseLost.into());
        }
        tx.commit().await?;
        self.file.check()?;
        Ok(())
    }
}
