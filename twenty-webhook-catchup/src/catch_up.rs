use std::collections::BTreeSet;
use std::error::Error;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use reqwest::Url;
use twenty_webhook_core::WebhookEvent;
use twenty_webhook_inbox::CatchUpScope;

use crate::api_key::ApiKey;
use crate::changes::millis;
use crate::handler::Handler;
use crate::{CatchUpError, Progress, api};

/// Ten years. Longer durations cannot be added to a point in time.
const LONGEST: Duration = Duration::from_hours(10 * 365 * 24);

/// A callback that shows something.
type Show<T> = Arc<dyn Fn(&T) + Send + Sync>;

/// Reads the changes of a workspace through Twenty's API, and stores those that no delivery has brought.
///
/// Set it up, then call [`run_until`](Self::run_until) in a receiver, or [`run_once`](Self::run_once) from cron.
///
/// ```
/// use std::time::Duration;
/// use twenty_webhook_catchup::CatchUp;
///
/// let catch_up = CatchUp::new("https://crm.example.com", "your-api-key")?
///     .objects(["person", "company"])
///     .every(Duration::from_secs(5 * 60));
/// # Ok::<(), twenty_webhook_catchup::CatchUpError>(())
/// ```
///
/// | setting | default |
/// |---|---|
/// | [`every`](Self::every) | 15 minutes |
/// | [`overlap`](Self::overlap) | 5 minutes |
/// | [`min_age`](Self::min_age) | 10 seconds |
/// | [`destroyed_every`](Self::destroyed_every) | 24 hours |
/// | [`requests_per_minute`](Self::requests_per_minute) | 40 |
/// | [`request_timeout`](Self::request_timeout) | 30 seconds |
/// | [`retry_wait`](Self::retry_wait) | 1 second |
/// | [`max_body`](Self::max_body) | 64 MiB |
/// | [`lease`](Self::lease) | 1 minute |
/// | [`early_run_at`](Self::early_run_at) | 55 deliveries in a minute |
#[derive(Clone)]
#[must_use = "it does nothing until it is run"]
pub struct CatchUp {
    pub(crate) client: reqwest::Client,
    pub(crate) url: Url,
    pub(crate) api_key: ApiKey,
    /// `None` for all.
    pub(crate) objects: Option<Vec<String>>,
    pub(crate) every: Duration,
    pub(crate) overlap: Duration,
    pub(crate) min_age: Duration,
    pub(crate) requests_per_minute: u32,
    pub(crate) request_timeout: Duration,
    pub(crate) first_wait: Duration,
    pub(crate) max_body: usize,
    pub(crate) lease: Duration,
    pub(crate) destroyed_every: Option<Duration>,
    pub(crate) accepts_destroys: bool,
    pub(crate) backfill: bool,
    pub(crate) since: Option<Duration>,
    pub(crate) early_run_at: Option<u64>,
    pub(crate) scope: CatchUpScope,
    pub(crate) dry_run: bool,
    pub(crate) handler: Option<Handler>,
    pub(crate) on_progress: Option<Show<Progress>>,
    pub(crate) on_event: Option<Show<WebhookEvent>>,
}

