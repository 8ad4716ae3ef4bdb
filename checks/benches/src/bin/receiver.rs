//! Serves one of the measured receivers: `receiver FRAMEWORK KIND`. Prints its port.

use std::net::TcpListener;

use benches::receivers::{actix, axum};

fn main() {
    let args: Vec<String> = std::env::args().collect();
    let [_, framework, kind] = args.as_slice() else { panic!("which framework, and which kind of receiver?") };
    let listener = TcpListener::bind("127.0.0.1:0").expect("there is a free port");
    println!("{}", listener.local_addr().expect("it is bound").port());
    match framework.as_str() {
        "axum" => axum::serve(kind, listener),
        "actix" => actix::serve(kind, listener),
        _ => panic!("there is no {framework}"),
    }
}
