//! The observer is called once for each request. The tests of the axum-receiver example cover the metrics.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::{FutureExt, StreamExt, stream};
use twenty_webhook_core::{
    Claim, Clock, Delivery, GuardError, OutcomeKind, ReplayGuard, UnixMillis, Verifier, WebhookConfig,
};

use crate::receivers::service::{self, Handler};
use crate::samples::{NOW, secret, signed};

const BODY: &str = r#"{"eventName":"person.updated","eventDate":"2026-09-14T08:21:37.000Z",
    "record":{"id":"p1","updatedAt":"2026-09-14T08:21:30.412Z"}}"#;

#[derive(Debug, PartialEq)]
struct Observed {
    code: &'static str,
    path: String,
    tenant: Option<String>,
    event: Option<String>,
    delivery_lag: Option<Duration>,
    change_lag: Option<Duration>,
}

#[actix_web::test]
async fn the_observer_is_called_once_for_each_request() {
    let observed: Arc<Mutex<Vec<Observed>>> = Arc::default();
    let config = || {
        let observed = observed.clone();
        let verifier = Verifier::new(secret()).tenant("acme").clock(Clock::new(|| NOW));
        WebhookConfig::new(verifier).observe(move |outcome| {
            if let OutcomeKind::Handled { duration, .. } = outcome.kind {
                assert!(duration <= outcome.elapsed);
            }
            observed.lock().unwrap().push(Observed {
                code: outcome.code(),
                path: outcome.path.to_owned(),
                tenant: outcome.tenant.map(str::to_owned),
                event: outcome.event.map(|event| event.name().to_string()),
                delivery_lag: outcome.delivery_lag(),
                change_lag: outcome.change_lag(),
            });
        })
    };
    let handler = |status: u16| -> Handler { Arc::new(move |_| async move { status }.boxed()) };
    let unverified = |code| Observed {
        code,
        path: "/".into(),
        tenant: Some("acme".into()),
        event: None,
        delivery_lag: None,
        change_lag: None,
    };
    let verified = |code| Observed {
        event: Some("person.updated".into()),
        // It was sent at 08:21:37.412: 412 ms after the event's date, and 7 s after the record's `updatedAt`.
        delivery_lag: Some(Duration::from_millis(412)),
        change_lag: Some(Duration::from_secs(7)),
        ..unverified(code)
    };
    for (status, middleware) in [(204, true), (500, true), (204, false)] {
        let (axum, actix) = (config(), config());
        let mut services = vec![service::actix(actix, handler(status), middleware).await];
        if middleware {
            services.push(service::axum(axum, handler(status)));
        }
        for service in services {
            service.send(&signed(BODY, NOW)).await;
            let expected = match (status, middleware) {
                (_, false) => "extracted",
                (204, _) => "handled",
                _ => "failed",
            };
            assert_eq!(std::mem::take(&mut *observed.lock().unwrap()), [verified(expected)], "{}", service.name);

            if status == 204 {
                service.send(&signed(BODY, NOW)).await;
                assert_eq!(
                    std::mem::take(&mut *observed.lock().unwrap()),
                    [verified("already_completed")],
                    "{}",
                    service.name
                );
            }

            let mut forged = signed(BODY, NOW);
            *forged.header("signature") = "0".repeat(64);
            service.send(&forged).await;
            assert_eq!(
                std::mem::take(&mut *observed.lock().unwrap()),
                [unverified("signature_mismatch")],
                "{}",
                service.name
            );

            let stale = signed(BODY, UnixMillis::from_millis(1));
            service.send(&stale).await;
            assert_eq!(
                std::mem::take(&mut *observed.lock().unwrap()),
                [unverified("stale_timestamp")],
                "{}",
                service.name
            );

            let beginning = stream::iter([Ok("{".into())]).chain(stream::pending()).boxed();
            let mut hung_up = service.send_chunks(&signed(BODY, NOW), beginning);
            assert!((&mut hung_up).now_or_never().is_none());
            drop(hung_up);
            assert_eq!(std::mem::take(&mut *observed.lock().unwrap()), [unverified("dropped")], "{}", service.name);
        }
    }
}

