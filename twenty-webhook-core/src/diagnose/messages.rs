//! The messages about each mistake.

use super::{BodyMistake, MessageMistake, SecretMistake, SignatureMistake, TimestampUnit};

impl SecretMistake {
    pub(super) fn code(self) -> &'static str {
        match self {
            Self::WhiteSpace => "secret_white_space",
            Self::Quotes => "secret_quotes",
            Self::Assignment => "secret_assignment",
            Self::HexDecoded => "secret_hex_decoded",
            Self::Base64Decoded => "secret_base64_decoded",
            Self::LetterCase => "secret_letter_case",
            Self::WhiteSpaceAtSender => "secret_white_space_at_sender",
            Self::QuotesAtSender => "secret_quotes_at_sender",
            Self::Empty => "secret_empty",
        }
    }

    pub(super) fn problem(self) -> &'static str {
        match self {
            Self::WhiteSpace => {
                "the secret configured here has white space around it. Without the white space, the signature is right"
            }
            Self::Quotes => {
                "the secret configured here has quotes around it. Without the quotes, the signature is right"
            }
            Self::Assignment => {
                "the secret configured here is an assignment, NAME=secret. With only the part after the `=`, the signature is right"
            }
            Self::HexDecoded => "the sender decoded the secret as hex and used the bytes as the key, not the text",
            Self::Base64Decoded => {
                "the sender decoded the secret as base64 and used the bytes as the key, not the text"
            }
            Self::LetterCase => "the secret configured here and the sender's differ in upper and lower case",
            Self::WhiteSpaceAtSender => {
                "the sender's secret has white space around it, perhaps a line end, and the one configured here has none"
            }
            Self::QuotesAtSender => "the sender's secret has quotes around it, and the one configured here has none",
            Self::Empty => "the sender signed with an empty secret",
        }
    }

    pub(super) fn fix(self) -> &'static str {
        match self {
            Self::WhiteSpace => "configure the secret without the white space before or after it",
            Self::Quotes => {
                "configure the secret without the quotes; `docker --env-file` and Kubernetes, unlike a shell, keep them"
            }
            Self::Assignment => "configure only the secret, without NAME=",
            Self::HexDecoded | Self::Base64Decoded => {
                "use the secret's text as the HMAC key, exactly as Twenty shows it, without decoding it"
            }
            Self::LetterCase => "copy the secret from Twenty's settings again",
            Self::WhiteSpaceAtSender => {
                "enter the secret at the sender again, without it. In Twenty, that is in the webhook's settings"
            }
            Self::QuotesAtSender => {
                "enter the secret at the sender again, without them. In Twenty, that is in the webhook's settings"
            }
            Self::Empty => "set the sender's secret. Perhaps its environment variable is not set",
        }
    }
}

impl SignatureMistake {
    pub(super) fn code(self) -> &'static str {
        match self {
            Self::UpperCase => "signature_upper_case",
            Self::Base64 => "signature_base64",
            Self::Prefixed => "signature_prefixed",
            Self::Quoted => "signature_quoted",
            Self::Several => "signature_several",
            Self::Length { .. } => "signature_length",
            Self::NotHex => "signature_not_hex",
        }
    }

    pub(super) fn problem(self) -> String {
        match self {
            Self::UpperCase => "the signature is in upper case, and Twenty writes lower case".into(),
            Self::Base64 => "the signature is in base64".into(),
            Self::Prefixed => "the signature has a prefix, such as `sha256=` or `v1=`".into(),
            Self::Quoted => "the signature has quotes around it".into(),
            Self::Several => "there are several signatures in one header".into(),
            Self::Length { len: 40 } => "the signature has 40 characters, like one of SHA-1".into(),
            Self::Length { len: 96 } => "the signature has 96 characters, like one of SHA-384".into(),
            Self::Length { len: 128 } => "the signature has 128 characters, like one of SHA-512".into(),
            Self::Length { len } => format!("the signature has {len} characters, and should have 64"),
            Self::NotHex => "the signature has characters that are not hex digits".into(),
        }
    }

    pub(super) fn fix(self) -> &'static str {
        match self {
            Self::UpperCase => "this library accepts it. Write it in lower case for receivers that do not",
            Self::Several => {
                "make sure that no proxy joins repeated headers, and that the signature is added only once"
            }
            Self::Base64 | Self::Prefixed | Self::Quoted | Self::Length { .. } | Self::NotHex => {
                "send the HMAC-SHA256 as 64 lower-case hex digits, with nothing around them"
            }
        }
    }
}

