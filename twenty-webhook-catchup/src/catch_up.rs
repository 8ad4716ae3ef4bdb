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

/// A callback.
type Show<T> = Arc<dyn Fn(&T) + Send + Sync>;

/// Reads what changed in a workspace, and stores what is not known. Settings, until [`run_until`](Self::run_until) or
/// [`run_once`](Self::run_once).
///
/// ```
/// use twenty_webhook_catchup::CatchUp;
///
/// let catch_up = CatchUp::new("https://crm.example.com", "your-api-key")?.objects(["person", "company"]);
/// # Ok::<(), twenty_webhook_catchup::CatchUpError>(())
/// ```
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
    pub(crate) settle: Duration,
    pub(crate) requests_per_minute: u32,
    pub(crate) request_timeout: Duration,
    pub(crate) first_wait: Duration,
    pub(crate) max_body: usize,
    pub(crate) lease: Duration,
    pub(crate) destroyed_every: Option<Duration>,
    pub(crate) accepts_destroys: bool,
    pub(crate) backfill: bool,
    pub(crate) since: Option<Duration>,
    pub(crate) ceiling: Option<u64>,
    pub(crate) scope: CatchUpScope,
    pub(crate) dry_run: bool,
    pub(crate) handler: Option<Handler>,
    pub(crate) on_progress: Option<Show<Progress>>,
    pub(crate) on_event: Option<Show<WebhookEvent>>,
}

impl CatchUp {
    /// Reads from this Twenty: the URL of the workspace, or `https://api.twenty.com`. The key is one of *Settings → API & Webhooks*; its role
    /// must be allowed to read the objects. It is shown in no log and no error. Over plain `http` it can be read on the way.
    ///
    /// # Errors
    /// If the URL is not one of `http` or `https`, or carries a user name, a query or a fragment; if the key is empty or no header can carry
    /// it; or if there is no HTTPS client.
    pub fn new(url: impl AsRef<str>, api_key: impl AsRef<str>) -> Result<Self, CatchUpError> {
        let url = base(url.as_ref())?;
        Ok(Self {
            client: api::client(&url)?,
            url,
            api_key: ApiKey::new(api_key.as_ref())?,
            objects: Some(Vec::new()),
            every: Duration::from_mins(15),
            overlap: Duration::from_mins(5),
            settle: Duration::from_secs(10),
            requests_per_minute: 40,
            request_timeout: Duration::from_secs(30),
            first_wait: Duration::from_secs(1),
            max_body: 64 << 20,
            lease: Duration::from_mins(1),
            destroyed_every: Some(Duration::from_hours(24)),
            accepts_destroys: false,
            backfill: false,
            since: None,
            ceiling: Some(55),
            scope: CatchUpScope::default(),
            dry_run: false,
            handler: None,
            on_progress: None,
            on_event: None,
        })
    }

    /// Sets the objects, by the singular names that events have: `person`, or a custom object's. The names that the API needs are read from
    /// the data model.
    pub fn objects<O: Into<String>>(mut self, objects: impl IntoIterator<Item = O>) -> Self {
        let mut seen = BTreeSet::new();
        let objects = objects.into_iter().map(Into::into).filter(|object: &String| seen.insert(object.clone()));
        self.objects = Some(objects.collect());
        self
    }

    /// All objects of the data model, but those that are switched off or Twenty's own. An object that the key's role may not read is an
    /// error in the [report](crate::ObjectReport::error), and the others go on.
    pub fn all_objects(mut self) -> Self {
        self.objects = None;
        self
    }

    /// Sets the time from the beginning of a run to that of the next. The default is 15 minutes, the least is a second. A run costs one
    /// request for each object where nothing changed, and one for the data model.
    pub fn every(mut self, interval: Duration) -> Self {
        self.every = interval.max(Duration::from_secs(1));
        self
    }

