//! In both adapters, a replay or a duplicate never reaches the handler again, and no delivery is lost.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::join_all;
use tokio::sync::Semaphore;
use twenty_webhook_actix::WebhookConfig;
use twenty_webhook_core::{
    Claim, Clock, Delivery, GuardError, MemoryReplayGuard, Rejection, ReplayGuard, UnixMillis, Verifier,
};

use crate::logs::Log;
use crate::receivers::service::{self, Handler, Service};
use crate::samples::{BODY, NOW, secret, signed};

const WINDOW: u64 = 5 * 60 * 1000;

/// A clock that the test sets, and a count of handler calls.
#[derive(Clone)]
struct Harness {
    now: Arc<AtomicU64>,
    runs: Arc<AtomicUsize>,
}

impl Harness {
    fn new() -> Self {
        Self { now: Arc::new(NOW.as_millis().into()), runs: Arc::default() }
    }

    fn clock(&self) -> Clock {
        let now = self.now.clone();
        Clock::new(move || UnixMillis::from_millis(now.load(Ordering::Relaxed)))
    }

    fn set(&self, now: u64) {
        self.now.store(now, Ordering::Relaxed);
    }

    fn runs(&self) -> usize {
        self.runs.load(Ordering::Relaxed)
    }

    /// A handler that counts its call and then runs `then`.
    fn handler<F: Future<Output = u16> + Send + 'static>(
        &self,
        then: impl Fn(usize) -> F + Send + Sync + 'static,
    ) -> Handler {
        let runs = self.runs.clone();
        Arc::new(move |_| {
            let run = runs.fetch_add(1, Ordering::Relaxed);
            then(run).boxed()
        })
    }
}

