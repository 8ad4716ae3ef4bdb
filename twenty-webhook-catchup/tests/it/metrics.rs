//! The metrics, as Prometheus gets them.

use metrics_exporter_prometheus::PrometheusBuilder;
use twenty_webhook_testing::Role;

use crate::support::{HOUR, Place};

#[tokio::test(flavor = "current_thread")]
async fn results_of_each_object_and_the_lag_of_its_watermark() {
    let recorder = PrometheusBuilder::new().build_recorder();
    let _recorder = metrics::set_default_local_recorder(&recorder);
    let place = Place::new().await;
    place.people((0..40).map(|n| format!("{n:04}")));
    place.run(place.catch_up()).await;
    let rendered = recorder.handle().render();
    let success = "twenty_webhook_catchup_last_success_timestamp_seconds{object=\"person\"} ";
    let success: f64 = rendered.split_once(success).unwrap().1.lines().next().unwrap().parse().unwrap();
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs_f64();
    assert!((success..success + 60.0).contains(&now), "{success} {now}");
    place.twenty.update("person", &["0001", "0002", "0003"], serde_json::json!({ "city": "Nantes" }));
    place.twenty.delete("person", &["0004"]);
    place.inbox.store(&place.delivery("updated", "0003")).await.unwrap();
    place.twenty.destroy("person", &["0005"]);
    place.clock.advance(24 * HOUR);
    // Before this run the watermark is a day old, and after it none.
    let key = place.twenty.api_key();
    place.twenty.set_role(key, Role::default().forbid("person"));
    let report = place.report(place.catch_up()).await;
    assert!(report.objects[0].error.is_some(), "{report:?}");
    let rendered = recorder.handle().render();
    assert!(rendered.contains("twenty_webhook_catchup_lag_seconds{object=\"person\"} 86400\n"), "{rendered}");

    place.twenty.set_role(key, Role::default());
    place.run(place.catch_up()).await;
    let rendered = recorder.handle().render();
    for (result, count) in [
        ("created", 0),
        ("updated", 2),
        ("deleted", 1),
        ("destroyed", 1),
        ("known", 1),
        ("dead", 0),
        ("unproven", 0),
        ("unconfirmed", 0),
    ] {
        let line = format!("twenty_webhook_catchup_records_total{{object=\"person\",result=\"{result}\"}} {count}\n");
        assert!(rendered.contains(&line), "{line}{rendered}");
    }
    assert!(rendered.contains("twenty_webhook_catchup_lag_seconds{object=\"person\"} 0\n"), "{rendered}");
}
