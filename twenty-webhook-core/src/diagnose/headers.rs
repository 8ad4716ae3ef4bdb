use http::{HeaderMap, HeaderName};

use super::Finding;
use crate::{NONCE_HEADER, SIGNATURE_HEADER, TIMESTAMP_HEADER};

/// The signature headers as they were sent, even malformed or misnamed ones.
pub(super) struct LooseHeaders<'a> {
    pub(super) signatures: Vec<&'a [u8]>,
    pub(super) timestamp: Option<&'a [u8]>,
}

impl<'a> LooseHeaders<'a> {
    /// Reads the headers that exist, and adds findings about missing, repeated and misnamed ones.
    pub(super) fn read(headers: &'a HeaderMap, findings: &mut Vec<Finding>) -> Self {
        for name in [&SIGNATURE_HEADER, &TIMESTAMP_HEADER, &NONCE_HEADER] {
            if headers.get_all(name).iter().count() > 1 {
                findings.push(Finding::HeaderRepeated(name.as_str()));
            }
        }
        match (headers.contains_key(&SIGNATURE_HEADER), headers.contains_key(&TIMESTAMP_HEADER)) {
            (true, true) => {}
            (false, false) => findings.push(Finding::Unsigned),
            (false, true) => findings.push(Finding::HeaderMissing(SIGNATURE_HEADER.as_str())),
            (true, false) => findings.push(Finding::HeaderMissing(TIMESTAMP_HEADER.as_str())),
        }
        let mut misnamed = Vec::new();
        let signatures = find(headers, &SIGNATURE_HEADER, "signature", &mut misnamed);
        let timestamp = find(headers, &TIMESTAMP_HEADER, "timestamp", &mut misnamed).first().copied();
        if !misnamed.is_empty() {
            findings.push(Finding::HeaderMisnamed(misnamed));
        }
        Self { signatures, timestamp }
    }
}

/// The values of `name`; if there are none, those of headers with `word` in their name.
fn find<'a>(headers: &'a HeaderMap, name: &HeaderName, word: &str, misnamed: &mut Vec<String>) -> Vec<&'a [u8]> {
    let values = |name| headers.get_all(name).iter().map(http::HeaderValue::as_bytes);
    if headers.contains_key(name) {
        return values(name).collect();
    }
    let similar: Vec<&HeaderName> = headers.keys().filter(|name| name.as_str().contains(word)).take(3).collect();
    misnamed.extend(similar.iter().map(|name| name.as_str().chars().take(64).collect::<String>()));
    similar.into_iter().flat_map(values).collect()
}
