use std::sync::Arc;
use std::time::Duration;

use http::StatusCode;
use twenty_webhook_core::{
    Claim, Delivery, DeliveryId, GuardError, Lease, Rejection, ReplayGate, ReplayGuard, Secret, Signer, UnixMillis,
    Verifier,
};

use crate::fallback::Switched;
use crate::{Hand, MINUTE, NOON, at, guard, now_or_never};

const BODY: &[u8] = br#"{"eventName":"person.created","record":{"id":"42"}}"#;

fn secret() -> Secret {
    Secret::new("It's a Secret to Everybody").unwrap()
}

/// The whole road of a request that was sent at `sent_at`.
fn receive(hand: &Hand, gate: &ReplayGate, sent_at: u64, answer: StatusCode) -> Result<(), Rejection> {
    let admission = now_or_never(gate.admit(&delivery(hand, sent_at)?))?;
    now_or_never(admission.settle(answer)).unwrap();
    Ok(())
}

fn delivery(hand: &Hand, sent_at: u64) -> Result<Delivery, Rejection> {
    let headers = Signer::new(secret()).sign_at(BODY, at(sent_at));
    Verifier::new(secret()).verify_at(&headers, BODY, hand.now())
}

#[test]
fn a_captured_request_is_accepted_once_in_all_its_life() {
    let hand = Hand::at(NOON);
    let gate = ReplayGate::new(guard(&hand));
    assert_eq!(receive(&hand, &gate, NOON, StatusCode::OK), Ok(()));
    let edges = [NOON, NOON - 5 * MINUTE, NOON + 5 * MINUTE];
    for now in edges.into_iter().flat_map(|edge| edge - 2..=edge + 2) {
        hand.set(now);
        let again = receive(&hand, &gate, NOON, StatusCode::OK);
        assert!(again.is_err(), "at {now}");
    }
}

#[test]
fn a_captured_request_is_not_accepted_after_the_copy_that_was_signed_anew() {
    let hand = Hand::at(NOON);
    let gate = ReplayGate::new(guard(&hand));
    let anew = NOON + 4 * MINUTE;
    receive(&hand, &gate, NOON, StatusCode::OK).unwrap();
    hand.set(anew);
    assert_eq!(receive(&hand, &gate, anew, StatusCode::OK), Err(Rejection::AlreadyCompleted));
    for edge in [NOON + 5 * MINUTE, anew + 5 * MINUTE] {
        for now in edge - 2..=edge + 2 {
            hand.set(now);
            assert!(receive(&hand, &gate, NOON, StatusCode::OK).is_err(), "at {now}");
            assert!(receive(&hand, &gate, anew, StatusCode::OK).is_err(), "at {now}");
        }
    }
}

#[test]
fn what_a_handler_answers_completes_and_what_a_router_or_a_failure_answers_releases() {
    for (status, again) in [
        (200, Err(Rejection::AlreadyCompleted)),
        (302, Err(Rejection::AlreadyCompleted)),
        (403, Err(Rejection::AlreadyCompleted)),
        (404, Ok(())),
        (405, Ok(())),
        (406, Err(Rejection::AlreadyCompleted)),
        (499, Err(Rejection::AlreadyCompleted)),
        (500, Ok(())),
        (503, Ok(())),
        (599, Ok(())),
    ] {
        let hand = Hand::at(NOON);
        let gate = ReplayGate::new(guard(&hand));
        receive(&hand, &gate, NOON, StatusCode::from_u16(status).unwrap()).unwrap();
        assert_eq!(receive(&hand, &gate, NOON, StatusCode::OK), again, "after {status}");
    }
}

#[test]
fn a_copy_of_what_is_in_progress_may_come_back_later() {
    let hand = Hand::at(NOON);
    let gate = ReplayGate::new(guard(&hand));
    let delivery = delivery(&hand, NOON).unwrap();
    let _running = now_or_never(gate.admit(&delivery)).unwrap();
    hand.set(NOON + 10_000);
    let copy = now_or_never(gate.admit(&delivery)).unwrap_err();
    assert_eq!(copy, Rejection::InProgress { retry_after: Duration::from_secs(20) });
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
    let gate = ReplayGate::new(guard(&hand));
    let slow = delivery(&hand, NOON).unwrap();
    hand.set(NOON + 5 * MINUTE + 1);
    let refused = now_or_never(gate.admit(&slow)).unwrap_err();
    assert_eq!(refused, Rejection::Expired);
    assert_eq!((refused.status(), refused.code()), (StatusCode::UNAUTHORIZED, "expired"));
    assert!(!refused.is_duplicate());
}

#[test]
fn switched_off_it_lets_everything_in() {
    let hand = Hand::at(NOON);
    let gate = ReplayGate::off();
    assert!(!gate.is_on());
    for _ in 0..3 {
        receive(&hand, &gate, NOON, StatusCode::OK).unwrap();
    }
}

struct Unreachable;

impl ReplayGuard for Unreachable {
    async fn claim(&self, _: DeliveryId, _: UnixMillis) -> Result<Claim, GuardError> {
        Err(GuardError::unavailable("the shared guard at guard:6379 does not answer"))
    }

    async fn complete(&self, _: Lease) -> Result<(), GuardError> {
        unreachable!("nothing was claimed")
    }

    async fn release(&self, _: Lease) -> Result<(), GuardError> {
        unreachable!("nothing was claimed")
    }
}

#[test]
fn what_cannot_be_asked_refuses() {
    let hand = Hand::at(NOON);
    let gate = ReplayGate::new(Unreachable);
    assert!(gate.is_on());
    let refused = receive(&hand, &gate, NOON, StatusCode::OK).unwrap_err();
    assert_eq!((refused.status(), refused.code()), (StatusCode::SERVICE_UNAVAILABLE, "guard_unavailable"));
    assert_eq!(refused.to_string(), "the replay guard is unavailable: the shared guard at guard:6379 does not answer");
    assert!(!refused.is_duplicate());
}

#[test]
fn in_memory_it_goes_by_the_verifiers_clock() {
    let hand = Hand::at(NOON);
    let gate = ReplayGate::in_memory(&Verifier::new(Secret::new("s").unwrap()).clock(hand.clock()));
    receive(&hand, &gate, NOON, StatusCode::OK).unwrap();
    assert_eq!(receive(&hand, &gate.clone(), NOON, StatusCode::OK), Err(Rejection::AlreadyCompleted));
}

#[test]
fn what_is_dropped_unsettled_is_let_in_again() {
    let hand = Hand::at(NOON);
    let gate = ReplayGate::new(guard(&hand));
    let delivery = delivery(&hand, NOON).unwrap();
    drop(now_or_never(gate.admit(&delivery)).unwrap());
    let settled = now_or_never(gate.admit(&delivery)).unwrap();
    now_or_never(settled.complete()).unwrap();
    assert_eq!(now_or_never(gate.admit(&delivery)).unwrap_err(), Rejection::AlreadyCompleted);
}

#[test]
fn whoever_settles_learns_that_the_guard_was_not_told() {
    let hand = Hand::at(NOON);
    for answer in [StatusCode::OK, StatusCode::INTERNAL_SERVER_ERROR] {
        let guard = Arc::new(Switched::new(guard(&hand)));
        let admission =
            now_or_never(ReplayGate::new(Arc::clone(&guard)).admit(&delivery(&hand, NOON).unwrap())).unwrap();
        guard.set_down(true);
        assert_eq!(now_or_never(admission.settle(answer)), Err(GuardError::unavailable("switched off")), "{answer}");
    }
}
