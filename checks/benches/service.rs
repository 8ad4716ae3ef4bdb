//! The cost of the receivers for axum in process, without a network, which varies less than over HTTP. The references are two hand-written
//! receivers: a handler, and a layer that does the same as this project's layer.

use std::cell::Cell;
use std::process::ExitCode;

use axum::body::Body;
use axum::http::{HeaderMap, Method, Request, StatusCode};
use benches::limits::Limits;
use benches::receivers::axum::app;
use benches::rounds::{Case, Medians};
use benches::samples;
use bytes::Bytes;
use tokio::runtime::{Builder, Runtime};
use tower_service::Service;

fn main() -> ExitCode {
    let runtime = Builder::new_current_thread().enable_all().build().expect("it has no threads");
    let kinds = ["bare", "hand-written", "hand-written layer", "ours", "ours, guard of one"];
    let cases = kinds.map(|kind| case(&runtime, kind)).into();
    let medians = Medians::of(cases, 1000);
    medians.print("axum, in process, 2 KiB", "hand-written layer");
    println!();
    let mut limits = Limits::default();
    for (name, limit) in [("ours", 1.06), ("ours, guard of one", 1.20)] {
        limits.at_most(&format!("{name} / hand-written layer"), medians.ratio(name, "hand-written layer"), limit);
    }
    limits.exit_code()
}

/// Two alternating deliveries. The guard remembers one, so each delivery is new.
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
