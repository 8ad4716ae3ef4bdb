use anyhow::Context;
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, header};
use twenty_webhook_axum::{Signer, UnixMillis};
use twenty_webhook_testing::EventBuilder;

use super::SendArgs;
use super::tamper::Tamper;
use crate::input;
use crate::moment::{self, Age};
use crate::saved::Saved;

/// How to make each request.
#[derive(Clone)]
pub(super) struct Recipe {
    source: Source,
    signer: Signer,
    age: Option<Age>,
    tamper: Option<Tamper>,
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
}

impl Recipe {
    pub(super) fn new(args: &SendArgs) -> anyhow::Result<Self> {
        let signer = Signer::new(args.secrets.one()?);
        let source = if let Some(path) = &args.file {
            let file = input::read(path)?;
            Source::Body(if Saved::is_one(&file) { Saved::read(&file)?.body } else { file })
        } else {
            let event = (*args.event).clone().target_url(args.url.as_str());
            Source::Sample(Box::new(match args.form {
                Some(form) => event.form(form),
                None => event,
            }))
        };
        Ok(Self { source, signer, age: args.age, tamper: args.tamper })
    }

    pub(super) fn make(&self) -> anyhow::Result<Signed> {
        let now = moment::now();
        let mut body = match &self.source {
            Source::Sample(sample) => fresh(sample, now)?,
            Source::Body(body) => body.clone(),
        };
        let sent_at = self.age.map_or(now, |age| age.before(now));
        let mut headers = self.signer.sign_at(&body, sent_at);
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        if let Some(tamper) = self.tamper {
            tamper.apply(&mut headers, &mut body);
        }
        Ok(Signed { headers, body })
    }
}

/// A body with new ids and dates each time, so that each is a new delivery.
fn fresh(sample: &EventBuilder, now: UnixMillis) -> anyhow::Result<Bytes> {
    let seed = getrandom::u64().context("the system has no randomness")?;
    Ok(sample.clone().seed(seed).at(now).try_build()?)
}
