use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use tracing::{debug, error, info, warn};

use super::log_limit::LogLimit;
use crate::{Delivery, GuardError, Rejection, WebhookEvent, escaped};

/// The target of each log line, in all crates, so that one filter selects them all.
const TARGET: &str = "twenty_webhook";

/// The logged part of a path, in characters.
const MAX_CHARS: usize = 100;

/// The log lines of a receiver. They contain no payloads, signatures or secrets, and all external text is escaped.
#[derive(Debug, Default)]
pub(crate) struct ReceiverLog {
    limit: LogLimit,
    has_warned_of_stacking: AtomicBool,
}

#[cfg(feature = "diagnose")]
pub(super) fn diagnosed(diagnosis: &crate::Diagnosis, path: &str) {
    let path = escaped(path).max_chars(MAX_CHARS);
    for finding in diagnosis.findings() {
        let text = finding.to_string();
        warn!(target: TARGET, finding = finding.code(), %path, "Twenty webhook diagnosed: {}", escaped(&text));
    }
}

impl ReceiverLog {
    /// Errors may have lost a genuine delivery. Requests of scanners are info or debug. Warnings need a fix by the operator.
    pub(super) fn rejected(&self, rejection: &Rejection, path: &str, tenant: Option<&str>) {
        let (code, path, tenant) = (rejection.code(), escaped(path).max_chars(MAX_CHARS), tenant.map(escaped));
        let tenant = tenant.map(tracing::field::display);
        match rejection {
            Rejection::MethodNotAllowed => debug!(target: TARGET, code, %path, "Twenty webhook rejected: {rejection}"),
            Rejection::Unsigned | Rejection::MissingHeader(_) => {
                info!(target: TARGET, code, %path, tenant, "Twenty webhook rejected: {rejection}");
            }
            _ if rejection.is_duplicate() => {
                let reason = rejection.to_string();
                let reason = reason.strip_prefix("duplicate: ").unwrap_or(&reason);
                info!(target: TARGET, code, %path, tenant, "Twenty webhook is a duplicate: {reason}");
            }
            _ if rejection.may_lose_delivery() => {
                let Some(suppressed) = self.limit.admit(code, Instant::now()) else { return };
                let suppressed = (suppressed > 0).then_some(suppressed);
                let reason = rejection.to_string();
                let reason = escaped(&reason);
                error!(target: TARGET, code, %path, tenant, suppressed, "Twenty webhook rejected, and Twenty will not resend it: {reason}");
            }
            _ => {
                let reason = rejection.to_string();
                let reason = escaped(&reason);
                warn!(target: TARGET, code, %path, tenant, "Twenty webhook rejected: {reason}");
            }
        }
    }

    /// Any client can cause it, by hanging up.
    pub(super) fn dropped(&self, path: &str, tenant: Option<&str>, delivery: Option<&Delivery>) {
        let Some(suppressed) = self.limit.admit("dropped", Instant::now()) else { return };
        let suppressed = (suppressed > 0).then_some(suppressed);
        let (path, tenant) = (escaped(path).max_chars(MAX_CHARS), tenant.map(escaped));
        let (tenant, Logged { id, .. }) = (tenant.map(tracing::field::display), Logged::of(delivery));
        let when = if id.is_some() { "handled" } else { "verified" };
        warn!(target: TARGET, code = "dropped", %path, tenant, delivery_id = id, suppressed, "Twenty webhook dropped: the sender hung up, a timeout passed or the server stopped before it was {when}");
    }

    pub(super) fn verified(event: &WebhookEvent, delivery: &Delivery, path: &str) {
        let path = escaped(path).max_chars(MAX_CHARS);
        let (name, tenant) = (escaped(event.name().as_str()), delivery.tenant().map(escaped));
        let tenant = tenant.map(tracing::field::display);
        debug!(target: TARGET, %name, %path, tenant, signed_with = ?delivery.signed_with(), "Twenty webhook verified");
    }

    pub(super) fn handler_failed(status: u16, path: &str, delivery: Option<&Delivery>) {
        let (path, delivery) = (escaped(path).max_chars(MAX_CHARS), Logged::of(delivery));
        let Logged { id, tenant } = &delivery;
        warn!(target: TARGET, status, %path, tenant, delivery_id = id, "Twenty webhook handler failed: the next copy of this delivery will be accepted");
    }

    pub(super) fn guard_failed(error: &GuardError, path: &str, delivery: Option<&Delivery>) {
        let (path, delivery) = (escaped(path).max_chars(MAX_CHARS), Logged::of(delivery));
        let Logged { id, tenant } = &delivery;
        let reason = error.to_string();
        let error = escaped(&reason);
        warn!(target: TARGET, %error, %path, tenant, delivery_id = id, "the replay guard could not record the outcome of this delivery");
    }

    pub(super) fn observer_panicked(&self, path: &str) {
        let Some(suppressed) = self.limit.admit("observer_panicked", Instant::now()) else { return };
        let suppressed = (suppressed > 0).then_some(suppressed);
        let path = escaped(path).max_chars(MAX_CHARS);
        error!(target: TARGET, %path, suppressed, "the observer of this receiver panicked; the response is unaffected");
    }

    /// Logged once: the cause is the same for every request.
    pub(super) fn stacked(&self, path: &str) {
        if !self.has_warned_of_stacking.swap(true, Ordering::Relaxed) {
            let path = escaped(path).max_chars(MAX_CHARS);
            warn!(
                target: TARGET, %path,
                "two layers or middlewares with the same replay guard are on this route: each verifies, and only the outer one claims. \
                 Remove one"
            );
        }
    }
}

/// The log fields of a delivery.
struct Logged {
    id: Option<String>,
    tenant: Option<String>,
}

impl Logged {
    fn of(delivery: Option<&Delivery>) -> Self {
        Self {
            id: delivery.map(|delivery| delivery.id().to_string()),
            tenant: delivery.and_then(Delivery::tenant).map(|tenant| escaped(tenant).to_string()),
        }
    }
}
