//! Every way to receive a delivery, each as one function.

mod actix;
mod axum;
mod core;
pub(crate) mod service;

use std::future::ready;
use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::Poll;

use bytes::Bytes;
use futures_util::StreamExt;
use futures_util::future::LocalBoxFuture;
use futures_util::stream::{self, BoxStream};
use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};
use twenty_webhook_core::{Clock, Rejection, Secret, Verifier, WebhookEvent};

pub(crate) use self::core::header_map;

use crate::vectors::Case;

/// A receiver that gets the body in memory.
pub(crate) struct Receiver {
    pub(crate) name: &'static str,
    pub(crate) receive: fn(Case) -> LocalBoxFuture<'static, Answer>,
}

pub(crate) const IN_MEMORY: &[Receiver] = &[
    Receiver { name: "core, one call", receive: |case| Box::pin(ready(core::one_call(&case))) },
    Receiver { name: "core, in chunks", receive: |case| Box::pin(ready(core::in_chunks(&case))) },
    Receiver { name: "tower, Full<Bytes>", receive: |case| Box::pin(axum::bare_tower(case)) },
];

/// A receiver that gets the body as a stream. It ignores the case's own body.
pub(crate) struct StreamReceiver {
    pub(crate) name: &'static str,
    pub(crate) receive: fn(Case, Chunks) -> LocalBoxFuture<'static, Answer>,
}

pub(crate) const STREAMING: &[StreamReceiver] = &[
    StreamReceiver { name: "axum, Router::layer", receive: |case, body| Box::pin(axum::router_layer(case, body)) },
    StreamReceiver { name: "axum, route_layer", receive: |case, body| Box::pin(axum::route_layer(case, body)) },
    StreamReceiver { name: "axum, one handler", receive: |case, body| Box::pin(axum::one_handler(case, body)) },
    StreamReceiver { name: "actix, extractor", receive: |case, body| Box::pin(actix::extractor(case, body)) },
    StreamReceiver { name: "actix, middleware", receive: |case, body| Box::pin(actix::middleware(case, body)) },
];

/// A streamed body.
pub(crate) type Chunks = BoxStream<'static, io::Result<Bytes>>;

/// The result of a request.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) rejection: Option<Rejection>,
    /// The events that the handler got, with the body if it sees one.
    pub(crate) handled: Vec<Handled>,
}

impl Answer {
    /// Asserts that two answers to one request are equal.
    fn equal(self, other: Self) -> Self {
        let Self { status, rejection, handled } = other;
        assert_eq!((self.status, &self.rejection, self.handled.len()), (status, &rejection, handled.len()));
        self
    }
}

pub(crate) type Handled = (WebhookEvent, Option<Bytes>);

/// The status of every handler in these tests.
pub(crate) const HANDLED: u16 = 204;

pub(crate) fn verifier(case: &Case) -> Verifier {
    let now = case.now;
    Verifier::new(Secret::new(case.secret.as_str()).unwrap()).clock(Clock::new(move || now))
}

/// The events that a handler got.
#[derive(Clone, Default)]
pub(crate) struct Seen(Arc<Mutex<Vec<Handled>>>);

impl Seen {
    pub(crate) fn push(&self, event: WebhookEvent, body: Option<Bytes>) {
        self.0.lock().unwrap().push((event, body));
    }

    pub(crate) fn take(&self) -> Vec<Handled> {
        std::mem::take(&mut self.0.lock().unwrap())
    }
}

/// A body that counts how often it is polled.
pub(crate) fn counted(
    chunks: impl IntoIterator<Item = io::Result<Bytes>, IntoIter: Send + 'static>,
) -> (Chunks, Polls) {
    let polls = Polls::default();
    let count = polls.clone();
    let mut chunks = chunks.into_iter();
    let stream = stream::poll_fn(move |_| {
        count.0.fetch_add(1, Ordering::Relaxed);
        Poll::Ready(chunks.next())
    });
    (stream.boxed(), polls)
}

#[derive(Clone, Default)]
pub(crate) struct Polls(Arc<AtomicUsize>);

impl Polls {
    pub(crate) fn count(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

/// Splits the body into pieces of random lengths, many of them short. The same seed gives the same pieces.
pub(crate) fn pieces(body: &Bytes, seed: u64) -> Vec<Bytes> {
    let mut random = SmallRng::seed_from_u64(seed);
    let mut rest = body.clone();
    let mut pieces = Vec::new();
    while !rest.is_empty() {
        let longest = [1, 70, 5_000, body.len()][random.random_range(0..4)];
        let length = random.random_range(0..=longest.min(rest.len()));
        pieces.push(rest.split_to(length));
    }
    pieces
}
