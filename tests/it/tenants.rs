//! The verifier is looked up for each request, and tenants cannot affect each other.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use actix_web::test::{TestRequest, call_service, init_service};
use actix_web::{HttpResponse, web};
use axum::Router;
use axum::body::Body;
use axum::http::{Request, StatusCode};
use axum::routing::post;
use futures_util::future::join_all;
use tower::ServiceExt;
use twenty_webhook_actix::TwentyWebhookMiddleware;
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

/// Verifiers by path, and how often they were looked up.
#[derive(Clone, Default)]
struct Tenants {
    verifiers: Arc<Mutex<HashMap<String, Verifier>>>,
    lookups: Arc<AtomicUsize>,
    /// How many look-ups run now, and at most.
    concurrent: Arc<Mutex<(usize, usize)>>,
    duration: Duration,
    any_host: bool,
}

impl Tenants {
    fn set(&self, path: &str, verifier: Verifier) {
        self.verifiers.lock().unwrap().insert(path.into(), verifier);
    }

    /// The look-ups since the last call.
    fn take_lookups(&self) -> usize {
        self.lookups.swap(0, Ordering::SeqCst)
    }
}

impl VerifierSource for Tenants {
    async fn verifier(&self, target: &Target<'_>) -> Result<Option<Verifier>, SourceError> {
        assert_eq!(target.method, "POST");
        assert!(self.any_host || target.host == Some("crm.example.test"), "{:?}", target.host);
        self.lookups.fetch_add(1, Ordering::SeqCst);
        {
            let mut concurrent = self.concurrent.lock().unwrap();
            concurrent.0 += 1;
            concurrent.1 = concurrent.1.max(concurrent.0);
        }
        tokio::time::sleep(self.duration).await;
        self.concurrent.lock().unwrap().0 -= 1;
        Ok(self.verifiers.lock().unwrap().get(target.path).cloned())
    }
}

fn app(config: WebhookConfig) -> Router {
    let handler = async |Webhook(event): Webhook| event.delivery().unwrap().tenant().unwrap_or("none").to_owned();
    Router::new().fallback_service(post(handler).layer(TwentyWebhookLayer::new(config)).with_state(()))
}

/// Returns the tenant that the handler saw, or why the request was rejected.
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
async fn each_tenant_has_its_own_secret_and_its_own_duplicates() {
    let tenants = Tenants::default();
    tenants.set("/acme", verifier("a").tenant("acme"));
    tenants.set("/globex", verifier("g").tenant("globex"));
    let app = app(config(&tenants));
    // The same bytes for another tenant are no duplicate.
    assert_eq!(send(&app, "/acme", "a", NOW).await.unwrap(), "acme");
    assert_eq!(send(&app, "/globex", "g", NOW).await.unwrap(), "globex");
    assert_eq!(send(&app, "/acme", "a", NOW).await.unwrap_err(), Rejection::AlreadyCompleted);
    assert_eq!(send(&app, "/acme", "g", NOW).await.unwrap_err(), Rejection::SignatureMismatch);
}

/// axum removes the prefix of a nested router from the request's URI.
#[actix_web::test]
async fn a_nested_route_is_looked_up_and_observed_by_its_whole_path() {
    let observed: Arc<Mutex<Vec<String>>> = Arc::default();
    let tenants = Tenants::default();
    tenants.set("/webhooks/crm/acme", verifier("a").tenant("acme"));
    let observe = |paths: Arc<Mutex<Vec<String>>>| {
        config(&tenants)
            .observe(move |outcome| paths.lock().unwrap().push(format!("{} {}", outcome.code(), outcome.path)))
    };

    let handler = async |Webhook(event): Webhook| event.delivery().unwrap().tenant().unwrap().to_owned();
    let routes =
        Router::new().route("/{tenant}", post(handler).layer(TwentyWebhookLayer::new(observe(observed.clone()))));
    let app = Router::new().nest("/webhooks", Router::new().nest("/crm", routes));
    assert_eq!(send(&app, "/webhooks/crm/acme", "a", NOW).await.unwrap(), "acme");

    let middleware = TwentyWebhookMiddleware::new(observe(observed.clone()));
    let resource = web::resource("/{tenant}").wrap(middleware).route(web::post().to(HttpResponse::Ok));
    let scope = web::scope("/webhooks").service(web::scope("/crm").service(resource));
    let app = init_service(actix_web::App::new().service(scope)).await;
    let mut request = TestRequest::post().uri("/webhooks/crm/acme").insert_header(("host", "crm.example.test"));
    for (name, value) in &Signer::new(secret("a")).sign_at(BODY.as_bytes(), NOW) {
        request = request.insert_header((name.as_str(), value.as_bytes()));
    }
    let response = call_service(&app, request.set_payload(BODY).to_request()).await;
    assert_eq!(response.status(), 200);

    assert_eq!(*observed.lock().unwrap(), ["handled /webhooks/crm/acme"; 2]);
}

