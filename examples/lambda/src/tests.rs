//! The function, called with what a function URL hands over.

use axum::Router;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use lambda_http::request::LambdaRequest;
use lambda_http::{Adapter, Context, LambdaEvent};
use serde_json::{Map, Value, json};
use tower::ServiceExt;
use twenty_webhook_axum::{EventRouter, Secret};
use twenty_webhook_testing::{Recorder, SignedRequest, Tamper, event};

#[tokio::test]
async fn a_signed_delivery_is_handled_once_and_a_changed_one_never() {
    let secret = Secret::new("s3cret").unwrap();
    let recorder = Recorder::default();
    let app = crate::app(secret.clone(), EventRouter::new().fallback(recorder.handler()));
    let delivery = event("person.created").signed_with(&secret);
    assert_eq!(invoke(&app, &payload(&delivery)).await, 200);
    assert_eq!(invoke(&app, &payload(&delivery.rerun())).await, 200);
    assert_eq!(invoke(&app, &payload(&delivery.tampered(Tamper::Body))).await, 401);
    recorder.assert_names(["person.created"]);
}

#[tokio::test]
async fn a_body_in_base64_is_verified_as_its_bytes() {
    let secret = Secret::new("s3cret").unwrap();
    let delivery = event("person.created").signed_with(&secret);
    let mut payload = payload(&delivery);
    payload["body"] = BASE64.encode(delivery.body()).into();
    payload["isBase64Encoded"] = true.into();
    assert_eq!(invoke(&crate::app(secret, crate::events()), &payload).await, 200);
}

/// The response's status.
async fn invoke(app: &Router, payload: &Value) -> u64 {
    // Read from text, as in Lambda.
    let request: LambdaRequest = serde_json::from_str(&payload.to_string()).unwrap();
    let event = LambdaEvent::new(request, Context::default());
    let response = Adapter::from(app.clone()).oneshot(event).await.unwrap();
    serde_json::to_value(response).unwrap()["statusCode"].as_u64().unwrap()
}

/// A request as a function URL hands it over, in version 2.0 of the format. The names of headers are in lower case.
fn payload(delivery: &SignedRequest) -> Value {
    let headers = delivery.headers();
    let headers: Map<_, _> =
        headers.iter().map(|(name, value)| (name.to_string(), value.to_str().unwrap().into())).collect();
    json!({
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": "/webhooks/twenty",
        "rawQueryString": "",
        "headers": headers,
        "requestContext": {
            "accountId": "anonymous",
            "apiId": "f7k2exampleurlid",
            "domainName": "f7k2exampleurlid.lambda-url.eu-central-1.on.aws",
            "domainPrefix": "f7k2exampleurlid",
            "http": {
                "method": "POST",
                "path": "/webhooks/twenty",
                "protocol": "HTTP/1.1",
                "sourceIp": "203.0.113.7",
                "userAgent": "axios/1.13.2",
            },
            "requestId": "e1506fd5-9e7b-434f-bd42-4f8fa224b599",
            "routeKey": "$default",
            "stage": "$default",
            "time": "14/Sep/2026:10:12:44 +0000",
            "timeEpoch": 1_789_380_764_871_u64,
        },
        "body": std::str::from_utf8(&delivery.body()).unwrap(),
        "isBase64Encoded": false,
    })
}
