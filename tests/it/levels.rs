//! The log level of each rejection, and the content of its line.

use std::time::Duration;

use futures_util::{FutureExt, StreamExt, stream};
use twenty_webhook_core::{
    Claim, Clock, Delivery, GuardError, ReplayGuard, Secret, SourceError, Target, Verifier, VerifierSource,
    WebhookConfig,
};

use crate::logs::Log;
use crate::receivers::service::{self, Handler, Service};
use crate::receivers::{Chunks, counted};
use crate::samples::{BODY, NOW, secret, signed};
use crate::vectors::Case;

struct Down;

impl ReplayGuard for Down {
    type Lease = ();

    async fn claim(&self, _: &Delivery) -> Result<Claim<()>, GuardError> {
        Err(GuardError::unavailable("connection refused"))
    }

    async fn complete(&self, (): ()) -> Result<(), GuardError> {
        Ok(())
    }

    async fn release(&self, (): ()) -> Result<(), GuardError> {
        Ok(())
    }

    fn abandon(&self, (): ()) {}
}

struct Unreachable;

impl VerifierSource for Unreachable {
    async fn verifier(&self, _: &Target<'_>) -> Result<Option<Verifier>, SourceError> {
        Err(SourceError::new("no route to the database"))
    }
}

fn verifier() -> Verifier {
    Verifier::new(secret()).clock(Clock::new(|| NOW))
}

async fn services(config: &WebhookConfig) -> [Service; 3] {
    let handler: Handler = std::sync::Arc::new(|_| panic!("the handler runs"));
    [
        service::axum(config.clone(), handler.clone()),
        service::actix(config.clone(), handler.clone(), true).await,
        service::actix(config.clone(), handler, false).await,
    ]
}

/// Makes the body that a case sends.
type Body = Box<dyn Fn(&Case) -> Chunks>;

fn whole(case: &Case) -> Chunks {
    counted([Ok(case.body.clone())]).0
}

#[actix_web::test]
async fn a_rejection_that_may_lose_delivery_is_an_error() {
    let log = Log::start();
    let good = || signed(BODY, NOW);
    let without = |name: &str| {
        let mut case = good();
        case.headers.retain(|(header, _)| !header.ends_with(name));
        case
    };
    let with = |name: &str, value: String| {
        let mut case = good();
        *case.header(name) = value;
        case
    };
    let unsigned = || {
        let mut case = good();
        case.headers.clear();
        case
    };
    let large = || {
        let mut case = signed(&"x".repeat(2000), NOW);
        case.headers.push(("content-length".into(), "2000".into()));
        case
    };
    let stalled = |_: &Case| stream::pending().boxed();
    let broken = |_: &Case| stream::iter([Err(std::io::Error::other("connection reset"))]).boxed();
    let config = || WebhookConfig::new(verifier());
    let quick = Duration::from_millis(5);
    let source = || WebhookConfig::new(Unreachable).clock(Clock::new(|| NOW));
    let cases: [(&str, &str, WebhookConfig, Case, Body); 11] = [
        ("unsigned", "INFO", config(), unsigned(), Box::new(whole)),
        ("missing_header", "INFO", config(), without("timestamp"), Box::new(whole)),
        ("malformed_signature", "WARN", config(), with("signature", "x".into()), Box::new(whole)),
        ("stale_timestamp", "WARN", config(), with("timestamp", "1".into()), Box::new(whole)),
        ("signature_mismatch", "WARN", config(), with("signature", "0".repeat(64)), Box::new(whole)),
        ("body_incomplete", "WARN", config(), good(), Box::new(broken)),
        ("body_too_large", "ERROR", config().body_limit(100), large(), Box::new(whole)),
        ("body_budget_exhausted", "ERROR", config().body_budget(0), signed(&"x".repeat(70_000), NOW), Box::new(whole)),
        ("body_timeout", "ERROR", config().body_deadline(quick), good(), Box::new(stalled)),
        ("guard_unavailable", "ERROR", config().replay_guard(Down), good(), Box::new(whole)),
        ("verifier_unavailable", "ERROR", source(), good(), Box::new(whole)),
    ];
    for (code, level, config, case, body) in cases {
        for service in services(&config).await {
            service.send_chunks(&case, body(&case)).await;
            let mut lines = log.take_lines_of("twenty_webhook");
            lines.retain(|line| !line.contains(" DEBUG "));
            assert_eq!(lines.len(), 1, "{}, {code}: {lines:#?}", service.name);
            for part in [format!(" {level} "), format!("code=\"{code}\""), " path=/".into()] {
                assert!(lines[0].contains(&part), "{}, {code}: {part}: {}", service.name, lines[0]);
            }
        }
    }
}

