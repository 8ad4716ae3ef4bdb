use std::pin::Pin;
use std::time::Duration;

use bytes::Bytes;
use futures_core::Stream;

use super::deadline::within;
use super::exchange::Exchange;
use super::{RejectedRequest, VerifiedRequest, body};
use crate::verifiers::{Lookup, LookupKey, Verifiers};
use crate::{BodyError, Rejection, RequestHead, SourceError, Target, Tolerance, Verifier, WebhookConfig, WebhookEvent};

/// Headers of this age are refused before a source is asked, whatever tolerance the verifier has that it would find.
const COARSE_TOLERANCE: Tolerance = Tolerance::both(Duration::from_secs(24 * 60 * 60));

impl WebhookConfig {
    /// Takes a request up to a verified event: judges its head, chooses the verifier, reads its body within limit, budget and deadline, and
    /// compares the signature. This is what an adapter calls; what it gets back it [claims](VerifiedRequest::claim), and then calls the handler.
    ///
    /// `announced` is the length of the body in bytes, if the sender or the framework says one. `body` is the body as it was on the wire,
    /// still compressed if it was. `timer` makes a future that is done after a time.
    ///
    /// Twenty hangs up after 5 seconds, and most frameworks then drop the future that serves the request. So from the claim on, run the work in a
    /// task that outlives the connection, as here:
    ///
    /// ```
    /// use std::pin::pin;
    /// use bytes::Bytes;
    /// use twenty_webhook_core::{BodyError, HttpHead, RejectedRequest, WebhookConfig, WebhookEvent};
    /// # async fn handle(event: WebhookEvent) -> http::StatusCode { http::StatusCode::NO_CONTENT }
    ///
    /// /// An adapter for requests whose body is in memory already.
    /// async fn receive(config: &WebhookConfig, request: http::Request<Bytes>) -> Result<http::StatusCode, RejectedRequest> {
    ///     let body = pin!(futures_util::stream::iter([Ok::<_, BodyError>(request.body().clone())]));
    ///     let received = config.receive(&HttpHead::of(&request), None, body, tokio::time::sleep).await?;
    ///     let work = async move {
    ///         let event = received.event().clone();
    ///         let admission = received.claim(None).await?;
    ///         let status = handle(event).await;
    ///         admission.finish(status).await;
    ///         Ok(status)
    ///     };
    ///     tokio::spawn(work).await.unwrap_or(Ok(http::StatusCode::INTERNAL_SERVER_ERROR))
    /// }
    /// ```
    ///
    /// # Errors
    /// Refuses what was not sent by Twenty, now, and whole. The refusal is in the log already.
    pub async fn receive<S, T>(
        &self,
        head: &(impl RequestHead + Sync),
        announced: Option<u64>,
        mut body: Pin<&mut S>,
        timer: impl Fn(Duration) -> T,
    ) -> Result<VerifiedRequest, RejectedRequest>
    where
        S: Stream<Item = Result<Bytes, BodyError>>,
        T: Future<Output = ()>,
    {
        let mut exchange = Exchange::begin(self, head.path());
        match self.verify(head, announced, body.as_mut(), &timer, &mut exchange).await {
            Ok(event) => Ok(VerifiedRequest::new(exchange, event)),
            Err(rejection) => {
                #[cfg(feature = "diagnose")]
                let evidence = super::evidence::gather(self, head, body, &timer, &mut exchange, &rejection).await;
                let refusal = exchange.refuse(rejection);
                #[cfg(feature = "diagnose")]
                let refusal = refusal.with_evidence(evidence);
                Err(refusal)
            }
        }
    }

    async fn verify<S, T>(
        &self,
        head: &(impl RequestHead + Sync),
        announced: Option<u64>,
        body: Pin<&mut S>,
        timer: &impl Fn(Duration) -> T,
        exchange: &mut Exchange,
    ) -> Result<WebhookEvent, Rejection>
    where
        S: Stream<Item = Result<Bytes, BodyError>>,
        T: Future<Output = ()>,
    {
        let settings = self.settings();
        if head.method() != "POST" {
            return Err(not_a_post(head));
        }
        let headers = head.signature_headers();
        let (verification, lookup) = match &settings.verifiers {
            Verifiers::One(verifier) => (verifier.begin(headers?)?, None),
            Verifiers::Shared(shared) => {
                let verifier = shared.current();
                exchange.judged_by(&verifier);
                (verifier.begin(headers?)?, None)
            }
            Verifiers::LookedUp(lookup) => {
                let headers = headers?;
                COARSE_TOLERANCE.judge(headers.sent_at, settings.clock.now())?;
                let (verifier, key) = self.look_up(lookup, head, timer).await?;
                exchange.judged_by(&verifier);
                // Its own tolerance is judged last: the answer would tell that there is such a tenant.
                (verifier.begin_undated(headers), Some((lookup, key)))
            }
        };
        let mut verification = verification.body_limit(settings.body_limit);
        if let Some(length) = announced {
            verification.check_content_length(length)?;
        }
        let (deadline, read_ahead) = (settings.body_deadline, head.read_ahead());
        let reading = body::read(body, |chunk| {
            #[cfg(feature = "diagnose")]
            exchange.record(&chunk);
            verification.push_on(&settings.body_budget, read_ahead, chunk)
        });
        within(reading, || timer(deadline)).await.ok_or(Rejection::BodyTimeout { deadline })??;
        let delivery = verification.finish()?;
        if let Some((lookup, key)) = lookup {
            lookup.prove(key.as_ref());
            delivery.judge_age()?;
        }
        delivery.into_event()
    }

    async fn look_up<T: Future<Output = ()>>(
        &self,
        lookup: &Lookup,
        head: &(impl RequestHead + Sync),
        timer: &impl Fn(Duration) -> T,
    ) -> Result<(Verifier, Option<LookupKey>), Rejection> {
        let host = head.host().map(|host| without_port(host).to_ascii_lowercase());
        let target = Target::new(head.method(), head.path(), host.as_deref());
        let found = within(lookup.find(&target, &self.settings().clock), || timer(Lookup::DEADLINE)).await;
        let too_late = || Err(SourceError::new(format!("it was not found within {:?}", Lookup::DEADLINE)));
        found.unwrap_or_else(too_late).map_err(Rejection::VerifierUnavailable)
    }
}

/// The host in `host:port`; an IPv6 address keeps its brackets.
fn without_port(host: &str) -> &str {
    let end = host.rfind(']').map_or(0, |bracket| bracket + 1);
    host[end..].find(':').map_or(host, |colon| &host[..end + colon])
}

/// A scanner's request, or a delivery that a redirect has made one of: one that has any of Twenty's headers.
fn not_a_post(head: &impl RequestHead) -> Rejection {
    const PREFIX: &str = "x-twenty-webhook-";
    let is_twentys = |name: &str| name.get(..PREFIX.len()).is_some_and(|start| start.eq_ignore_ascii_case(PREFIX));
    if head.headers().any(|(name, _)| is_twentys(name)) {
        Rejection::Redirected { method: head.method().chars().take(20).collect() }
    } else {
        Rejection::MethodNotAllowed
    }
}
