//! Metrics, for the `metrics` facade.

use metrics::{counter, gauge};

use crate::ObjectReport;

/// Sets how far the watermark is behind the server's clock. `None` before the first run.
pub(crate) fn lag(object: &str, millis: Option<i64>) {
    if let Some(millis) = millis {
        #[expect(clippy::cast_precision_loss, reason = "a gauge")]
        gauge!("twenty_webhook_catchup_lag_seconds", "object" => object.to_owned()).set(millis as f64 / 1000.0);
    }
}

/// Sets when the changes of an object were last read to the end, in Unix seconds. It stays when runs fail, so its age grows.
pub(crate) fn success(object: &str, millis: i64) {
    #[expect(clippy::cast_precision_loss, reason = "a gauge")]
    gauge!("twenty_webhook_catchup_last_success_timestamp_seconds", "object" => object.to_owned())
        .set(millis as f64 / 1000.0);
}

/// Counts the results of a run.
pub(crate) fn records(report: &ObjectReport) {
    let counts = [
        ("created", report.created),
        ("updated", report.updated),
        ("deleted", report.deleted),
        ("destroyed", report.destroyed),
        ("known", report.known),
        ("dead", report.dead.len() as u64),
        ("unproven", report.unproven),
        ("unconfirmed", report.unconfirmed),
    ];
    for (result, count) in counts {
        let labels = [("object", report.object.clone()), ("result", result.to_owned())];
        counter!("twenty_webhook_catchup_records_total", &labels).increment(count);
    }
}
