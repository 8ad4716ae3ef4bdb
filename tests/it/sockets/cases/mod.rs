//! What hostile and broken clients send, and the expected outcomes.

mod bodies;
mod chunks;
mod framing;
mod headers;
mod methods;
mod pipelines;
mod slow;

pub(super) use self::Outcome::{Handled, Http, Rejected, Unanswered};
use super::wire::{Post, Step};

pub(super) struct Case {
    /// Also the id of the record in its body.
    pub(super) name: &'static str,
    pub(super) steps: Vec<Step>,
    /// One outcome for each answer. The receiver then ends the connection.
    pub(super) axum: Vec<Outcome>,
    pub(super) actix: Vec<Outcome>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// 200, and the handler ran.
    Handled,
    /// The handler ran. The connection may end before its answer.
    Unanswered,
    /// The adapter rejected it: the status, and the code in the log.
    Rejected(u16, &'static str),
    /// The framework answered it before the adapter saw it, or with a 100.
    Http(u16),
}

impl Outcome {
    /// `lost`: whether the connection ends before an answer that may be lost.
    pub(super) fn status(self, lost: bool) -> Option<u16> {
        match self {
            Handled => Some(200),
            Unanswered => (!lost).then_some(200),
            Rejected(status, _) | Http(status) => Some(status),
        }
    }
}

pub(super) const TIMEOUT: Outcome = Rejected(408, "body_timeout");
pub(super) const INCOMPLETE: Outcome = Rejected(400, "body_incomplete");
pub(super) const TOO_LARGE: Outcome = Rejected(413, "body_too_large");
pub(super) const MISMATCH: Outcome = Rejected(401, "signature_mismatch");

pub(super) fn all() -> Vec<Case> {
    [
        framing::cases(),
        bodies::cases(),
        chunks::cases(),
        headers::cases(),
        methods::cases(),
        pipelines::cases(),
        slow::cases(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// A case with the same outcomes in both frameworks.
fn both<const N: usize>(name: &'static str, steps: impl Into<Steps>, outcomes: [Outcome; N]) -> Case {
    differ(name, steps, outcomes, outcomes)
}

fn differ<const N: usize, const M: usize>(
    name: &'static str,
    steps: impl Into<Steps>,
    axum: [Outcome; N],
    actix: [Outcome; M],
) -> Case {
    Case { name, steps: steps.into().0, axum: axum.into(), actix: actix.into() }
}

struct Steps(Vec<Step>);

impl From<Post> for Steps {
    fn from(post: Post) -> Self {
        Self(vec![Step::Send(post.bytes())])
    }
}

impl From<Vec<u8>> for Steps {
    fn from(bytes: Vec<u8>) -> Self {
        Self(vec![Step::Send(bytes)])
    }
}

impl<const N: usize> From<[Step; N]> for Steps {
    fn from(steps: [Step; N]) -> Self {
        Self(steps.into())
    }
}