/// The receivers that see the response, each with its own guard, clock and count.
async fn services<F>(then: impl Fn(usize) -> F + Clone + Send + Sync + 'static) -> Vec<(Harness, Service)>
where
    F: Future<Output = u16> + Send + 'static,
{
    let guard = |harness: &Harness| MemoryReplayGuard::new().clock(harness.clock());
    guarded(guard, then).await
}

async fn guarded<G: ReplayGuard, F>(
    guard: impl Fn(&Harness) -> G,
    then: impl Fn(usize) -> F + Clone + Send + Sync + 'static,
) -> Vec<(Harness, Service)>
where
    F: Future<Output = u16> + Send + 'static,
{
    let (axum, actix) = (Harness::new(), Harness::new());
    let verifier = |harness: &Harness| Verifier::new(secret()).clock(harness.clock());
    let layer = WebhookConfig::new(verifier(&axum)).replay_guard(guard(&axum));
    let config = WebhookConfig::new(verifier(&actix)).replay_guard(guard(&actix));
    let axum_service = service::axum(layer, axum.handler(then.clone()));
    let actix_service = service::actix(config, actix.handler(then), true).await;
    vec![(axum, axum_service), (actix, actix_service)]
}

#[actix_web::test]
async fn a_duplicate_is_answered_200_and_not_handled_again() {
    let log = Log::start();
    for (harness, service) in services(async |_| 204).await {
        assert_eq!(service.send(&signed(BODY, NOW)).await.status, 204, "{}", service.name);
        for _ in 0..3 {
            let duplicate = service.send(&signed(BODY, NOW)).await;
            assert_eq!(
                (duplicate.status, duplicate.rejection),
                (200, Some(Rejection::AlreadyCompleted)),
                "{}",
                service.name
            );
        }
        assert_eq!(harness.runs(), 1, "{}", service.name);
        let lines = log.take_lines_of("twenty_webhook").join("\n");
        assert_eq!(lines.matches("Twenty webhook is a duplicate: already completed").count(), 3, "{lines}");
    }
}

#[actix_web::test]
async fn a_body_that_twenty_signs_again_is_not_handled_again() {
    for (harness, service) in services(async |_| 204).await {
        service.send(&signed(BODY, NOW)).await;
        let mut again = signed(BODY, NOW.saturating_add(Duration::from_secs(60)));
        *again.header("nonce") = "f".repeat(32);
        assert_eq!(service.send(&again).await.status, 200, "{}", service.name);
        assert_eq!(harness.runs(), 1, "{}", service.name);
    }
}

#[actix_web::test]
async fn another_body_is_another_delivery() {
    for (harness, service) in services(async |_| 204).await {
        service.send(&signed(BODY, NOW)).await;
        assert_eq!(service.send(&signed(&BODY.replace("p1", "p2"), NOW)).await.status, 204, "{}", service.name);
        assert_eq!(harness.runs(), 2, "{}", service.name);
    }
}

#[actix_web::test]
async fn one_of_a_thousand_simultaneous_copies_is_handled() {
    let gate = Arc::new(Semaphore::new(0));
    let opened = gate.clone();
    let handler = move |_| {
        let gate = gate.clone();
        async move {
            gate.acquire().await.unwrap().forget();
            204
        }
    };
    for (harness, service) in services(handler).await {
        let copies = join_all((0..1000).map(|_| service.send(&signed(BODY, NOW))));
        // The first handler ends only after all copies were sent.
        let open = async {
            tokio::task::yield_now().await;
            opened.add_permits(1);
        };
        let (answers, ()) = tokio::join!(copies, open);
        let count = |status| answers.iter().filter(|answer| answer.status == status).count();
        assert_eq!(count(204), 1, "{}", service.name);
        assert_eq!(count(200) + count(409), 999, "{}", service.name);
        assert!(count(409) > 0, "{}: no copy arrived while the first was handled", service.name);
        assert_eq!(harness.runs(), 1, "{}", service.name);
        let in_progress = answers.iter().find(|answer| answer.status == 409).unwrap();
        assert_eq!(in_progress.retry_after.as_deref(), Some("30"), "{}: the lease", service.name);
    }
}

/// For Twenty, only a 2xx is delivered. So only a 2xx completes.
#[actix_web::test]
async fn a_delivery_without_a_2xx_is_handled_again() {
    const ANSWERS: [u16; 10] = [500, 503, 302, 400, 404, 405, 415, 422, 429, 204];
    for (harness, service) in services(async |run| ANSWERS[run]).await {
        let case = signed(BODY, NOW);
        for status in ANSWERS.into_iter().chain([200, 200]) {
            assert_eq!(service.send(&case).await.status, status, "{}", service.name);
        }
        assert_eq!(harness.runs(), ANSWERS.len(), "{}", service.name);
    }
}

#[actix_web::test]
async fn a_panic_reaches_the_framework_and_the_next_copy_is_handled() {
    let handler = async |run| match run {
        0 => panic!("the handler fails"),
        _ => 204,
    };
    for (harness, service) in services(handler).await {
        let case = signed(BODY, NOW);
        let panic = AssertUnwindSafe(service.send(&case)).catch_unwind().await.unwrap_err();
        assert_eq!(panic.downcast_ref(), Some(&"the handler fails"), "{}", service.name);
        assert_eq!(service.send(&case).await.status, 204, "{}", service.name);
        assert_eq!(harness.runs(), 2, "{}", service.name);
    }
}

#[actix_web::test]
async fn the_handler_finishes_when_the_sender_hangs_up() {
    let gate = Arc::new(Semaphore::new(0));
    let (started, finished) = (Arc::new(Semaphore::new(0)), Arc::new(Semaphore::new(0)));
    let (open, start, finish) = (gate.clone(), started.clone(), finished.clone());
    let handler = move |_| {
        let (gate, started, finished) = (gate.clone(), start.clone(), finish.clone());
        async move {
            started.add_permits(1);
            gate.acquire().await.unwrap().forget();
            finished.add_permits(1);
            204
        }
    };
    for (harness, service) in services(handler).await {
        let case = signed(BODY, NOW);
        {
            let mut answer = service.send(&case);
            tokio::select! {
                _ = &mut answer => panic!("the handler waits"),
                permit = started.acquire() => permit.unwrap().forget(),
            }
            // The sender hangs up: the response future is dropped.
        }
        assert_eq!(service.send(&case).await.status, 409, "{}: it is still being handled", service.name);
        open.add_permits(1);
        finished.acquire().await.unwrap().forget();
        // The guard completes after the handler ends, in the same task.
        while service.send(&case).await.status == 409 {
            tokio::task::yield_now().await;
        }
        assert_eq!(service.send(&case).await.status, 200, "{}", service.name);
        assert_eq!(harness.runs(), 1, "{}", service.name);
    }
}

#[actix_web::test]
async fn a_captured_request_is_not_handled_at_any_edge_of_its_window() {
    for (harness, service) in services(async |_| 204).await {
        let captured = signed(BODY, NOW);
        let sent = NOW.as_millis();
        // The sender's clock is ahead by the whole tolerance, so the request is valid for twice as long.
        harness.set(sent - WINDOW);
        assert_eq!(service.send(&captured).await.status, 204, "{}", service.name);
        let re_signed = signed(BODY, UnixMillis::from_millis(sent + WINDOW));
        for (now, replay, status) in [
            (sent - WINDOW, &captured, 200),
            (sent - 1, &captured, 200),
            (sent, &captured, 200),
            (sent + WINDOW - 1, &captured, 200),
            (sent + WINDOW, &captured, 200),
            // Twenty signs the body again, so the guard must remember it longer.
            (sent + WINDOW, &re_signed, 200),
            (sent + WINDOW + 1, &captured, 401),
            (sent + WINDOW + 1, &re_signed, 200),
            (sent + 2 * WINDOW - 1, &re_signed, 200),
            (sent + 2 * WINDOW, &re_signed, 200),
            (sent + 2 * WINDOW + 1, &re_signed, 401),
            // The clock is set back: the requests are still known.
            (sent + 2 * WINDOW - 3_600_000, &re_signed, 401),
            (sent, &captured, 200),
            (sent + WINDOW, &re_signed, 200),
        ] {
            harness.set(now);
            assert_eq!(service.send(replay).await.status, status, "{}: {now}", service.name);
        }
        assert_eq!(harness.runs(), 1, "{}", service.name);
    }
}

#[actix_web::test]
async fn a_stuck_handler_blocks_a_copy_until_its_lease_expires() {
    let handler = async |run| match run {
        0 => std::future::pending().await,
        _ => 204,
    };
    for (harness, service) in services(handler).await {
        let case = signed(BODY, NOW);
        let mut stuck = service.send(&case);
        assert!(std::future::poll_fn(|cx| std::task::Poll::Ready(stuck.poll_unpin(cx).is_pending())).await);
        while harness.runs() == 0 {
            tokio::task::yield_now().await;
        }
        harness.set(NOW.as_millis() + 29_999);
        assert_eq!(service.send(&case).await.status, 409, "{}", service.name);
        harness.set(NOW.as_millis() + 30_001);
        assert_eq!(service.send(&case).await.status, 204, "{}", service.name);
        assert_eq!(harness.runs(), 2, "{}", service.name);
    }
}

/// A guard that is unavailable.
struct Down;

impl ReplayGuard for Down {
    type Lease = ();

    async fn claim(&self, _: &Delivery) -> Result<Claim<()>, GuardError> {
        Err(GuardError::unavailable("connection refused"))
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

#[actix_web::test]
async fn while_the_guard_is_down_nothing_is_handled() {
    for (harness, service) in guarded(|_| Down, async |_| 204).await {
        let rejected = service.send(&signed(BODY, NOW)).await;
        assert_eq!(rejected.status, 503, "{}", service.name);
        assert_eq!(rejected.rejection.unwrap().code(), "guard_unavailable", "{}", service.name);
        assert_eq!(harness.runs(), 0, "{}", service.name);
    }
}

#[actix_web::test]
async fn without_a_guard_every_copy_is_handled() {
    let harness = Harness::new();
    let verifier = Verifier::new(secret()).clock(harness.clock());
    let axum = WebhookConfig::new(verifier.clone()).without_replay_guard();
    let actix = WebhookConfig::new(verifier).without_replay_guard();
    let handler = harness.handler(async |_| 204);
    for service in [
        service::axum(axum, handler.clone()),
        service::actix(actix.clone(), handler.clone(), true).await,
        service::actix(actix, handler, false).await,
    ] {
        for _ in 0..3 {
            assert_eq!(service.send(&signed(BODY, NOW)).await.status, 204, "{}", service.name);
        }
    }
    assert_eq!(harness.runs(), 9);
}

/// The extractor does not see the response, so it cannot release a delivery.
#[actix_web::test]
async fn with_the_actix_extractor_alone_a_failed_delivery_is_not_handled_again() {
    let harness = Harness::new();
    let guard = MemoryReplayGuard::new().clock(harness.clock());
    let config = WebhookConfig::new(Verifier::new(secret()).clock(harness.clock())).replay_guard(guard);
    let service = service::actix(config, harness.handler(async |_| 500), false).await;
    let case = signed(BODY, NOW);
    assert_eq!(service.send(&case).await.status, 500);
    for now in [0, 30_001, WINDOW] {
        harness.set(NOW.as_millis() + now);
        assert_eq!(service.send(&case).await.status, 200);
    }
    assert_eq!(harness.runs(), 1);
}
