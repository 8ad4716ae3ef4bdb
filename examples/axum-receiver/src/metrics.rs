use std::time::Duration;

use axum::Router;
use axum::routing::get;
use metrics_exporter_prometheus::PrometheusBuilder;

/// Collects the receiver's metrics and serves them at `/metrics`, in Prometheus' format. They show how many events your objects have, so
/// keep the path inside your network.
pub(crate) fn route() -> anyhow::Result<Router> {
    let metrics = PrometheusBuilder::new().install_recorder()?;
    let upkeep = metrics.clone();
    tokio::spawn(async move {
        // Histograms use memory until they are aggregated.
        let mut interval = tokio::time::interval(Duration::from_secs(5));
        loop {
            interval.tick().await;
            upkeep.run_upkeep();
        }
    });
    Ok(Router::new().route("/metrics", get(async move || metrics.render())))
}

#[cfg(test)]
mod tests {
    use axum::body::Body;
    use axum::http::{Request, StatusCode};
    use metrics_exporter_prometheus::PrometheusBuilder;
    use tower::ServiceExt;
    use twenty_webhook_axum::{Secret, TwentyWebhookLayer};
    use twenty_webhook_testing::event;

    /// Three deliveries, a copy of one, a forged one and a scanner's request.
    #[tokio::test]
    async fn the_metrics_count_the_requests() {
        let recorder = PrometheusBuilder::new().build_recorder();
        let metrics = recorder.handle();
        let _recording = ::metrics::set_default_local_recorder(&recorder);

        let secret = Secret::new("s3cret").unwrap();
        let app = crate::app(TwentyWebhookLayer::new(secret.clone()));
        let person = event("person.created").seed(1).signed_with(&secret);
        let again = event("person.created").seed(2).signed_with(&secret);
        let deal = event("opportunity.updated").seed(3).signed_with(&secret);
        let forged = event("person.created").seed(4).signed_with(&Secret::new("guess").unwrap());
        for (delivery, status) in [(&person, 200), (&again, 200), (&deal, 200), (&person, 200), (&forged, 401)] {
            let response = app.clone().oneshot(delivery.http::<Body>()).await.unwrap();
            assert_eq!(response.status(), status);
        }
        let scan = Request::get("/webhooks/twenty").body(Body::empty()).unwrap();
        assert_eq!(app.oneshot(scan).await.unwrap().status(), StatusCode::METHOD_NOT_ALLOWED);

        let text = metrics.render();
        for line in [
            r#"twenty_webhook_deliveries_total{outcome="handled",object="person",action="created"} 2"#,
            r#"twenty_webhook_deliveries_total{outcome="handled",object="opportunity",action="updated"} 1"#,
            r#"twenty_webhook_deliveries_total{outcome="already_completed",object="person",action="created"} 1"#,
            r#"twenty_webhook_deliveries_total{outcome="signature_mismatch",object="",action=""} 1"#,
            r#"twenty_webhook_deliveries_total{outcome="method_not_allowed",object="",action=""} 1"#,
            r#"twenty_webhook_handler_seconds_count{object="person"} 2"#,
            r#"twenty_webhook_delivery_lag_seconds_count{object="person"} 2"#,
            r#"twenty_webhook_change_lag_seconds_count{object="opportunity"} 1"#,
        ] {
            assert!(text.contains(line), "{line}: {text}");
        }
    }
}
