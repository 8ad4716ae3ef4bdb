//! Tests two receivers that share a real `redis-server`, without a network for the deliveries. See docs/testing.md.

use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use axum::body::Body;
use tower::ServiceExt;
use twenty_webhook_axum::Secret;
use twenty_webhook_testing::{ReceiverResponse, event};

#[tokio::test]
async fn two_receivers_handle_a_delivery_once() {
    let redis = Redis::start();
    let secret = Secret::new("s3cret").unwrap();
    let receiver = || crate::app(crate::layer(secret.clone(), &redis.url).unwrap());
    let (first, second) = (receiver(), receiver());
    let delivery = event("person.created").signed_with(&secret);
    first.oneshot(delivery.http::<Body>()).await.unwrap().assert_handled();
    second.clone().oneshot(delivery.http::<Body>()).await.unwrap().assert_duplicate();
    second.oneshot(delivery.rerun().http::<Body>()).await.unwrap().assert_duplicate();
}

#[tokio::test]
async fn without_redis_a_delivery_is_refused() {
    let secret = Secret::new("s3cret").unwrap();
    let url = Redis::start().url.clone();
    let app = crate::app(crate::layer(secret.clone(), &url).unwrap());
    let delivery = event("person.created").signed_with(&secret);
    app.oneshot(delivery.http::<Body>()).await.unwrap().assert_rejected("guard_unavailable");
}

/// A `redis-server` on a free port, without files. It ends when this is dropped.
struct Redis {
    url: String,
    process: Child,
}

impl Redis {
    fn start() -> Self {
        let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let process = Command::new("redis-server")
            .args(["--bind", "127.0.0.1", "--port", &free.port().to_string(), "--save", "", "--appendonly", "no"])
            .stdout(Stdio::null())
            .spawn()
            .expect("these tests need redis-server; on Debian and Ubuntu: apt-get install redis-server");
        let redis = Self { url: format!("redis://{free}"), process };
        let deadline = Instant::now() + Duration::from_secs(10);
        while TcpStream::connect(free).is_err() {
            assert!(Instant::now() < deadline, "redis-server does not listen on {free}");
            std::thread::sleep(Duration::from_millis(5));
        }
        redis
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
