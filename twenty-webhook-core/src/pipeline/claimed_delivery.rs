use std::fmt;
use std::time::Duration;

use http::StatusCode;

use super::RejectedRequest;
use super::log::ReceiverLog;
use super::outcome::OutcomeKind;
use super::request_context::RequestContext;
use crate::replay::AnyLease;
use crate::{Claim, Delivery, GuardError, Rejection, WebhookEvent};

/// A verified request, before its delivery is claimed.
#[must_use = "a verified delivery must be claimed and handled"]
pub struct VerifiedRequest {
    context: RequestContext,
    event: WebhookEvent,
}

impl VerifiedRequest {
    pub(super) fn new(context: RequestContext, event: WebhookEvent) -> Self {
        if let Some(delivery) = event.delivery() {
            ReceiverLog::verified(&event, delivery, context.path());
        }
        Self { context, event }
    }

    /// The event. [`body`](WebhookEvent::body) has the signed bytes.
    pub fn event(&self) -> &WebhookEvent {
        &self.event
    }

    /// Claims the delivery, so that no copy of it is handled at the same time or later. Then handle the delivery, and
    /// [finish](ClaimedDelivery::finish) it.
    ///
    /// Run everything from the claim on in a task that outlives the connection: Twenty disconnects after 5 seconds, and a dropped delivery is
    /// not handled.
    ///
    /// `outer` is the event that another layer around this one put into the request, if any. If that layer holds an open claim of the same
    /// guard on the same delivery, this call makes no claim. Otherwise each delivery would be its own duplicate.
    ///
    /// # Errors
    /// If a copy was handled or is being handled, the delivery has expired, or the guard is unavailable.
    pub async fn claim(self, outer: Option<&WebhookEvent>) -> Result<ClaimedDelivery, RejectedRequest> {
        let Self { mut context, event } = self;
        let replay_guard = &context.config.settings().replay_guard;
        let guard = replay_guard.identity();
        let outer = outer.filter(|outer| is_same_delivery(outer, &event));
        if let Some(outer) = outer {
            event.set_outer(outer);
        }
        if let (Some(outer), Some(guard)) = (outer, guard)
            && outer.is_claimed_by(guard)
        {
            context.config.settings().log.stacked(context.path());
            context.verified(event);
            // The layer with the claim reports the outcome.
            context.has_outcome = true;
            return Ok(ClaimedDelivery::new(context, AnyLease::NONE));
        }
        let claim = match event.delivery() {
            Some(delivery) => replay_guard.claim(delivery).await,
            None => Err(GuardError::unavailable("the event was not verified")),
        };
        event.set_claimed_by(guard.filter(|_| claim.as_ref().is_ok_and(Claim::is_new)));
        context.verified(event);
        match claim {
            Ok(Claim::New(lease)) => Ok(ClaimedDelivery::new(context, lease)),
            Ok(Claim::InProgress { retry_after }) => Err(context.reject(Rejection::InProgress { retry_after })),
            Ok(Claim::Completed) => Err(context.reject(Rejection::AlreadyCompleted)),
            Ok(Claim::Expired) => Err(context.reject(Rejection::Expired)),
            Err(error) => Err(context.reject(Rejection::GuardUnavailable(error))),
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
/// Dropping it means that the task was cancelled and the delivery was not handled: the lease is [abandoned](crate::ReplayGuard::abandon).
#[must_use = "a claimed delivery must be finished"]
pub struct ClaimedDelivery {
    // Dropped before the context: the delivery is marked as claimed until its lease ends.
    lease: AnyLease,
    context: RequestContext,
    claimed_at: Duration,
}

impl ClaimedDelivery {
    fn new(context: RequestContext, lease: AnyLease) -> Self {
        Self { lease, claimed_at: context.elapsed(), context }
    }

    /// Ends the claim with the status of the handler's response. A 2xx completes the delivery: later copies are duplicates. Any other status
    /// releases it: the next copy is handled. For a handler that panicked or returned no response, pass 500.
    ///
    /// Only a 2xx completes, because Twenty counts only a 2xx as delivered. A 400, 404, 405, 415 or 429 may also result from unsigned parts of
    /// the request: the method, the path, the query, the content type. A copy with changes there must not use up the delivery.
    ///
    /// Errors of the guard are logged and do not change the response. If this future is dropped early, the claim may stay open until its lease
    /// expires.
    pub async fn finish(self, status: StatusCode) {
        let Self { lease, mut context, claimed_at } = self;
        let duration = context.elapsed().saturating_sub(claimed_at);
        let result = if status.is_success() {
            lease.complete().await
        } else {
            ReceiverLog::handler_failed(status.as_u16(), context.path(), context.delivery());
            lease.release().await
        };
        if let Err(error) = result {
            ReceiverLog::guard_failed(&error, context.path(), context.delivery());
        }
        context.observe(OutcomeKind::Handled { status, duration });
    }

    /// Completes the delivery before it is handled, for a receiver that cannot see the handler's response. If the handler fails, the delivery
    /// is lost: copies are duplicates.
    pub async fn complete_before_handling(self) {
        let Self { lease, mut context, .. } = self;
        if let Err(error) = lease.complete().await {
            ReceiverLog::guard_failed(&error, context.path(), context.delivery());
        }
        context.observe(OutcomeKind::Extracted);
    }
}

impl fmt::Debug for ClaimedDelivery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClaimedDelivery").field("delivery", &self.context.delivery()).finish_non_exhaustive()
    }
}
