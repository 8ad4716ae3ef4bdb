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
            Self::WhiteSpace => "the secret configured here has white space around it; without, the signature is right",
            Self::Quotes => "the secret configured here has quotes around it; without, the signature is right",
            Self::Assignment => {
                "the secret configured here is a whole line, NAME=secret; with what follows the `=` alone, the signature is right"
            }
            Self::HexDecoded => "the sender has decoded the secret as hex; its key is the bytes, not the text",
            Self::Base64Decoded => "the sender has decoded the secret as base64; its key is the bytes, not the text",
            Self::LetterCase => "the secret configured here and the sender's differ in capital and small letters",
            Self::WhiteSpaceAtSender => {
                "the sender's secret has white space around it (a line end, perhaps), and the one here has not"
            }
            Self::QuotesAtSender => "the sender's secret has quotes around it, and the one here has not",
            Self::Empty => "the sender has signed with an empty secret",
        }
    }

    pub(super) fn fix(self) -> &'static str {
        match self {
            Self::WhiteSpace => "configure the secret without the white space before or after it",
            Self::Quotes => {
                "configure the secret without the quotes; `docker --env-file` and Kubernetes, unlike a shell, keep them"
            }
            Self::Assignment => "put the secret alone into the file",
            Self::HexDecoded | Self::Base64Decoded => {
                "key the HMAC with the secret's text as it is shown, decoding nothing"
            }
            Self::LetterCase => "copy the secret from Twenty's settings once more",
            Self::WhiteSpaceAtSender | Self::QuotesAtSender => {
                "enter the secret at the sender once more, without them; in Twenty, in the webhook's settings"
            }
            Self::Empty => "set the sender's secret; is its variable unset?",
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
            Self::UpperCase => "the signature is in capital letters, which Twenty does not write".into(),
            Self::Base64 => "the signature is in base64".into(),
            Self::Prefixed => "the signature has something before it, as `sha256=` or `v1=`".into(),
            Self::Quoted => "the signature has quotes around it".into(),
            Self::Several => "there are several signatures in one header".into(),
            Self::Length { len: 40 } => "the signature has 40 characters, as of SHA-1".into(),
            Self::Length { len: 96 } => "the signature has 96 characters, as of SHA-384".into(),
            Self::Length { len: 128 } => "the signature has 128 characters, as of SHA-512".into(),
            Self::Length { len } => format!("the signature has {len} characters, and should have 64"),
            Self::NotHex => "the signature has characters that are not hex digits".into(),
        }
    }

    pub(super) fn fix(self) -> &'static str {
        match self {
            Self::UpperCase => "this library accepts it; write it in small letters for receivers that do not",
            Self::Several => "see that no proxy joins repeated headers, and that the signature is added once",
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
            Self::Date => "the timestamp is a date in text",
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
            Self::LineEndLost => "the signature is of the body with a line end after it, which did not arrive".into(),
            Self::LineEndAdded => {
                "white space has been added around the body since it was signed: a line end, perhaps".into()
            }
            Self::LineEndsChanged => "the body's line ends were changed after it was signed".into(),
            Self::Transcoded => "the body was UTF-8 when it was signed, and was converted to Latin-1 on the way".into(),
            Self::ByteOrderMark => "a byte order mark was added or taken away after the body was signed".into(),
            Self::StringifiedTwice => {
                "the signature is of the body stringified twice, as in the sample of Twenty's docs".into()
            }
            Self::ArrivedStringified => {
                "the body that arrived is a JSON string that holds the one that was signed".into()
            }
            Self::Empty => "the signature is of an empty body".into(),
        }
    }

    pub(super) fn fix(self) -> &'static str {
        match self {
            Self::Reserialized(_) | Self::ByteOrderMark | Self::Transcoded => {
                "verify the raw bytes, before a parser, a proxy or a JSON middleware touches them; a sender makes the text once, signs \
                 it, and sends that same text"
            }
            Self::LineEndLost | Self::LineEndsChanged => {
                "sign and send the same bytes: with curl, `--data-binary @FILE`, because `-d @FILE` takes line ends out"
            }
            Self::LineEndAdded => {
                "sign and send the same bytes: an editor adds a line end to a file, and `echo` to its output; `printf %s` does not"
            }
            Self::StringifiedTwice => "call JSON.stringify once, and sign what you send; Twenty itself does so",
            Self::ArrivedStringified => "send the text itself: something stringifies it once more on the way",
            Self::Empty => "sign the body that is sent; was it there when it was signed?",
        }
    }
}