impl CatchUp {
    /// Reads from this Twenty server: the URL of the workspace, or `https://api.twenty.com`. Create the key under *Settings → API & Webhooks*;
    /// its role must be allowed to read the objects. No log and no error contains the key. With plain `http` it is sent unencrypted.
    ///
    /// It installs *ring* as the process's rustls `CryptoProvider`, unless the program has installed one.
    ///
    /// # Errors
    /// [`InvalidUrl`](CatchUpError::InvalidUrl) unless the URL is `http` or `https`, without a user name, a query or a fragment.
    /// [`InvalidApiKey`](CatchUpError::InvalidApiKey) if the key is empty, or has a space or a character that is not printable ASCII.
    /// [`Client`](CatchUpError::Client) if the HTTPS client cannot be created.
    pub fn new(url: impl AsRef<str>, api_key: impl AsRef<str>) -> Result<Self, CatchUpError> {
        let url = base_url(url.as_ref())?;
        Ok(Self {
            client: api::client(&url)?,
            url,
            api_key: ApiKey::new(api_key.as_ref())?,
            objects: Some(Vec::new()),
            every: Duration::from_mins(15),
            overlap: Duration::from_mins(5),
            min_age: Duration::from_secs(10),
            requests_per_minute: 40,
            request_timeout: Duration::from_secs(30),
            first_wait: Duration::from_secs(1),
            max_body: 64 << 20,
            lease: Duration::from_mins(1),
            destroyed_every: Some(Duration::from_hours(24)),
            accepts_destroys: false,
            backfill: false,
            since: None,
            early_run_at: Some(55),
            scope: CatchUpScope::default(),
            dry_run: false,
            handler: None,
            on_progress: None,
            on_event: None,
        })
    }

    /// Sets the objects, by their singular names as in an event's name, for example `person`. Custom objects have such names too. Without
    /// this call and [`all_objects`](Self::all_objects), nothing is read.
    pub fn objects<O: Into<String>>(mut self, objects: impl IntoIterator<Item = O>) -> Self {
        let mut seen = BTreeSet::new();
        let objects = objects.into_iter().map(Into::into).filter(|object: &String| seen.insert(object.clone()));
        self.objects = Some(objects.collect());
        self
    }

    /// Selects all objects of the data model, except deactivated and system objects. An object that the key's role may not read is an error
    /// in the [report](crate::ObjectReport::error); the run continues with the others.
    pub fn all_objects(mut self) -> Self {
        self.objects = None;
        self
    }

    /// Sets the time from the start of a run to the start of the next. The default is 15 minutes, the minimum is 1 second. A run makes one
    /// request for each object without changes, and one for the data model.
    pub fn every(mut self, interval: Duration) -> Self {
        self.every = interval.clamp(Duration::from_secs(1), LONGEST);
        self
    }

    /// Sets how far before the watermark a run starts to read. A record becomes visible when its transaction commits, which is later than its
    /// date. If that takes longer than the overlap, only the next [listing of all ids](Self::destroyed_every) finds the change. The default is 5
    /// minutes, the minimum is 2 seconds more than [`min_age`](Self::min_age).
    pub fn overlap(mut self, overlap: Duration) -> Self {
        self.overlap = overlap.min(LONGEST);
        self
    }

    /// Sets the minimum age of a change. A younger change is left to its delivery and to the next run. The default is 10 seconds. Use at least
    /// 2 seconds: a record may change twice in the same millisecond, and the second change would be taken for the first.
    pub fn min_age(mut self, min_age: Duration) -> Self {
        self.min_age = min_age.min(LONGEST);
        self
    }

    /// Sets the maximum number of requests in any minute, for all objects together. The default is 40, the minimum is 1. Twenty's
    /// documentation allows 100, and users of its cloud report 50.
    pub fn requests_per_minute(mut self, requests: u32) -> Self {
        self.requests_per_minute = requests.max(1);
        self
    }

    /// Sets the deadline of one attempt of a request, from sending it to the last byte of the response. The default is 30 seconds.
    pub fn request_timeout(mut self, timeout: Duration) -> Self {
        self.request_timeout = timeout.min(LONGEST);
        self
    }

    /// Sets the wait before a request is repeated after a timeout, a broken connection, a 408 or a 5xx. The wait doubles with each attempt, up
    /// to 1 minute, less a random part of up to a quarter; there are 6 attempts. After a 429 without `Retry-After` the wait is 15 times as
    /// long. The default is 1 second.
    pub fn retry_wait(mut self, wait: Duration) -> Self {
        self.first_wait = wait.min(LONGEST);
        self
    }

    /// Sets the largest response, in bytes. A larger page is requested in smaller parts, down to one record. The default is 64 MiB: Twenty has
    /// sent notes of 18 MB.
    pub fn max_body(mut self, bytes: usize) -> Self {
        self.max_body = bytes;
        self
    }