/// So that the answer does not reveal which tenants exist.
#[tokio::test]
async fn an_unknown_tenant_is_rejected_like_a_wrong_signature() {
    let tenants = Tenants::default();
    tenants.set("/acme", verifier("a").tenant("acme"));
    let app = app(config(&tenants).lookup_cache_ttl(Duration::ZERO));
    for path in ["/acme", "/unknown"] {
        assert_eq!(send(&app, path, "wrong", NOW).await.unwrap_err(), Rejection::SignatureMismatch, "{path}");
    }
    assert_eq!(tenants.take_lookups(), 2);
}

#[tokio::test]
async fn malformed_headers_and_day_old_timestamps_cause_no_look_up() {
    let tenants = Tenants::default();
    let app = app(config(&tenants));
    let day = 24 * 60 * 60 * 1000;
    for sent_at in [NOW.as_millis() - day - 1, NOW.as_millis() + day + 1, 0] {
        let rejected = send(&app, "/acme", "a", UnixMillis::from_millis(sent_at)).await.unwrap_err();
        assert!(matches!(rejected, Rejection::StaleTimestamp { .. } | Rejection::FutureTimestamp { .. }), "{rejected}");
    }
    let unsigned = Request::post("/acme").body(Body::from(BODY)).unwrap();
    assert_eq!(app.clone().oneshot(unsigned).await.unwrap().status(), StatusCode::UNAUTHORIZED);
    assert_eq!(tenants.take_lookups(), 0);
}

#[tokio::test]
async fn a_flood_of_requests_causes_few_look_ups() {
    let tenants = Tenants { duration: Duration::from_millis(1), ..Tenants::default() };
    tenants.set("/acme", verifier("a").tenant("acme"));
    let app = app(config(&tenants).without_replay_guard());
    // One look-up serves all requests of a tenant, also those that arrive before its answer.
    join_all((0..1000).map(|_| send(&app, "/acme", "a", NOW))).await;
    assert_eq!(tenants.take_lookups(), 1);
    // Unknown targets: few look-ups at a time, and a known tenant does not wait for them.
    let flood = join_all((0..500).map(|number| send(&app, Box::leak(format!("/{number}").into_boxed_str()), "x", NOW)));
    let (_, known) = tokio::join!(flood, send(&app, "/acme", "a", NOW));
    assert_eq!(known.unwrap(), "acme");
    assert!(tenants.concurrent.lock().unwrap().1 <= 32, "{:?}", tenants.concurrent);
}

#[tokio::test(start_paused = true)]
async fn a_look_up_that_hangs_is_answered_503() {
    let tenants = Tenants { duration: Duration::from_secs(60), ..Tenants::default() };
    let started = tokio::time::Instant::now();
    let rejected = send(&app(config(&tenants)), "/acme", "a", NOW).await.unwrap_err();
    assert_eq!((rejected.status(), rejected.code()), (StatusCode::SERVICE_UNAVAILABLE, "verifier_unavailable"));
    assert_eq!(started.elapsed().as_secs(), 3);
}

/// Any client can choose the `Host` header.
#[tokio::test]
async fn a_forged_host_does_not_replace_a_cached_verifier() {
    let tenants = Tenants { any_host: true, ..Tenants::default() };
    tenants.set("/webhooks/acme", verifier("a").tenant("acme"));
    let app = app(config(&tenants));
    let mut forged = Request::post("/acme").header("host", "crm.example.test/webhooks").body(Body::from(BODY)).unwrap();
    forged.headers_mut().extend(Signer::new(secret("x")).sign_at(BODY.as_bytes(), NOW));
    assert_eq!(app.clone().oneshot(forged).await.unwrap().status(), StatusCode::UNAUTHORIZED);
    assert!(send(&app, "/webhooks/acme", "a", NOW).await.is_ok());
}

