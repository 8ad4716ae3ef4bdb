use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use twenty_webhook_inbox::{CatchUpScope, InboxError};

/// Why a run, or its part for one object, failed. What was read before the failure is saved, and the next run continues there.
///
/// It never contains the API key or a record.
///
/// | variant | ends |
/// |---|---|
/// | `Forbidden`, `NoSuchObject`, `Rejected`, `InvalidResponse`, `RepeatedCursor`, `ResponseTooLarge`, `TooManyMissing`, `Handler` | the part for one object, unless the data model itself could not be read |
/// | `NoResponse` | the same; the whole run if it is the only object, or the second in a row and the data model is not answered either |
/// | `InvalidUrl`, `InvalidApiKey`, `Client` | no run: [`CatchUp::new`](crate::CatchUp::new) returns them |
/// | all others | the whole run |
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CatchUpError {
    /// The base URL is invalid; the text says why.
    #[error("not a URL of a Twenty server: {0}")]
    InvalidUrl(String),
    /// The API key is empty, or has a space or a character that is not printable ASCII.
    #[error("the API key is empty, or has characters that an API key cannot have")]
    InvalidApiKey,
    /// The HTTPS client could not be created, for example because the machine has no root certificates; the text says why.
    #[error("cannot make an HTTPS client: {0}")]
    Client(String),
    /// 401: the key is revoked, has expired, or belongs to another server.
    #[error("Twenty does not know the API key (401)")]
    Unauthorized,
    /// 402: the workspace has used up its allowance of requests. [`CatchUp::run_until`](crate::CatchUp::run_until) starts the next run at
    /// least an hour later.
    #[error("the workspace has used up its allowance of requests (402)")]
    PaymentRequired,
    /// 403: the key's role may not read this path below `/rest`, such as `people`.
    #[error("the role of the API key may not read this (403): {0}")]
    Forbidden(String),
    /// The data model that the key can read has no such object, or the object is deactivated. Contains the name.
    #[error("Twenty shows this API key no object {0:?}; use the singular name, as in an event's name")]
    NoSuchObject(String),
    /// Another status: neither 200 nor one that is tried again.
    #[error("Twenty rejected a request with {status}: {message}")]
    #[non_exhaustive]
    Rejected {
        /// The HTTP status.
        status: u16,
        /// The first 300 characters of the response's body, escaped.
        message: String,
    },
    /// More than ten 429 in a row for one request, or one that demands a wait of more than 10 minutes. Contains the last wait.
    #[error("Twenty limits the rate of requests, and demands a wait of {0:?}")]
    RateLimited(Duration),
    /// No usable response to one request, after all attempts.
    #[error("no answer from Twenty after {attempts} attempts: {why}")]
    #[non_exhaustive]
    NoResponse {
        /// The number of attempts.
        attempts: u32,
        /// Why the last attempt failed.
        why: String,
    },
    /// A response with status 200 that is not what Twenty sends; the text says why.
    #[error("Twenty's response is invalid: {0}")]
    InvalidResponse(String),
    /// Twenty returned a cursor twice, so the listing would never end.
    #[error("Twenty repeats the cursor of a page")]
    RepeatedCursor,
    /// A response with a single record is larger than [`CatchUp::max_body`](crate::CatchUp::max_body). Contains that limit, in bytes.
    #[error("the response with one record is larger than {0} bytes")]
    ResponseTooLarge(usize),
    /// Too many records are missing. Nothing was emitted. If they are gone, run once with
    /// [`CatchUp::accept_destroys`](crate::CatchUp::accept_destroys).
    #[error(
        "{missing} of {known} known records of {object} are missing from Twenty's list, and {unproven} that this API key has never read: too \
         many to report them as destroyed without `accept_destroys`"
    )]
    #[non_exhaustive]
    TooManyMissing {
        /// The singular name of the object.
        object: String,
        /// The number of known ids, without `unproven`.
        known: u64,
        /// The number of missing ids that this API key had read before.
        missing: u64,
        /// The number of missing ids that are known only from deliveries or from another key.
        unproven: u64,
    },
    /// Another process holds the lease.
    #[error("another process catches up on the same inbox")]
    Busy,
    /// The inbox has deliveries of several workspaces or tenants, and the API key does not name its own. Set
    /// [`CatchUp::tenant`](crate::CatchUp::tenant) or [`CatchUp::workspace_id`](crate::CatchUp::workspace_id).
    #[error(
        "the inbox has deliveries of several workspaces or tenants (for example {}): set the one that this API key belongs to, with \
         `.workspace_id(…)` or `.tenant(…)`",
        listed(candidates)
    )]
    #[non_exhaustive]
    AmbiguousWorkspace {
        /// Some of them, at least two.
        candidates: Vec<CatchUpScope>,
    },
    /// The handler of [`CatchUp::handle_with`](crate::CatchUp::handle_with) failed. The next run starts with the same page.
    #[error("the handler failed on {event}")]
    #[non_exhaustive]
    Handler {
        /// The event's name.
        event: String,
        /// The handler's error.
        source: Arc<dyn Error + Send + Sync>,
    },
    /// The database failed.
    #[error(transparent)]
    Store(InboxError),
}

impl CatchUpError {
    /// Whether the error may concern one object only, so that the run continues with the others.
    pub(crate) fn is_of_one_object(&self) -> bool {
        match self {
            Self::Forbidden(_)
            | Self::NoSuchObject(_)
            | Self::Rejected { .. }
            | Self::InvalidResponse(_)
            | Self::RepeatedCursor
            | Self::ResponseTooLarge(_)
            | Self::TooManyMissing { .. }
            | Self::NoResponse { .. }
            | Self::Handler { .. } => true,
            Self::InvalidUrl(_)
            | Self::InvalidApiKey
            | Self::Client(_)
            | Self::Unauthorized
            | Self::PaymentRequired
            | Self::RateLimited(_)
            | Self::Busy
            | Self::AmbiguousWorkspace { .. }
            | Self::Store(_) => false,
        }
    }

    /// Whether a pass over the ids that met this error starts over the next time, because the rest of its list may be incomplete or unreadable.
    /// After other errors it continues.
    pub(crate) fn ends_pass(&self) -> bool {
        matches!(
            self,
            Self::Forbidden(_)
                | Self::NoSuchObject(_)
                | Self::Rejected { .. }
                | Self::RepeatedCursor
                | Self::ResponseTooLarge(_)
                | Self::TooManyMissing { .. }
        )
    }
}

impl From<InboxError> for CatchUpError {
    fn from(error: InboxError) -> Self {
        match error {
            InboxError::CatchUpLeaseLost => Self::Busy,
            error => Self::Store(error),
        }
    }
}

/// `tenant "acme", workspace "3b8e…"`
fn listed(scopes: &[CatchUpScope]) -> String {
    let names = scopes.iter().map(|scope| match (&scope.tenant, &scope.workspace_id) {
        (Some(tenant), _) => format!("tenant {tenant:?}"),
        (None, Some(workspace)) => format!("workspace {workspace:?}"),
        (None, None) => "an unnamed workspace".to_owned(),
    });
    names.collect::<Vec<_>>().join(", ")
}
