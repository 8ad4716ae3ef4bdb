//! How the result of the handler decides what happens to a delivery, through the pipeline that every adapter uses.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, StatusCode};
use twenty_webhook_core::{
    BodyError, Claim, ClaimedDelivery, Delivery, GuardError, HttpHead, Rejection, ReplayGuard, Secret, Signer,
    VerifiedRequest, Verifier, WebhookConfig,
};

use crate::fallback::Switchable;
use crate::{MINUTE, ManualClock, START, at, guard, now_or_never};

const BODY: &[u8] = br#"{"eventName":"person.created","record":{"id":"42"}}"#;

fn secret() -> Secret {
    Secret::new("It's a Secret to Everybody").unwrap()
}

fn config(clock: &ManualClock) -> WebhookConfig {
    WebhookConfig::new(Verifier::new(secret()).clock(clock.to_clock()))
}

fn guarded(clock: &ManualClock) -> WebhookConfig {
    config(clock).replay_guard(guard(clock))
}

/// Receives and verifies a request that was sent at `sent_at`.
fn receive(config: &WebhookConfig, sent_at: u64) -> Result<VerifiedRequest, Rejection> {
    let mut request = Request::new(());
    *request.method_mut() = Method::POST;
    *request.headers_mut() = Signer::new(secret()).sign_at(BODY, at(sent_at));
    let body = pin!(futures_util::stream::iter([Ok::<_, BodyError>(Bytes::from_static(BODY))]));
    let head = HttpHead::of(&request);
    let received = config.receive(&head, None, body, |_| std::future::pending());
    now_or_never(received).map_err(|rejected| rejected.rejection().clone())
}

fn receive_and_claim(config: &WebhookConfig, sent_at: u64) -> Result<ClaimedDelivery, Rejection> {
    claim(receive(config, sent_at)?)
}

fn claim(received: VerifiedRequest) -> Result<ClaimedDelivery, Rejection> {
    now_or_never(received.claim(None)).map_err(|rejected| rejected.rejection().clone())
}

/// Receives, claims and finishes a request whose handler answers `answer`.
fn handle(config: &WebhookConfig, sent_at: u64, answer: StatusCode) -> Result<(), Rejection> {
    now_or_never(receive_and_claim(config, sent_at)?.finish(answer));
    Ok(())
}

#[test]
fn a_captured_request_is_accepted_only_once() {
    let clock = ManualClock::at(START);
    let config = guarded(&clock);
    assert_eq!(handle(&config, START, StatusCode::OK), Ok(()));
    let edges = [START, START - 5 * MINUTE, START + 5 * MINUTE];
    for now in edges.into_iter().flat_map(|edge| edge - 2..=edge + 2) {
        clock.set(now);
        assert!(handle(&config, START, StatusCode::OK).is_err(), "at {now}");
    }
}

#[test]
fn a_captured_request_is_not_accepted_after_a_copy_that_was_signed_again() {
    let clock = ManualClock::at(START);
    let config = guarded(&clock);
    let signed_later = START + 4 * MINUTE;
    handle(&config, START, StatusCode::OK).unwrap();
    clock.set(signed_later);
    assert_eq!(handle(&config, signed_later, StatusCode::OK), Err(Rejection::AlreadyCompleted));
    for edge in [START + 5 * MINUTE, signed_later + 5 * MINUTE] {
        for now in edge - 2..=edge + 2 {
            clock.set(now);
            assert!(handle(&config, START, StatusCode::OK).is_err(), "at {now}");
            assert!(handle(&config, signed_later, StatusCode::OK).is_err(), "at {now}");
        }
    }
}

#[test]
fn only_a_2xx_completes() {
    for status in 100..600 {
        let clock = ManualClock::at(START);
        let config = guarded(&clock);
        handle(&config, START, StatusCode::from_u16(status).unwrap()).unwrap();
        let again = if (200..300).contains(&status) { Err(Rejection::AlreadyCompleted) } else { Ok(()) };
        assert_eq!(handle(&config, START, StatusCode::OK), again, "after {status}");
    }
}

#[test]
fn the_answer_to_a_copy_of_a_delivery_in_progress_says_when_to_retry() {
    let clock = ManualClock::at(START);
    let config = guarded(&clock);
    let _running = receive_and_claim(&config, START).unwrap();
    clock.set(START + 10_000);
    let copy = receive_and_claim(&config, START).unwrap_err();
    assert!(matches!(copy, Rejection::InProgress { retry_after, .. } if retry_after == Duration::from_secs(20)));
    assert_eq!((copy.status(), copy.code()), (StatusCode::CONFLICT, "in_progress"));
    assert_eq!(copy.retry_after(), Some(20));
    assert!(copy.is_duplicate());
}

#[test]
fn a_completed_duplicate_is_answered_as_delivered() {
    let rejection = Rejection::AlreadyCompleted;
    assert_eq!((rejection.status(), rejection.code()), (StatusCode::OK, "already_completed"));
    assert!(rejection.is_duplicate() && rejection.retry_after().is_none());
}

