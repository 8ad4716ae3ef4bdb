use base64::Engine;
use base64::alphabet::{STANDARD, URL_SAFE};
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

use super::SignatureMistake;
use crate::Signature;

/// A possible reading of a signature header, and the mistake in its form.
pub(super) type Reading = (Option<SignatureMistake>, Signature);

/// Every way to read a signature header.
pub(super) fn readings(text: &[u8]) -> Vec<Reading> {
    let text = text.trim_ascii();
    if let Some(signature) = Signature::from_hex(text) {
        let has_upper_case = text.iter().any(u8::is_ascii_uppercase);
        return vec![(has_upper_case.then_some(SignatureMistake::UpperCase), signature)];
    }
    let mut readings = Vec::new();
    let mut add = |mistake, text: &[u8]| {
        readings.extend(
            Signature::from_hex(text).or_else(|| from_base64(text)).map(|signature| (Some(mistake), signature)),
        );
    };
    add(SignatureMistake::Base64, text);
    for quote in [b'"', b'\''] {
        if let Some(inner) = text.strip_prefix(&[quote]).and_then(|text| text.strip_suffix(&[quote])) {
            add(SignatureMistake::Quoted, inner);
        }
    }
    let parts: Vec<&[u8]> =
        text.split(|byte| matches!(byte, b',' | b' ' | b';')).filter(|part| !part.is_empty()).collect();
    let are_several = parts.iter().filter(|part| Signature::from_hex(without_prefix(part)).is_some()).count() > 1;
    for part in parts {
        let mistake = if are_several { SignatureMistake::Several } else { SignatureMistake::Prefixed };
        let inner = without_prefix(part);
        if inner.len() < text.len() {
            add(mistake, inner);
        }
    }
    readings
}

/// The mistake in a signature that has no reading.
pub(super) fn unreadable(text: &[u8]) -> SignatureMistake {
    match text.len() {
        64 => SignatureMistake::NotHex,
        len => SignatureMistake::Length { len },
    }
}

/// `sha256=…`, `v1=…`, `sha256:…`. An `=` at the end of base64 does not end a prefix.
fn without_prefix(text: &[u8]) -> &[u8] {
    let end = text.len().saturating_sub(Signature::LEN);
    let prefix = text[..end].iter().rposition(|byte| matches!(byte, b'=' | b':'));
    prefix.map_or(text, |at| &text[at + 1..])
}

fn from_base64(text: &[u8]) -> Option<Signature> {
    let config = GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
    [STANDARD, URL_SAFE].iter().find_map(|alphabet| {
        let mut bytes = [0; Signature::LEN];
        let len = GeneralPurpose::new(alphabet, config).decode_slice(text, &mut bytes).ok()?;
        if len == Signature::LEN { Signature::from_hex(hex::encode(bytes).as_bytes()) } else { None }
    })
}
