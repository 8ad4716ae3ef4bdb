//! Other methods, versions and targets, and bytes that are not HTTP.

use super::{Case, Handled, Http, MISMATCH, Outcome, Rejected, TIMEOUT, both, differ};
use crate::sockets::wire::{Post, Step, chunk};

/// They have the headers of a delivery, as after a redirect that changed the method.
const OTHER_METHOD: [Outcome; 1] = [Rejected(405, "redirected")];

pub(super) fn cases() -> Vec<Case> {
    let started = |name: &'static str, line: &str, outcome: Outcome| both(name, Post::new(name).start(line), [outcome]);
    let method = |name: &'static str| {
        both(name, Post::new(name).start(&format!("{name} /webhooks/twenty HTTP/1.1")), OTHER_METHOD)
    };
    vec![
        method("GET"),
        method("HEAD"),
        method("PUT"),
        method("OPTIONS"),
        method("PATCH"),
        method("DELETE"),
        method("TRACE"),
        method("BREW"),
        method("post"),
        started("another path", "POST /elsewhere HTTP/1.1", Http(404)),
        started("a query", "POST /webhooks/twenty?a=b HTTP/1.1", Handled),
        started("a whole URL", "POST http://localhost/webhooks/twenty HTTP/1.1", Handled),
        differ(
            "a URL of 70 KB",
            Post::new("a URL of 70 KB").start(&format!("POST /webhooks/twenty?{} HTTP/1.1", "a".repeat(70_000))),
            // `serve` reads 32 KiB ahead, so hyper does not see where the URL ends.
            [Http(431)],
            [Http(400)],
        ),
        started("HTTP/1.0", "POST /webhooks/twenty HTTP/1.0", Handled),
        // The body would end with the connection.
        differ(
            "HTTP/1.0 without a length",
            [Step::Send(Post::new("-").start("POST /webhooks/twenty HTTP/1.0").framing("").bytes()), Step::CloseHalf],
            [MISMATCH],
            [Http(400)],
        ),
        both(
            "HTTP/1.0 in chunks",
            Post::new("HTTP/1.0 in chunks").start("POST /webhooks/twenty HTTP/1.0").chunked(chunk),
            [Http(400)],
        ),
        started("HTTP/1.2", "POST /webhooks/twenty HTTP/1.2", Http(400)),
        started("HTTP/3.0", "POST /webhooks/twenty HTTP/3.0", Http(400)),
        started("no version", "POST /webhooks/twenty", Http(400)),
        differ("the preface of HTTP/2", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec(), [], [Http(400)]),
        both(
            "a greeting of TLS",
            [b"\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03", [b'x'; 500].as_slice()].concat(),
            [Http(400)],
        ),
        both("zeros", vec![0; 2000], [Http(400)]),
        differ(
            "an upgrade",
            Post::new("an upgrade").edit("Connection: close", b"Connection: upgrade").header("Upgrade: websocket"),
            [Handled],
            // On actix, this body ends only with the connection.
            [TIMEOUT],
        ),
    ]
}