impl TimestampUnit {
    pub(super) fn code(self) -> &'static str {
        match self {
            Self::Seconds => "timestamp_in_seconds",
            Self::Microseconds => "timestamp_in_microseconds",
            Self::Nanoseconds => "timestamp_in_nanoseconds",
            Self::Date => "timestamp_is_a_date",
        }
    }

    pub(super) fn problem(self) -> &'static str {
        match self {
            Self::Seconds => "the timestamp is in seconds",
            Self::Microseconds => "the timestamp is in microseconds",
            Self::Nanoseconds => "the timestamp is in nanoseconds",
            Self::Date => "the timestamp is a date, not a number",
        }
    }
}

impl MessageMistake {
    pub(super) fn code(self) -> &'static str {
        match self {
            Self::WithoutTimestamp => "signed_without_timestamp",
            Self::Separator(_) => "signed_with_other_separator",
            Self::SignedSeconds => "signed_seconds",
            Self::SignedMilliseconds => "signed_milliseconds",
        }
    }

    pub(super) fn problem(self) -> String {
        match self {
            Self::WithoutTimestamp => "the body was signed without the timestamp".into(),
            Self::Separator("") => "the timestamp and the body were signed with nothing between them".into(),
            Self::Separator(text) => format!("the timestamp and the body were signed with `{text}` between them"),
            Self::SignedSeconds => "the timestamp was signed in seconds, and sent in milliseconds".into(),
            Self::SignedMilliseconds => "the timestamp was signed in milliseconds, and sent in seconds".into(),
        }
    }
}

impl BodyMistake {
    pub(super) fn code(self) -> &'static str {
        match self {
            Self::Reserialized(_) => "body_reserialized",
            Self::LineEndLost => "body_line_end_lost",
            Self::LineEndAdded => "body_line_end_added",
            Self::LineEndsChanged => "body_line_ends_changed",
            Self::Transcoded => "body_transcoded",
            Self::ByteOrderMark => "body_byte_order_mark",
            Self::StringifiedTwice => "body_stringified_twice",
            Self::ArrivedStringified => "body_arrived_stringified",
            Self::Empty => "body_not_signed",
        }
    }

    pub(super) fn problem(self) -> String {
        match self {
            Self::Reserialized(style) => {
                format!("the JSON was rewritten after it was signed: the signature is of {style}")
            }
            Self::LineEndLost => "the signed body ends with a line end that did not arrive".into(),
            Self::LineEndAdded => {
                "white space, perhaps a line end, was added around the body after it was signed".into()
            }
            Self::LineEndsChanged => "the body's line ends were changed after it was signed".into(),
            Self::Transcoded => "the body was UTF-8 when it was signed, and was converted to Latin-1 on the way".into(),
            Self::ByteOrderMark => "a byte order mark was added or removed after the body was signed".into(),
            Self::StringifiedTwice => {
                "the signature is of the body stringified twice, as in the sample of Twenty's docs".into()
            }
            Self::ArrivedStringified => "the body that arrived is a JSON string that contains the signed body".into(),
            Self::Empty => "the signature is of an empty body".into(),
        }
    }

    pub(super) fn fix(self) -> &'static str {
        match self {
            Self::Reserialized(_) | Self::ByteOrderMark | Self::Transcoded => {
                "verify the raw bytes, before a parser, a proxy or a JSON middleware changes them. A sender must write the JSON once, sign \
                 it, and send the same bytes"
            }
            Self::LineEndLost | Self::LineEndsChanged => {
                "sign and send the same bytes: with curl, `--data-binary @FILE`, because `-d @FILE` removes line ends"
            }
            Self::LineEndAdded => {
                "sign and send the same bytes. Editors add a line end to a file, and `echo` adds one to its output, but `printf %s` does not"
            }
            Self::StringifiedTwice => "call JSON.stringify once and sign what you send, as Twenty does",
            Self::ArrivedStringified => "send the text itself. Something on the way stringifies it once more",
            Self::Empty => "sign the body that you send. Perhaps it was not read yet when it was signed",
        }
    }
}