/// With an empty cache, and again after the cache has expired.
#[tokio::test(start_paused = true)]
async fn many_tenants_at_once_lose_no_delivery() {
    let now = Arc::new(std::sync::atomic::AtomicU64::new(NOW.as_millis()));
    let read = now.clone();
    let tenants = Tenants { duration: Duration::from_millis(50), ..Tenants::default() };
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

/// As after a restart, when the cache is empty.
#[tokio::test(start_paused = true)]
async fn a_flood_of_unknown_tenants_loses_no_delivery_of_a_known_one() {
    let tenants = Tenants { duration: Duration::from_millis(20), ..Tenants::default() };
    tenants.set("/acme", verifier("a").tenant("acme"));
    let app = app(config(&tenants));
    let paths: Vec<String> = (0..600).map(|number| format!("/{number}")).collect();
    let flood = join_all(paths.iter().map(|path| send(&app, path, "x", NOW)));
    let (_, genuine) = tokio::join!(flood, send(&app, "/acme", "a", NOW));
    assert_eq!(genuine.unwrap(), "acme");
}

/// A forged request gets the same answer with and without such a tenant, before and after its body.
#[tokio::test(start_paused = true)]
async fn a_tenants_own_tolerance_does_not_reveal_that_it_exists() {
    let tenants = Tenants::default();
    let minute = Tolerance::both(Duration::from_secs(60));
    tenants.set("/acme", verifier("a").tenant("acme").tolerance(minute));
    let app = app(config(&tenants));
    let two_minutes_ago = UnixMillis::from_millis(NOW.as_millis() - 120_000);
    for path in ["/acme", "/unknown"] {
        let body = Body::from_stream(futures_util::stream::pending::<Result<&'static str, std::io::Error>>());
        let mut request = Request::post(path).header("host", "crm.example.test").body(body).unwrap();
        request.headers_mut().extend(Signer::new(secret("x")).sign_at(BODY.as_bytes(), two_minutes_ago));
        assert_eq!(app.clone().oneshot(request).await.unwrap().status(), StatusCode::REQUEST_TIMEOUT, "{path}");
        assert_eq!(send(&app, path, "x", two_minutes_ago).await.unwrap_err(), Rejection::SignatureMismatch, "{path}");
    }
    let stale = send(&app, "/acme", "a", two_minutes_ago).await.unwrap_err();
    assert!(matches!(stale, Rejection::StaleTimestamp { .. }), "{stale}");
}

/// HTTP/1.1 sends it in a header with the port, HTTP/2 in the URL.
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
        // The source asserts the host.
        assert_eq!(app.clone().oneshot(request).await.unwrap().status(), StatusCode::UNAUTHORIZED);
    }
    assert_eq!(tenants.take_lookups(), 3);
}

#[tokio::test]
async fn a_verifier_is_cached_for_five_seconds() {
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
    assert_eq!(tenants.take_lookups(), 1);
    now.fetch_add(1, Ordering::SeqCst);
    assert!(send(&app, "/acme", "old", NOW).await.is_err());
    assert!(send(&app, "/acme", "new", NOW).await.is_ok());
    assert_eq!(tenants.take_lookups(), 1);
}

/// A source whose secret is replaced during a look-up.
struct ReplacedDuringLookup {
    tenants: Tenants,
    time: Arc<AtomicU64>,
}

impl VerifierSource for ReplacedDuringLookup {
    async fn verifier(&self, target: &Target<'_>) -> Result<Option<Verifier>, SourceError> {
        let found = self.tenants.verifier(target).await;
        self.tenants.set("/acme", verifier("acme-new").also_accept(secret("acme")));
        self.time.fetch_add(2_000, Ordering::SeqCst);
        found
    }
}

#[tokio::test]
async fn the_age_of_a_cached_verifier_counts_from_the_start_of_the_look_up() {
    let (tenants, time) = (Tenants::default(), Arc::new(AtomicU64::new(NOW.as_millis())));
    tenants.set("/acme", verifier("acme"));
    let clock = time.clone();
    let clock = Clock::new(move || UnixMillis::from_millis(clock.load(Ordering::SeqCst)));
    let source = ReplacedDuringLookup { tenants: tenants.clone(), time: time.clone() };
    let app = app(WebhookConfig::new(source).clock(clock));
    assert!(send(&app, "/acme", "acme", NOW).await.is_ok());
    // 5 seconds after the look-up started, 3 after it ended.
    time.fetch_add(3_000, Ordering::SeqCst);
    assert!(send(&app, "/acme", "acme-new", NOW).await.is_ok());
    assert_eq!(tenants.take_lookups(), 2);
}

/// A source that fails, or answers nothing, once it is out of order.
#[derive(Clone)]
struct OutOfOrder {
    tenants: Tenants,
    failure: Arc<Mutex<Option<Failure>>>,
}