    /// Sets how far a run looks back behind the watermark. A record becomes visible when its transaction commits, later than it is dated. The
    /// default is 5 minutes, the least is 2 seconds more than [`settle`](Self::settle).
    pub fn overlap(mut self, overlap: Duration) -> Self {
        self.overlap = overlap;
        self
    }

    /// Sets for how long after a change a record is left to its webhook, and to the next run. The default is 10 seconds. It is also what
    /// keeps a second change in the same millisecond from being taken for the first: a least of 2 seconds is safe.
    pub fn settle(mut self, settle: Duration) -> Self {
        self.settle = settle;
        self
    }

    /// Sets how many requests are made in any minute, for all objects together. The default is 40: Twenty allows 100, and users of its cloud
    /// report 50.
    pub fn requests_per_minute(mut self, requests: u32) -> Self {
        self.requests_per_minute = requests.max(1);
        self
    }

    /// Sets the deadline of one request, its answer read. The default is 30 seconds.
    pub fn request_timeout(mut self, timeout: Duration) -> Self {
        self.request_timeout = timeout;
        self
    }

    /// Sets how long to wait before a request is repeated that timed out, broke off, or was answered with a status of 500 to 599: this, and
    /// then twice as long each time, up to a minute; six attempts in all. After a 429 without `Retry-After` it is fifteen times as long. The
    /// default is a second.
    pub fn retry_wait(mut self, wait: Duration) -> Self {
        self.first_wait = wait;
        self
    }

    /// Sets how large an answer may be, in bytes. A page that is larger is asked for in smaller parts, down to one record. The default is
    /// 64 MiB: Twenty has sent notes of 18 MB.
    pub fn max_body(mut self, bytes: usize) -> Self {
        self.max_body = bytes;
        self
    }

    /// Sets how long after the end of a process that was killed another one takes its run over. A run holds a lease of this length, and renews
    /// it three times as often. The default is a minute, the least is a second.
    pub fn lease(mut self, lease: Duration) -> Self {
        self.lease = lease.max(Duration::from_secs(1));
        self
    }

    /// Sets how often all ids are listed, to find what was destroyed. The default is a day. It costs a request for each 200 records, at the
    /// rate of all requests, and gives way to the runs that look for changes.
    ///
    /// A wrong `destroyed` makes handlers delete, so none is emitted on doubt:
    ///
    /// - Only an id that the same API key had read before counts. One that only a delivery told of, or that another key read, may be hidden
    ///   from this key: such ids are [counted](crate::ObjectReport::unproven) and warned of.
    /// - A record that the pass did not list is asked for once more, those in the trash included, together with one that is there: only an
    ///   answer with the other one alone says that it is gone.
    /// - An error proves nothing: after a 403 (the role was narrowed), a 404 or a 400 (the object was hidden or switched off) the pass is given
    ///   up.
    /// - If more than 5 % of an object's known ids are missing, or more than 100, nothing is emitted, and
    ///   [`TooManyMissing`](CatchUpError::TooManyMissing) says so, until [`accept_destroys`](Self::accept_destroys).
    ///
    /// One thing the API cannot tell: a record that was made private, or that a row-level permission hides from the key from now on, looks
    /// like one that was destroyed. Use a key whose role reads all records.
    pub fn destroyed_every(mut self, interval: Duration) -> Self {
        self.destroyed_every = Some(interval);
        self
    }

    /// Does not look for what was destroyed.
    pub fn without_destroyed(mut self) -> Self {
        self.destroyed_every = None;
        self
    }

    /// Believes that what is missing was destroyed, however much it is, and also what only deliveries or another key told of. Each record is
    /// confirmed all the same. Meant for one run, after a look at Twenty; a pass that was refused is made again at once.
    pub fn accept_destroys(mut self) -> Self {
        self.accepts_destroys = true;
        self
    }

    /// Handles every record that the inbox has not handled, however old. Only the first run of a [`run_until`](Self::run_until) does.
    pub fn backfill(mut self) -> Self {
        self.backfill = true;
        self
    }

