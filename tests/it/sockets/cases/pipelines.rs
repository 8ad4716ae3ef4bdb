//! Several requests on one connection, and `Expect: 100-continue`.

use super::{Case, Handled, Http, MISMATCH, Outcome, Rejected, Unanswered, both, differ};
use crate::sockets::wire::{Post, Step, body};

const MALFORMED: Outcome = Rejected(401, "malformed_signature");

pub(super) fn cases() -> Vec<Case> {
    let then_good = |first: Post, name: &str| [first.keep_alive().bytes(), Post::new(name).bytes()].concat();
    let malformed = |post: Post| post.edit("signature: ", b"signature: x");
    vec![
        both(
            "two good ones",
            then_good(Post::of([b" ", body("two good ones").as_slice()].concat()), "two good ones"),
            [Handled, Handled],
        ),
        both("forged, then good", then_good(Post::new("-").forged(), "forged, then good"), [MISMATCH, Handled]),
        // actix sends no more answers after it rejected an unread body. But it may already have answered the next request.
        differ(
            "malformed, then good",
            then_good(malformed(Post::new("-")), "malformed, then good"),
            [MALFORMED, Handled],
            [MALFORMED, Unanswered],
        ),
        both(
            "a good one in the body of a malformed one",
            malformed(Post::of(Post::new("a good one in the body of a malformed one").bytes())).keep_alive().bytes(),
            [MALFORMED],
        ),
        both(
            "a good one in the body of a forged one",
            Post::of(Post::new("a good one in the body of a forged one").bytes()).forged().keep_alive(),
            [MISMATCH],
        ),
        both(
            "Expect: 100-continue",
            {
                let post = Post::new("Expect: 100-continue").header("Expect: 100-continue");
                [Step::Send(post.head()), Step::Await("100 Continue"), Step::Send(post.sent)]
            },
            [Http(100), Handled],
        ),
        // actix sends a 100 for every such request, even if it then does not read the body.
        differ(
            "Expect: 100-continue, malformed",
            [Step::Send(malformed(Post::new("-")).header("Expect: 100-continue").head())],
            [MALFORMED],
            [Http(100), MALFORMED],
        ),
        both("another expectation", Post::new("another expectation").header("Expect: 200-maybe"), [Handled]),
    ]
}
