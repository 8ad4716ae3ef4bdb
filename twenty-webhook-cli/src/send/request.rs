use anyhow::Context;
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, header};
use twenty_webhook_axum::{Signer, UnixMillis};
use twenty_webhook_testing::EventBuilder;

use super::SendArgs;
use super::tamper::Tamper;
use crate::input;
use crate::saved::Saved;
use crate::time::{self, Age};

/// How to make each request.
#[derive(Clone)]
pub(super) struct RequestSource {
    source: Source,
    signer: Signer,
    age: Option<Age>,
    tamper: Option<Tamper>,
    file: Option<String>,
}

#[derive(Clone)]
enum Source {
    Sample(Box<EventBuilder>),
    Body(Bytes),
}

/// A request, signed, and tampered with if it is to be.
#[derive(Clone)]
pub(super) struct Signed {
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
    /// The name of the file in the directory that is sent.
    pub(super) file: Option<String>,
}

impl RequestSource {
    pub(super) fn new(args: &SendArgs) -> anyhow::Result<Self> {
        let signer = Signer::new(args.secrets.one()?);
        let source = match &args.file {
            Some(path) => Source::Body(Saved::body_of(input::read(path)?)?),
            None => Source::Sample(Box::new(args.sample.sample().target_url(args.url.as_str()))),
        };
        Ok(Self { source, signer, age: args.age, tamper: args.tamper, file: None })
    }

    /// The same, of the body in a file of a directory.
    pub(super) fn of_body(args: &SendArgs, body: Bytes, file: String) -> anyhow::Result<Self> {
        let signer = Signer::new(args.secrets.one()?);
        Ok(Self { source: Source::Body(body), signer, age: args.age, tamper: args.tamper, file: Some(file) })
    }

    pub(super) fn make(&self) -> anyhow::Result<Signed> {
        let now = time::now();
        let mut body = match &self.source {
            Source::Sample(sample) => new_body(sample, now)?,
            Source::Body(body) => body.clone(),
        };
        let sent_at = self.age.map_or(now, |age| age.before(now));
        let mut headers = self.signer.sign_at(&body, sent_at);
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        if let Some(tamper) = self.tamper {
            tamper.apply(&mut headers, &mut body);
        }
        Ok(Signed { headers, body, file: self.file.clone() })
    }
}

/// A body with new ids and dates each time, so that each is a new delivery.
pub(crate) fn new_body(sample: &EventBuilder, now: UnixMillis) -> anyhow::Result<Bytes> {
    let seed = getrandom::u64().context("the system has no randomness")?;
    Ok(sample.clone().seed(seed).at(now).try_build()?)
}
