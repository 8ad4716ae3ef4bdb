use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use twenty_webhook_inbox::InboxError;

/// Why a run, or the part of it that is about one object, did not succeed. What was read before is saved, and the next run goes on there.
///
/// Never holds the API key or a record.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CatchUpError {
    /// The base URL is not one.
    #[error("not a URL of a Twenty server: {0}")]
    Url(String),
    /// The API key has characters that no header can have, or is empty.
    #[error("the API key is empty, or has characters that an API key cannot have")]
    ApiKey,
    /// There is no client: no certificates, for example.
    #[error("cannot make an HTTPS client: {0}")]
    Client(String),
    /// 401: the key is revoked, expired or of another server.
    #[error("Twenty does not know the API key (401)")]
    Unauthorized,
    /// 402: asking again makes it worse.
    #[error("the allowance of the workspace is spent (402): no request is made for at least an hour")]
    AllowanceSpent,
    /// 403: the key's role may not read this.
    #[error("the role of the API key may not read this (403): {0}")]
    Forbidden(String),
    /// The data model that the key sees has no such object, or it is switched off.
    #[error("Twenty shows this API key no object {0:?}; use the singular name, as in an event's name")]
    NoSuchObject(String),
    /// Another status that says no.
    #[error("Twenty refused a request with {status}: {message}")]
    #[non_exhaustive]
    Refused {
        /// The HTTP status.
        status: u16,
        /// What it said, shortened.
        message: String,
    },
    /// 429 again and again, or for longer than ten minutes.
    #[error("Twenty limits the rate of requests, and says to wait for {0:?}")]
    RateLimited(Duration),
    /// No usable answer, however often it was asked.
    #[error("no answer from Twenty after {attempts} attempts: {why}")]
    #[non_exhaustive]
    Unanswered {
        /// How often.
        attempts: u32,
        /// What went wrong the last time.
        why: String,
    },
    /// An answer that is not one of Twenty's.
    #[error("Twenty's answer is not understood: {0}")]
    Answer(String),
    /// The same page would be read for ever.
    #[error("Twenty repeats the cursor of a page")]
    RepeatedCursor,
    /// An answer is larger than [`CatchUp::max_body`](crate::CatchUp::max_body), though it has one record only.
    #[error("the answer with one record is larger than {0} bytes")]
    TooLarge(usize),
    /// Too many records are missing. Nothing was emitted. If they are gone, run once with
    /// [`CatchUp::accept_destroys`](crate::CatchUp::accept_destroys).
    #[error(
        "{missing} of {known} known records of {object} are missing from Twenty's list, and {unproven} that this API key has never read: too \
         many to report them as destroyed without `accept_destroys`"
    )]
    #[non_exhaustive]
    TooManyMissing {
        /// The object.
        object: String,
        /// How many ids are known.
        known: u64,
        /// How many of them are missing, of those that this key had read.
        missing: u64,
        /// How many more are missing, of those that only deliveries or another key told of.
        unproven: u64,
    },
    /// Another process has the lease.
    #[error("another process catches up on the same inbox")]
    Busy,
    /// The inbox has deliveries of several workspaces, and the API key does not say which it is of.
    #[error("the inbox has deliveries of several workspaces or tenants: say which this API key is of")]
    WhichWorkspace,
    /// The handler of [`CatchUp::handle_with`](crate::CatchUp::handle_with) failed. The next run begins with the same page.
    #[error("the handler failed on {event}")]
    #[non_exhaustive]
    Handler {
        /// The event's name.
        event: String,
        /// The handler's error.
        source: Arc<dyn Error + Send + Sync>,
    },
    /// The database.
    #[error(transparent)]
    Store(InboxError),
}

impl CatchUpError {
    /// Whether this says something about one object only, so that the others go on.
    pub(crate) fn is_of_one_object(&self) -> bool {
        match self {
            Self::Forbidden(_)
            | Self::NoSuchObject(_)
            | Self::Refused { .. }
            | Self::Answer(_)
            | Self::RepeatedCursor
            | Self::TooLarge(_)
            | Self::TooManyMissing { .. }
            | Self::Handler { .. } => true,
            Self::Url(_)
            | Self::ApiKey
            | Self::Client(_)
            | Self::Unauthorized
            | Self::AllowanceSpent
            | Self::RateLimited(_)
            | Self::Unanswered { .. }
            | Self::Busy
            | Self::WhichWorkspace
            | Self::Store(_) => false,
        }
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
