use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

#[cfg(feature = "diagnose")]
use bytes::Bytes;

use super::RejectedRequest;
use super::outcome::{Outcome, OutcomeKind};
use super::path_prefix::PathPrefix;
#[cfg(feature = "diagnose")]
use super::recorded_request::Recording;
use crate::verifiers::VerifierProvider;
use crate::{Delivery, Rejection, Verifier, WebhookConfig, WebhookEvent};

/// The context of one request, from its head to its outcome. It reports the outcome once, also when it is dropped.
pub(super) struct RequestContext {
    pub(super) config: WebhookConfig,
    path: PathPrefix,
    began: Option<Instant>,
    /// The chosen verifier, if the configuration has several.
    chosen: Option<Verifier>,
    event: Option<WebhookEvent>,
    /// Whether the outcome is known, and need not be reported.
    pub(super) has_outcome: bool,
    #[cfg(feature = "diagnose")]
    pub(super) record: Option<Recording>,
}

impl RequestContext {
    pub(super) fn begin(config: &WebhookConfig, path: &str) -> Self {
        Self {
            path: PathPrefix::of(path),
            began: wants_outcomes(config).then(Instant::now),
            config: config.clone(),
            chosen: None,
            event: None,
            has_outcome: false,
            #[cfg(feature = "diagnose")]
            record: config.settings().diagnose.then(Recording::default),
        }
    }

    /// Sets the verifier, and with it the tenant.
    pub(super) fn set_verifier(&mut self, chosen: &Verifier) {
        self.chosen = Some(chosen.clone());
    }

    pub(super) fn verified(&mut self, event: WebhookEvent) {
        self.event = Some(event);
    }

    /// The delivery, after verification.
    pub(super) fn delivery(&self) -> Option<&Delivery> {
        self.event.as_ref()?.delivery()
    }

    /// Records a chunk of the body for a diagnosis, if diagnosis is on and the budget allows it.
    #[cfg(feature = "diagnose")]
    pub(super) fn record(&mut self, chunk: &Bytes) {
        let budget = &self.config.settings().body_budget;
        if self.record.as_mut().is_some_and(|record| !record.push(chunk, budget)) {
            self.record = None;
        }
    }

    pub(super) fn path(&self) -> &str {
        self.path.as_str()
    }

    pub(super) fn tenant(&self) -> Option<&str> {
        self.verifier()?.tenant_name()
    }

    /// The verifier for the request, after it was chosen.
    pub(super) fn verifier(&self) -> Option<&Verifier> {
        match &self.config.settings().verifier_provider {
            VerifierProvider::Fixed(verifier) => Some(verifier),
            VerifierProvider::Shared(_) | VerifierProvider::LookedUp(_) => self.chosen.as_ref(),
        }
    }

    /// Rejects the request: logs the reason, and makes a response with the status only.
    pub(super) fn reject(mut self, rejection: Rejection) -> RejectedRequest {
        self.config.settings().log.rejected(&rejection, self.path(), self.tenant());
        self.observe(OutcomeKind::Rejected(&rejection));
        RejectedRequest::new(&self.config, rejection, self.path)
    }

    /// Reports the outcome to the observer and the metrics.
    pub(super) fn observe(&mut self, kind: OutcomeKind<'_>) {
        let is_known = std::mem::replace(&mut self.has_outcome, true);
        let Some(began) = self.began.filter(|_| !is_known) else { return };
        let outcome = Outcome {
            kind,
            path: self.path.as_str(),
            tenant: self.tenant(),
            event: self.event.as_ref(),
            elapsed: began.elapsed(),
        };
        // An observer's panic must not fail the request, nor become a second panic while this is dropped.
        if let Some(observer) = &self.config.settings().observer
            && catch_unwind(AssertUnwindSafe(|| observer(&outcome))).is_err()
        {
            self.config.settings().log.observer_panicked(outcome.path);
        }
        #[cfg(feature = "metrics")]
        super::metrics::record(&outcome);
    }

    /// The time since the request began, or zero if nothing observes it.
    pub(super) fn elapsed(&self) -> Duration {
        self.began.map_or(Duration::ZERO, |began| began.elapsed())
    }
}

impl Drop for RequestContext {
    fn drop(&mut self) {
        if let Some(event) = &self.event {
            event.set_claimed_by(None);
        }
        if !self.has_outcome {
            self.config.settings().log.dropped(self.path(), self.tenant(), self.delivery());
        }
        self.observe(OutcomeKind::Dropped);
    }
}

/// Whether outcomes are observed or counted.
fn wants_outcomes(config: &WebhookConfig) -> bool {
    cfg!(feature = "metrics") || config.settings().observer.is_some()
}
