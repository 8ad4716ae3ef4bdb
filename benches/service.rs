//! What the receivers for axum cost inside a process, without a network: steadier than over HTTP. A layer that does nothing shows
//! what axum asks for any.

use std::cell::Cell;

use axum::body::Body;
use axum::http::{HeaderMap, Method, Request, StatusCode};
use benches::receivers::axum::app;
use benches::rounds::{Case, Medians};
use benches::samples;
use bytes::Bytes;
use tokio::runtime::{Builder, Runtime};
use tower_service::Service;

fn main() {
    let runtime = Builder::new_current_thread().enable_all().build().expect("it has no threads");
    let kinds = ["bare", "hand-written", "hand-written, in a layer", "ours", "ours, guard of one"];
    let cases = kinds.map(|kind| case(&runtime, kind)).into();
    Medians::of(cases, 1000).print("axum, in process, 2 KiB", "hand-written");
}

/// Two deliveries in turn: new ones, each time, to a guard that remembers one.
fn case<'a>(runtime: &'a Runtime, kind: &'static str) -> Case<'a> {
    let mut app = app(kind);
    let deliveries = [2048, 2049].map(|len| {
        let body = samples::body(len);
        (samples::headers(&body), body)
    });
    let next = Cell::new(0);
    Case::new(kind, move || {
        let (headers, body) = &deliveries[next.replace(1 - next.get())];
        let answer = runtime.block_on(app.call(request(headers.clone(), body.clone())));
        assert_eq!(answer.expect("it cannot fail").status(), StatusCode::OK);
    })
}

fn request(headers: HeaderMap, body: Bytes) -> Request<Body> {
    let mut request = Request::new(Body::from(body));
    *request.method_mut() = Method::POST;
    *request.uri_mut() = "/webhooks/twenty".parse().expect("it is a path");
    *request.headers_mut() = headers;
    request
}
