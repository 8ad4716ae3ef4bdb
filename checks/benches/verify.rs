//! From headers and body to a `Delivery`, compared with hand-written code and the peers.

use std::process::ExitCode;

use benches::limits::Limits;
use benches::peers::{AwsLc, HandWritten, Octoevents, Ring, RustCrypto, StandardWebhooks, Svix};
use benches::rounds::{Case, Medians};
use benches::samples::{self, SECRET, numbers};
use twenty_webhook_core::Verifier;

const KIB: usize = 1024;

fn main() -> ExitCode {
    let mut limits = Limits::default();
    for len in numbers(&[300, KIB, 2 * KIB, 16 * KIB, 256 * KIB, 1024 * KIB]) {
        let medians = measure(len, if len <= 16 * KIB { 1000 } else { 200 });
        medians.print(&format!("verify, {len} bytes"), "hand-written");
        if len == 2 * KIB {
            println!();
            limits.at_most("ours / hand-written, 2 KiB", medians.ratio("ours", "hand-written"), 1.05);
            limits.at_least("svix / ours, 2 KiB", medians.ratio("svix", "ours"), 4.0);
            limits.at_least("standardwebhooks / ours, 2 KiB", medians.ratio("standardwebhooks", "ours"), 4.0);
        }
    }
    limits.exit_code()
}

fn measure(len: usize, rounds: usize) -> Medians {
    let body = samples::body(len);
    let headers = samples::headers(&body);

    let ours = Verifier::new(samples::secret());
    let hand_written = HandWritten::<RustCrypto>::new(SECRET);
    let ring = HandWritten::<Ring>::new(SECRET);
    let aws_lc = HandWritten::<AwsLc>::new(SECRET);
    let octoevents = Octoevents::new(SECRET);
    let octo_headers = octoevents.headers(&body);
    let svix = Svix::new(SECRET);
    let svix_headers = svix.headers(&body);
    let standard = StandardWebhooks::new(SECRET);
    let standard_headers = standard.headers(&body);

    Medians::of(
        vec![
            Case::new("hand-written", || hand_written.verify(&headers, body.clone()).unwrap()),
            Case::new("ours", || ours.verify(&headers, body.clone()).unwrap()),
            Case::new("hand-written on ring", || ring.verify(&headers, body.clone()).unwrap()),
            Case::new("hand-written on aws-lc-rs", || aws_lc.verify(&headers, body.clone()).unwrap()),
            Case::new("octoevents", || octoevents.authenticate(&octo_headers, body.clone()).unwrap()),
            Case::new("svix", || assert!(svix.verify(&svix_headers, &body))),
            Case::new("standardwebhooks", || assert!(standard.verify(&standard_headers, &body))),
        ],
        rounds,
    )
}
