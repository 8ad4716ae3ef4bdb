use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::Response;

use crate::body_budget::BodyBudget;
use crate::intake::{Observer, ReceiverLog, RejectionResponse};
use crate::replay::ReplayGate;
use crate::verifiers::{Lookup, Verifiers};
use crate::{
    Clock, MemoryReplayGuard, Outcome, Rejection, ReplayGuard, Secret, SharedVerifier, Verifier, VerifierSource,
};

/// All that is configured of a receiver, whatever it is built on. Cheap to clone; the clones share the replay guard and the body budget.
///
/// It is made of a [`Secret`], a [`Verifier`], a [`SharedVerifier`] or a [`VerifierSource`]; wherever a configuration is asked for, one of
/// these will do. The defaults are secure:
///
/// | setting | default |
/// |---|---|
/// | [`body_limit`](Self::body_limit) | 32 MiB |
/// | [`body_budget`](Self::body_budget) | 256 MiB for all bodies together |
/// | [`body_deadline`](Self::body_deadline) | 5 s |
/// | [`replay_guard`](Self::replay_guard) | a [`MemoryReplayGuard`] |
///
/// ```
/// use std::time::Duration;
/// use twenty_webhook_core::{Secret, Tolerance, Verifier, WebhookConfig};
///
/// let secret = Secret::new("s3cret")?;
/// let verifier = Verifier::new(secret).tolerance(Tolerance::both(Duration::from_secs(60)));
/// let config = WebhookConfig::new(verifier).body_limit(1024 * 1024);
/// # Ok::<(), twenty_webhook_core::SecretError>(())
/// ```
#[derive(Clone)]
pub struct WebhookConfig(Arc<Settings>);

#[derive(Clone)]
pub(crate) struct Settings {
    pub(crate) verifiers: Verifiers,
    pub(crate) body_deadline: Duration,
    pub(crate) body_limit: usize,
    pub(crate) body_budget: BodyBudget,
    pub(crate) replays: ReplayGate,
    pub(crate) observer: Option<Observer>,
    pub(crate) rejection_response: Option<RejectionResponse>,
    pub(crate) log: Arc<ReceiverLog>,
    pub(crate) clock: Clock,
    #[cfg(feature = "diagnose")]
    pub(crate) diagnose: bool,
}

impl WebhookConfig {
    /// 32 MiB. Twenty really sends notes of 2 to 18 MB, because it sends their text twice; its own cap is 50 MB. A body over the limit is
    /// lost for good.
    pub const DEFAULT_BODY_LIMIT: usize = 32 * 1024 * 1024;

    /// 256 MiB: eight bodies of the largest size at once, or a thousand of 320 KiB.
    pub const DEFAULT_BODY_BUDGET: usize = 256 * 1024 * 1024;

    /// 5 seconds: Twenty itself gives up after that.
    pub const DEFAULT_BODY_DEADLINE: Duration = Duration::from_secs(5);

    /// Accepts deliveries that this secret signed, or that this verifier, or the one that this source finds, accepts.
    pub fn new(verifiers: impl Into<Self>) -> Self {
        verifiers.into()
    }

    fn with(verifiers: Verifiers) -> Self {
        Self(Arc::new(Settings {
            verifiers,
            body_deadline: Self::DEFAULT_BODY_DEADLINE,
            body_limit: Self::DEFAULT_BODY_LIMIT,
            body_budget: BodyBudget::new(Self::DEFAULT_BODY_BUDGET),
            replays: ReplayGate::new(MemoryReplayGuard::new()),
            observer: None,
            rejection_response: None,
            log: Arc::default(),
            clock: Clock::system(),
            #[cfg(feature = "diagnose")]
            diagnose: false,
        }))
    }

    /// Sets how long the body may take to arrive once the headers are accepted. Twenty itself gives up after 5 seconds.
    #[must_use]
    pub fn body_deadline(self, deadline: Duration) -> Self {
        self.set(|settings| settings.body_deadline = deadline)
    }

    /// Sets the largest body that is accepted, in bytes, inclusive. A larger one is answered 413.
    #[must_use]
    pub fn body_limit(self, bytes: usize) -> Self {
        self.set(|settings| settings.body_limit = bytes)
    }

    /// Sets how much memory, in bytes, all bodies may hold together until they are verified. The first 64 KiB of each body are free, so
    /// small deliveries are let in however many large ones wait. A body that finds the budget used up is answered 503.
    ///
    /// Anybody can send large bodies with fresh headers, and use it up; then a large genuine delivery is lost.
    #[must_use]
    pub fn body_budget(self, bytes: usize) -> Self {
        self.set(|settings| settings.body_budget = BodyBudget::new(bytes))
    }

    /// Remembers deliveries in `guard`. Receivers on several machines need one that they share.
    #[must_use]
    pub fn replay_guard(self, guard: impl ReplayGuard) -> Self {
        self.set(|settings| settings.replays = ReplayGate::new(guard))
    }

