//! Chunked bodies: malformed, endless, and with extensions or trailers.

use super::{Case, Handled, Http, INCOMPLETE, Outcome, Rejected, TIMEOUT, TOO_LARGE, both, differ};
use crate::sockets::wire::{Post, Step, chunk};

pub(super) fn cases() -> Vec<Case> {
    vec![
        good("in two chunks", |body| [chunk(&body[..5]), chunk(&body[5..]), chunk(b"")].concat()),
        bad("a chunk with no number", INCOMPLETE, |body| [b"zz\r\n", body].concat()),
        bad("a chunk below zero", INCOMPLETE, |body| [b"-5\r\n", body].concat()),
        bad("a chunk of 2^64", INCOMPLETE, |body| [b"10000000000000000\r\n", body].concat()),
        bad("a chunk of 2^64 - 1", TIMEOUT, |body| [b"ffffffffffffffff\r\n", body].concat()),
        bad("a chunk longer than its length", INCOMPLETE, |body| {
            [format!("{:x}\r\n", body.len()).as_bytes(), body, b"XX0\r\n\r\n"].concat()
        }),
        bad("chunks without an end", TIMEOUT, chunk),
        both(
            "chunks that end early",
            [Step::Send(Post::new("chunks that end early").chunked(chunk).bytes()), Step::CloseHalf],
            [INCOMPLETE],
        ),
        // Over the limit of 32 MiB.
        bad("endless chunks", TOO_LARGE, |_| chunk(&[b'x'; 64 * 1024]).repeat(513)),
        both(
            "endless chunks after bad headers",
            Post::new("-")
                .chunked(|_| chunk(&[b'x'; 64 * 1024]).repeat(40))
                .edit("signature: ", b"signature: x")
                .keep_alive(),
            [Rejected(401, "malformed_signature")],
        ),
        good("a chunk with extensions", |body| {
            [format!("{:x};a=b;c=\"d\"\r\n", body.len()).as_bytes(), body, b"\r\n0\r\n\r\n"].concat()
        }),
        differ(
            "a chunk with 100 KB of extensions",
            Post::new("a chunk with 100 KB of extensions").chunked(|body| {
                let extension = "e".repeat(100_000);
                [format!("{:x};{extension}\r\n", body.len()).as_bytes(), body, b"\r\n0\r\n\r\n"].concat()
            }),
            [INCOMPLETE],
            [Handled],
        ),
        // Trailers are not signed, and are ignored.
        good("trailers", |body| {
            [chunk(body).as_slice(), b"0\r\nX-Twenty-Webhook-Signature: 00\r\nX-Twenty-Webhook-Timestamp: 0\r\n\r\n"]
                .concat()
        }),
        differ(
            "20,000 trailers",
            Post::new("20,000 trailers")
                .chunked(|body| [chunk(body).as_slice(), b"0\r\n", &b"A: b\r\n".repeat(20_000), b"\r\n"].concat()),
            [INCOMPLETE],
            [Handled],
        ),
        differ(
            "chunked twice",
            Post::new("chunked twice")
                .chunked(|body| [chunk(body), chunk(b"")].concat())
                .header("Transfer-Encoding: chunked"),
            [Handled],
            [Http(400)],
        ),
    ]
}

fn good(name: &'static str, encode: fn(&[u8]) -> Vec<u8>) -> Case {
    both(name, Post::new(name).chunked(encode), [Handled])
}

/// The client asks for keep-alive. The receiver must close the connection anyway.
fn bad(name: &'static str, outcome: Outcome, encode: fn(&[u8]) -> Vec<u8>) -> Case {
    both(name, Post::new(name).chunked(encode).keep_alive(), [outcome])
}
