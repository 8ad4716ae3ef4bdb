//! The metrics that a recorder gets.

use std::collections::BTreeSet;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use metrics::{
    Counter, CounterFn, Gauge, GaugeFn, Histogram, HistogramFn, Key, KeyName, Metadata, Recorder, SharedString, Unit,
};

use twenty_webhook_inbox::{HandlerError, Inbox, WebhookEvent};

use crate::memory::Memory;
use crate::support::{Place, Running, event, ok, until};

/// Each metric with its labels.
#[derive(Clone, Debug, Default)]
struct Seen(Arc<Mutex<BTreeSet<String>>>);

struct Metric(Seen, String);

impl Metric {
    fn of(seen: &Seen, key: &Key) -> Arc<Self> {
        let labels: Vec<_> = key.labels().map(|label| format!("{}={}", label.key(), label.value())).collect();
        Arc::new(Self(seen.clone(), format!("{}{{{}}}", key.name(), labels.join(","))))
    }

    fn add(&self, value: &str) {
        self.0.0.lock().unwrap().insert(format!("{} {value}", self.1).trim_end().to_owned());
    }
}

impl CounterFn for Metric {
    fn increment(&self, _: u64) {
        self.add("");
    }

    fn absolute(&self, _: u64) {}
}

impl GaugeFn for Metric {
    fn increment(&self, _: f64) {}

    fn decrement(&self, _: f64) {}

    fn set(&self, value: f64) {
        let is_some = value > 0.0 && !self.1.contains("seconds");
        self.add(if is_some { "some" } else { "" });
    }
}

impl HistogramFn for Metric {
    fn record(&self, value: f64) {
        assert!((0.0..10.0).contains(&value));
        self.add("");
    }
}

impl Recorder for Seen {
    fn describe_counter(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn describe_gauge(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn describe_histogram(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn register_counter(&self, key: &Key, _: &Metadata<'_>) -> Counter {
        Counter::from_arc(Metric::of(self, key))
    }

    fn register_gauge(&self, key: &Key, _: &Metadata<'_>) -> Gauge {
        Gauge::from_arc(Metric::of(self, key))
    }

    fn register_histogram(&self, key: &Key, _: &Metadata<'_>) -> Histogram {
        Histogram::from_arc(Metric::of(self, key))
    }
}

#[tokio::test]
async fn jobs_ages_times_and_outcomes() {
    let seen = Seen::default();
    let _recorder = metrics::set_default_local_recorder(&seen);
    let place = Place::new();
    let inbox = place.open().await;
    inbox.store(&event("a.created", 1)).await.unwrap();
    inbox.store(&event("b.created", 1)).await.unwrap();
    let handler = |event: WebhookEvent| async move {
        if event.object() == "a" { Ok(()) } else { Err(HandlerError::permanent("no")) }
    };
    let running = Running::start(inbox.worker("test", handler));
    until(&inbox, |counts| counts.open() == 0).await;
    running.stop().await;
    // A worker sets the gauges when it starts.
    let running = Running::start(inbox.worker("test", handler));
    let has = |text: &str| seen.0.lock().unwrap().contains(text);
    let began = std::time::Instant::now();
    while !has("twenty_webhook_inbox_jobs{state=dead} some") || !has("twenty_webhook_inbox_jobs{state=done} some") {
        assert!(began.elapsed().as_secs() < 20, "{seen:?}");
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    running.stop().await;
    for text in [
        "twenty_webhook_inbox_store_seconds{}",
        "twenty_webhook_inbox_oldest_pending_seconds{}",
        "twenty_webhook_inbox_attempts_total{outcome=done}",
        "twenty_webhook_inbox_attempts_total{outcome=dead}",
        "twenty_webhook_inbox_jobs{state=running}",
    ] {
        assert!(has(text), "{text}: {seen:?}");
    }
}

/// The database's host has vanished.
#[tokio::test(start_paused = true)]
async fn the_gauges_go_on_after_a_count_that_hangs() {
    let seen = Seen::default();
    let _recorder = metrics::set_default_local_recorder(&seen);
    let store = Memory::default();
    store.hanging_counts.store(1, Ordering::SeqCst);
    let inbox = Inbox::on(store);
    let worker = inbox.worker("test", |_: WebhookEvent| async { ok() }).poll_every(Duration::from_secs(1));
    let running = Running::start(worker);
    tokio::time::sleep(Duration::from_mins(1)).await;
    running.stop().await;
    assert!(seen.0.lock().unwrap().contains("twenty_webhook_inbox_oldest_pending_seconds{}"), "{seen:?}");
}
