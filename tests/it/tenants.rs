//! The verifier is looked up for each request, and no tenant can do anything to another.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::{Request, StatusCode};
use axum::routing::post;
use futures_util::future::join_all;
use tower::ServiceExt;
use twenty_webhook_axum::{TwentyWebhookLayer, Webhook};
use twenty_webhook_core::{
    Clock, Rejection, Secret, SharedVerifier, Signer, SourceError, Target, Tolerance, UnixMillis, Verifier,
    VerifierSource, WebhookConfig,
};

use crate::samples::{BODY, NOW};

fn secret(text: &str) -> Secret {
    Secret::new(text).unwrap()
}

fn verifier(text: &str) -> Verifier {
    Verifier::new(secret(text)).clock(Clock::new(|| NOW))
}

/// Secrets by path, and how often they were asked for.
#[derive(Clone, Default)]
struct Tenants {
    verifiers: Arc<Mutex<HashMap<String, Verifier>>>,
    asked: Arc<AtomicUsize>,
    at_once: Arc<Mutex<(usize, usize)>>,
    takes: Duration,
    any_host: bool,
}

impl Tenants {
    fn set(&self, path: &str, verifier: Verifier) {
        self.verifiers.lock().unwrap().insert(path.into(), verifier);
    }

    fn asked(&self) -> usize {
        self.asked.swap(0, Ordering::SeqCst)
    }
}

impl VerifierSource for Tenants {
    async fn verifier(&self, target: &Target<'_>) -> Result<Option<Verifier>, SourceError> {
        assert_eq!(target.method, "POST");
        assert!(self.any_host || target.host == Some("crm.example.test"), "{:?}", target.host);
        self.asked.fetch_add(1, Ordering::SeqCst);
        {
            let mut at_once = self.at_once.lock().unwrap();
            at_once.0 += 1;
            at_once.1 = at_once.1.max(at_once.0);
        }
        tokio::time::sleep(self.takes).await;
        self.at_once.lock().unwrap().0 -= 1;
        Ok(self.verifiers.lock().unwrap().get(target.path).cloned())
    }
}

fn app(config: WebhookConfig) -> Router {
    let handler = async |Webhook(event): Webhook| event.delivery().unwrap().tenant().unwrap_or("nobody").to_owned();
    Router::new().fallback_service(post(handler).layer(TwentyWebhookLayer::new(config)).with_state(()))
}

/// The tenant that the handler saw, or why it did not run.
async fn send(app: &Router, path: &str, secret: &str, sent_at: UnixMillis) -> Result<String, Rejection> {
    let mut request = Request::post(path).header("host", "crm.example.test").body(Body::from(BODY)).unwrap();
    request.headers_mut().extend(Signer::new(self::secret(secret)).sign_at(BODY.as_bytes(), sent_at));
    let response = app.clone().oneshot(request).await.unwrap();
    if let Some(rejection) = response.extensions().get::<Rejection>() {
        return Err(rejection.clone());
    }
    assert_eq!(response.status(), StatusCode::OK);
    let body = axum::body::to_bytes(response.into_body(), 100).await.unwrap();
    Ok(String::from_utf8(body.into()).unwrap())
}

fn config(tenants: &Tenants) -> WebhookConfig {
    WebhookConfig::new(tenants.clone()).clock(Clock::new(|| NOW))
}

#[tokio::test]
async fn each_tenant_has_its_own_secret_and_nothing_of_anothers() {
    let tenants = Tenants::default();
    tenants.set("/acme", verifier("a").tenant("acme"));
    tenants.set("/globex", verifier("g").tenant("globex"));
    let app = app(config(&tenants));
    // The same bytes: neither is a duplicate of the other.
    assert_eq!(send(&app, "/acme", "a", NOW).await.unwrap(), "acme");
    assert_eq!(send(&app, "/globex", "g", NOW).await.unwrap(), "globex");
    assert_eq!(send(&app, "/acme", "a", NOW).await.unwrap_err(), Rejection::AlreadyCompleted);
    assert_eq!(send(&app, "/acme", "g", NOW).await.unwrap_err(), Rejection::SignatureMismatch);
}