#[derive(Clone, Copy, PartialEq, Debug)]
enum Failure {
    Error,
    Hangs,
}

impl VerifierSource for OutOfOrder {
    async fn verifier(&self, target: &Target<'_>) -> Result<Option<Verifier>, SourceError> {
        let failure = *self.failure.lock().unwrap();
        match failure {
            None => self.tenants.verifier(target).await,
            Some(Failure::Error) => Err(SourceError::new("out of order")),
            Some(Failure::Hangs) => std::future::pending().await,
        }
    }
}

/// The request that asks the source uses the same stale answer as those that arrive meanwhile.
#[tokio::test(start_paused = true)]
async fn a_source_that_fails_for_less_than_the_ttl_loses_no_delivery() {
    for failure in [Failure::Error, Failure::Hangs] {
        let (tenants, time) = (Tenants::default(), Arc::new(AtomicU64::new(NOW.as_millis())));
        tenants.set("/acme", verifier("a").tenant("acme"));
        let source = OutOfOrder { tenants, failure: Arc::default() };
        let clock = time.clone();
        let clock = Clock::new(move || UnixMillis::from_millis(clock.load(Ordering::SeqCst)));
        let app = app(WebhookConfig::new(source.clone()).clock(clock).without_replay_guard());
        assert!(send(&app, "/acme", "a", NOW).await.is_ok());
        *source.failure.lock().unwrap() = Some(failure);
        time.fetch_add(9_999, Ordering::SeqCst);
        let (first, second) = tokio::join!(send(&app, "/acme", "a", NOW), send(&app, "/acme", "a", NOW));
        assert_eq!((first.unwrap(), second.unwrap()), ("acme".to_owned(), "acme".to_owned()), "{failure:?}");
        time.fetch_add(1, Ordering::SeqCst);
        assert_eq!(send(&app, "/acme", "a", NOW).await.unwrap_err().code(), "verifier_unavailable", "{failure:?}");
        *source.failure.lock().unwrap() = None;
        assert!(send(&app, "/acme", "a", NOW).await.is_ok());
    }
}

/// Anyone who reads one request can send it with any `Host`, and the host chooses the place in the cache.
#[tokio::test(start_paused = true)]
async fn a_captured_request_under_many_hosts_takes_no_place_of_a_tenant_in_use() {
    let (tenants, time) = (Tenants { any_host: true, ..Tenants::default() }, Arc::new(AtomicU64::new(NOW.as_millis())));
    for path in ["/acme", "/globex"] {
        tenants.set(path, verifier("a").tenant(path));
    }
    let source = OutOfOrder { tenants, failure: Arc::default() };
    let clock = time.clone();
    let clock = Clock::new(move || UnixMillis::from_millis(clock.load(Ordering::SeqCst)));
    let app = app(WebhookConfig::new(source.clone()).clock(clock));
    let stale = UnixMillis::from_millis(NOW.as_millis() - 23 * 60 * 60 * 1000);
    assert_eq!(send(&app, "/acme", "a", NOW).await.unwrap(), "/acme");
    assert_eq!(send(&app, "/globex", "a", NOW).await.unwrap(), "/globex");
    for number in 0..5_000 {
        for sent_at in [NOW, stale] {
            let host = format!("{number}.example.test");
            let mut copy = Request::post("/globex").header("host", host).body(Body::from(BODY)).unwrap();
            copy.headers_mut().extend(Signer::new(secret("a")).sign_at(BODY.as_bytes(), sent_at));
            let response = app.clone().oneshot(copy).await.unwrap();
            assert!(response.extensions().get::<Rejection>().is_some());
        }
    }
    // The tenant in use keeps its answer while the source is out of order.
    *source.failure.lock().unwrap() = Some(Failure::Error);
    time.fetch_add(6_000, Ordering::SeqCst);
    assert_eq!(send(&app, "/acme", "a", NOW).await.unwrap_err(), Rejection::AlreadyCompleted);
}

#[tokio::test]
async fn a_shared_verifier_is_replaced_between_requests() {
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

/// Twenty signs a repeated job with the new secret after a rotation. With a tenant's name, it is still the same delivery.
#[tokio::test]
async fn a_rerun_after_a_rotation_is_a_duplicate_for_a_named_tenant() {
    for (name, again) in [(Some("acme"), Err(Rejection::AlreadyCompleted)), (None, Ok("none".to_owned()))] {
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

#[test]
fn a_config_can_be_made_from_secrets_verifiers_and_sources() {
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
