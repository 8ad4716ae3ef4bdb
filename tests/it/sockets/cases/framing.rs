//! Wrong information about where the body ends.

use super::{Case, Handled, Http, INCOMPLETE, MISMATCH, TIMEOUT, TOO_LARGE, both, differ};
use crate::sockets::wire::{Post, Step, body, chunk};

pub(super) fn cases() -> Vec<Case> {
    let length = |name: &'static str, lines: &str| Post::new(name).framing(lines);
    let exact = |name: &str| body(name).len();
    vec![
        both("nothing wrong", Post::new("nothing wrong"), [Handled]),
        // The rest is read as the next request.
        both(
            "Content-Length too small",
            length("Content-Length too small", "Content-Length: 10").keep_alive(),
            [MISMATCH, Http(400)],
        ),
        both("Content-Length too large", length("Content-Length too large", "Content-Length: 1000"), [TIMEOUT]),
        both(
            "Content-Length too large, then the end",
            [
                Step::Send(length("Content-Length too large, then the end", "Content-Length: 1000").bytes()),
                Step::CloseHalf,
            ],
            [INCOMPLETE],
        ),
        both(
            "Content-Length of 4 PB",
            length("Content-Length of 4 PB", "Content-Length: 4000000000000000"),
            [TOO_LARGE],
        ),
        both(
            "Content-Length of 2^64",
            length("Content-Length of 2^64", "Content-Length: 18446744073709551616"),
            [Http(400)],
        ),
        both("Content-Length below zero", length("Content-Length below zero", "Content-Length: -1"), [Http(400)]),
        both(
            "Content-Length with a plus",
            {
                let name = "Content-Length with a plus";
                length(name, &format!("Content-Length: +{}", exact(name)))
            },
            [Http(400)],
        ),
        both("Content-Length in words", length("Content-Length in words", "Content-Length: all"), [Http(400)]),
        differ(
            "Content-Length twice, the same",
            {
                let name = "Content-Length twice, the same";
                length(name, &format!("Content-Length: {0}\r\nContent-Length: {0}", exact(name)))
            },
            [Handled],
            [Http(400)],
        ),
        both(
            "Content-Length twice, different",
            length("Content-Length twice, different", "Content-Length: 5\r\nContent-Length: 6"),
            [Http(400)],
        ),
        both("Content-Length as a list", length("Content-Length as a list", "Content-Length: 5, 5"), [Http(400)]),
        // The body is empty then, and its bytes are read as the next request.
        both("no Content-Length", length("no Content-Length", "").keep_alive(), [MISMATCH, Http(400)]),
        differ(
            "Content-Length and chunked, sent in chunks",
            {
                let name = "Content-Length and chunked, sent in chunks";
                let framing = format!("Content-Length: {}\r\nTransfer-Encoding: chunked", exact(name));
                Post::new(name).chunked(|body| [chunk(body), chunk(b"")].concat()).framing(&framing).keep_alive()
            },
            [Handled],
            [Http(400)],
        ),
        differ(
            "Content-Length and chunked, sent whole",
            {
                let name = "Content-Length and chunked, sent whole";
                length(name, &format!("Content-Length: {}\r\nTransfer-Encoding: chunked", exact(name)))
            },
            [INCOMPLETE],
            [Http(400)],
        ),
    ]
}
