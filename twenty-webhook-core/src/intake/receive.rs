use std::pin::Pin;
use std::time::Duration;

use bytes::Bytes;
use futures_core::Stream;

use super::deadline::within;
use super::exchange::Exchange;
use super::{Received, Refusal, body};
use crate::verifiers::{Lookup, LookupKey, Verifiers};
use crate::{
    BodyError, Rejection, RequestHead, SignatureHeaders, SourceError, Target, Tolerance, Verification, Verifier,
    WebhookConfig, WebhookEvent,
};

/// Headers of this age are refused before a source is asked, whatever tolerance the verifier has that it would find.
const COARSE_TOLERANCE: Tolerance = Tolerance::both(Duration::from_secs(24 * 60 * 60));

impl WebhookConfig {
    /// Takes a request up to a verified event: judges its head, chooses the verifier, reads its body within limit, budget and deadline, and
    /// compares the signature. This is what an adapter calls; what it gets back it [claims](Received::claim), and then calls the handler.
    ///
    /// `announced` is the length of the body in bytes, if the sender or the framework says one. `body` is the body as it was on the wire,
    /// still compressed if it was. `timer` makes a future that is done after a time.
    ///
    /// ```
    /// use std::pin::pin;
    /// use bytes::Bytes;
    /// use twenty_webhook_core::{BodyError, HttpHead, Refusal, WebhookConfig};
    ///
    /// /// An adapter for requests whose body is in memory already.
    /// async fn receive(config: &WebhookConfig, request: http::Request<Bytes>) -> http::Response<Bytes> {
    ///     let answer = async {
    ///         let body = pin!(futures_util::stream::iter([Ok::<_, BodyError>(request.body().clone())]));
    ///         let received = config.receive(&HttpHead::of(&request), None, body, tokio::time::sleep).await?;
    ///         let event = received.event().clone();
    ///         let admission = received.claim(None).await?;
    ///         println!("{}", event.name()); // the handler
    ///         admission.settle(http::StatusCode::NO_CONTENT).await;
    ///         Ok::<_, Refusal>(http::StatusCode::NO_CONTENT)
    ///     };
    ///     match answer.await {
    ///         Ok(status) => {
    ///             let mut response = http::Response::default();
    ///             *response.status_mut() = status;
    ///             response
    ///         }
    ///         Err(refusal) => refusal.into_response(),
    ///     }
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
    ) -> Result<Received, Refusal>
    where
        S: Stream<Item = Result<Bytes, BodyError>>,
        T: Future<Output = ()>,
    {
        let mut exchange = Exchange::begin(self, head.path());
        match self.verify(head, announced, body.as_mut(), &timer, &mut exchange).await {
            Ok(event) => Ok(Received::new(exchange, event)),
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
        let headers = SignatureHeaders::read(head.headers());
        if head.method() != "POST" {
            return Err(not_a_post(head.method(), &headers));
        }
        let (verification, lookup) = match &settings.verifiers {
            Verifiers::One(verifier) => (verifier.begin(headers?)?, None),
            Verifiers::Shared(verifier) => (begin(&verifier.current(), headers, exchange)?, None),
            Verifiers::LookedUp(lookup) => {
                let headers = headers?;
                COARSE_TOLERANCE.judge(headers.sent_at, settings.clock.now())?;
                let (verifier, key) = self.look_up(lookup, head, timer).await?;
                (begin(&verifier, Ok(headers), exchange)?, Some((lookup, key)))
            }
        };
        let mut verification = verification.body_limit(settings.body_limit);
        if let Some(length) = announced {
            verification.announce(length)?;
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
        }
        delivery.into_event()
    }

    async fn look_up<T: Future<Output = ()>>(
        &self,
        lookup: &Lookup,
        head: &(impl RequestHead + Sync),
        timer: &impl Fn(Duration) -> T,
    ) -> Result<(Verifier, Option<LookupKey>), Rejection> {
        let target = Target::new(head.method(), head.path(), head.host());
        let found = within(lookup.find(&target, &self.settings().clock), || timer(Lookup::DEADLINE)).await;
        let too_late = || Err(SourceError::new(format!("it was not found within {:?}", Lookup::DEADLINE)));
        Ok(found.unwrap_or_else(too_late).map_err(Rejection::VerifierUnavailable)?.into_parts())
    }
}

#[inline]
fn begin(
    verifier: &Verifier,
    headers: Result<SignatureHeaders, Rejection>,
    exchange: &mut Exchange,
) -> Result<Verification, Rejection> {
    exchange.judged_by(verifier);
    verifier.begin(headers?)
}

/// A scanner's request, or a delivery that a redirect has made one of.
fn not_a_post(method: &str, headers: &Result<SignatureHeaders, Rejection>) -> Rejection {
    match headers {
        Err(Rejection::Unsigned) => Rejection::MethodNotAllowed,
        _ => Rejection::Redirected { method: method.chars().take(20).collect() },
    }
}
