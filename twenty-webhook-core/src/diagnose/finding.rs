use std::fmt;
use std::time::Duration;

use super::{BodyMistake, MessageMistake, SecretMistake, SignatureMistake, TimestampUnit};
use crate::{NotAnEvent, SignedWith};

/// One thing that is wrong with a request: the [problem](Self::problem), and its [fix](Self::fix).
///
/// [`Secret`](Self::Secret), [`Message`](Self::Message) and [`Body`](Self::Body) are proven: the signature is right once that one thing is
/// taken into account. Others were plainly seen. Those that [are a guess](Self::is_guess) come only where nothing is proven. None of them,
/// and nothing that they print, holds a secret or an expected signature.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Finding {
    /// No signature and no timestamp.
    Unsigned,
    /// This header is missing.
    HeaderMissing(&'static str),
    /// This header is there more than once.
    HeaderRepeated(&'static str),
    /// A header is missing, and these have names like it.
    HeaderMisnamed(Vec<String>),
    /// The timestamp is not in milliseconds.
    TimestampUnit(TimestampUnit),
    /// The timestamp is not a number.
    TimestampMalformed,
    /// It was sent too long ago, or a clock is off by that much.
    #[non_exhaustive]
    StaleTimestamp {
        /// How old it is.
        age: Duration,
        /// How old it may be.
        tolerance: Duration,
    },
    /// It comes from the future, or a clock is off by that much.
    #[non_exhaustive]
    FutureTimestamp {
        /// How far ahead it is.
        ahead: Duration,
        /// How far ahead it may be.
        tolerance: Duration,
    },
    /// How the signature is written.
    Signature(SignatureMistake),
    /// It was not the first secret that signed it, but this one.
    OtherSecret(SignedWith),
    /// What is wrong with the secret.
    Secret(SecretMistake),
    /// How the signed message was put together.
    Message(MessageMistake),
    /// How the signed body differs from the one that arrived.
    Body(BodyMistake),
    /// The body is empty, which Twenty's never is.
    BodyEmpty,
    /// The body is the beginning of JSON.
    BodyTruncated,
    /// The body is not JSON, which Twenty's always is.
    BodyNotJson,
    /// The body is not UTF-8, which Twenty's always is.
    BodyNotUtf8,
    /// The body has white space between its parts, which Twenty's never has.
    BodySpaced,
    /// The body has escapes in its texts that Twenty's never has.
    BodyEscaped,
    /// The body has numbers in a form that Twenty's never has.
    BodyNumbers,
    /// The body's members are in alphabetical order, which Twenty's never are.
    BodySorted,
    /// The body is over the limit.
    #[non_exhaustive]
    BodyTooLarge {
        /// Its length in bytes.
        len: usize,
        /// The limit in bytes.
        limit: usize,
    },
    /// It is signed and fresh, but no event.
    NotAnEvent(NotAnEvent),
    /// No mistake that was tried leads to this signature.
    Unexplained,
    /// Twenty may have signed it wrong.
    PossibleTwentyBug,
}

impl Finding {
    /// Whether it is only a guess at why the signature is wrong. What it says of the request itself is true all the same.
    pub fn is_guess(&self) -> bool {
        matches!(
            self,
            Self::BodySpaced
                | Self::BodyEscaped
                | Self::BodyNumbers
                | Self::BodySorted
                | Self::Unexplained
                | Self::PossibleTwentyBug
        )
    }

    /// A stable name, for programs.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Unsigned => "unsigned",
            Self::HeaderMissing(_) => "header_missing",
            Self::HeaderRepeated(_) => "header_repeated",
            Self::HeaderMisnamed(_) => "header_misnamed",
            Self::TimestampUnit(unit) => unit.code(),
            Self::TimestampMalformed => "timestamp_malformed",
            Self::StaleTimestamp { .. } => "stale_timestamp",
            Self::FutureTimestamp { .. } => "future_timestamp",
            Self::Signature(mistake) => mistake.code(),
            Self::OtherSecret(_) => "other_secret",
            Self::Secret(mistake) => mistake.code(),
            Self::Message(mistake) => mistake.code(),
            Self::Body(mistake) => mistake.code(),
            Self::BodyEmpty => "body_empty",
            Self::BodyTruncated => "body_truncated",
            Self::BodyNotJson => "body_not_json",
            Self::BodyNotUtf8 => "body_not_utf8",
            Self::BodySpaced => "body_spaced",
            Self::BodyEscaped => "body_escaped",
            Self::BodyNumbers => "body_numbers",
            Self::BodySorted => "body_sorted",
            Self::BodyTooLarge { .. } => "body_too_large",
            Self::NotAnEvent(_) => "not_an_event",
            Self::Unexplained => "unexplained",
            Self::PossibleTwentyBug => "possible_twenty_bug",
        }
    }

    /// The problem.
    pub fn problem(&self) -> String {
        match self {
            Self::Unsigned => "there is no X-Twenty-Webhook-* header: it is not signed".into(),
            Self::HeaderMissing(name) => format!("the header {name} is missing"),
            Self::HeaderRepeated(name) => format!("the header {name} is there more than once"),
            Self::HeaderMisnamed(names) => {
                format!("there are headers with names like the missing one: {}", names.join(", "))
            }
            Self::TimestampUnit(unit) => unit.problem().into(),
            Self::TimestampMalformed => "the timestamp is not a number".into(),
            Self::StaleTimestamp { age, tolerance } => {
                let hours = whole_hours(*age);
                format!(
                    "by its timestamp it was sent {} ago, and the tolerance is {}{hours}",
                    human(*age),
                    human(*tolerance)
                )
            }
            Self::FutureTimestamp { ahead, tolerance } => {
                let hours = whole_hours(*ahead);
                format!(
                    "its timestamp is {} ahead of this clock, and the tolerance is {}{hours}",
                    human(*ahead),
                    human(*tolerance)
                )
            }
            Self::Signature(mistake) => mistake.problem(),
            Self::OtherSecret(SignedWith::Current) => "it was signed with the first secret".into(),
            Self::OtherSecret(SignedWith::Previous(index)) => {
                format!("it was not signed with the first secret, but with number {} of those given", index + 2)
            }
            Self::Secret(mistake) => mistake.problem().into(),
            Self::Message(mistake) => mistake.problem(),
            Self::Body(mistake) => mistake.problem(),
            Self::BodyEmpty => "the body is empty, which Twenty's never is".into(),
            Self::BodyTruncated => "the body is JSON that breaks off before its end".into(),
            Self::BodyNotJson => "the body is not JSON, which Twenty's always is".into(),
            Self::BodyNotUtf8 => "the body is not UTF-8, which Twenty's always is".into(),
            Self::BodySpaced => "the body has white space between its parts, which Twenty's never has".into(),
            Self::BodyEscaped => "texts in the body are escaped in a way that Twenty's are not".into(),
            Self::BodyNumbers => "the body has numbers in a form that Twenty's has not, as `1.0` or `1e21`".into(),
            Self::BodySorted => "the body's members are in alphabetical order, which Twenty's never are".into(),
            Self::BodyTooLarge { len, limit } => format!("the body has {len} bytes, and the limit is {limit}"),
            Self::NotAnEvent(why) => format!("it is signed and fresh, but not an event of Twenty's: {why}"),
            Self::Unexplained => {
                "the signature belongs to another secret, timestamp or body: neither these as they are, nor any mistake that was tried, \
                 leads to it"
                    .into()
            }
            Self::PossibleTwentyBug => {
                "if secret and body are right, Twenty has perhaps signed it wrong: where a record has a member named `__proto__`, \
                 `constructor` or `prototype`, Twenty signs it and leaves it out of the body (seen in 0.42, 1.8 and 2.21)"
                    .into()
            }
        }
    }

    /// The fix.
    pub fn fix(&self) -> &'static str {
        match self {
            Self::Unsigned => {
                "give the webhook a secret in Twenty's settings: without one Twenty signs nothing. If it has one, see that no proxy \
                 takes the headers away, and that what you have here was sent by Twenty"
            }
            Self::HeaderMissing(_) => "send it as Twenty does, and see that no proxy takes it away",
            Self::HeaderRepeated(_) => "see that no proxy or middleware adds it a second time",
            Self::HeaderMisnamed(_) => {
                "the names are X-Twenty-Webhook-Signature and X-Twenty-Webhook-Timestamp, with hyphens"
            }
            Self::TimestampUnit(_) | Self::TimestampMalformed => {
                "send Unix time in milliseconds, in digits alone, as JavaScript's Date.now() gives it"
            }
            Self::StaleTimestamp { .. } => {
                "set the clock of this machine, and of the sender's, by NTP. If it is an old recording, or was held up on the way, \
                 sign it again"
            }
            Self::FutureTimestamp { .. } => "set the clock of this machine, and of the sender's, by NTP",
            Self::Signature(mistake) => mistake.fix(),
            Self::OtherSecret(_) => {
                "each webhook in Twenty has its own secret: configure the one that signs what comes here"
            }
            Self::Secret(mistake) => mistake.fix(),
            Self::Message(_) => {
                "sign the timestamp header's text, a colon, and the raw body, in this order, with nothing else"
            }
            Self::Body(mistake) => mistake.fix(),
            Self::BodyEmpty => {
                "verify before anything else reads the body; see that nothing redirects the POST, which makes it a GET without body"
            }
            Self::BodyTruncated => {
                "read the body to its end, and see what cuts it off: a limit of a proxy or a middleware, or a Content-Length that counts \
                 characters where it should count bytes"
            }
            Self::BodyNotJson => {
                "see that this is Twenty's own request, and verify the raw bytes, before a proxy or a middleware decodes or changes them"
            }
            Self::BodyNotUtf8 => {
                "something has converted or compressed it: verify the raw bytes, before a parser or a proxy touches them"
            }
            Self::BodySpaced | Self::BodyEscaped | Self::BodyNumbers | Self::BodySorted => {
                "perhaps something has rewritten the JSON: verify the raw bytes, before a parser or a proxy touches them. If nothing \
                 has, compare the secret with the one in the sender's settings"
            }
            Self::BodyTooLarge { .. } => "raise the limit with WebhookConfig::body_limit, if this came from Twenty",
            Self::NotAnEvent(_) => "send a body in one of Twenty's forms: a JSON object with `eventName`, say",
            Self::Unexplained => {
                "compare the secret with the one in Twenty's settings: each webhook has its own. If it is the right one, perhaps the \
                 body or the timestamp was changed on the way: verify the raw bytes, before a parser or a proxy touches them"
            }
            Self::PossibleTwentyBug => {
                "rename such a field in Twenty, or take such a key out of the JSON in its fields. No receiver can verify this delivery: \
                 read the record through Twenty's API"
            }
        }
    }
}

/// The problem and the fix.
impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}. Fix: {}.", self.problem(), self.fix())
    }
}

fn human(time: Duration) -> String {
    let seconds = time.as_secs();
    match seconds {
        0..10 => format!("{:.1} s", time.as_secs_f64()),
        10..60 => format!("{seconds} s"),
        60..3600 if seconds.is_multiple_of(60) => format!("{} min", seconds / 60),
        60..3600 => format!("{} min {} s", seconds / 60, seconds % 60),
        3600..172_800 if seconds % 3600 < 60 => format!("{} h", seconds / 3600),
        3600..172_800 => format!("{} h {} min", seconds / 3600, seconds % 3600 / 60),
        _ => format!("{} days", seconds / 86_400),
    }
}

/// A clock that shows local time as UTC is off by whole hours, give or take the delivery's own delay.
fn whole_hours(off: Duration) -> &'static str {
    const HOUR: u64 = 3600;
    let (hours, rest) = (off.as_secs() / HOUR, off.as_secs() % HOUR);
    let near = rest <= 60 || rest >= HOUR - 60;
    if near && (1..=14).contains(&(hours + u64::from(rest > HOUR / 2))) {
        ": whole hours, as if a clock showed local time as UTC"
    } else {
        ""
    }
}