    /// Sets the length of a run's lease. The run renews it after a third of that time. If its process is killed, another process can start a
    /// run when the lease expires. The default is 1 minute, the minimum is 1 second, the maximum is 1 hour.
    pub fn lease(mut self, lease: Duration) -> Self {
        self.lease = lease.clamp(Duration::from_secs(1), Duration::from_hours(1));
        self
    }

    /// Sets how often all ids are listed, to find destroyed records, and changes that became visible late. The default is 24 hours. A listing
    /// makes one request for each 200 records, within [`requests_per_minute`](Self::requests_per_minute), and pauses when the next run is due.
    ///
    /// A wrong `destroyed` event makes handlers delete data, so it needs proof:
    ///
    /// - The same API key must have read the id before. An id that is known only from a delivery or from another key may be hidden from this
    ///   key. Such ids are [counted](crate::ObjectReport::unproven), and logged as a warning.
    /// - A record missing from the listing is requested once more, together with a record that exists. The trash is included. Only a response
    ///   that contains the other record, and not this one, proves that it was destroyed.
    /// - An error proves nothing. After a 403 (the role lost a permission), a 404 or a 400 (the object was hidden or deactivated), the listing
    ///   ends without events. After a timeout or a 5xx, the next run continues it.
    /// - If more than 5 % of the ids that this key has read are missing, or more than 100, no event is emitted. The report then has the error
    ///   [`TooManyMissing`](CatchUpError::TooManyMissing), unless [`accept_destroys`](Self::accept_destroys) is set.
    ///
    /// The API does not distinguish a destroyed record from one that was made private, or that a row-level permission now hides from the key.
    /// Use a key whose role reads all records.
    pub fn destroyed_every(mut self, interval: Duration) -> Self {
        self.destroyed_every = Some(interval.min(LONGEST));
        self
    }

    /// Does not list all ids: finds neither destroyed records, nor changes that became visible late.
    pub fn without_destroyed(mut self) -> Self {
        self.destroyed_every = None;
        self
    }

    /// Emits `destroyed` for missing records without a limit on their number, and also for those that are known only from deliveries or from
    /// another key. Each record is still confirmed. Set it for one run, after you have checked in Twenty that the records are gone. If the last
    /// listing ended with [`TooManyMissing`](CatchUpError::TooManyMissing), or [left out](crate::ObjectReport::unproven) such ids, all ids are
    /// listed at once.
    pub fn accept_destroys(mut self) -> Self {
        self.accepts_destroys = true;
        self
    }

    /// Emits an event for each record whose state the inbox has not handled, of any age. [`run_until`](Self::run_until) does so once for each
    /// object: until all of its records were read.
    pub fn backfill(mut self) -> Self {
        self.backfill = true;
        self
    }

    /// Reads at least the changes of the last `age` before the run, by Twenty's clock, also on a first run. Emits events for those that
    /// were not handled.
    pub fn since(mut self, age: Duration) -> Self {
        self.since = Some(age.min(LONGEST));
        self
    }

    /// Sets how many deliveries within a minute start the next run early, because Twenty drops deliveries over its limit of about 60 a
    /// minute (read in its source). They are counted every 15 seconds, over the last 75, so that no minute is missed. A run also starts
    /// early when a receiver could not store a delivery, or has started after downtime. All of this is read from the store, so the receiver
    /// may be another process. An early run starts at least a minute after the start of the last run. The default is 55, the minimum is 1.
    pub fn early_run_at(mut self, deliveries_per_minute: u64) -> Self {
        self.early_run_at = Some(deliveries_per_minute.max(1));
        self
    }

    /// Starts no run early: runs start only at [intervals](Self::every).
    pub fn without_early_runs(mut self) -> Self {
        self.early_run_at = None;
        self
    }

