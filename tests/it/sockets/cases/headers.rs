//! Headers that are too large, too many, unusual, or not text.

use super::{Case, Handled, Http, Outcome, Rejected, both, differ};
use crate::sockets::wire::{Post, body, signature};

const LARGE: usize = 1024 * 1024;
const TOO_LARGE: Outcome = Http(431);
const REPEATED: Outcome = Rejected(401, "repeated_header");
const MALFORMED: Outcome = Rejected(401, "malformed_signature");

pub(super) fn cases() -> Vec<Case> {
    let twice = |name: &'static str, spell: fn(&str) -> String| {
        let again = signature(&body(name));
        let again = spell(std::str::from_utf8(&again).unwrap());
        both(name, Post::new(name).header(again.trim_end()), [REPEATED])
    };
    vec![
        both(
            "a header of 1 MiB",
            Post::new("a header of 1 MiB").header(format!("A: {}", "x".repeat(LARGE))),
            [TOO_LARGE],
        ),
        both(
            "1 MiB of headers",
            Post::new("1 MiB of headers").header(vec!["A: xxx"; LARGE / 8].join("\r\n")),
            [TOO_LARGE],
        ),
        both("90 headers", Post::new("90 headers").header(vec!["A: x"; 85].join("\r\n")), [Handled]),
        both("101 headers", Post::new("101 headers").header(vec!["A: x"; 101].join("\r\n")), [TOO_LARGE]),
        both(
            "names in odd case",
            Post::new("names in odd case")
                .edit("x-twenty-webhook-signature", b"x-tWENTY-WebHook-sIGNATURE")
                .edit("x-twenty-webhook-timestamp", b"X-TWENTY-WEBHOOK-TIMESTAMP"),
            [Handled],
        ),
        twice("the three headers twice", str::to_owned),
        twice("the three headers twice, in different cases", str::to_uppercase),
        both("another header is not UTF-8", Post::new("another header is not UTF-8").header(b"A: \xff\xfe"), [Handled]),
        both(
            "a signature that is not UTF-8",
            Post::new("a signature that is not UTF-8").edit("signature: ", b"signature: \xff\xfe"),
            [MALFORMED],
        ),
        both(
            "a timestamp that is not UTF-8",
            Post::new("a timestamp that is not UTF-8").edit("timestamp: ", b"timestamp: \xff"),
            [Rejected(401, "malformed_timestamp")],
        ),
        both(
            "a nonce that is not UTF-8",
            Post::new("a nonce that is not UTF-8").edit("nonce: ", b"nonce: \xff"),
            [Handled],
        ),
        both(
            "a list of signatures",
            Post::new("a list of signatures").edit("signature: ", b"signature: v1,"),
            [MALFORMED],
        ),
        both("a header with NUL", Post::new("a header with NUL").header(b"A: \0"), [Http(400)]),
        both("a header over two lines", Post::new("a header over two lines").header("A: b\r\n c"), [Http(400)]),
        both(
            "a blank before the colon",
            Post::new("a blank before the colon").edit("signature: ", b"signature : "),
            [Http(400)],
        ),
        both("a header without a name", Post::new("a header without a name").header(": b"), [Http(400)]),
        differ("no Host", Post::new("no Host").edit("Host: localhost\r\n", b""), [Handled], [Http(400)]),
        differ("two Hosts", Post::new("two Hosts").header("Host: elsewhere"), [Handled], [Http(400)]),
        both(
            "an unsigned request",
            Post::new("an unsigned request")
                .edit("x-twenty-webhook-signature", b"x-a")
                .edit("x-twenty-webhook-timestamp", b"x-b"),
            [Rejected(401, "unsigned")],
        ),
    ]
}
