use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

#[cfg(feature = "diagnose")]
use bytes::Bytes;

use super::RejectedRequest;
#[cfg(feature = "diagnose")]
use super::evidence::Recording;
use super::outcome::{Outcome, OutcomeKind};
use super::path_start::PathStart;
use crate::verifiers::Verifiers;
use crate::{Delivery, Rejection, Verifier, WebhookConfig, WebhookEvent};

/// One request on its way. Its end is logged, and observed once: also if it is dropped.
pub(super) struct Exchange {
    pub(super) config: WebhookConfig,
    path: PathStart,
    began: Option<Instant>,
    /// The verifier that was chosen, where the configuration has more than one.
    chosen: Option<Verifier>,
    event: Option<WebhookEvent>,
    pub(super) is_observed: bool,
    #[cfg(feature = "diagnose")]
    pub(super) record: Option<Recording>,
}

impl Exchange {
    pub(super) fn begin(config: &WebhookConfig, path: &str) -> Self {
        Self {
            path: PathStart::of(path),
            began: wants_outcomes(config).then(Instant::now),
            config: config.clone(),
            chosen: None,
            event: None,
            is_observed: false,
            #[cfg(feature = "diagnose")]
            record: config.settings().diagnose.then(Recording::default),
        }
    }

    /// From here on it is known whose request it claims to be.
    pub(super) fn judged_by(&mut self, chosen: &Verifier) {
        self.chosen = Some(chosen.clone());
    }

    pub(super) fn verified(&mut self, event: WebhookEvent) {
        self.event = Some(event);
    }

    /// The delivery, once it is verified.
    pub(super) fn delivery(&self) -> Option<&Delivery> {
        self.event.as_ref()?.delivery()
    }

    /// Keeps a chunk of the body for a diagnosis, where one is wanted and there is memory for it.
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

    /// The verifier that judges the request, once it is known.
    pub(super) fn verifier(&self) -> Option<&Verifier> {
        match &self.config.settings().verifiers {
            Verifiers::One(verifier) => Some(verifier),
            Verifiers::Shared(_) | Verifiers::LookedUp(_) => self.chosen.as_ref(),
        }
    }

    /// Ends the request: tells the operator why, and the caller no more than a status.
    pub(super) fn refuse(mut self, rejection: Rejection) -> RejectedRequest {
        self.config.settings().log.refused(&rejection, self.path(), self.tenant());
        self.observe(OutcomeKind::Rejected(&rejection));
        RejectedRequest::new(&self.config, rejection, self.path)
    }

    /// Tells the observer how it ended.
    pub(super) fn observe(&mut self, kind: OutcomeKind<'_>) {
        let Some(began) = self.began.filter(|_| !self.is_observed) else { return };
        self.is_observed = true;
        let outcome = Outcome {
            kind,
            path: self.path.as_str(),
            tenant: self.tenant(),
            event: self.event.as_ref(),
            elapsed: began.elapsed(),
        };
        // A panic of the observer is no failure of the handler, and must not meet another one while this is dropped.
        if let Some(observer) = &self.config.settings().observer
            && catch_unwind(AssertUnwindSafe(|| observer(&outcome))).is_err()
        {
            self.config.settings().log.observer_panicked(outcome.path);
        }
        #[cfg(feature = "metrics")]
        super::metrics::record(&outcome);
    }

    /// How long ago it began; zero where nothing observes it.
    pub(super) fn elapsed(&self) -> Duration {
        self.began.map_or(Duration::ZERO, |began| began.elapsed())
    }
}

impl Drop for Exchange {
    fn drop(&mut self) {
        if let Some(event) = &self.event {
            event.set_claimed_by(None);
        }
        self.observe(OutcomeKind::Dropped);
    }
}

/// Whether anything asks how requests end.
fn wants_outcomes(config: &WebhookConfig) -> bool {
    cfg!(feature = "metrics") || config.settings().observer.is_some()
}
