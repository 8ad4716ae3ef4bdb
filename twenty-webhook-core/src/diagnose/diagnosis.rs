use std::fmt;

use bytes::Bytes;
use http::HeaderMap;

use super::headers::LooseHeaders;
use super::search::search;
use super::{Finding, body, signature_text, time};
use crate::{Delivery, Rejection, UnixMillis, Verifier, WebhookConfig, WebhookEvent};

/// The result of [`Verifier::diagnose`]: a verdict and findings.
#[derive(Clone, Debug)]
pub struct Diagnosis {
    verdict: Result<WebhookEvent, Rejection>,
    findings: Vec<Finding>,
}

impl Diagnosis {
    /// The event, if the request verifies and its body is an event.
    ///
    /// # Errors
    /// The reason for the rejection, as of [`Verifier::verify`] and [`Delivery::into_event`].
    pub fn verdict(&self) -> Result<&WebhookEvent, &Rejection> {
        self.verdict.as_ref()
    }

    /// The findings. For a request that verifies, they are about what other receivers may reject.
    pub fn findings(&self) -> &[Finding] {
        &self.findings
    }
}

/// One line for the verdict, and one for each finding.
impl fmt::Display for Diagnosis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.verdict {
            Ok(event) => write!(f, "verified: {}", event.name())?,
            Err(rejection) => write!(f, "rejected: {rejection}")?,
        }
        self.findings.iter().try_for_each(|finding| write!(f, "\n- {finding}"))
    }
}

impl Verifier {
    /// Verifies a request, and if it is rejected, says why, by trying common mistakes. *For tools and development*: it is much slower than
    /// [`verify`](Self::verify), so do not offer it to unauthenticated callers in production.
    ///
    /// A rejected request stays rejected, whatever the findings are.
    ///
    /// ```
    /// use twenty_webhook_core::{Finding, Secret, SecretMistake, Signer, Verifier};
    ///
    /// let body = r#"{"eventName":"person.created","record":{"id":"42"}}"#;
    /// let headers = Signer::new(Secret::new("s3cret")?).sign(body.as_bytes());
    ///
    /// let configured = Verifier::new(Secret::new("'s3cret'")?);
    /// let diagnosis = configured.diagnose(&headers, body);
    /// assert!(diagnosis.verdict().is_err());
    /// assert_eq!(diagnosis.findings(), [Finding::Secret(SecretMistake::Quotes)]);
    /// # Ok::<(), twenty_webhook_core::SecretError>(())
    /// ```
    pub fn diagnose(&self, headers: &HeaderMap, body: impl Into<Bytes>) -> Diagnosis {
        self.diagnose_at(headers, body, self.own_clock().now())
    }

    /// [`diagnose`](Self::diagnose), at a given time.
    pub fn diagnose_at(&self, headers: &HeaderMap, body: impl Into<Bytes>, now: UnixMillis) -> Diagnosis {
        let body = body.into();
        let verdict = self.verify_at(headers, body.clone(), now).and_then(Delivery::into_event);
        let findings = self.findings(headers, &body, now, &verdict);
        Diagnosis { verdict, findings }
    }

    fn findings(
        &self,
        headers: &HeaderMap,
        body: &Bytes,
        now: UnixMillis,
        verdict: &Result<WebhookEvent, Rejection>,
    ) -> Vec<Finding> {
        let mut findings = Vec::new();
        let loose = LooseHeaders::read(headers, &mut findings);
        if let Some(text) = loose.timestamp {
            findings.extend(time::check(text, now, self.tolerated()));
        }
        let limit = WebhookConfig::DEFAULT_BODY_LIMIT;
        if body.len() > limit {
            findings.push(Finding::BodyTooLarge { len: body.len(), limit });
        }
        let mut readings = Vec::new();
        for text in &loose.signatures {
            let read = signature_text::readings(text);
            if read.is_empty() {
                findings.push(Finding::Signature(signature_text::unreadable(text)));
            }
            readings.extend(read);
        }
        if let Some(explanation) = search(self, &readings, loose.timestamp, body) {
            findings.extend(explanation);
        } else {
            // The form of the signature is certain, even if nothing is proven.
            let form = readings.first().and_then(|(mistake, _)| *mistake);
            findings.extend(form.map(Finding::Signature));
            // Without both headers, another secret or body would explain nothing.
            if !readings.is_empty() && loose.timestamp.is_some() {
                findings.extend(guesses(body));
            }
        }
        if let Err(Rejection::NotAnEvent(why)) = verdict {
            findings.push(Finding::NotAnEvent(why.clone()));
        }
        findings
    }
}

/// Possible causes, for when nothing is proven.
fn guesses(body: &Bytes) -> Vec<Finding> {
    let hints = body::hints(body);
    match hints.is_empty() {
        true if body::looks_like_twentys(body) => vec![Finding::Unexplained, Finding::PossibleTwentyBug],
        true => vec![Finding::Unexplained],
        false => hints,
    }
}
