//! The outcomes of jobs, and changes by operators. Each test runs on SQLite and on Postgres.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use twenty_webhook_core::Signer;
use twenty_webhook_inbox::{
    Backoff, Change, Claim, Completion, Crashed, HandlerError, Inbox, Job, JobFilter, JobId, Outcome, Secret, State,
    Store, Verifier, WebhookEvent, with_state,
};

use crate::order::on_both;
use crate::support::{Place, Running, body, changed, event, ok, until};

on_both!(
    errors_decide_the_outcome,
    a_panic_in_the_call_itself_fails_the_attempt,
    an_alert_that_panics_ends_nothing,
    the_longest_durations_are_as_good_as_any,
    a_worker_is_paused_and_resumed,
    done_jobs_are_rerun,
    what_has_left_its_state_is_not_changed,
    a_record_is_erased,
    what_is_erased_while_it_runs_is_not_tried_again,
    a_worker_without_its_lease_changes_nothing,
    a_job_that_crashes_its_process_is_isolated,
    counts_know_the_oldest,
    a_handler_knows_its_job,
);

type BoxError = Box<dyn std::error::Error + Send + Sync>;

async fn errors_decide_the_outcome(inbox: Inbox<impl Store>) {
    for name in ["a.created", "b.created", "c.created"] {
        inbox.store(&event(name, 1)).await.unwrap();
    }
    let handler = |attempts: Arc<AtomicUsize>, event: WebhookEvent, job: Job| async move {
        attempts.fetch_add(1, Ordering::SeqCst);
        let Err(no) = "x".parse::<u8>() else { return Ok(()) };
        match event.object() {
            "a" => Err(HandlerError::permanent(no).into()),
            // Wrapped, like by `anyhow` or by an error type of the user.
            "b" if job.attempt() == 1 => {
                Err(std::io::Error::other(HandlerError::retry_after(Duration::from_hours(2), "later")).into())
            }
            _ => Ok::<_, BoxError>(()),
        }
    };
    let (attempts, dead) = (Arc::new(AtomicUsize::new(0)), Arc::new(Mutex::new(Vec::new())));
    let alert = {
        let dead = dead.clone();
        move |id: JobId, error: &str| dead.lock().unwrap().push((id, error.to_owned()))
    };
    let running = Running::start(inbox.worker("test", with_state(attempts.clone(), handler)).on_dead(alert));
    until(&inbox, |counts| counts.done == 1 && counts.dead == 1 && counts.retrying == 1).await;
    running.stop().await;
    assert_eq!(attempts.load(Ordering::SeqCst), 3);
    let [job] = &inbox.jobs(&JobFilter::in_state(State::Dead)).await.unwrap()[..] else { panic!() };
    assert_eq!((job.name.as_str(), job.last_error.as_deref()), ("a.created", Some("invalid digit found in string")));
    assert_eq!(*dead.lock().unwrap(), [(job.id, "invalid digit found in string".to_owned())]);
    let [job] = &inbox.jobs(&JobFilter::in_state(State::Retrying)).await.unwrap()[..] else { panic!() };
    let wait = job.due_at.unwrap().duration_since(SystemTime::now()).unwrap();
    assert!(wait > Duration::from_mins(119) && wait <= Duration::from_hours(2), "{wait:?}");
}

/// Before there is a future.
async fn a_panic_in_the_call_itself_fails_the_attempt(inbox: Inbox<impl Store>) {
    inbox.store(&event("a.created", 1)).await.unwrap();
    let handler = |event: WebhookEvent| {
        assert!(event.object() != "a", "in the call");
        async { ok() }
    };
    let running = Running::start(inbox.worker("test", handler).attempts(1));
    until(&inbox, |counts| counts.dead == 1).await;
    running.stop().await;
    let dead = inbox.jobs(&JobFilter::in_state(State::Dead)).await.unwrap();
    assert_eq!(dead[0].last_error.as_deref(), Some("the handler panicked: in the call"));
}

async fn an_alert_that_panics_ends_nothing(inbox: Inbox<impl Store>) {
    let fails = |_: WebhookEvent| async { Err(HandlerError::permanent("no")) };
    let running = Running::start(inbox.worker("test", fails).on_dead(|job, _| panic!("{job}")));
    for dead in 1..3 {
        inbox.store(&event("a.created", dead)).await.unwrap();
        until(&inbox, |counts| counts.dead == dead as u64).await;
    }
    running.stop().await;
}

