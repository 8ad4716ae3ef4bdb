//! What becomes of a delivery by how its handler ends, through the intake that every adapter drives.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, StatusCode};
use twenty_webhook_core::{
    BodyError, Claim, ClaimedDelivery, Delivery, GuardError, HttpHead, Rejection, ReplayGuard, Secret, Signer,
    VerifiedRequest, Verifier, WebhookConfig,
};

use crate::fallback::Switched;
use crate::{Hand, MINUTE, NOON, at, guard, now_or_never};

const BODY: &[u8] = br#"{"eventName":"person.created","record":{"id":"42"}}"#;

fn secret() -> Secret {
    Secret::new("It's a Secret to Everybody").unwrap()
}

fn config(hand: &Hand) -> WebhookConfig {
    WebhookConfig::new(Verifier::new(secret()).clock(hand.clock()))
}

fn guarded(hand: &Hand) -> WebhookConfig {
    config(hand).replay_guard(guard(hand))
}

/// A request that was sent at `sent_at`, up to its verification.
fn receive(config: &WebhookConfig, sent_at: u64) -> Result<VerifiedRequest, Rejection> {
    let mut request = Request::new(());
    *request.method_mut() = Method::POST;
    *request.headers_mut() = Signer::new(secret()).sign_at(BODY, at(sent_at));
    let body = pin!(futures_util::stream::iter([Ok::<_, BodyError>(Bytes::from_static(BODY))]));
    let head = HttpHead::of(&request);
    let received = config.receive(&head, None, body, |_| std::future::pending());
    now_or_never(received).map_err(|refusal| refusal.rejection().clone())
}

fn admit(config: &WebhookConfig, sent_at: u64) -> Result<ClaimedDelivery, Rejection> {
    claim(receive(config, sent_at)?)
}

fn claim(received: VerifiedRequest) -> Result<ClaimedDelivery, Rejection> {
    now_or_never(received.claim(None)).map_err(|refusal| refusal.rejection().clone())
}

/// The whole way of a request whose handler answers `answer`.
fn handle(config: &WebhookConfig, sent_at: u64, answer: StatusCode) -> Result<(), Rejection> {
    now_or_never(admit(config, sent_at)?.finish(answer));
    Ok(())
}

#[test]
fn a_captured_request_is_accepted_once_in_all_its_life() {
    let hand = Hand::at(NOON);
    let config = guarded(&hand);
    assert_eq!(handle(&config, NOON, StatusCode::OK), Ok(()));
    let edges = [NOON, NOON - 5 * MINUTE, NOON + 5 * MINUTE];
    for now in edges.into_iter().flat_map(|edge| edge - 2..=edge + 2) {
        hand.set(now);
        assert!(handle(&config, NOON, StatusCode::OK).is_err(), "at {now}");
    }
}

#[test]
fn a_captured_request_is_not_accepted_after_the_copy_that_was_signed_anew() {
    let hand = Hand::at(NOON);
    let config = guarded(&hand);
    let anew = NOON + 4 * MINUTE;
    handle(&config, NOON, StatusCode::OK).unwrap();
    hand.set(anew);
    assert_eq!(handle(&config, anew, StatusCode::OK), Err(Rejection::AlreadyCompleted));
    for edge in [NOON + 5 * MINUTE, anew + 5 * MINUTE] {
        for now in edge - 2..=edge + 2 {
            hand.set(now);
            assert!(handle(&config, NOON, StatusCode::OK).is_err(), "at {now}");
            assert!(handle(&config, anew, StatusCode::OK).is_err(), "at {now}");
        }
    }
}

#[test]
fn only_a_2xx_completes() {
    for status in 100..600 {
        let hand = Hand::at(NOON);
        let config = guarded(&hand);
        handle(&config, NOON, StatusCode::from_u16(status).unwrap()).unwrap();
        let again = if (200..300).contains(&status) { Err(Rejection::AlreadyCompleted) } else { Ok(()) };
        assert_eq!(handle(&config, NOON, StatusCode::OK), again, "after {status}");
    }
}

#[test]
fn a_copy_of_what_is_in_progress_may_come_back_later() {
    let hand = Hand::at(NOON);
    let config = guarded(&hand);
    let _running = admit(&config, NOON).unwrap();
    hand.set(NOON + 10_000);
    let copy = admit(&config, NOON).unwrap_err();
    assert!(matches!(copy, Rejection::InProgress { retry_after, .. } if retry_after == Duration::from_secs(20)));
    assert_eq!((copy.status(), copy.code()), (StatusCode::CONFLICT, "in_progress"));
    assert_eq!(copy.retry_after(), Some(20));
    assert!(copy.is_duplicate());
}