#[actix_web::test]
async fn the_log_says_why_a_body_was_incomplete() {
    let log = Log::start();
    for service in services(&WebhookConfig::new(verifier())).await {
        let broken = stream::iter([Err(std::io::Error::other("connection reset by peer"))]).boxed();
        let answer = service.send_chunks(&signed(BODY, NOW), broken).await;
        assert_eq!(answer.status, 400);
        let lines = log.take_lines_of("twenty_webhook");
        assert!(
            lines[0].contains("the body is incomplete") && lines[0].contains("connection reset by peer"),
            "{}",
            lines[0]
        );
    }
}

/// By a timeout around the layer, or because the sender hung up, during the look-up of the verifier or the body.
#[actix_web::test]
async fn a_request_that_is_dropped_is_logged_once_and_rate_limited() {
    struct Slow;

    impl VerifierSource for Slow {
        async fn verifier(&self, _: &Target<'_>) -> Result<Option<Verifier>, SourceError> {
            std::future::pending().await
        }
    }

    let log = Log::start();
    let source = || WebhookConfig::new(Slow).clock(Clock::new(|| NOW));
    for (config, tenant) in [(WebhookConfig::new(verifier().tenant("acme")), "tenant=acme"), (source(), "")] {
        for service in services(&config).await {
            let mut sent = service.send_chunks(&signed(BODY, NOW), stream::pending().boxed());
            assert!((&mut sent).now_or_never().is_none());
            drop(sent);
            let lines = log.take_lines_of("twenty_webhook");
            assert_eq!(lines.len(), 1, "{}: {lines:#?}", service.name);
            for part in [" WARN ", "before it was verified", r#"code="dropped""#, "path=/", tenant] {
                assert!(lines[0].contains(part), "{}: {part}: {}", service.name, lines[0]);
            }
        }
    }
    let [service, ..] = services(&WebhookConfig::new(verifier())).await;
    for _ in 0..100 {
        let mut sent = service.send_chunks(&signed(BODY, NOW), stream::pending().boxed());
        assert!((&mut sent).now_or_never().is_none());
    }
    assert_eq!(log.take_lines_of("twenty_webhook").len(), 10);
}

/// Any client can cause some of the errors. They must not flood the log.
#[actix_web::test]
async fn errors_that_any_client_can_cause_are_rate_limited() {
    let log = Log::start();
    for service in services(&WebhookConfig::new(verifier()).body_limit(10)).await.into_iter().take(1) {
        for _ in 0..100 {
            assert_eq!(service.send(&signed(BODY, NOW)).await.status, 413);
        }
        assert_eq!(log.take_lines_of("twenty_webhook").len(), 10);
    }
}

#[actix_web::test]
async fn the_tenant_is_in_each_line() {
    let log = Log::start();
    for service in services(&WebhookConfig::new(verifier().tenant("acme\n"))).await {
        let mut forged = signed(BODY, NOW);
        *forged.header("signature") = "0".repeat(64);
        service.send(&forged).await;
        let lines = log.take_lines_of("twenty_webhook");
        assert!(lines[0].contains(r"tenant=acme\u{a}"), "{}", lines[0]);
    }
}

#[actix_web::test]
async fn debug_of_a_config_and_of_a_source_error_shows_no_secret() {
    let error = SourceError::new("no route");
    assert_eq!(format!("{error} {error:?}"), r#"no route SourceError("no route")"#);
    let config = format!("{:?}", WebhookConfig::new(Secret::new("canary").unwrap()));
    assert!(!config.contains("canary"), "{config}");
}