async fn the_longest_durations_are_as_good_as_any(inbox: Inbox<impl Store>) {
    let longest = Duration::MAX;
    let inbox = inbox.deadline(longest).retention(longest).dead_retention(longest);
    inbox.store(&event("a.created", 1)).await.unwrap();
    inbox.store(&event("b.created", 1)).await.unwrap();
    inbox.health().await.unwrap();
    let handler = |event: WebhookEvent| async move {
        if event.object() == "a" { ok() } else { Err(std::io::Error::other("no")) }
    };
    let worker = inbox.worker("test", handler).timeout(longest).grace(longest).recover_after(longest);
    let worker = worker.poll_every(longest).backoff(Backoff::new(longest, longest)).order_gives_up_after(longest);
    let running = Running::start(worker);
    until(&inbox, |counts| counts.done == 1 && counts.retrying == 1).await;
    inbox.store(&event("c.created", 1)).await.unwrap();
    until(&inbox, |counts| counts.retrying == 2).await;
    running.stop().await;
}

async fn a_worker_is_paused_and_resumed(inbox: Inbox<impl Store>) {
    inbox.pause().await.unwrap();
    assert!(inbox.is_paused().await.unwrap());
    let running = Running::start(inbox.worker("test", |_: WebhookEvent| async { ok() }));
    inbox.store(&event("a.created", 1)).await.unwrap();
    let claim = Claim::new(1, 1, Duration::from_mins(1));
    assert!(inbox.database().claim(&claim).await.unwrap().jobs.is_empty());
    assert_eq!(inbox.counts().await.unwrap().pending, 1);
    inbox.resume().await.unwrap();
    until(&inbox, |counts| counts.done == 1).await;
    running.stop().await;
}

async fn done_jobs_are_rerun(inbox: Inbox<impl Store>) {
    for record in ["1", "2", "3"] {
        inbox.store(&changed("person.updated", record, Some(1))).await.unwrap();
    }
    let count = Arc::new(AtomicUsize::new(0));
    let handler = {
        let count = count.clone();
        move |_: WebhookEvent, job: Job| {
            assert_eq!(job.attempt(), 1);
            count.fetch_add(1, Ordering::SeqCst);
            async { ok() }
        }
    };
    let running = Running::start(inbox.worker("test", handler));
    until(&inbox, |counts| counts.done == 3).await;
    let filter = JobFilter::all().record("person", "2").named("person.*".parse().unwrap());
    let hour_ago = SystemTime::now() - Duration::from_hours(1);
    assert_eq!(inbox.rerun(&filter.clone().until(hour_ago)).await.unwrap(), 0);
    assert_eq!(inbox.rerun(&filter.clone().scope("another")).await.unwrap(), 0);
    assert_eq!(inbox.rerun(&filter.since(hour_ago).scope("w")).await.unwrap(), 1);
    until(&inbox, |counts| counts.done == 3).await;
    running.stop().await;
    assert_eq!(count.load(Ordering::SeqCst), 4);
}

/// Another operator may have retried a dead letter between the list and the deletion.
async fn what_has_left_its_state_is_not_changed(inbox: Inbox<impl Store>) {
    for record in ["1", "2", "3", "4", "5"] {
        inbox.store(&changed("person.updated", record, Some(1))).await.unwrap();
    }
    let store = inbox.database();
    let jobs = store.claim(&Claim::new(1, 4, Duration::from_hours(1))).await.unwrap().jobs;
    let outcomes = [Outcome::Dead("no".into()), Outcome::Done, Outcome::Retry(Duration::ZERO, "no".into())];
    let completions = jobs.iter().zip(outcomes).map(|(job, outcome)| Completion::new(job.id, 1, outcome));
    store.complete(&completions.collect::<Vec<_>>()).await.unwrap();
    let all = inbox.jobs(&JobFilter::all()).await.unwrap();
    let ids: Vec<_> = all.iter().map(|job| job.id).collect();
    for job in &all {
        let others = State::ALL.into_iter().filter(|state| *state != job.state);
        for other in others {
            for change in [Change::Delete, Change::Erase, Change::Rerun, Change::Retry] {
                assert_eq!(store.change(change, &[job.id], Some(other)).await.unwrap(), 0, "{change:?} {other}");
            }
            assert_eq!(inbox.delete(&JobFilter::id(job.id).state(other)).await.unwrap(), 0);
        }
    }
    assert_eq!(store.change(Change::Retry, &ids, Some(State::Dead)).await.unwrap(), 1);
    assert_eq!(store.change(Change::Delete, &ids, Some(State::Dead)).await.unwrap(), 0, "it is pending now");
    assert_eq!(store.change(Change::Delete, &ids, Some(State::Pending)).await.unwrap(), 2);
    let retrying = all.iter().find(|job| job.state == State::Retrying).unwrap();
    assert_eq!(inbox.delete(&JobFilter::id(retrying.id).state(State::Retrying)).await.unwrap(), 1);
    assert_eq!(store.change(Change::Delete, &ids, None).await.unwrap(), 1, "all but the running one");
}

