use std::fmt;
use std::time::Duration;

use http::StatusCode;

use super::RejectedRequest;
use super::exchange::Exchange;
use super::log::ReceiverLog;
use super::outcome::OutcomeKind;
use crate::replay::HeldLease;
use crate::{Claim, Delivery, GuardError, Rejection, WebhookEvent};

/// A request that was verified, and is not claimed yet.
#[must_use = "a verified delivery must be claimed and handled"]
pub struct VerifiedRequest {
    exchange: Exchange,
    event: WebhookEvent,
}

impl VerifiedRequest {
    pub(super) fn new(exchange: Exchange, event: WebhookEvent) -> Self {
        if let Some(delivery) = event.delivery() {
            ReceiverLog::verified(&event, delivery, exchange.path());
        }
        Self { exchange, event }
    }

    /// The event. Its [body](WebhookEvent::body) is the signed bytes, for a handler that wants them.
    pub fn event(&self) -> &WebhookEvent {
        &self.event
    }

    /// Claims the delivery, so that no copy of it is handled beside it or after it. What gets an [`ClaimedDelivery`] handles the delivery, and says
    /// how it ended.
    ///
    /// From here on, run the work in a task that outlives the connection: Twenty hangs up after 5 seconds, and what is dropped is not handled.
    ///
    /// `outer` is the event that the request carries already, if any: another layer around this one has put it there. If that layer holds
    /// an open claim of the same guard on the same delivery, this one makes none, or each delivery would be its own duplicate.
    ///
    /// # Errors
    /// Refuses a delivery that was handled or is being handled, and every delivery while the guard cannot be asked.
    pub async fn claim(self, outer: Option<&WebhookEvent>) -> Result<ClaimedDelivery, RejectedRequest> {
        let Self { mut exchange, event } = self;
        let replays = &exchange.config.settings().replays;
        let guard = replays.identity();
        let outer = outer.filter(|outer| is_same_delivery(outer, &event));
        if let Some(outer) = outer {
            event.set_outer(outer);
        }
        if let (Some(outer), Some(guard)) = (outer, guard)
            && outer.is_claimed_by(guard)
        {
            exchange.config.settings().log.stacked(exchange.path());
            exchange.verified(event);
            // The layer with the claim tells how it ends.
            exchange.is_observed = true;
            return Ok(ClaimedDelivery::new(exchange, HeldLease::NONE));
        }
        let claim = match event.delivery() {
            Some(delivery) => replays.claim(delivery).await,
            None => Err(GuardError::unavailable("the event was not verified")),
        };
        event.set_claimed_by(guard.filter(|_| claim.as_ref().is_ok_and(Claim::is_new)));
        exchange.verified(event);
        match claim {
            Ok(Claim::New(lease)) => Ok(ClaimedDelivery::new(exchange, lease)),
            Ok(Claim::InProgress { retry_after }) => Err(exchange.refuse(Rejection::InProgress { retry_after })),
            Ok(Claim::Completed) => Err(exchange.refuse(Rejection::AlreadyCompleted)),
            Ok(Claim::Expired) => Err(exchange.refuse(Rejection::Expired)),
            Err(error) => Err(exchange.refuse(Rejection::GuardUnavailable(error))),
        }
    }
}

fn is_same_delivery(one: &WebhookEvent, other: &WebhookEvent) -> bool {
    let key = |event: &WebhookEvent| event.delivery().map(Delivery::replay_key);
    key(one) == key(other)
}

impl fmt::Debug for VerifiedRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VerifiedRequest").field("event", &self.event).finish_non_exhaustive()
    }
}

/// The right to handle a delivery.
///
/// One that is dropped was not handled, because its task was cancelled: its lease is [abandoned](crate::ReplayGuard::abandon).
#[must_use = "a delivery that was let in must be finished"]
pub struct ClaimedDelivery {
    // Before the exchange: until the lease is settled, the delivery is marked as claimed.
    lease: HeldLease,
    exchange: Exchange,
    admitted: Duration,
}

impl ClaimedDelivery {
    fn new(exchange: Exchange, lease: HeldLease) -> Self {
        Self { lease, admitted: exchange.elapsed(), exchange }
    }

    /// The handler's answer has this status. A 2xx completes the delivery: no copy is let in. Any other releases it, and the next copy is
    /// handled. A handler that failed without an answer, or panicked, is 500.
    ///
    /// To Twenty only a 2xx is delivered. And a 400, 404, 405, 415 or 429 may be due to what is not signed: the method, the path, the
    /// query, the content type. A copy that was changed there must not stand in for the delivery.
    ///
    /// What goes wrong is in the log: the handler's answer stands. If this is dropped before it is done, the claim may stay open until its lease
    /// expires.
    pub async fn finish(self, status: StatusCode) {
        let Self { lease, mut exchange, admitted } = self;
        let duration = exchange.elapsed().saturating_sub(admitted);
        let recorded = if status.is_success() {
            lease.complete().await
        } else {
            ReceiverLog::handler_failed(status.as_u16(), exchange.path(), exchange.delivery());
            lease.release().await
        };
        if let Err(error) = recorded {
            ReceiverLog::guard_failed(&error, exchange.path(), exchange.delivery());
        }
        exchange.observe(OutcomeKind::Handled { status, duration });
    }

    /// Completes the delivery before it is handled, for a receiver that cannot see the handler's answer. If the handler fails, the delivery
    /// is lost: no copy is let in.
    pub async fn complete_before_handling(self) {
        let Self { lease, mut exchange, .. } = self;
        if let Err(error) = lease.complete().await {
            ReceiverLog::guard_failed(&error, exchange.path(), exchange.delivery());
        }
        exchange.observe(OutcomeKind::Extracted);
    }
}

impl fmt::Debug for ClaimedDelivery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClaimedDelivery").field("delivery", &self.exchange.delivery()).finish_non_exhaustive()
    }
}