    /// Lets a captured request through again and again for as long as its timestamp is fresh. For handlers that are idempotent
    /// by [`replay_key`](crate::Delivery::replay_key).
    #[must_use]
    pub fn without_replay_guard(self) -> Self {
        self.set(|settings| settings.replays = ReplayGate::Off)
    }

    /// Tells `observer` of every request once, when it ends. It is called on the thread that serves the request, so it must not block.
    ///
    /// ```
    /// use twenty_webhook_core::{Secret, WebhookConfig};
    ///
    /// let config = WebhookConfig::new(Secret::new("s3cret")?)
    ///     .observe(|outcome| println!("{} in {:?}", outcome.code(), outcome.elapsed));
    /// # Ok::<(), twenty_webhook_core::SecretError>(())
    /// ```
    #[must_use]
    pub fn observe(self, observer: impl Fn(&Outcome<'_>) + Send + Sync + 'static) -> Self {
        self.set(|settings| settings.observer = Some(Arc::new(observer)))
    }

    /// Sets the answer to a request that is refused, in place of a bare [status](Rejection::status). The sender reads it,
    /// so it must not give the reason. Twenty takes a 2xx for a delivery.
    ///
    /// ```
    /// use bytes::Bytes;
    /// use http::Response;
    /// use twenty_webhook_core::{Secret, WebhookConfig};
    ///
    /// let config = WebhookConfig::new(Secret::new("s3cret")?).with_rejection_response(|rejection| {
    ///     let mut response = Response::new(Bytes::from_static(b"refused\n"));
    ///     *response.status_mut() = rejection.status();
    ///     response
    /// });
    /// # Ok::<(), twenty_webhook_core::SecretError>(())
    /// ```
    #[must_use]
    pub fn with_rejection_response(
        self,
        response: impl Fn(&Rejection) -> Response<Bytes> + Send + Sync + 'static,
    ) -> Self {
        self.set(|settings| settings.rejection_response = Some(Arc::new(response)))
    }

    /// Sets how long a verifier that a [`VerifierSource`] has found is used before the source is asked again. The default is 5 seconds. While it
    /// is asked again, other requests go on with the old verifier, for as long again: a secret that is written to the database is in force
    /// after 10 seconds at most. Twenty itself signs with an old one for up to 10. Zero asks for each request.
    #[must_use]
    pub fn lookup_cache_ttl(self, ttl: Duration) -> Self {
        self.set(|settings| {
            if let Verifiers::LookedUp(lookup) = &mut settings.verifiers {
                lookup.set_ttl(ttl);
            }
        })
    }

    /// Sets the clock for the checks before a look-up. For tests; a verifier has [its own](Verifier::clock).
    #[must_use]
    pub fn clock(self, clock: Clock) -> Self {
        self.set(|settings| settings.clock = clock)
    }

    /// Says in the log, at warn, why a request does not verify, by trying the mistakes that people make. *For development*: it reads
    /// the body of a request that its headers have already refused, and works on it for up to a second, for anybody who asks.
    ///
    /// The answer to the caller stays the same. The [`Diagnosis`](crate::Diagnosis) is in the response's extensions as well. The
    /// body is read within its limit and deadline; one that is not whole by then is not diagnosed. With a [`VerifierSource`], only what was
    /// refused after the look-up is diagnosed.
    #[cfg(feature = "diagnose")]
    #[must_use]
    pub fn diagnose_rejections(self) -> Self {
        self.set(|settings| settings.diagnose = true)
    }

    fn set(mut self, change: impl FnOnce(&mut Settings)) -> Self {
        change(Arc::make_mut(&mut self.0));
        self
    }

    pub(crate) fn settings(&self) -> &Settings {
        &self.0
    }
}

impl From<Secret> for WebhookConfig {
    fn from(secret: Secret) -> Self {
        Verifier::new(secret).into()
    }
}

impl From<Verifier> for WebhookConfig {
    fn from(verifier: Verifier) -> Self {
        Self::with(Verifiers::One(verifier))
    }
}

impl From<SharedVerifier> for WebhookConfig {
    fn from(verifier: SharedVerifier) -> Self {
        Self::with(Verifiers::Shared(verifier))
    }
}

impl<S: VerifierSource> From<S> for WebhookConfig {
    fn from(source: S) -> Self {
        Self::with(Verifiers::LookedUp(Lookup::new(source)))
    }
}

impl fmt::Debug for WebhookConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WebhookConfig")
            .field("verifiers", &self.0.verifiers)
            .field("body_deadline", &self.0.body_deadline)
            .field("body_limit", &self.0.body_limit)
            .field("body_budget", &self.0.body_budget)
            .field("replay_guard", &self.0.replays)
            .finish_non_exhaustive()
    }
}