/// The answer does not tell which tenants there are, nor does a timestamp or a body that is over the limit.
#[tokio::test]
async fn an_unknown_tenant_is_refused_as_a_wrong_signature_is() {
    let tenants = Tenants::default();
    tenants.set("/acme", verifier("a").tenant("acme"));
    let app = app(config(&tenants).lookup_cache_ttl(Duration::ZERO));
    for path in ["/acme", "/nobody"] {
        assert_eq!(send(&app, path, "wrong", NOW).await.unwrap_err(), Rejection::SignatureMismatch, "{path}");
    }
    assert_eq!(tenants.asked(), 2);
}

#[tokio::test]
async fn headers_that_are_malformed_or_a_day_old_are_no_reason_to_ask() {
    let tenants = Tenants::default();
    let app = app(config(&tenants));
    let day = 24 * 60 * 60 * 1000;
    for sent_at in [NOW.as_millis() - day - 1, NOW.as_millis() + day + 1, 0] {
        let refused = send(&app, "/acme", "a", UnixMillis::from_millis(sent_at)).await.unwrap_err();
        assert!(matches!(refused, Rejection::StaleTimestamp { .. } | Rejection::FutureTimestamp { .. }), "{refused}");
    }
    let unsigned = Request::post("/acme").body(Body::from(BODY)).unwrap();
    assert_eq!(app.clone().oneshot(unsigned).await.unwrap().status(), StatusCode::UNAUTHORIZED);
    assert_eq!(tenants.asked(), 0);
}

#[tokio::test]
async fn a_flood_of_requests_is_no_flood_of_queries() {
    let tenants = Tenants { takes: Duration::from_millis(1), ..Tenants::default() };
    tenants.set("/acme", verifier("a").tenant("acme"));
    let app = app(config(&tenants).without_replay_guard());
    // One tenant is asked for once, also by those that come before the answer.
    join_all((0..1000).map(|_| send(&app, "/acme", "a", NOW))).await;
    assert_eq!(tenants.asked(), 1);
    // Targets that are made up: never more than some at a time, and a known tenant does not wait behind them.
    let flood = join_all((0..500).map(|number| send(&app, Box::leak(format!("/{number}").into_boxed_str()), "x", NOW)));
    let (_, known) = tokio::join!(flood, send(&app, "/acme", "a", NOW));
    assert_eq!(known.unwrap(), "acme");
    assert!(tenants.at_once.lock().unwrap().1 <= 32, "{:?}", tenants.at_once);
}

#[tokio::test(start_paused = true)]
async fn a_look_up_that_hangs_is_answered_503() {
    let tenants = Tenants { takes: Duration::from_secs(60), ..Tenants::default() };
    let began = tokio::time::Instant::now();
    let refused = send(&app(config(&tenants)), "/acme", "a", NOW).await.unwrap_err();
    assert_eq!((refused.status(), refused.code()), (StatusCode::SERVICE_UNAVAILABLE, "verifier_unavailable"));
    assert_eq!(began.elapsed().as_secs(), 3);
}

/// Anybody chooses the `Host` header.
#[tokio::test]
async fn a_forged_host_does_not_displace_a_tenants_verifier() {
    let tenants = Tenants { any_host: true, ..Tenants::default() };
    tenants.set("/webhooks/acme", verifier("a").tenant("acme"));
    let app = app(config(&tenants));
    let mut stranger =
        Request::post("/acme").header("host", "crm.example.test/webhooks").body(Body::from(BODY)).unwrap();
    stranger.headers_mut().extend(Signer::new(secret("x")).sign_at(BODY.as_bytes(), NOW));
    assert_eq!(app.clone().oneshot(stranger).await.unwrap().status(), StatusCode::UNAUTHORIZED);
    assert!(send(&app, "/webhooks/acme", "a", NOW).await.is_ok());
}

/// All at once, cold, and again when the cache has forgotten what it knew.
#[tokio::test(start_paused = true)]
async fn many_tenants_at_once_lose_nothing() {
    let now = Arc::new(std::sync::atomic::AtomicU64::new(NOW.as_millis()));
    let read = now.clone();
    let tenants = Tenants { takes: Duration::from_millis(50), ..Tenants::default() };
    let paths: Vec<String> = (0..300).map(|number| format!("/{number}")).collect();
    for path in &paths {
        tenants.set(path, verifier("a").tenant(path));
    }
    let clock = Clock::new(move || UnixMillis::from_millis(read.load(Ordering::SeqCst)));
    let app = app(config(&tenants).clock(clock).without_replay_guard());
    for _ in 0..2 {
        for answer in join_all(paths.iter().map(|path| send(&app, path, "a", NOW))).await {
            answer.unwrap();
        }
        now.fetch_add(6_000, Ordering::SeqCst);
    }
}

