/// What is wrong with the secret that a request was signed with, or with the one that is configured here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SecretMistake {
    /// The configured text has white space around it.
    WhiteSpace,
    /// The configured text has quotes around it.
    Quotes,
    /// The configured text is a whole line, `NAME=secret`.
    Assignment,
    /// The signer decoded the text as hex; its key is the text itself.
    HexDecoded,
    /// The signer decoded the text as base64.
    Base64Decoded,
    /// Capital letters here, small ones there.
    LetterCase,
    /// The signer's text has white space around it.
    WhiteSpaceAtSender,
    /// The signer's text has quotes around it.
    QuotesAtSender,
    /// The signer's secret is empty: an unset variable, say.
    Empty,
}

/// How a signature header is written that does not hold 64 lower-case hex digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SignatureMistake {
    /// In capital letters. It is accepted; but Twenty does not write it so.
    UpperCase,
    /// In base64.
    Base64,
    /// With something before it, as `sha256=`.
    Prefixed,
    /// With quotes around it.
    Quoted,
    /// Several in one header, as a proxy joins repeated ones.
    Several,
    /// Of some other length.
    Length {
        /// Its length in bytes.
        len: usize,
    },
    /// Of 64 characters, but not all of them are hex digits.
    NotHex,
}

/// The unit that a timestamp is in, where it should be milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TimestampUnit {
    /// As `date +%s` prints.
    Seconds,
    /// A thousandth of a millisecond.
    Microseconds,
    /// A millionth of a millisecond.
    Nanoseconds,
    /// Not a number of anything: a date in text.
    Date,
}

/// How the signed message was put together, where it should be timestamp, colon, body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum MessageMistake {
    /// The body alone.
    WithoutTimestamp,
    /// Something other than a colon between the two; perhaps nothing.
    Separator(&'static str),
    /// The timestamp in seconds, while the header has milliseconds.
    SignedSeconds,
    /// The timestamp in milliseconds, while the header has seconds.
    SignedMilliseconds,
}

/// How the body that was signed differs from the one that arrived.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum BodyMistake {
    /// The same JSON, written by another writer; in this style.
    Reserialized(&'static str),
    /// What was signed ends with a line end that did not arrive.
    LineEndLost,
    /// A line end, or white space, has been added around what was signed.
    LineEndAdded,
    /// It was UTF-8 when it was signed, and arrived as Latin-1.
    Transcoded,
    /// Line ends were changed between `\n` and `\r\n`, or taken out.
    LineEndsChanged,
    /// A byte order mark is on one side only.
    ByteOrderMark,
    /// The body, made a JSON string once more, was signed.
    StringifiedTwice,
    /// The body that arrived is a JSON string that holds the one that was signed.
    ArrivedStringified,
    /// Nothing was signed in its place.
    Empty,
}