async fn a_record_is_erased(inbox: Inbox<impl Store>) {
    let events = ["1", "2", "1"].map(|record| changed("person.updated", record, None));
    for event in &events {
        inbox.store(event).await.unwrap();
    }
    let fails = |_: WebhookEvent| async { Err(HandlerError::permanent("about Alice")) };
    let running = Running::start(inbox.worker("test", fails));
    until(&inbox, |counts| counts.dead == 3).await;
    running.stop().await;
    inbox.store(&changed("person.updated", "1", None)).await.unwrap();
    assert_eq!(inbox.erase("person", "1").await.unwrap(), 3);
    for job in inbox.jobs(&JobFilter::all().record("person", "1")).await.unwrap() {
        let (job, event) = inbox.job(job.id).await.unwrap().unwrap();
        assert!(event.is_none() && job.len.is_none() && job.last_error.is_none(), "{job:?}");
    }
    assert_eq!(inbox.retry(&JobFilter::all()).await.unwrap(), 1, "what is erased is not handled");
    inbox.store(&events[0]).await.unwrap();
    assert_eq!(inbox.jobs(&JobFilter::all()).await.unwrap().len(), 4, "a duplicate is still known");
    let counts = inbox.counts().await.unwrap();
    assert_eq!((counts.pending, counts.done, counts.dead), (1, 1, 2));
}

/// However its attempt ends: it would be due and never be claimed, and hold up its record.
async fn what_is_erased_while_it_runs_is_not_tried_again(inbox: Inbox<impl Store>) {
    let (store, hour) = (inbox.database(), Duration::from_hours(1));
    for (number, end) in ["done", "retry", "dead", "released", "answer lost", "crashed"].into_iter().enumerate() {
        let record = number.to_string();
        let token = i64::try_from(number).unwrap();
        inbox.store(&changed("person.updated", &record, Some(1))).await.unwrap();
        let id = store.claim(&Claim::new(token, 1, hour)).await.unwrap().jobs[0].id;
        inbox.store(&changed("person.updated", &record, Some(2))).await.unwrap();
        assert!(store.claim(&Claim::new(99, 1, hour)).await.unwrap().jobs.is_empty(), "it waits for the first");
        assert_eq!(store.change(Change::Erase, &[id], None).await.unwrap(), 1);
        let complete = async |outcome| store.complete(&[Completion::new(id, token, outcome)]).await.map(drop);
        match end {
            "done" => complete(Outcome::Done).await.unwrap(),
            "retry" => complete(Outcome::Retry(Duration::ZERO, "about Alice".to_owned())).await.unwrap(),
            "dead" => complete(Outcome::Dead("about Alice".to_owned())).await.unwrap(),
            "released" => complete(Outcome::Released).await.unwrap(),
            "answer lost" => store.release_claim(token).await.unwrap(),
            _ => {
                assert_eq!(store.renew(&[(id, token)], Duration::ZERO).await.unwrap(), [id]);
                while store.recover(Duration::ZERO, 1).await.unwrap().jobs == 0 {}
            }
        }
        let job = inbox.job(id).await.unwrap().unwrap().0;
        assert_eq!(job.state, if end == "dead" { State::Dead } else { State::Done }, "{end}");
        assert_eq!(job.last_error, None, "{end}");
        let next = store.claim(&Claim::new(token, 9, hour)).await.unwrap().jobs;
        assert_eq!(next.len(), 1, "{end}: the next one of the record");
        store.complete(&[Completion::new(next[0].id, token, Outcome::Done)]).await.unwrap();
    }
}

/// A worker that has lost its lease changes nothing.
async fn a_worker_without_its_lease_changes_nothing(inbox: Inbox<impl Store>) {
    inbox.store(&event("a.created", 1)).await.unwrap();
    let store = inbox.database();
    let id = store.claim(&Claim::new(1, 1, Duration::ZERO)).await.unwrap().jobs[0].id;
    let lease = Duration::from_mins(1);
    assert_eq!(store.renew(&[(id, 1)], Duration::ZERO).await.unwrap(), [id]);
    let recovered = async { while store.recover(Duration::ZERO, 5).await.unwrap().jobs == 0 {} };
    tokio::time::timeout(Duration::from_secs(10), recovered).await.unwrap();
    assert!(store.renew(&[(id, 1)], lease).await.unwrap().is_empty());
    assert_eq!(inbox.retry(&JobFilter::all()).await.unwrap(), 1, "due now");
    assert_eq!(store.claim(&Claim::new(2, 1, lease)).await.unwrap().jobs[0].id, id);
    store.complete(&[Completion::new(id, 1, Outcome::Dead("too late".to_owned()))]).await.unwrap();
    assert_eq!(inbox.counts().await.unwrap().running, 1);
    store.release_claim(1).await.unwrap();
    assert_eq!(inbox.counts().await.unwrap().running, 1);
    store.complete(&[Completion::new(id, 2, Outcome::Done)]).await.unwrap();
    assert_eq!(inbox.counts().await.unwrap().done, 1);
}

