//! From headers and body to an event, without its record and with its record decoded, compared with the peers.

use std::process::ExitCode;

use benches::limits::Limits;
use benches::peers::{HandPerson, HandWritten, Octoevents, RustCrypto, Svix, envelope};
use benches::rounds::{Case, Medians};
use benches::samples::{self, SECRET, numbers};
use serde_json::Value;
use twenty_webhook_core::Verifier;
use twenty_webhook_core::records::Person;

const KIB: usize = 1024;

fn main() -> ExitCode {
    let mut limits = Limits::default();
    for len in numbers(&[300, 2 * KIB, 16 * KIB, 256 * KIB]) {
        let medians = measure(len, if len <= 16 * KIB { 1000 } else { 200 });
        medians.print(&format!("verify + event, {len} bytes"), "hand-written");
        if len == 2 * KIB {
            println!();
            limits.at_most("ours / hand-written, 2 KiB", medians.ratio("ours", "hand-written"), 1.1);
            limits.at_least("svix + Value / ours, 2 KiB", medians.ratio("svix + Value", "ours"), 4.0);
        }
        // The derive drops custom fields; `Person` keeps them.
        let person = medians.ratio("ours + Person", "hand-written + Person by serde");
        match len {
            2048 => limits.at_most("ours + Person / hand-written + Person, 2 KiB", person, 1.3),
            262_144 => limits.at_most("ours + Person / hand-written + Person, 256 KiB", person, 1.5),
            _ => {}
        }
    }
    limits.exit_code()
}

fn measure(len: usize, rounds: usize) -> Medians {
    let body = samples::body(len);
    let headers = samples::headers(&body);

    let ours = Verifier::new(samples::secret());
    let by_hand = HandWritten::<RustCrypto>::new(SECRET);
    let octoevents = Octoevents::new(SECRET);
    let octo_headers = octoevents.headers(&body);
    let svix = Svix::new(SECRET);
    let svix_headers = svix.headers(&body);

    Medians::of(
        vec![
            Case::new("hand-written", || {
                let body = by_hand.verify(&headers, body.clone()).unwrap();
                assert_eq!(envelope(&body).unwrap().object_metadata.name_singular, "person");
            }),
            Case::new("ours", || {
                let event = ours.verify(&headers, body.clone()).unwrap().into_event().unwrap();
                assert_eq!(event.object(), "person");
                event
            }),
            Case::new("svix + Value", || {
                assert!(svix.verify(&svix_headers, &body));
                serde_json::from_slice::<Value>(&body).unwrap()
            }),
            Case::new("octoevents + Value", || {
                let envelope = octoevents.authenticate(&octo_headers, body.clone()).unwrap();
                serde_json::from_slice::<Value>(&envelope.raw_payload).unwrap()
            }),
            Case::new("hand-written + Person by serde", || {
                let body = by_hand.verify(&headers, body.clone()).unwrap();
                serde_json::from_str::<HandPerson>(envelope(&body).unwrap().record.get()).unwrap()
            }),
            Case::new("ours + Person", || {
                let event = ours.verify(&headers, body.clone()).unwrap().into_event().unwrap();
                event.record::<Person>().unwrap()
            }),
        ],
        rounds,
    )
}
