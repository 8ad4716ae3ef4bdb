//! Every mistake of `tests/vectors/mistakes.mjs` is found, and no secret is printed.

use std::fs;
use std::time::Duration;

use crate::vectors::Real;
use http::{HeaderMap, HeaderName, HeaderValue};
use serde::Deserialize;
use twenty_webhook_core::{Diagnosis, Finding, Secret, Signer, Tolerance, UnixMillis, Verifier, WebhookConfig};

#[derive(Deserialize)]
struct Mistake {
    name: String,
    secrets: Vec<String>,
    now: u64,
    headers: Vec<(String, String)>,
    body: String,
    /// Whether each character of the body is a byte.
    #[serde(default)]
    latin1: bool,
    findings: Vec<String>,
}

impl Mistake {
    fn body(&self) -> Vec<u8> {
        let latin1 = || self.body.chars().map(|char| u8::try_from(char).unwrap()).collect();
        if self.latin1 { latin1() } else { self.body.clone().into_bytes() }
    }

    fn all() -> Vec<Self> {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/vectors/mistakes.json");
        let all: Vec<Self> = serde_json::from_slice(&fs::read(path).unwrap()).unwrap();
        assert!(all.len() >= 110, "mistakes.json has all mistakes");
        all
    }

    fn headers(&self) -> HeaderMap {
        let pair = |(name, value): &(String, String)| {
            (HeaderName::try_from(name).unwrap(), HeaderValue::from_str(value).unwrap())
        };
        let mut headers = HeaderMap::new();
        self.headers.iter().map(pair).for_each(|(name, value)| {
            headers.append(name, value);
        });
        headers
    }

    fn verifier(&self) -> Verifier {
        let mut secrets = self.secrets.iter().map(|text| Secret::new(text).unwrap());
        let first = Verifier::new(secrets.next().unwrap());
        secrets.fold(first, Verifier::also_accept)
    }

    fn diagnose(&self) -> Diagnosis {
        self.verifier().diagnose_at(&self.headers(), self.body(), UnixMillis::from_millis(self.now))
    }
}

#[test]
fn every_mistake_is_found() {
    for mistake in Mistake::all() {
        let diagnosis = mistake.diagnose();
        let codes: Vec<_> = diagnosis.findings().iter().map(Finding::code).collect();
        assert_eq!(codes, mistake.findings, "{}: {diagnosis}", mistake.name);
    }
}

#[test]
fn a_guess_says_that_it_is_one_and_never_comes_with_a_proven_finding() {
    for mistake in Mistake::all() {
        let diagnosis = mistake.diagnose();
        let (guesses, others): (Vec<&Finding>, Vec<_>) =
            diagnosis.findings().iter().partition(|finding| finding.is_guess());
        for guess in &guesses {
            assert!(guess.to_string().contains("erhaps"), "{guess}");
        }
        let is_proven =
            |finding: &&Finding| matches!(finding, Finding::Secret(_) | Finding::Message(_) | Finding::Body(_));
        assert!(guesses.is_empty() || !others.iter().any(is_proven), "{}: {diagnosis}", mistake.name);
    }
}

/// A body that Twenty wrote must have none of the properties that, by the findings, Twenty's bodies never have.
#[test]
fn a_real_delivery_with_another_secret_has_no_finding_about_its_body() {
    for real in Real::all() {
        let codes: Vec<_> = real.diagnosed_with("another secret").findings().iter().map(Finding::code).collect();
        assert_eq!(codes, ["unexplained", "possible_twenty_bug"], "{}", real.name);
    }
}

#[test]
fn the_verdict_is_that_of_the_verifier() {
    for mistake in Mistake::all() {
        let now = UnixMillis::from_millis(mistake.now);
        let verified = mistake.verifier().verify_at(&mistake.headers(), mistake.body(), now);
        let verdict = verified.and_then(|delivery| delivery.into_event().map(|event| event.name().to_string()));
        let diagnosed = mistake.diagnose();
        let diagnosed = diagnosed.verdict().map(|event| event.name().to_string()).map_err(Clone::clone);
        assert_eq!(diagnosed, verdict, "{}", mistake.name);
    }
}

#[test]
fn a_rejected_request_has_a_finding() {
    for mistake in Mistake::all() {
        let diagnosis = mistake.diagnose();
        assert!(diagnosis.verdict().is_ok() || !diagnosis.findings().is_empty(), "{}", mistake.name);
    }
}

