//! Bodies that stall, end early, are too large, or have a content encoding.

use super::{Case, Handled, Http, INCOMPLETE, Rejected, TIMEOUT, TOO_LARGE, both};
use crate::sockets::wire::{Post, Step};

pub(super) fn cases() -> Vec<Case> {
    vec![
        both(
            "an unknown Transfer-Encoding",
            Post::new("an unknown Transfer-Encoding").framing("Transfer-Encoding: xchunked"),
            [Http(400)],
        ),
        both(
            "Transfer-Encoding: identity",
            Post::new("Transfer-Encoding: identity").framing("Transfer-Encoding: identity"),
            [Http(400)],
        ),
        both(
            "the body stalls half-way",
            {
                let post = Post::new("the body stalls half-way");
                [Step::Send([post.head(), post.sent[..10].to_vec()].concat())]
            },
            [TIMEOUT],
        ),
        both(
            "the body ends half-way",
            {
                let post = Post::new("the body ends half-way");
                [Step::Send([post.head(), post.sent[..10].to_vec()].concat()), Step::CloseHalf]
            },
            [INCOMPLETE],
        ),
        both(
            "one byte over the limit",
            {
                let post = Post::of(Vec::new()).framing(&format!("Content-Length: {}", 32 * 1024 * 1024 + 1));
                [Step::Send(post.head())]
            },
            [TOO_LARGE],
        ),
        both(
            "compressed before it was signed",
            {
                // "{}", compressed with gzip.
                let zipped = b"\x1f\x8b\x08\0\0\0\0\0\0\x03\xab\xae\x05\0\x43\xbf\xa6\xa3\x02\0\0\0";
                Post::of(zipped.to_vec()).header("Content-Encoding: gzip")
            },
            [Rejected(422, "not_an_event")],
        ),
        both("marked as compressed", Post::new("marked as compressed").header("Content-Encoding: gzip"), [Handled]),
        both("an empty body, signed", Post::of(Vec::new()), [Rejected(422, "not_an_event")]),
    ]
}
