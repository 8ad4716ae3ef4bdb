//! Runs every vector and every bad request through every receiver.

use twenty_webhook_core::Rejection;

use crate::receivers::{Answer, HANDLED, IN_MEMORY, STREAMING, counted, pieces};
use crate::vectors::{self, Case, Expect};

#[actix_web::test]
async fn every_form_that_twenty_has_sent_is_handled() {
    through_every_receiver(vectors::signed_bodies()).await;
}

#[actix_web::test]
async fn every_delivery_of_a_real_server_is_handled() {
    through_every_receiver(vectors::real_deliveries()).await;
}

#[actix_web::test]
async fn every_request_has_the_expected_result_in_every_receiver() {
    through_every_receiver(vectors::requests()).await;
}

async fn through_every_receiver(cases: Vec<Case>) {
    for case in cases {
        for receiver in IN_MEMORY {
            let answer = (receiver.receive)(case.clone()).await;
            check(receiver.name, &case, &answer);
        }
        for receiver in STREAMING {
            for chunks in [vec![case.body.clone()], pieces(&case.body, 1), pieces(&case.body, 2)] {
                let (body, polls) = counted(chunks.into_iter().map(Ok));
                let answer = (receiver.receive)(case.clone(), body).await;
                check(receiver.name, &case, &answer);
                if is_refused_by_headers(&case) {
                    assert_eq!(polls.count(), 0, "{}: {}: the body is not polled", receiver.name, case.name);
                }
            }
        }
    }
}

fn check(receiver: &str, case: &Case, answer: &Answer) {
    let context = format!("{receiver}: {}: {:?}", case.name, answer.rejection);
    match &case.expect {
        // `verify` gets the body in memory and ignores the announced length.
        Expect::Rejected { .. } if announced_too_large(case) && receiver == "core, one call" => {
            assert_eq!(answer.status, HANDLED, "{context}");
        }
        Expect::Event(name) => {
            assert_eq!(answer.status, HANDLED, "{context}");
            assert_eq!(answer.rejection, None, "{context}");
            let [(event, body)] = answer.handled.as_slice() else { panic!("{context}: the handler runs once") };
            assert_eq!(event.name().as_str(), name, "{context}");
            assert_eq!(event.body(), &case.body, "{context}: the event keeps the signed bytes");
            if let Some(body) = body {
                assert_eq!(body, &case.body, "{context}: the handler sees the signed bytes");
            }
        }
        Expect::Rejected { status, code, says } => {
            assert_eq!(answer.status, *status, "{context}");
            assert_eq!(answer.rejection.as_ref().map(Rejection::code), Some(code.as_str()), "{context}");
            let reason = answer.rejection.as_ref().map(Rejection::to_string).unwrap_or_default();
            assert!(reason.contains(says), "{context}: it says {says:?}");
            assert!(answer.handled.is_empty(), "{context}: the handler does not run");
        }
    }
}

fn is_refused_by_headers(case: &Case) -> bool {
    match &case.expect {
        Expect::Event(_) => false,
        Expect::Rejected { status, code, .. } => {
            announced_too_large(case) || (*status == 401 && code != "signature_mismatch")
        }
    }
}

fn announced_too_large(case: &Case) -> bool {
    case.headers.iter().any(|(name, _)| name == "Content-Length")
}
