//! What is in the log.

use std::io::{self, Write};
use std::sync::{Arc, Mutex};

use twenty_webhook_testing::{ApiFailure, Role};

use crate::support::{HOUR, Place};

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Also of the libraries, and at every level.
#[tokio::test(flavor = "current_thread")]
async fn neither_the_api_key_nor_a_record_is_in_it() {
    let (log, place) = (Log::default(), Place::new().await);
    let writer = log.clone();
    let subscriber =
        tracing_subscriber::fmt().with_max_level(tracing::Level::TRACE).with_writer(move || writer.clone());
    let _guard = tracing::subscriber::set_default(subscriber.finish());
    // While there is one dispatcher only, `tracing` asks the thread that comes to a line first whether it is of interest: another test's.
    let _second = tracing::Dispatch::new(tracing_subscriber::registry());
    place.people((0..450).map(|n| format!("{n:04}")));
    place.run(place.catch_up()).await;
    place.update("0001", "Ouagadougou");
    place.twenty.destroy("person", &["0002"]);
    place.clock.advance(24 * HOUR);
    for failure in [429, 500].map(ApiFailure::Status).into_iter().chain([ApiFailure::CutOff, ApiFailure::NotJson]) {
        place.twenty.fail_next([failure]);
    }
    let report = place.run(place.catch_up()).await;
    assert_eq!((report.updated, report.destroyed), (1, 1), "{report:?}");
    for status in [400, 401, 402, 403] {
        place.twenty.fail_next([ApiFailure::Status(status)]);
        let _ = place.catch_up().run_once(&place.inbox).await;
    }
    place.twenty.set_role(place.twenty.api_key(), Role::default().forbid("person"));
    place.report(place.catch_up()).await;
    let text = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    for line in ["caught up", "all ids were compared", "retrying", "limits the rate", "cannot catch up on this object"]
    {
        assert!(text.contains(line), "{line:?} is not in the log");
    }
    for secret in [place.twenty.api_key(), "Ouagadougou"] {
        assert!(!text.contains(secret), "{secret:?} is in the log");
    }
}
