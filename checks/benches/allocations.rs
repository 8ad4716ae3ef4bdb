//! The number of allocations on each path. The number is exact, so it is asserted.

use std::process::ExitCode;

use allocation_counter::measure;
use benches::limits::Limits;
use benches::peers::{HandPerson, HandWritten, Octoevents, RustCrypto, StandardWebhooks, Svix, envelope};
use benches::samples::{self, SECRET};
use serde_json::Value;
use twenty_webhook_core::Verifier;
use twenty_webhook_core::records::Person;

fn main() -> ExitCode {
    let mut limits = Limits::default();
    let body = samples::body(2048);
    let headers = samples::headers(&body);
    let ours = Verifier::new(samples::secret());
    let by_hand = HandWritten::<RustCrypto>::new(SECRET);
    let octoevents = Octoevents::new(SECRET);
    let octo_headers = octoevents.headers(&body);
    let (svix, standard) = (Svix::new(SECRET), StandardWebhooks::new(SECRET));
    let (svix_headers, standard_headers) = (svix.headers(&body), standard.headers(&body));

    println!("| 2 KiB | allocations | bytes at most |\n|---|---:|---:|");
    let verify = count("verify: ours", || drop(ours.verify(&headers, body.clone()).unwrap()));
    count("verify: hand-written", || drop(by_hand.verify(&headers, body.clone()).unwrap()));
    count("verify: octoevents", || drop(octoevents.authenticate(&octo_headers, body.clone()).unwrap()));
    count("verify: svix", || assert!(svix.verify(&svix_headers, &body)));
    count("verify: standardwebhooks", || assert!(standard.verify(&standard_headers, &body)));

    let event = count("event: ours", || drop(ours.verify(&headers, body.clone()).unwrap().into_event().unwrap()));
    count("event: hand-written", || drop(envelope(&by_hand.verify(&headers, body.clone()).unwrap()).unwrap()));
    count("event: svix + Value", || {
        assert!(svix.verify(&svix_headers, &body));
        drop(serde_json::from_slice::<Value>(&body).unwrap());
    });

    let person = count("Person: ours", || {
        let event = ours.verify(&headers, body.clone()).unwrap().into_event().unwrap();
        drop(event.record::<Person>().unwrap());
    });
    count("Person: hand-written, by serde", || {
        let body = by_hand.verify(&headers, body.clone()).unwrap();
        drop(serde_json::from_str::<HandPerson>(envelope(&body).unwrap().record.get()).unwrap());
    });

    println!();
    limits.at_most("allocations of verify", verify as f64, 0.0);
    limits.at_most("allocations of verify + event", event as f64, 7.0);
    limits.at_most("allocations of verify + event + Person", person as f64, 33.0);
    limits.exit_code()
}

fn count(name: &str, run: impl Fn()) -> u64 {
    run();
    let counted = measure(run);
    println!("| {name} | {} | {} |", counted.count_total, counted.bytes_max);
    counted.count_total
}