    /// Sets the id of the key's workspace, a UUID. It is needed only if the inbox has deliveries of several workspaces, and the key does
    /// not contain the id. (Twenty's keys are JSON Web Tokens that contain it.)
    pub fn workspace_id(mut self, id: impl Into<String>) -> Self {
        self.scope.workspace_id = Some(id.into());
        self
    }

    /// Sets the tenant whose events are caught up, if the receiver's verifiers have [tenants](twenty_webhook_core::Verifier::tenant).
    pub fn tenant(mut self, tenant: impl Into<String>) -> Self {
        self.scope.tenant = Some(tenant.into());
        self
    }

    /// Calls a handler for each event, before the event's page is saved. For your own implementation of [`CatchUpStore`](crate::CatchUpStore):
    /// with an inbox, its worker calls the handler.
    ///
    /// If the handler fails, nothing of the page is saved, and the next run starts with that page. So the handler may be called twice for the
    /// same event. The run continues with the other objects.
    ///
    /// A handler that writes to the store's own database does not need this: write the events in
    /// [`CatchUpStore::commit`](crate::CatchUpStore::commit), in the same transaction.
    ///
    /// ```
    /// # use twenty_webhook_catchup::{CatchUp, WebhookEvent};
    /// async fn handle(event: WebhookEvent) -> Result<(), std::io::Error> {
    ///     println!("{} {:?}", event.name(), event.record_id());
    ///     Ok(())
    /// }
    ///
    /// let catch_up = CatchUp::new("https://crm.example.com", "your-api-key")?.all_objects().handle_with(handle);
    /// # Ok::<(), twenty_webhook_catchup::CatchUpError>(())
    /// ```
    pub fn handle_with<F, E>(mut self, handler: impl Fn(WebhookEvent) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = Result<(), E>> + Send + 'static,
        E: Into<Box<dyn Error + Send + Sync>>,
    {
        self.handler = Some(Handler::new(handler));
        self
    }

    /// Reads and reports, but stores nothing, calls no handler and takes no lease. All ids are listed if that is [due](Self::destroyed_every).
    /// Ids that are known only from deliveries do not count as known. [`on_event`](Self::on_event) shows what would be stored.
    pub fn dry_run(mut self) -> Self {
        self.dry_run = true;
        self
    }

    /// Calls `show` for each event before it is stored, and in a [dry run](Self::dry_run). `show` must not block. It may see an event twice if
    /// the process is killed.
    pub fn on_event(mut self, show: impl Fn(&WebhookEvent) + Send + Sync + 'static) -> Self {
        self.on_event = Some(Arc::new(show));
        self
    }

    /// Calls `show` after each page. `show` must not block.
    pub fn on_progress(mut self, show: impl Fn(&Progress) + Send + Sync + 'static) -> Self {
        self.on_progress = Some(Arc::new(show));
        self
    }
}

impl CatchUp {
    /// How far before the watermark a run reads, in milliseconds. It covers `min_age`, so that the next run reads what this one left to it, and
    /// two seconds more, because HTTP dates have whole seconds.
    pub(crate) fn look_back(&self) -> i64 {
        millis(self.overlap.max(self.min_age + Duration::from_secs(2)))
    }
}

/// Without the API key.
impl fmt::Debug for CatchUp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CatchUp")
            .field("url", &self.url.as_str())
            .field("objects", &self.objects)
            .field("every", &self.every)
            .finish_non_exhaustive()
    }
}

fn base_url(text: &str) -> Result<Url, CatchUpError> {
    let invalid = |why: &str| CatchUpError::InvalidUrl(why.to_owned());
    let url = Url::parse(text.trim()).map_err(|error| invalid(&error.to_string()))?;
    if !matches!(url.scheme(), "http" | "https") || !url.has_host() {
        return Err(invalid("it must begin with https:// or http://"));
    }
    if !url.username().is_empty() || url.password().is_some() || url.query().is_some() || url.fragment().is_some() {
        return Err(invalid("it must have no user name, query or fragment"));
    }
    Ok(url)
}