    /// Looks back at least this far, on a first run too: what was not handled is handled.
    pub fn since(mut self, age: Duration) -> Self {
        self.since = Some(age);
        self
    }

    /// Sets how many deliveries in a minute are suspicious: Twenty drops what is over about 60, so the next run starts at once. It also
    /// starts at once when a receiver could not store a delivery, or has begun to receive after it was down. All of this is read from the
    /// store, so the receiver may be another process. The default is 55.
    pub fn suspicious_at(mut self, deliveries_per_minute: u64) -> Self {
        self.ceiling = Some(deliveries_per_minute.max(1));
        self
    }

    /// Runs only at intervals, whatever the inbox says.
    pub fn without_suspicion(mut self) -> Self {
        self.ceiling = None;
        self
    }

    /// Sets the workspace that the key is of. It is needed only if the key does not say so itself, and the inbox has deliveries of several.
    pub fn workspace_id(mut self, id: impl Into<String>) -> Self {
        self.scope.workspace_id = Some(id.into());
        self
    }

    /// Sets the tenant, if the receiver's verifiers have tenants: what is caught up is the tenant's, as the deliveries are.
    pub fn tenant(mut self, tenant: impl Into<String>) -> Self {
        self.scope.tenant = Some(tenant.into());
        self
    }

    /// Calls a handler for each event, before the page that it came with is saved. For a [store](crate::CatchUpStore) of your own that is no
    /// inbox: an inbox has its worker.
    ///
    /// If the handler fails, nothing of the page is saved, and the next run begins with that page. So the handler may be called twice for
    /// the same event. The other objects go on.
    ///
    /// A handler that writes to the store's own database needs none of this: write the events in
    /// [`CatchUpStore::commit`](crate::CatchUpStore::commit), in the same transaction.
    pub fn handle_with<F, E>(mut self, handler: impl Fn(WebhookEvent) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = Result<(), E>> + Send + 'static,
        E: Into<Box<dyn Error + Send + Sync>>,
    {
        self.handler = Some(Handler::new(handler));
        self
    }

    /// Only looks: nothing is stored, saved or handled, and no lease is taken. All ids are listed if that is [due](Self::destroyed_every). Ids
    /// that only deliveries told of are not among the known ones. See [`on_event`](Self::on_event).
    pub fn dry_run(mut self) -> Self {
        self.dry_run = true;
        self
    }

    /// Calls `show` for every event that is about to be stored, or would be. It must not block. After a kill an event may be shown twice.
    pub fn on_event(mut self, show: impl Fn(&WebhookEvent) + Send + Sync + 'static) -> Self {
        self.on_event = Some(Arc::new(show));
        self
    }

    /// Calls `show` after every page. It must not block.
    pub fn on_progress(mut self, show: impl Fn(&Progress) + Send + Sync + 'static) -> Self {
        self.on_progress = Some(Arc::new(show));
        self
    }
}

impl CatchUp {
    /// In milliseconds. What is left to the next run because it is recent must be read by it; HTTP dates have whole seconds.
    pub(crate) fn look_back(&self) -> i64 {
        millis(self.overlap.max(self.settle + Duration::from_secs(2)))
    }
}

/// Settings, without the key.
impl fmt::Debug for CatchUp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CatchUp")
            .field("url", &self.url.as_str())
            .field("objects", &self.objects)
            .field("every", &self.every)
            .finish_non_exhaustive()
    }
}

fn base(text: &str) -> Result<Url, CatchUpError> {
    let invalid = |why: &str| CatchUpError::Url(why.to_owned());
    let url = Url::parse(text.trim()).map_err(|error| invalid(&error.to_string()))?;
    if !matches!(url.scheme(), "http" | "https") || !url.has_host() {
        return Err(invalid("it must begin with https:// or http://"));
    }
    if !url.username().is_empty() || url.password().is_some() || url.query().is_some() || url.fragment().is_some() {
        return Err(invalid("it must have no user name, query or fragment"));
    }
    Ok(url)
}
