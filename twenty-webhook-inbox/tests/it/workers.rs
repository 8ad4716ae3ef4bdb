//! Handlers that fail, block and crash; workers that stop; clocks that are set back.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use twenty_webhook_inbox::{Backoff, Inbox, JobFilter, State, WebhookEvent};

use crate::support::{Place, Running, Seen, event, ok, until};

const QUICK: Backoff = Backoff::new(Duration::from_millis(10), Duration::from_millis(20));

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn poison_ends_as_a_dead_letter_and_delays_no_other_job() {
    let place = Place::new();
    let inbox = place.open().await;
    for number in 0..60 {
        let name = ["person.created", "company.updated", "task.created", "note.created"][number % 4];
        inbox.store(&event(name, number)).await.unwrap();
    }
    let seen = Seen::default();
    let attempts = Arc::new(AtomicUsize::new(0));
    let handler = {
        let (seen, attempts) = (seen.clone(), attempts.clone());
        move |event: WebhookEvent| {
            let (seen, attempts) = (seen.clone(), attempts.clone());
            async move {
                match event.object() {
                    "company" => Err(io::Error::other("poison\0")),
                    "task" => panic!("at the {}", "disco"),
                    "note" if attempts.fetch_add(1, Ordering::SeqCst) % 2 == 0 => std::future::pending().await,
                    // Blocks its thread.
                    "note" => {
                        std::thread::sleep(Duration::from_millis(30));
                        Err(io::Error::other("blocked"))
                    }
                    _ => {
                        seen.add(&event);
                        Ok(())
                    }
                }
            }
        }
    };
    let worker = inbox.worker("test", handler).attempts(2).backoff(QUICK).timeout(Duration::from_secs(1));
    let began = Instant::now();
    let running = Running::start(worker);
    until(&inbox, |counts| counts.done == 15).await;
    assert!(began.elapsed() < Duration::from_secs(15), "held back for {:?}", began.elapsed());
    let counts = until(&inbox, |counts| counts.open() == 0).await;
    running.stop().await;
    assert_eq!((counts.done, counts.dead), (15, 45));
    assert_eq!(seen.len(), 15);

    let dead = inbox.jobs(&JobFilter::in_state(State::Dead)).await.unwrap();
    for job in dead {
        let error = job.last_error.unwrap();
        match job.name.as_str() {
            "company.updated" => assert_eq!(error, "poison\u{fffd}"),
            "task.created" => assert_eq!(error, "the handler panicked: at the disco"),
            _ => assert!(error == "not finished within 1s" || error == "blocked", "{error}"),
        }
        assert_eq!(job.attempts, 2);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_outage_of_the_handlers_database_costs_no_event() {
    let place = Place::new();
    let inbox = place.open().await;
    let down = Arc::new(std::sync::atomic::AtomicBool::new(true));
    for number in 0..20 {
        inbox.store(&event("person.created", number)).await.unwrap();
    }
    let handler = {
        let down = down.clone();
        move |_: WebhookEvent| {
            let down = down.clone();
            async move { if down.load(Ordering::SeqCst) { Err(io::Error::other("connection refused")) } else { Ok(()) } }
        }
    };
    let running = Running::start(inbox.worker("test", handler).poll_every(Duration::from_millis(50)));
    // All were tried, and wait on disk, not in memory.
    until(&inbox, |counts| counts.retrying == 20).await;
    let waiting = inbox.jobs(&JobFilter::in_state(State::Retrying)).await.unwrap();
    assert!(waiting.iter().all(|job| job.last_error.as_deref() == Some("connection refused")));
    down.store(false, Ordering::SeqCst);
    until(&inbox, |counts| counts.done == 20).await;
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stopping_worker_finishes_what_it_can_and_hands_back_the_rest() {
    let place = Place::new();
    let inbox = place.open().await;
    for number in 0..20 {
        inbox.store(&event("person.created", number)).await.unwrap();
    }
    let (begun, finished) = (Seen::default(), Seen::default());
    let handler = {
        let (begun, finished) = (begun.clone(), finished.clone());
        move |event: WebhookEvent| {
            let (begun, finished) = (begun.clone(), finished.clone());
            async move {
                begun.add(&event);
                let long = event.record_id().unwrap().parse::<u64>().unwrap() % 2 == 0;
                tokio::time::sleep(Duration::from_millis(if long { 60_000 } else { 500 })).await;
                finished.add(&event);
                ok()
            }
        }
    };
    let worker = inbox.worker("test", handler).concurrency(4).grace(Duration::from_secs(1));
    let running = Running::start(worker);
    let all_begun = async {
        while begun.len() < 4 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), all_begun).await.expect("four have begun");
    let began = Instant::now();
    running.stop().await;
    assert!(began.elapsed() < Duration::from_secs(4), "{:?}", began.elapsed());
    let counts = inbox.counts().await.unwrap();
    assert_eq!(counts.done, finished.len() as u64, "what was finished is completed");
    assert_eq!((counts.pending + counts.done, counts.running, counts.retrying, counts.dead), (20, 0, 0, 0));
    assert!(inbox.jobs(&JobFilter::in_state(State::Pending)).await.unwrap().iter().all(|job| job.attempts == 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn two_workers_on_one_file_share_the_work() {
    let place = Place::new();
    // Opened twice, like in two processes.
    let (one, two) = (place.open().await, place.open().await);
    let (seen, other) = (Seen::default(), Seen::default());
    let count = |seen: &Seen| {
        let seen = seen.clone();
        move |event: WebhookEvent| {
            seen.add(&event);
            async {
                tokio::time::sleep(Duration::from_millis(5)).await;
                ok()
            }
        }
    };
    let workers = [Running::start(one.worker("a", count(&seen))), Running::start(two.worker("b", count(&other)))];
    for number in 0..400 {
        [&one, &two][number % 2].store(&event("person.created", number)).await.unwrap();
    }
    until(&one, |counts| counts.done == 400).await;
    for worker in workers {
        worker.stop().await;
    }
    let mut all = seen.sorted();
    all.extend(other.sorted());
    all.sort();
    let count = all.len();
    all.dedup();
    assert_eq!((count, all.len()), (400, 400), "each once");
    assert!(seen.len() > 0 && other.len() > 0, "{} and {}", seen.len(), other.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clock_that_was_set_back_delays_nothing_for_long() {
    let place = Place::new();
    let inbox = place.open().await;
    for number in 0..4 {
        inbox.store(&event("person.created", number)).await.unwrap();
    }
    // The clock was two hours ahead when these were written: a new job, a retrying one, one that crashed, and one of a worker that is dead.
    place.sql("UPDATE twenty_webhook_jobs SET run_at = run_at + 7200000, stored_at = stored_at + 7200000").await;
    place.sql("UPDATE twenty_webhook_jobs SET attempts = 1, finished_at = stored_at, run_at = run_at + 1000 WHERE seq = 2").await;
    place.sql("UPDATE twenty_webhook_jobs SET crashes = 1, finished_at = stored_at WHERE seq = 3").await;
    place
        .sql("UPDATE twenty_webhook_jobs SET state = 2, lease_token = 7, lease_expires_at = stored_at + 3000, lease_len = 3000 WHERE seq = 4")
        .await;
    let worker = inbox.worker("test", |_: WebhookEvent| async { ok() }).recover_after(Duration::from_secs(3));
    let running = Running::start(worker);
    until(&inbox, |counts| counts.done == 4).await;
    running.stop().await;
}

/// Another worker may have the job.
#[tokio::test(flavor = "multi_thread")]
async fn a_handler_whose_lease_is_lost_is_cancelled() {
    struct Cancelled(tokio::sync::mpsc::UnboundedSender<()>);
    impl Drop for Cancelled {
        fn drop(&mut self) {
            let _ = self.0.send(());
        }
    }
    let place = Place::new();
    let inbox = place.open().await;
    inbox.store(&event("person.created", 1)).await.unwrap();
    let (cancelled, mut is_cancelled) = tokio::sync::mpsc::unbounded_channel();
    let handler = move |_: WebhookEvent| {
        let cancelled = Cancelled(cancelled.clone());
        async move {
            let _cancelled = cancelled;
            std::future::pending::<()>().await;
            ok()
        }
    };
    let running = Running::start(inbox.worker("test", handler).recover_after(Duration::from_secs(3)));
    until(&inbox, |counts| counts.running == 1).await;
    place.sql("UPDATE twenty_webhook_jobs SET lease_token = 4711, lease_expires_at = lease_expires_at + 3600000").await;
    tokio::time::timeout(Duration::from_secs(20), is_cancelled.recv()).await.expect("it is cancelled").unwrap();
    running.stop().await;
    let counts = inbox.counts().await.unwrap();
    assert_eq!((counts.running, counts.retrying, counts.dead), (1, 0, 0), "and left to the other one");
}

/// If it ends its process a third time, no other job is affected.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_crashed_twice_runs_alone() {
    let place = Place::new();
    let inbox = place.open().await;
    for number in 0..40 {
        inbox.store(&event("person.created", number)).await.unwrap();
    }
    place.sql("UPDATE twenty_webhook_jobs SET crashes = 2 WHERE seq IN (11, 21)").await;
    let active = Arc::new(AtomicUsize::new(0));
    let handler = move |event: WebhookEvent| {
        let active = active.clone();
        async move {
            active.fetch_add(1, Ordering::SeqCst);
            for _ in 0..10 {
                tokio::time::sleep(Duration::from_millis(2)).await;
                let crashed = ["10", "20"].contains(&event.record_id().unwrap());
                assert!(!crashed || active.load(Ordering::SeqCst) == 1, "another one runs at the same time");
            }
            active.fetch_sub(1, Ordering::SeqCst);
            ok()
        }
    };
    // Two workers of one process.
    let workers = [0, 1].map(|_| Running::start(inbox.worker("test", handler.clone()).attempts(1)));
    let counts = until(&inbox, |counts| counts.open() == 0).await;
    for worker in workers {
        worker.stop().await;
    }
    assert_eq!((counts.done, counts.dead), (40, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_crashes_too_often_is_dead() {
    let place = Place::new();
    let inbox = place.open().await;
    inbox.store(&event("person.created", 1)).await.unwrap();
    inbox.store(&event("person.created", 2)).await.unwrap();
    place.sql("UPDATE twenty_webhook_jobs SET state = 2, crashes = seq, lease_token = 7, lease_expires_at = 0").await;
    let (alert, mut alerts) = tokio::sync::mpsc::unbounded_channel();
    let worker = inbox.worker("test", |_: WebhookEvent| async { ok() });
    let worker = worker.on_dead(move |job, error: &str| alert.send((job, error.to_owned())).unwrap());
    let running = Running::start(worker.recover_after(Duration::from_secs(3)).max_crashes(3));
    let counts = until(&inbox, |counts| counts.open() == 0).await;
    running.stop().await;
    assert_eq!((counts.done, counts.dead), (1, 1));
    let dead = inbox.jobs(&JobFilter::in_state(State::Dead)).await.unwrap();
    assert_eq!(dead[0].crashes, 3);
    let alerted = alerts.try_recv().expect("the alert is called");
    assert_eq!(alerted, (dead[0].id, "its process ended while it was handled".to_owned()));
    assert!(alerts.try_recv().is_err(), "once");
}

/// Ctrl-C while the program starts.
#[tokio::test(flavor = "multi_thread")]
async fn a_worker_stopped_before_it_began_returns_at_once() {
    let place = Place::new();
    let inbox = place.open().await;
    let worker = inbox.worker("test", |_: WebhookEvent| async { ok() }).grace(Duration::from_mins(1));
    tokio::time::timeout(Duration::from_secs(30), worker.run_until(std::future::ready(()))).await.unwrap();
}

/// A deployment may start receivers and workers at once, on a file that does not exist yet.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn many_open_a_new_file_at_once() {
    for _ in 0..30 {
        let place = Place::new();
        for opened in futures_util::future::join_all((0..8).map(|_| Inbox::sqlite(place.path()))).await {
            opened.unwrap();
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn two_versions_of_a_program_on_one_schema() {
    let place = Place::new();
    // At once, on a file that does not exist yet.
    let opened = (0..6).map(|_| {
        tokio::spawn({
            let path = place.path();
            async move { twenty_webhook_inbox::Inbox::sqlite(path).await.unwrap() }
        })
    });
    let inboxes = futures_util::future::join_all(opened.collect::<Vec<_>>()).await;
    let inbox = inboxes.into_iter().next().unwrap().unwrap();
    // A newer version has added a column.
    place.sql("UPDATE twenty_webhook_settings SET value = '99' WHERE name = 'version'").await;
    place.sql("ALTER TABLE twenty_webhook_jobs ADD COLUMN newer TEXT").await;
    let again = place.open().await;
    again.store(&event("person.created", 1)).await.unwrap();
    let running = Running::start(inbox.worker("test", |_: WebhookEvent| async { ok() }));
    until(&inbox, |counts| counts.done == 1).await;
    running.stop().await;
}
