//! Requests that the tests sign themselves. The vectors in `tests/vectors` prove that we sign as Twenty does.

use http::HeaderMap;
use twenty_webhook_core::{Secret, Signer, UnixMillis};

use crate::vectors::{Case, Expect};

pub(crate) const SECRET: &str = "s3cret";
pub(crate) const BODY: &str = r#"{"eventName":"person.created","record":{"id":"p1"}}"#;
pub(crate) const NOW: UnixMillis = UnixMillis::from_millis(1_789_374_097_412);

pub(crate) fn secret() -> Secret {
    Secret::new(SECRET).unwrap()
}

/// A request with `body`, signed at `sent_at` and received in the same millisecond.
pub(crate) fn signed(body: &str, sent_at: UnixMillis) -> Case {
    Case {
        name: "signed by ourselves".into(),
        secret: SECRET.into(),
        now: sent_at,
        headers: pairs(&Signer::new(secret()).sign_at(body.as_bytes(), sent_at)),
        body: body.to_owned().into(),
        expect: Expect::Event("person.created".into()),
    }
}

pub(crate) fn pairs(headers: &HeaderMap) -> Vec<(String, String)> {
    headers.iter().map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned())).collect()
}