/// After a restart no tenant is known yet.
#[tokio::test(start_paused = true)]
async fn a_flood_of_made_up_tenants_loses_no_first_delivery() {
    let tenants = Tenants { takes: Duration::from_millis(20), ..Tenants::default() };
    tenants.set("/acme", verifier("a").tenant("acme"));
    let app = app(config(&tenants));
    let paths: Vec<String> = (0..600).map(|number| format!("/{number}")).collect();
    let flood = join_all(paths.iter().map(|path| send(&app, path, "x", NOW)));
    let (_, genuine) = tokio::join!(flood, send(&app, "/acme", "a", NOW));
    assert_eq!(genuine.unwrap(), "acme");
}

/// Else its answer would tell that there is such a tenant: before the body, and another one after it.
#[tokio::test(start_paused = true)]
async fn a_tenants_own_tolerance_does_not_tell_that_it_exists() {
    let tenants = Tenants::default();
    let minute = Tolerance::both(Duration::from_secs(60));
    tenants.set("/acme", verifier("a").tenant("acme").tolerance(minute));
    let app = app(config(&tenants));
    let two_minutes_ago = UnixMillis::from_millis(NOW.as_millis() - 120_000);
    for path in ["/acme", "/nobody"] {
        let body = Body::from_stream(futures_util::stream::pending::<Result<&'static str, std::io::Error>>());
        let mut request = Request::post(path).header("host", "crm.example.test").body(body).unwrap();
        request.headers_mut().extend(Signer::new(secret("x")).sign_at(BODY.as_bytes(), two_minutes_ago));
        assert_eq!(app.clone().oneshot(request).await.unwrap().status(), StatusCode::REQUEST_TIMEOUT, "{path}");
        assert_eq!(send(&app, path, "x", two_minutes_ago).await.unwrap_err(), Rejection::SignatureMismatch, "{path}");
    }
    let stale = send(&app, "/acme", "a", two_minutes_ago).await.unwrap_err();
    assert!(matches!(stale, Rejection::StaleTimestamp { .. }), "{stale}");
}

/// HTTP/1.1 has it in a header, with the port; HTTP/2 in the URL.
#[tokio::test]
async fn the_host_is_the_same_over_both_versions_of_http() {
    let tenants = Tenants::default();
    tenants.set("/acme", verifier("a").tenant("acme"));
    let app = app(config(&tenants).lookup_cache_ttl(Duration::ZERO));
    for (url, host) in [
        ("/acme", Some("crm.example.test:8443")),
        ("/acme", Some("CRM.example.test")),
        ("https://crm.example.test:8443/acme", None),
    ] {
        let mut request = Request::post(url).body(Body::from(BODY)).unwrap();
        request.headers_mut().extend(Signer::new(secret("x")).sign_at(BODY.as_bytes(), NOW));
        if let Some(host) = host {
            request.headers_mut().insert("host", host.parse().unwrap());
        }
        // The source looks at the host itself.
        assert_eq!(app.clone().oneshot(request).await.unwrap().status(), StatusCode::UNAUTHORIZED);
    }
    assert_eq!(tenants.asked(), 3);
}

#[tokio::test]
async fn what_was_looked_up_is_used_for_as_long_as_the_cache_says() {
    let now = Arc::new(std::sync::atomic::AtomicU64::new(NOW.as_millis()));
    let clock = {
        let now = now.clone();
        Clock::new(move || UnixMillis::from_millis(now.load(Ordering::SeqCst)))
    };
    let tenants = Tenants::default();
    tenants.set("/acme", verifier("old").tenant("acme"));
    let app = app(config(&tenants).clock(clock).without_replay_guard());
    assert!(send(&app, "/acme", "old", NOW).await.is_ok());
    tenants.set("/acme", verifier("new").tenant("acme"));
    now.fetch_add(4_999, Ordering::SeqCst);
    assert!(send(&app, "/acme", "old", NOW).await.is_ok());
    assert_eq!(tenants.asked(), 1);
    now.fetch_add(1, Ordering::SeqCst);
    assert!(send(&app, "/acme", "old", NOW).await.is_err());
    assert!(send(&app, "/acme", "new", NOW).await.is_ok());
    assert_eq!(tenants.asked(), 1);
}

/// A secret that is replaced while the source answers.
struct ReplacedMeanwhile {
    tenants: Tenants,
    time: Arc<AtomicU64>,
}

impl VerifierSource for ReplacedMeanwhile {
    async fn verifier(&self, target: &Target<'_>) -> Result<Option<Verifier>, SourceError> {
        let found = self.tenants.verifier(target).await;
        self.tenants.set("/acme", verifier("acme-new").also_accept(secret("acme")));
        self.time.fetch_add(2_000, Ordering::SeqCst);
        found
    }
}

#[tokio::test]
async fn an_answer_is_as_old_as_the_question() {
    let (tenants, time) = (Tenants::default(), Arc::new(AtomicU64::new(NOW.as_millis())));
    tenants.set("/acme", verifier("acme"));
    let clock = time.clone();
    let clock = Clock::new(move || UnixMillis::from_millis(clock.load(Ordering::SeqCst)));
    let source = ReplacedMeanwhile { tenants: tenants.clone(), time: time.clone() };
    let app = app(WebhookConfig::new(source).clock(clock));
    assert!(send(&app, "/acme", "acme", NOW).await.is_ok());
    // 5 seconds after the question, and only 3 after the answer.
    time.fetch_add(3_000, Ordering::SeqCst);
    assert!(send(&app, "/acme", "acme-new", NOW).await.is_ok());
    assert_eq!(tenants.asked(), 2);
}

#[tokio::test]
async fn a_secret_is_replaced_while_requests_are_received() {
    let shared = SharedVerifier::new(verifier("old"));
    let app = app(WebhookConfig::new(shared.clone()).without_replay_guard());
    assert!(send(&app, "/", "old", NOW).await.is_ok());
    assert!(send(&app, "/", "new", NOW).await.is_err());
    shared.replace(verifier("new").also_accept(secret("old")));
    assert!(send(&app, "/", "old", NOW).await.is_ok());
    assert!(send(&app, "/", "new", NOW).await.is_ok());
    shared.replace(verifier("new"));
    assert!(send(&app, "/", "old", NOW).await.is_err());
    assert!(send(&app, "/", "new", NOW).await.is_ok());
}

/// A job that Twenty runs again after a rotation is signed with the new secret. For a named tenant it is still the same delivery.
#[tokio::test]
async fn a_re_run_after_a_rotation_is_known_for_a_named_tenant() {
    for (name, again) in [(Some("acme"), Err(Rejection::AlreadyCompleted)), (None, Ok("nobody".to_owned()))] {
        let named = |verifier: Verifier| match name {
            Some(name) => verifier.tenant(name),
            None => verifier,
        };
        let shared = SharedVerifier::new(named(verifier("old")));
        let app = app(WebhookConfig::new(shared.clone()));
        assert!(send(&app, "/", "old", NOW).await.is_ok());
        shared.replace(named(verifier("new").also_accept(secret("old"))));
        assert_eq!(send(&app, "/", "old", NOW).await, Err(Rejection::AlreadyCompleted), "{name:?}");
        assert_eq!(send(&app, "/", "new", NOW).await, again, "{name:?}");
    }
}

/// A configuration is made of any of these, wherever one is asked for.
#[test]
fn a_config_is_made_of_whatever_says_which_verifier() {
    fn config(config: impl Into<WebhookConfig>) -> WebhookConfig {
        config.into()
    }
    let configs = [
        config(secret("s")),
        config(verifier("s")),
        config(SharedVerifier::new(verifier("s"))),
        config(Tenants::default()),
        config(WebhookConfig::new(secret("s"))),
    ];
    let _layers = configs.map(TwentyWebhookLayer::from);
    let _middleware = twenty_webhook_actix::TwentyWebhookMiddleware::new(Tenants::default());
}
