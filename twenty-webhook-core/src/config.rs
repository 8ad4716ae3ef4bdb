use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::Response;

use crate::body_budget::BodyBudget;
use crate::pipeline::{Observer, ReceiverLog, RejectionResponse};
use crate::replay::AnyReplayGuard;
use crate::verifiers::{Lookup, VerifierProvider};
use crate::{
    Clock, MemoryReplayGuard, Outcome, Rejection, ReplayGuard, Secret, SharedVerifier, Verifier, VerifierSource,
};

/// The configuration of a receiver, for any framework. Cheap to clone; clones share the replay guard and the body budget.
///
/// Make it from a [`Secret`], a [`Verifier`], a [`SharedVerifier`] or a [`VerifierSource`]. A function that takes a configuration also takes
/// one of these. The defaults are secure:
///
/// | setting | default |
/// |---|---|
/// | [`body_limit`](Self::body_limit) | 32 MiB |
/// | [`body_budget`](Self::body_budget) | 256 MiB for all unverified bodies together |
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
    pub(crate) verifier_provider: VerifierProvider,
    pub(crate) body_deadline: Duration,
    pub(crate) body_limit: usize,
    pub(crate) body_budget: BodyBudget,
    pub(crate) replay_guard: AnyReplayGuard,
    pub(crate) observer: Option<Observer>,
    pub(crate) rejection_response: Option<RejectionResponse>,
    pub(crate) log: Arc<ReceiverLog>,
    pub(crate) clock: Clock,
    #[cfg(feature = "diagnose")]
    pub(crate) diagnose: bool,
}

impl WebhookConfig {
    /// 32 MiB. Twenty sends notes of 2 to 18 MB, because it sends their text twice; its own limit is 50 MB. Twenty does not resend a
    /// delivery whose body was too large.
    pub const DEFAULT_BODY_LIMIT: usize = 32 * 1024 * 1024;

    /// 256 MiB: eight bodies of the largest size at once, or 450 of 320 KiB, because a buffer can be twice as large as what has arrived. On
    /// actix, whose server reads ahead, seven or 240.
    pub const DEFAULT_BODY_BUDGET: usize = 256 * 1024 * 1024;

    /// 5 seconds: Twenty gives up after that time.
    pub const DEFAULT_BODY_DEADLINE: Duration = Duration::from_secs(5);

    /// Accepts the deliveries that this secret signed, or that this verifier or the verifier from this source accepts.
    pub fn new(verifier: impl Into<Self>) -> Self {
        verifier.into()
    }

    fn with(verifier_provider: VerifierProvider) -> Self {
        Self(Arc::new(Settings {
            verifier_provider,
            body_deadline: Self::DEFAULT_BODY_DEADLINE,
            body_limit: Self::DEFAULT_BODY_LIMIT,
            body_budget: BodyBudget::new(Self::DEFAULT_BODY_BUDGET),
            replay_guard: AnyReplayGuard::new(MemoryReplayGuard::new()),
            observer: None,
            rejection_response: None,
            log: Arc::default(),
            clock: Clock::system(),
            #[cfg(feature = "diagnose")]
            diagnose: false,
        }))
    }

    /// Sets how long the body may take to arrive, from the accepted headers on. The default is 5 seconds, after which Twenty gives up. A later
    /// body is answered with 408.
    #[must_use]
    pub fn body_deadline(self, deadline: Duration) -> Self {
        self.set(|settings| settings.body_deadline = deadline)
    }

    /// Sets the largest accepted body, in bytes, inclusive. A larger body is answered with 413.
    #[must_use]
    pub fn body_limit(self, bytes: usize) -> Self {
        self.set(|settings| settings.body_limit = bytes)
    }

    /// Sets how much memory, in bytes, all unverified bodies may hold together. The first 64 KiB of each body do not count, so large bodies
    /// cannot keep small deliveries out. A body that exceeds the budget is answered with 503.
    ///
    /// An attacker can exhaust the budget with large bodies under current timestamps. Large genuine deliveries are then lost.
    #[must_use]
    pub fn body_budget(self, bytes: usize) -> Self {
        self.set(|settings| settings.body_budget = BodyBudget::new(bytes))
    }

    /// Sets the replay guard. Receivers on several machines need a shared one.
    #[must_use]
    pub fn replay_guard(self, guard: impl ReplayGuard) -> Self {
        self.set(|settings| settings.replay_guard = AnyReplayGuard::new(guard))
    }

