//! What the log must contain, and what it must not.

use std::cell::RefCell;
use std::io;
use std::sync::Once;

use bytes::Bytes;
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::fmt::format::FmtSpan;
use twenty_webhook_core::{Secret, Signer};

use crate::receivers::{IN_MEMORY, STREAMING, counted, verifier};
use crate::samples::{NOW, pairs, signed};
use crate::vectors::{Case, Expect};

const SECRET: &str = "canary-of-the-secret";
const BODY: &str = r#"{"eventName":"person.created","targetUrl":"https://canary-of-the-target.test",
    "record":{"id":"6b1f20a4","name":{"firstName":"canary-of-the-record"},"canary-of-a-key":1},
    "unknown":"canary-of-an-extra"}"#;
const METADATA: &str = r#"{"eventName":"metadata.webhook.created","event":{"type":"created","metadataName":"webhook",
    "recordId":"w1","properties":{"after":{"secret":"canary-of-another-webhooks-secret"}}}}"#;

#[actix_web::test]
async fn no_secret_no_payload_and_no_expected_signature_is_logged_by_any_receiver() {
    let log = Log::start();

    let signer = Signer::new(Secret::new(SECRET).unwrap());
    let good = |body: &str| Case {
        name: "canaries".into(),
        secret: SECRET.into(),
        now: NOW,
        headers: pairs(&signer.sign_at(body.as_bytes(), NOW)),
        body: body.to_owned().into(),
        expect: Expect::Event("person.created".into()),
    };
    let expected: Vec<String> = [BODY, METADATA].map(|body| good(body).header("signature").clone()).into();
    let change = |change: fn(&mut Case)| {
        let mut case = good(BODY);
        change(&mut case);
        case
    };
    let cases = [
        good(BODY),
        good(METADATA),
        good(r#"["canary-of-the-array"]"#),
        good(r#""canary-of-the-string""#),
        good(r#"{"canary-of-a-key":"canary-of-a-value"}"#),
        good("{canary-of-broken-json"),
        good("canary-of-no-json"),
        change(|case| case.headers.clear()),
        change(|case| *case.header("signature") = "canary-of-a-signature".into()),
        change(|case| *case.header("signature") = "0".repeat(64)),
        change(|case| *case.header("timestamp") = "canary-of-a-timestamp".into()),
        change(|case| *case.header("timestamp") = "1".into()),
        change(|case| *case.header("nonce") = "canary-of-a-nonce".into()),
        change(|case| case.body = Bytes::from_static(b"canary-of-a-changed-body")),
    ];
    let mut answers = Vec::new();
    for case in cases {
        for receiver in IN_MEMORY {
            answers.push((receiver.receive)(case.clone()).await);
        }
        for receiver in STREAMING {
            answers.push((receiver.receive)(case.clone(), counted([Ok(case.body.clone())]).0).await);
        }
    }
    let answers: Vec<_> = answers
        .iter()
        .map(|answer| (&answer.rejection, answer.handled.iter().map(|(event, _)| event).collect::<Vec<_>>()))
        .collect();
    let debug = format!("{answers:?} {signer:?} {:?} {:?}", Secret::new(SECRET), verifier(&good(BODY)));

    for (what, text) in [("the log", log.text()), ("Debug", debug)] {
        assert!(!text.contains("canary"), "{what}: {text}");
        for signature in &expected {
            assert!(!text.contains(signature.as_str()), "{what}: an expected signature: {text}");
        }
    }
    // The log is not empty, so the canaries would have been found.
    for line in [
        "Twenty webhook rejected: signature mismatch",
        "Twenty webhook rejected: unsigned delivery: does this webhook have a secret",
        "Twenty webhook rejected: stale timestamp",
        "Twenty webhook rejected, and Twenty will not resend it: signed, but not an event",
        "Twenty webhook verified",
    ] {
        assert!(log.text().contains(line), "{line}: {}", log.text());
    }
}

/// Text from outside cannot forge a line, send a terminal command or hide text, in any member of an event.
#[actix_web::test]
async fn every_text_from_a_payload_is_escaped_in_the_log() {
    const HOSTILE: [char; 12] = [
        '\n', '\r', '\u{1b}', '\0', '\u{7f}', '\u{85}', '\u{9b}', '\u{2028}', '\u{202e}', '\u{2066}', '\u{200f}',
        '\u{feff}',
    ];
    let log = Log::start();
    let hostile: String = HOSTILE.iter().flat_map(|char| ['x', *char]).collect();
    let body = serde_json::json!({
        "eventName": format!("per{hostile}son.crea{hostile}ted"),
        "objectMetadata": { "id": hostile, "nameSingular": format!("obj{hostile}") },
        "workspaceId": hostile, "webhookId": hostile, "userId": hostile, "targetUrl": hostile,
        "record": { "id": format!("id{hostile}"), "name": { "firstName": hostile }, hostile.clone(): hostile },
        "updatedFields": [hostile],
    });
    let case = signed(&body.to_string(), NOW);
    let mut debug = String::new();
    for receiver in IN_MEMORY {
        debug += &format!("{:?}", (receiver.receive)(case.clone()).await.handled);
    }
    for receiver in STREAMING {
        debug += &format!("{:?}", (receiver.receive)(case.clone(), counted([Ok(case.body.clone())]).0).await.handled);
    }
    // The log's own line ends are the only ones.
    let text = log.text();
    for char in HOSTILE.into_iter().filter(|char| *char != '\n') {
        assert!(!text.contains(char), "{}: {text}", char.escape_unicode());
    }
    let own_lines = text.lines().filter(|line| line.starts_with("20")).count();
    assert_eq!(text.lines().count(), own_lines, "a line was forged: {text}");
    for char in HOSTILE {
        assert!(!debug.contains(char), "{}: {debug}", char.escape_unicode());
    }
}

/// The log of this thread, from `start` on.
pub(crate) struct Log;

thread_local! {
    static LOGGED: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

impl Log {
    /// All tests share one subscriber: a scoped one misses events whose call site another thread registered first.
    pub(crate) fn start() -> Self {
        static SUBSCRIBER: Once = Once::new();
        SUBSCRIBER.call_once(|| {
            let format = tracing_subscriber::fmt().with_max_level(LevelFilter::TRACE).with_span_events(FmtSpan::FULL);
            format.with_ansi(false).with_writer(|| ThisThread).init();
        });
        LOGGED.take();
        Self
    }

    #[expect(clippy::unused_self, reason = "there is no text before `start`")]
    pub(crate) fn text(&self) -> String {
        LOGGED.with_borrow(|logged| String::from_utf8_lossy(logged).into_owned())
    }

    /// The lines of one target since the last call.
    pub(crate) fn take_lines_of(&self, target: &str) -> Vec<String> {
        let lines = self.lines_of(target);
        LOGGED.take();
        lines
    }

    /// The lines of one target.
    pub(crate) fn lines_of(&self, target: &str) -> Vec<String> {
        let target = format!(" {target}: ");
        self.text().lines().filter(|line| line.contains(&target)).map(str::to_owned).collect()
    }
}

struct ThisThread;

impl io::Write for ThisThread {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        LOGGED.with_borrow_mut(|logged| logged.extend_from_slice(bytes));
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