/// It is observed when the handler ends, not when the sender hangs up.
#[tokio::test]
async fn a_handler_that_outlives_its_connection_is_observed_once() {
    let codes: Arc<Mutex<Vec<&'static str>>> = Arc::default();
    let (observed, gate) = (codes.clone(), Arc::new(tokio::sync::Notify::new()));
    let config = WebhookConfig::new(Verifier::new(secret()).clock(Clock::new(|| NOW)))
        .observe(move |outcome| observed.lock().unwrap().push(outcome.code()));
    let open = gate.clone();
    let handler: Handler = Arc::new(move |_| {
        let gate = gate.clone();
        async move {
            gate.notified().await;
            204
        }
        .boxed()
    });
    let layer = twenty_webhook_axum::TwentyWebhookLayer::new(config);
    let service = service::axum(layer.clone(), handler);
    let mut answer = service.send(&signed(BODY, NOW));
    assert!((&mut answer).now_or_never().is_none());
    drop(answer);
    assert!(codes.lock().unwrap().is_empty());
    open.notify_one();
    layer.drained().await;
    assert_eq!(*codes.lock().unwrap(), ["handled"]);
}

#[actix_web::test]
async fn an_observer_that_panics_fails_no_request() {
    let config = || {
        WebhookConfig::new(Verifier::new(secret()).clock(Clock::new(|| NOW))).observe(|_| panic!("the observer fails"))
    };
    let handler: Handler = Arc::new(|_| async { 204 }.boxed());
    for service in [
        service::axum(config(), handler.clone()),
        service::actix(config(), handler.clone(), true).await,
        service::actix(config(), handler, false).await,
    ] {
        for status in [204, 200] {
            assert_eq!(service.send(&signed(BODY, NOW)).await.status, status, "{}", service.name);
        }
    }
}

struct SlowToComplete;

impl ReplayGuard for SlowToComplete {
    type Lease = ();

    async fn claim(&self, _: &Delivery) -> Result<Claim<()>, GuardError> {
        Ok(Claim::New(()))
    }

    async fn complete(&self, (): ()) -> Result<(), GuardError> {
        std::thread::sleep(Duration::from_millis(200));
        Ok(())
    }

    async fn release(&self, (): ()) -> Result<(), GuardError> {
        Ok(())
    }

    fn abandon(&self, (): ()) {}
}

#[tokio::test]
async fn the_handlers_time_does_not_include_the_guards() {
    let times: Arc<Mutex<Vec<Duration>>> = Arc::default();
    let observed = times.clone();
    let config = WebhookConfig::new(Verifier::new(secret()).clock(Clock::new(|| NOW)))
        .replay_guard(SlowToComplete)
        .observe(move |outcome| {
            if let OutcomeKind::Handled { duration, .. } = outcome.kind {
                observed.lock().unwrap().push(duration);
            }
        });
    service::axum(config, Arc::new(|_| async { 204 }.boxed())).send(&signed(BODY, NOW)).await;
    let times = times.lock().unwrap();
    assert!(matches!(times[..], [duration] if duration < Duration::from_millis(100)), "{times:?}");
}

#[actix_web::test]
async fn the_response_to_a_rejected_request_can_be_replaced() {
    let config = || {
        WebhookConfig::new(Verifier::new(secret()).clock(Clock::new(|| NOW))).with_rejection_response(|rejection| {
            let mut response = http::Response::new("rejected".into());
            *response.status_mut() = http::StatusCode::IM_A_TEAPOT;
            response.headers_mut().insert("x-code", rejection.code().parse().unwrap());
            response.headers_mut().insert("retry-after", "7".parse().unwrap());
            response
        })
    };
    let handler: Handler = Arc::new(|_| panic!("the handler runs"));
    for service in [
        service::axum(config(), handler.clone()),
        service::actix(config(), handler.clone(), true).await,
        service::actix(config(), handler, false).await,
    ] {
        let answer = service.send(&signed(BODY, UnixMillis::from_millis(1))).await;
        assert_eq!((answer.status, answer.retry_after.as_deref()), (418, Some("7")), "{}", service.name);
        assert_eq!(answer.rejection.unwrap().code(), "stale_timestamp", "{}", service.name);
    }
}