    /// Detects no replays: a captured request is accepted repeatedly while its timestamp is within the tolerance. For handlers that are
    /// idempotent by [`replay_key`](crate::Delivery::replay_key).
    #[must_use]
    pub fn without_replay_guard(self) -> Self {
        self.set(|settings| settings.replay_guard = AnyReplayGuard::Off)
    }

    /// Calls `observer` once for each request, when it ends, on the thread that serves the request. The observer must not block.
    ///
    /// ```
    /// use twenty_webhook_core::{OutcomeKind, Secret, WebhookConfig};
    ///
    /// let config = WebhookConfig::new(Secret::new("s3cret")?).observe(|outcome| match outcome.kind {
    ///     OutcomeKind::Handled { status, duration, .. } => println!("{status}, the handler ran for {duration:?}"),
    ///     OutcomeKind::Rejected(rejection) if rejection.may_lose_delivery() => eprintln!("alert: {}", rejection.code()),
    ///     _ => println!("{} after {:?}", outcome.code(), outcome.elapsed),
    /// });
    /// # Ok::<(), twenty_webhook_core::SecretError>(())
    /// ```
    #[must_use]
    pub fn observe(self, observer: impl Fn(&Outcome<'_>) + Send + Sync + 'static) -> Self {
        self.set(|settings| settings.observer = Some(Arc::new(observer)))
    }

    /// Sets the response to a rejected request, instead of an empty one with the rejection's [status](Rejection::status). The sender reads
    /// it, so it must not contain the reason. Twenty counts a 2xx as delivered. `Retry-After` and `Allow` are added if they are missing.
    ///
    /// ```
    /// use twenty_webhook_core::bytes::Bytes;
    /// use twenty_webhook_core::http::Response;
    /// use twenty_webhook_core::{Secret, WebhookConfig};
    ///
    /// let config = WebhookConfig::new(Secret::new("s3cret")?).with_rejection_response(|rejection| {
    ///     let mut response = Response::new(Bytes::from_static(b"rejected\n"));
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

    /// Sets how long the answer of a [`VerifierSource`] is used before the source is asked again. The default is 5 seconds. While one request
    /// asks again, or if the source fails, requests use the old verifier, for at most another `ttl`. So a new secret in your database is in
    /// use after at most 10 seconds. Twenty signs with an old secret for up to 10 seconds too. Zero asks the source for each request.
    #[must_use]
    pub fn lookup_cache_ttl(self, ttl: Duration) -> Self {
        self.set(|settings| {
            if let VerifierProvider::LookedUp(lookup) = &mut settings.verifier_provider {
                lookup.set_ttl(ttl);
            }
        })
    }

    /// Sets the clock for the checks before a look-up. For tests. A verifier has a [separate clock](Verifier::clock).
    #[must_use]
    pub fn clock(self, clock: Clock) -> Self {
        self.set(|settings| settings.clock = clock)
    }

    /// Logs at level warn why a request does not verify, by trying common mistakes. *For development*: any unauthenticated request can then
    /// cost up to a second of processor time, and its body is read even if its headers are wrong.
    ///
    /// The response to the caller does not change. The [`Diagnosis`](crate::Diagnosis) is also in the response's extensions. A body that
    /// exceeds its limit or deadline is not diagnosed. With a [`VerifierSource`], only requests that were rejected after the look-up are
    /// diagnosed.
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
        Self::with(VerifierProvider::Fixed(verifier))
    }
}

impl From<SharedVerifier> for WebhookConfig {
    fn from(verifier: SharedVerifier) -> Self {
        Self::with(VerifierProvider::Shared(verifier))
    }
}

impl<S: VerifierSource> From<S> for WebhookConfig {
    fn from(source: S) -> Self {
        Self::with(VerifierProvider::LookedUp(Lookup::new(source)))
    }
}

impl fmt::Debug for WebhookConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WebhookConfig")
            .field("verifier", &self.0.verifier_provider)
            .field("body_deadline", &self.0.body_deadline)
            .field("body_limit", &self.0.body_limit)
            .field("body_budget", &self.0.body_budget)
            .field("replay_guard", &self.0.replay_guard)
            .finish_non_exhaustive()
    }
}
