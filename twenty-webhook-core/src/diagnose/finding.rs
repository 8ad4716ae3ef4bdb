use std::fmt;
use std::time::Duration;

use super::{BodyMistake, MessageMistake, SecretMistake, SignatureMistake, TimestampUnit};
use crate::{NotAnEvent, SignedWith};

/// One thing that is wrong with a request: the [problem](Self::problem), and its [fix](Self::fix).
///
/// [`Secret`](Self::Secret), [`Message`](Self::Message) and [`Body`](Self::Body) are proven: with these mistakes corrected, the signature is
/// right. [Guesses](Self::is_guess) appear only if nothing is proven. All others were observed in the request. No finding contains or prints
/// a secret or an expected signature.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Finding {
    /// No signature and no timestamp.
    Unsigned,
    /// This header is missing.
    HeaderMissing(&'static str),
    /// This header is repeated.
    HeaderRepeated(&'static str),
    /// A header is missing, and these headers have similar names.
    HeaderMisnamed(Vec<String>),
    /// The timestamp is not in milliseconds.
    TimestampUnit(TimestampUnit),
    /// The timestamp is not a number.
    TimestampMalformed,
    /// The request was sent too long ago, or a clock is wrong.
    #[non_exhaustive]
    StaleTimestamp {
        /// The age of the request.
        age: Duration,
        /// The maximum age.
        tolerance: Duration,
    },
    /// The timestamp is in the future, or a clock is wrong.
    #[non_exhaustive]
    FutureTimestamp {
        /// How far the timestamp is ahead of the clock.
        ahead: Duration,
        /// How far it may be ahead.
        tolerance: Duration,
    },
    /// The signature has the wrong form.
    Signature(SignatureMistake),
    /// The request was signed with another of the configured secrets than the first.
    OtherSecret(SignedWith),
    /// The secret is wrong.
    Secret(SecretMistake),
    /// The signed message is wrong.
    Message(MessageMistake),
    /// The signed body differs from the one that arrived.
    Body(BodyMistake),
    /// The body is empty. Twenty's bodies never are.
    BodyEmpty,
    /// The body is incomplete JSON.
    BodyTruncated,
    /// The body is not JSON. Twenty's bodies always are.
    BodyNotJson,
    /// The body is not UTF-8. Twenty's bodies always are.
    BodyNotUtf8,
    /// The body has white space between its tokens. Twenty's bodies never do.
    BodySpaced,
    /// The body has escapes in its strings that Twenty does not write.
    BodyEscaped,
    /// The body has numbers in a form that Twenty does not write.
    BodyNumbers,
    /// The body's members are in alphabetical order. Those of Twenty's bodies never are.
    BodySorted,
    /// The body is over the limit.
    #[non_exhaustive]
    BodyTooLarge {
        /// Its length in bytes.
        len: usize,
        /// The limit in bytes.
        limit: usize,
    },
    /// The request is signed and within the tolerance, but its body is not an event.
    NotAnEvent(NotAnEvent),
    /// None of the known mistakes explains the signature.
    Unexplained,
    /// Twenty may have signed the request wrong.
    PossibleTwentyBug,
}

impl Finding {
    /// Whether this is only a guess at why the signature is wrong. What it says about the request is still true.
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
            Self::Unsigned => "the request is not signed: it has no X-Twenty-Webhook-* header".into(),
            Self::HeaderMissing(name) => format!("the header {name} is missing"),
            Self::HeaderRepeated(name) => format!("the header {name} is repeated"),
            Self::HeaderMisnamed(names) => {
                format!("some headers have names similar to the missing one: {}", names.join(", "))
            }
            Self::TimestampUnit(unit) => unit.problem().into(),
            Self::TimestampMalformed => "the timestamp is not a number".into(),
            Self::StaleTimestamp { age, tolerance } => {
                let hours = whole_hours(*age);
                format!(
                    "by its timestamp, the request was sent {} ago, and the tolerance is {}{hours}",
                    human(*age),
                    human(*tolerance)
                )
            }
            Self::FutureTimestamp { ahead, tolerance } => {
                let hours = whole_hours(*ahead);
                format!(
                    "the timestamp is {} ahead of this clock, and the tolerance is {}{hours}",
                    human(*ahead),
                    human(*tolerance)
                )
            }
            Self::Signature(mistake) => mistake.problem(),
            Self::OtherSecret(SignedWith::Current) => "the request was signed with the first secret".into(),
            Self::OtherSecret(SignedWith::Previous(index)) => {
                format!("the request was signed with number {} of the configured secrets, not with the first", index + 2)
            }
            Self::Secret(mistake) => mistake.problem().into(),
            Self::Message(mistake) => mistake.problem(),
            Self::Body(mistake) => mistake.problem(),
            Self::BodyEmpty => "the body is empty, and Twenty's never are".into(),
            Self::BodyTruncated => "the body is JSON that is cut off".into(),
            Self::BodyNotJson => "the body is not JSON, and Twenty's always are".into(),
            Self::BodyNotUtf8 => "the body is not UTF-8, and Twenty's always are".into(),
            Self::BodySpaced => "the body has white space between its tokens, and Twenty's never have".into(),
            Self::BodyEscaped => "strings in the body have escapes that Twenty does not write".into(),
            Self::BodyNumbers => "the body has numbers in a form that Twenty does not write, such as `1.0` or `1e21`".into(),
            Self::BodySorted => "the body's members are in alphabetical order, and those of Twenty's never are".into(),
            Self::BodyTooLarge { len, limit } => format!("the body has {len} bytes, and the limit is {limit}"),
            Self::NotAnEvent(why) => format!("the request is signed and within the tolerance, but its body is not an event: {why}"),
            Self::Unexplained => {
                "the signature was made with another secret, timestamp or body, and none of the known mistakes explains it"
                    .into()
            }
            Self::PossibleTwentyBug => {
                "if secret and body are right, perhaps Twenty signed the request wrong: if a record has a member named `__proto__`, \
                 `constructor` or `prototype`, Twenty signs the member and does not send it (seen in 0.42, 1.8 and 2.21)"
                    .into()
            }
        }
    }

    /// The fix.
    pub fn fix(&self) -> &'static str {
        match self {
            Self::Unsigned => {
                "give the webhook a secret in Twenty's settings: without one, Twenty signs nothing. If it has one, make sure that no \
                 proxy removes the headers, and that Twenty sent this request"
            }
            Self::HeaderMissing(_) => "send it as Twenty does, and make sure that no proxy removes it",
            Self::HeaderRepeated(_) => "make sure that no proxy or middleware adds it a second time",
            Self::HeaderMisnamed(_) => {
                "the names are X-Twenty-Webhook-Signature and X-Twenty-Webhook-Timestamp, with hyphens"
            }
            Self::TimestampUnit(_) | Self::TimestampMalformed => {
                "send Unix time in milliseconds, in digits only, like JavaScript's Date.now()"
            }
            Self::StaleTimestamp { .. } => {
                "synchronize the clocks of this machine and of the sender with NTP. If this is an old recording, or the request was \
                 delayed on the way, sign it again"
            }
            Self::FutureTimestamp { .. } => "synchronize the clocks of this machine and of the sender with NTP",
            Self::Signature(mistake) => mistake.fix(),
            Self::OtherSecret(_) => {
                "each webhook in Twenty has its own secret: configure the one of the webhook that sends to this address"
            }
            Self::Secret(mistake) => mistake.fix(),
            Self::Message(_) => {
                "sign the timestamp header's text, a colon, and the raw body, in this order, with nothing else"
            }
            Self::Body(mistake) => mistake.fix(),
            Self::BodyEmpty => {
                "verify the body before anything else reads it, and make sure that nothing redirects the POST: a redirect makes it a GET without a body"
            }
            Self::BodyTruncated => {
                "read the body to its end, and find what cuts it off: a limit of a proxy or a middleware, or a Content-Length that counts \
                 characters instead of bytes"
            }
            Self::BodyNotJson => {
                "make sure that Twenty sent this request, and verify the raw bytes, before a proxy or a middleware decodes or changes them"
            }
            Self::BodyNotUtf8 => {
                "something converted or compressed it: verify the raw bytes, before a parser or a proxy changes them"
            }
            Self::BodySpaced | Self::BodyEscaped | Self::BodyNumbers | Self::BodySorted => {
                "perhaps something rewrote the JSON: verify the raw bytes, before a parser or a proxy changes them. If nothing \
                 did, compare the secret with the one in the sender's settings"
            }
            Self::BodyTooLarge { .. } => "raise the limit with WebhookConfig::body_limit, if Twenty sent this",
            Self::NotAnEvent(_) => "send a body in one of Twenty's forms, for example a JSON object with `eventName`",
            Self::Unexplained => {
                "compare the secret with the one in Twenty's settings: each webhook has its own. If it is the right one, perhaps the \
                 body or the timestamp was changed on the way: verify the raw bytes, before a parser or a proxy changes them"
            }
            Self::PossibleTwentyBug => {
                "rename the field in Twenty, or remove the key from the JSON in its fields. No receiver can verify this delivery, so \
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

/// A clock that shows local time as UTC is wrong by whole hours, plus or minus the delay of the delivery.
fn whole_hours(offset: Duration) -> &'static str {
    const HOUR: u64 = 3600;
    let (hours, rest) = (offset.as_secs() / HOUR, offset.as_secs() % HOUR);
    let is_whole = rest <= 60 || rest >= HOUR - 60;
    if is_whole && (1..=14).contains(&(hours + u64::from(rest > HOUR / 2))) {
        ": whole hours, as if a clock showed local time as UTC"
    } else {
        ""
    }
}
