use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::KeyInit;
use zeroize::Zeroizing;

use super::SecretMistake;
use crate::secret::HmacSha256;

/// A key that a sender may have used in place of the secret's text. It is made together with the `Secret`, which does not keep the text.
pub(crate) struct KeyVariant {
    pub(super) mistake: SecretMistake,
    pub(super) keyed: HmacSha256,
}

impl KeyVariant {
    pub(crate) fn all_of(text: &str) -> Arc<[Self]> {
        let mut variants = Vec::new();
        let mut add = |mistake, key: &[u8]| {
            if key != text.as_bytes() {
                let keyed = HmacSha256::new_from_slice(key).expect("HMAC takes a key of any length");
                variants.push(Self { mistake, keyed });
            }
        };
        let trimmed = text.trim();
        add(SecretMistake::WhiteSpace, trimmed.as_bytes());
        if let Some(inner) = unquoted(trimmed) {
            add(SecretMistake::Quotes, inner.as_bytes());
        }
        if let Some((_, value)) = trimmed.split_once('=') {
            let value = value.trim();
            add(SecretMistake::Assignment, unquoted(value).unwrap_or(value).as_bytes());
        }
        if let Ok(key) = hex::decode(trimmed).map(Zeroizing::new) {
            add(SecretMistake::HexDecoded, &key);
        }
        if let Some(key) = base64_decoded(trimmed) {
            add(SecretMistake::Base64Decoded, &key);
        }
        for other_case in [trimmed.to_lowercase(), trimmed.to_uppercase()].map(Zeroizing::new) {
            add(SecretMistake::LetterCase, other_case.as_bytes());
        }
        for (before, after) in [("", "\n"), ("", "\r\n"), ("", " "), (" ", "")] {
            add(SecretMistake::WhiteSpaceAtSender, Zeroizing::new(format!("{before}{text}{after}")).as_bytes());
        }
        for quote in ['"', '\''] {
            add(SecretMistake::QuotesAtSender, Zeroizing::new(format!("{quote}{text}{quote}")).as_bytes());
        }
        add(SecretMistake::Empty, b"");
        variants.into()
    }
}

fn unquoted(text: &str) -> Option<&str> {
    ['"', '\'', '`'].into_iter().find_map(|quote| text.strip_prefix(quote)?.strip_suffix(quote))
}

/// Decodes a secret like libraries for Standard Webhooks.
fn base64_decoded(text: &str) -> Option<Zeroizing<Vec<u8>>> {
    let text = text.strip_prefix("whsec_").unwrap_or(text);
    let mut key = Zeroizing::new(vec![0; text.len()]);
    let len = STANDARD.decode_slice(text, &mut key).ok()?;
    key.truncate(len);
    Some(key)
}
