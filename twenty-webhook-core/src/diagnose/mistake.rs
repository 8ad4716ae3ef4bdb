/// A mistake in the secret of the sender or in the secret configured here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SecretMistake {
    /// The configured text has white space around it.
    WhiteSpace,
    /// The configured text has quotes around it.
    Quotes,
    /// The configured text is an assignment, `NAME=secret`.
    Assignment,
    /// The sender decoded the text as hex. The key must be the text itself.
    HexDecoded,
    /// The sender decoded the text as base64. The key must be the text itself.
    Base64Decoded,
    /// The two secrets differ in upper and lower case.
    LetterCase,
    /// The sender's text has white space around it.
    WhiteSpaceAtSender,
    /// The sender's text has quotes around it.
    QuotesAtSender,
    /// The sender's secret is empty, for example because a variable is not set.
    Empty,
}

/// A mistake in the form of a signature header, which should be 64 lower-case hex digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SignatureMistake {
    /// In upper case. It is accepted, but Twenty writes lower case.
    UpperCase,
    /// In base64.
    Base64,
    /// With a prefix, such as `sha256=`.
    Prefixed,
    /// With quotes around it.
    Quoted,
    /// Several signatures in one header: a proxy joins repeated headers like this.
    Several,
    /// Of another length.
    Length {
        /// Its length in bytes.
        len: usize,
    },
    /// 64 bytes, but not all of them are hex digits.
    NotHex,
}

/// The wrong unit of a timestamp, which should be in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TimestampUnit {
    /// Seconds, as `date +%s` prints.
    Seconds,
    /// Microseconds.
    Microseconds,
    /// Nanoseconds.
    Nanoseconds,
    /// A date as text, not a number.
    Date,
}

/// A mistake in the signed message, which should be the timestamp, a colon, and the body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum MessageMistake {
    /// The body alone.
    WithoutTimestamp,
    /// Another separator than a colon. It may be empty.
    Separator(&'static str),
    /// The timestamp was signed in seconds and sent in milliseconds.
    SignedSeconds,
    /// The timestamp was signed in milliseconds and sent in seconds.
    SignedMilliseconds,
}

/// The difference between the signed body and the one that arrived.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum BodyMistake {
    /// The same JSON, written by another JSON writer in this style.
    Reserialized(&'static str),
    /// The signed body ends with a line end that did not arrive.
    LineEndLost,
    /// A line end or other white space was added around the signed body.
    LineEndAdded,
    /// The body was signed as UTF-8 and arrived as Latin-1.
    Transcoded,
    /// Line ends were converted between `\n` and `\r\n`.
    LineEndsChanged,
    /// Only one of the two bodies has a byte order mark.
    ByteOrderMark,
    /// The signed body is the one that arrived, stringified once more.
    StringifiedTwice,
    /// The body that arrived is a JSON string that contains the signed body.
    ArrivedStringified,
    /// An empty body was signed.
    Empty,
}