#[test]
fn a_completed_duplicate_is_answered_as_delivered() {
    let refused = Rejection::AlreadyCompleted;
    assert_eq!((refused.status(), refused.code()), (StatusCode::OK, "already_completed"));
    assert!(refused.is_duplicate() && refused.retry_after().is_none());
}

#[test]
fn a_delivery_that_went_stale_on_its_way_is_not_a_duplicate() {
    let hand = Hand::at(NOON);
    let slow = receive(&guarded(&hand), NOON).unwrap();
    hand.set(NOON + 5 * MINUTE + 1);
    let refused = claim(slow).unwrap_err();
    assert_eq!(refused, Rejection::Expired);
    assert_eq!((refused.status(), refused.code()), (StatusCode::UNAUTHORIZED, "expired"));
    assert!(!refused.is_duplicate());
}

#[test]
fn without_a_guard_everything_is_let_in() {
    let hand = Hand::at(NOON);
    let config = config(&hand).without_replay_guard();
    for _ in 0..3 {
        handle(&config, NOON, StatusCode::OK).unwrap();
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
fn what_cannot_be_asked_refuses() {
    let hand = Hand::at(NOON);
    let refused = handle(&config(&hand).replay_guard(Unreachable), NOON, StatusCode::OK).unwrap_err();
    assert_eq!((refused.status(), refused.code()), (StatusCode::SERVICE_UNAVAILABLE, "guard_unavailable"));
    assert_eq!(refused.to_string(), "the replay guard is unavailable: the shared guard at guard:6379 does not answer");
    assert!(!refused.is_duplicate());
}

#[test]
fn the_default_guard_goes_by_the_verifiers_clock() {
    let hand = Hand::at(NOON);
    let config = config(&hand);
    handle(&config, NOON, StatusCode::OK).unwrap();
    assert_eq!(handle(&config.clone(), NOON, StatusCode::OK), Err(Rejection::AlreadyCompleted));
}

#[test]
fn what_is_dropped_unsettled_is_let_in_again() {
    let hand = Hand::at(NOON);
    for config in [guarded(&hand), config(&hand).replay_guard(Arc::new(guard(&hand)))] {
        drop(admit(&config, NOON).unwrap());
        handle(&config, NOON, StatusCode::OK).unwrap();
        assert_eq!(handle(&config, NOON, StatusCode::OK), Err(Rejection::AlreadyCompleted));
    }
}

/// The handler's answer stands, and the copy waits for the lease to expire.
#[test]
fn a_guard_that_fails_at_the_end_is_no_failure_of_the_handler() {
    let hand = Hand::at(NOON);
    for answer in [StatusCode::OK, StatusCode::INTERNAL_SERVER_ERROR] {
        let guard = Arc::new(Switched::new(guard(&hand)));
        let config = config(&hand).replay_guard(Arc::clone(&guard));
        let admission = admit(&config, NOON).unwrap();
        guard.set_down(true);
        now_or_never(admission.finish(answer));
        guard.set_down(false);
        assert_eq!(handle(&config, NOON, StatusCode::OK).unwrap_err().code(), "in_progress");
    }
}

/// Two layers with one guard on one route: the outer one claims, and each delivery is handled once.
#[test]
fn an_inner_layer_leaves_the_claim_to_the_outer_one() {
    let hand = Hand::at(NOON);
    let config = guarded(&hand);
    let outer = receive(&config, NOON).unwrap();
    let event = outer.event().clone();
    let outer = claim(outer).unwrap();
    let inner = now_or_never(receive(&config, NOON).unwrap().claim(Some(&event))).unwrap();
    now_or_never(inner.finish(StatusCode::OK));
    now_or_never(outer.finish(StatusCode::OK));
    assert_eq!(handle(&config, NOON, StatusCode::OK), Err(Rejection::AlreadyCompleted));

    // The claim is not open any more.
    let late = now_or_never(receive(&config, NOON).unwrap().claim(Some(&event)));
    assert_eq!(*late.unwrap_err().rejection(), Rejection::AlreadyCompleted);
}

#[test]
fn an_inner_layer_claims_if_the_outer_one_has_no_guard_or_another() {
    let hand = Hand::at(NOON);
    for outer in [guarded(&hand), config(&hand).without_replay_guard()] {
        let inner = guarded(&hand);
        let received = receive(&outer, NOON).unwrap();
        let event = received.event().clone();
        let _outer = claim(received).unwrap();
        let first = now_or_never(receive(&inner, NOON).unwrap().claim(Some(&event))).unwrap();
        now_or_never(first.finish(StatusCode::OK));
        assert_eq!(admit(&inner, NOON).unwrap_err(), Rejection::AlreadyCompleted);
    }
}