#[test]
fn a_delivery_that_expired_while_its_body_arrived_is_not_a_duplicate() {
    let clock = ManualClock::at(START);
    let slow = receive(&guarded(&clock), START).unwrap();
    clock.set(START + 5 * MINUTE + 1);
    let rejection = claim(slow).unwrap_err();
    assert_eq!(rejection, Rejection::Expired);
    assert_eq!((rejection.status(), rejection.code()), (StatusCode::UNAUTHORIZED, "expired"));
    assert!(!rejection.is_duplicate());
}

#[test]
fn without_a_guard_every_copy_is_accepted() {
    let clock = ManualClock::at(START);
    let config = config(&clock).without_replay_guard();
    for _ in 0..3 {
        handle(&config, START, StatusCode::OK).unwrap();
    }
}

struct Unreachable;

impl ReplayGuard for Unreachable {
    type Lease = ();

    async fn claim(&self, _: &Delivery) -> Result<Claim<()>, GuardError> {
        Err(GuardError::unavailable("the shared guard at guard:6379 does not answer"))
    }

    async fn complete(&self, (): ()) -> Result<(), GuardError> {
        unreachable!("nothing was claimed")
    }

    async fn release(&self, (): ()) -> Result<(), GuardError> {
        unreachable!("nothing was claimed")
    }

    fn abandon(&self, (): ()) {
        unreachable!("nothing was claimed")
    }
}

#[test]
fn an_unavailable_guard_rejects_deliveries() {
    let clock = ManualClock::at(START);
    let rejection = handle(&config(&clock).replay_guard(Unreachable), START, StatusCode::OK).unwrap_err();
    assert_eq!((rejection.status(), rejection.code()), (StatusCode::SERVICE_UNAVAILABLE, "guard_unavailable"));
    assert_eq!(
        rejection.to_string(),
        "the replay guard is unavailable: the shared guard at guard:6379 does not answer"
    );
    assert!(!rejection.is_duplicate());
}

#[test]
fn the_default_guard_uses_the_verifiers_clock() {
    let clock = ManualClock::at(START);
    let config = config(&clock);
    handle(&config, START, StatusCode::OK).unwrap();
    assert_eq!(handle(&config.clone(), START, StatusCode::OK), Err(Rejection::AlreadyCompleted));
}

#[test]
fn a_claim_that_is_dropped_is_released() {
    let clock = ManualClock::at(START);
    for config in [guarded(&clock), config(&clock).replay_guard(Arc::new(guard(&clock)))] {
        drop(receive_and_claim(&config, START).unwrap());
        handle(&config, START, StatusCode::OK).unwrap();
        assert_eq!(handle(&config, START, StatusCode::OK), Err(Rejection::AlreadyCompleted));
    }
}

/// The handler's answer is sent, and a copy waits for the lease to expire.
#[test]
fn a_guard_that_fails_after_the_handler_does_not_change_its_answer() {
    let clock = ManualClock::at(START);
    for answer in [StatusCode::OK, StatusCode::INTERNAL_SERVER_ERROR] {
        let guard = Arc::new(Switchable::new(guard(&clock)));
        let config = config(&clock).replay_guard(Arc::clone(&guard));
        let claimed = receive_and_claim(&config, START).unwrap();
        guard.set_down(true);
        now_or_never(claimed.finish(answer));
        guard.set_down(false);
        assert_eq!(handle(&config, START, StatusCode::OK).unwrap_err().code(), "in_progress");
    }
}

/// Two layers with the same guard on one route: only the outer one claims, so each delivery is handled once.
#[test]
fn an_inner_layer_leaves_the_claim_to_the_outer_one() {
    let clock = ManualClock::at(START);
    let config = guarded(&clock);
    let outer = receive(&config, START).unwrap();
    let event = outer.event().clone();
    let outer = claim(outer).unwrap();
    let inner = now_or_never(receive(&config, START).unwrap().claim(Some(&event))).unwrap();
    now_or_never(inner.finish(StatusCode::OK));
    now_or_never(outer.finish(StatusCode::OK));
    assert_eq!(handle(&config, START, StatusCode::OK), Err(Rejection::AlreadyCompleted));

    // The outer layer's claim has ended.
    let late = now_or_never(receive(&config, START).unwrap().claim(Some(&event)));
    assert_eq!(*late.unwrap_err().rejection(), Rejection::AlreadyCompleted);
}

#[test]
fn an_inner_layer_claims_if_the_outer_one_has_no_guard_or_another() {
    let clock = ManualClock::at(START);
    for outer in [guarded(&clock), config(&clock).without_replay_guard()] {
        let inner = guarded(&clock);
        let received = receive(&outer, START).unwrap();
        let event = received.event().clone();
        let _outer = claim(received).unwrap();
        let first = now_or_never(receive(&inner, START).unwrap().claim(Some(&event))).unwrap();
        now_or_never(first.finish(StatusCode::OK));
        assert_eq!(receive_and_claim(&inner, START).unwrap_err(), Rejection::AlreadyCompleted);
    }
}