#[test]
fn neither_a_secret_nor_a_signature_nor_the_body_is_printed() {
    for mistake in Mistake::all() {
        let diagnosis = mistake.diagnose();
        let printed = format!("{diagnosis} {diagnosis:?} {:?}", mistake.verifier());
        for secret in &mistake.secrets {
            let secret = secret.trim_matches(|char: char| !char.is_ascii_alphanumeric());
            assert!(!printed.contains(secret), "{}: {printed}", mistake.name);
        }
        let timestamp = mistake.headers().get("x-twenty-webhook-timestamp").cloned();
        let sent_at = timestamp.and_then(|text| text.to_str().ok()?.parse().ok()).unwrap_or_default();
        let signer = Signer::new(Secret::new(&mistake.secrets[0]).unwrap());
        let expected = signer.sign_at(&mistake.body(), UnixMillis::from_millis(sent_at));
        assert!(
            !printed.contains(expected["x-twenty-webhook-signature"].to_str().unwrap()),
            "{}: {printed}",
            mistake.name
        );
        for canary in ["Zo", "O’Hara", "8661deff"] {
            assert!(!printed.contains(canary), "{}: {printed}", mistake.name);
        }
    }
}

#[test]
fn each_code_has_its_own_message() {
    let mut messages: Vec<(String, String)> = Vec::new();
    for mistake in Mistake::all() {
        for finding in mistake.diagnose().findings() {
            assert!(!finding.problem().is_empty() && !finding.fix().is_empty());
            assert!(finding.to_string().contains(finding.fix()));
            messages.push((finding.problem(), finding.code().to_owned()));
        }
    }
    messages.sort();
    messages.dedup();
    let mut problems: Vec<_> = messages.iter().map(|(problem, _)| problem).collect();
    problems.dedup();
    assert_eq!(problems.len(), messages.len(), "two codes have the same message: {messages:#?}");
}

#[test]
fn a_body_over_the_limit_is_found() {
    let secret = Secret::new("s3cret").unwrap();
    let body = format!(r#"{{"eventName":"person.created","pad":"{}"}}"#, "a".repeat(WebhookConfig::DEFAULT_BODY_LIMIT));
    let headers = Signer::new(secret.clone()).sign(body.as_bytes());
    let diagnosis = Verifier::new(secret).diagnose(&headers, body.clone());
    let [Finding::BodyTooLarge { len, limit, .. }] = diagnosis.findings() else { panic!("{diagnosis}") };
    assert_eq!((*len, *limit), (body.len(), WebhookConfig::DEFAULT_BODY_LIMIT));
}

#[test]
fn whole_hours_are_pointed_out() {
    let secret = Secret::new("s3cret").unwrap();
    let (sent_at, body) = (UnixMillis::from_millis(1_789_374_097_412), r#"{"eventName":"person.created"}"#);
    let headers = Signer::new(secret.clone()).sign_at(body.as_bytes(), sent_at);
    let off_by = |seconds: u64| {
        let now = UnixMillis::from_millis(sent_at.as_millis() + seconds * 1000);
        Verifier::new(secret.clone()).diagnose_at(&headers, body, now).to_string()
    };
    for hours in [3600, 2 * 3600 - 5, 14 * 3600 + 30] {
        assert!(off_by(hours).contains("local time as UTC"), "{hours}");
    }
    for others in [600, 5400, 20 * 3600] {
        assert!(!off_by(others).contains("local time as UTC"), "{others}");
    }
}

#[test]
fn any_bytes_can_be_diagnosed() {
    let verifier = Verifier::new(Secret::new("=\u{fe0f}' ").unwrap());
    let bodies: [&[u8]; 7] =
        [b"", b"\"", b"\xff\xfe", b"{\"a\":[{}, [ ] ,{}]}", b"\"\\ud83d\\\\\"", b"-0.0", b"[[[[[["];
    let signatures: [&[u8]; 8] = [b"", b"=", b"\xff\xff", b",,,,", b"\"", b"v1=", &[b'='; 300], &[b'0'; 64]];
    let timestamps: [&[u8]; 6] = [b"", b"\xff", b"-1", b".", b"18446744073709551615", b"99999999999"];
    for body in bodies {
        for signature in signatures {
            for timestamp in timestamps {
                let mut headers = HeaderMap::new();
                headers.insert("x-twenty-webhook-signature", HeaderValue::from_bytes(signature).unwrap());
                headers.insert("x-twenty-webhook-timestamp", HeaderValue::from_bytes(timestamp).unwrap());
                let diagnosis = verifier.diagnose(&headers, body);
                assert!(diagnosis.verdict().is_err() && !diagnosis.findings().is_empty());
            }
        }
    }
}

#[test]
fn the_tolerance_is_that_of_the_verifier() {
    let secret = Secret::new("s3cret").unwrap();
    let verifier = Verifier::new(secret.clone()).tolerance(Tolerance::both(Duration::from_secs(1)));
    let body = r#"{"eventName":"person.created"}"#;
    let headers = Signer::new(secret).sign_at(body.as_bytes(), UnixMillis::from_millis(1_789_374_097_412));
    let at = |millis| verifier.diagnose_at(&headers, body, UnixMillis::from_millis(millis)).findings().len();
    assert_eq!(at(1_789_374_098_412), 0);
    assert_eq!(at(1_789_374_099_412), 1);
}
