//! Slow clients.

use super::{Case, Http, Outcome, TIMEOUT, both, differ};
use crate::sockets::wire::{Post, Step};

const HEALTH: &[u8] = b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n";

/// hyper closes a connection with slow headers, and actix answers 408.
const NOTHING: [Outcome; 0] = [];
const SLOW: [Outcome; 1] = [Http(408)];

pub(super) fn cases() -> Vec<Case> {
    let post = Post::new("a byte a second");
    let headers = post.head();
    vec![
        differ("no request", [], NOTHING, SLOW),
        differ("half of the headers", [Step::Send(headers[..40].to_vec())], NOTHING, SLOW),
        differ("headers at a byte a second", [Step::Drip(headers.clone())], NOTHING, SLOW),
        both(
            "a good request, then half of the headers",
            [Step::Send(HEALTH.to_vec()), Step::Await("204"), Step::Send(headers[..40].to_vec())],
            [Http(204)],
        ),
        both("a body at a byte a second", [Step::Send(headers), Step::Drip(post.sent)], [TIMEOUT]),
    ]
}