async fn a_job_that_crashes_its_process_is_isolated(inbox: Inbox<impl Store>) {
    for number in 0..4 {
        inbox.store(&event("a.created", number)).await.unwrap();
    }
    let (store, hour) = (inbox.database(), Duration::from_hours(1));
    let crash = async || {
        let recovered = async { while store.recover(Duration::ZERO, 3).await.unwrap().jobs == 0 {} };
        tokio::time::timeout(Duration::from_secs(10), recovered).await.unwrap();
    };
    let claim = async |crashed, lease| {
        let mut claim = Claim::new(7, 10, lease);
        claim.crashed = crashed;
        store.claim(&claim).await.unwrap()
    };
    // A job is due again a second after its first crash, and two seconds after its second.
    let until_due = async |crashed, lease| {
        let began = std::time::Instant::now();
        loop {
            let claimed = claim(crashed, lease).await;
            if claimed.alone_is_due || !claimed.jobs.is_empty() {
                return claimed;
            }
            assert!(began.elapsed() < Duration::from_secs(10), "it does not come back");
        }
    };
    assert_eq!(store.claim(&Claim::new(1, 2, Duration::ZERO)).await.unwrap().jobs.len(), 2);
    crash().await;
    let neighbours = claim(Crashed::No, hour).await.jobs;
    assert!(neighbours.len() == 2 && neighbours.iter().all(|job| job.crashes == 0), "{neighbours:?}");

    let first = until_due(Crashed::Alone, Duration::ZERO).await.jobs;
    assert_eq!(first.len(), 1, "those that were together are not fetched together again");
    assert_eq!((first[0].crashes, first[0].attempts), (1, 0));
    crash().await;
    let second = until_due(Crashed::Once, hour).await.jobs;
    assert_eq!((second.len(), second[0].crashes), (1, 1));
    inbox.store(&event("a.created", 4)).await.unwrap();
    assert!(until_due(Crashed::No, hour).await.jobs.len() == 1, "others go on");
    let waits = until_due(Crashed::Once, hour).await;
    assert!(waits.alone_is_due && waits.jobs.is_empty(), "{waits:?}");
    inbox.store(&event("a.created", 5)).await.unwrap();
    let alone = claim(Crashed::Alone, Duration::ZERO).await.jobs;
    assert_eq!(alone.iter().map(|job| (job.id, job.crashes)).collect::<Vec<_>>(), [(first[0].id, 2)]);
    crash().await;
    let [dead] = &inbox.jobs(&JobFilter::in_state(State::Dead)).await.unwrap()[..] else { panic!() };
    assert_eq!((dead.id, dead.last_error.as_deref()), (first[0].id, Some("its process ended while it was handled")));
}

async fn counts_know_the_oldest(inbox: Inbox<impl Store>) {
    assert_eq!(inbox.counts().await.unwrap().oldest_pending, None);
    inbox.store(&event("a.created", 1)).await.unwrap();
    let counts = inbox.counts().await.unwrap();
    assert!(counts.oldest_pending.unwrap() < Duration::from_mins(1));
    assert_eq!((counts.oldest_dead, counts.oldest_retrying), (None, None));
    inbox.health().await.unwrap();
}

async fn a_handler_knows_its_job(inbox: Inbox<impl Store>) {
    let secret = Secret::new("acme's").unwrap();
    let body = body("person.created", 1);
    let headers = Signer::new(secret.clone()).sign(body.as_bytes());
    let event = Verifier::new(secret).tenant("acme").verify(&headers, body).unwrap().into_event().unwrap();
    inbox.store(&event).await.unwrap();
    let (jobs, mut seen) = tokio::sync::mpsc::unbounded_channel();
    let handler = move |_: WebhookEvent, job: Job| {
        let attempt = job.attempt();
        jobs.send(job).unwrap();
        async move { if attempt == 1 { Err(std::io::Error::other("no")) } else { Ok(()) } }
    };
    let backoff = Backoff::new(Duration::from_millis(1), Duration::from_millis(1));
    let worker = inbox.worker("test", handler).backoff(backoff).poll_every(Duration::from_millis(10));
    let running = Running::start(worker);
    until(&inbox, |counts| counts.done == 1).await;
    running.stop().await;
    let [first, second] = [seen.recv().await.unwrap(), seen.recv().await.unwrap()];
    assert_eq!((first.attempt(), second.attempt()), (1, 2));
    let stored = inbox.jobs(&JobFilter::all()).await.unwrap().remove(0);
    for job in [first, second] {
        assert_eq!((job.id(), job.key(), job.stored_at()), (stored.id, stored.key, stored.stored_at));
        assert_eq!((job.tenant(), job.merged().len(), job.is_stale()), (Some("acme"), 0, false));
    }
}
