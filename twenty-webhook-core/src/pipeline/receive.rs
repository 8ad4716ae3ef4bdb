use std::pin::Pin;
use std::time::Duration;

use bytes::Bytes;
use futures_core::Stream;

use super::deadline::within;
use super::request_context::RequestContext;
use super::{RejectedRequest, VerifiedRequest, body};
use crate::verifiers::{Lookup, LookupKey, VerifierProvider};
use crate::{BodyError, Rejection, RequestHead, Target, Tolerance, Verifier, WebhookConfig, WebhookEvent};

/// Timestamps outside this tolerance are rejected before a source is asked, whatever the verifier's own tolerance.
const COARSE_TOLERANCE: Tolerance = Tolerance::both(Duration::from_secs(24 * 60 * 60));

impl WebhookConfig {
    /// Receives and verifies a request: checks its head, chooses the verifier, reads the body within limit, budget and deadline, and compares
    /// the signature. An adapter calls this, then [claims](VerifiedRequest::claim) the delivery, then calls the handler.
    ///
    /// `content_length` is the length of the body in bytes, if the sender or the framework states one. `body` is the body exactly as received,
    /// without decompression. `timer` makes a future that is ready after the given time.
    ///
    /// Twenty disconnects after 5 seconds, and most frameworks then drop the future that serves the request. So run everything from the claim on
    /// in a task that outlives the connection:
    ///
    /// ```
    /// use std::pin::pin;
    /// use bytes::Bytes;
    /// use twenty_webhook_core::{BodyError, HttpHead, RejectedRequest, WebhookConfig, WebhookEvent};
    /// # async fn handle(event: WebhookEvent) -> http::StatusCode { http::StatusCode::NO_CONTENT }
    ///
    /// /// An adapter for requests whose body is in memory.
    /// async fn receive(config: &WebhookConfig, request: http::Request<Bytes>) -> Result<http::StatusCode, RejectedRequest> {
    ///     let body = pin!(futures_util::stream::iter([Ok::<_, BodyError>(request.body().clone())]));
    ///     let received = config.receive(&HttpHead::of(&request), None, body, tokio::time::sleep).await?;
    ///     let work = async move {
    ///         let event = received.event().clone();
    ///         let claimed = received.claim(None).await?;
    ///         let status = handle(event).await;
    ///         claimed.finish(status).await;
    ///         Ok(status)
    ///     };
    ///     tokio::spawn(work).await.unwrap_or(Ok(http::StatusCode::INTERNAL_SERVER_ERROR))
    /// }
    /// ```
    ///
    /// # Errors
    /// If the request is not a complete, current delivery signed by Twenty. The rejection is already logged.
    pub async fn receive<S, T>(
        &self,
        head: &(impl RequestHead + Sync),
        content_length: Option<u64>,
        mut body: Pin<&mut S>,
        timer: impl Fn(Duration) -> T,
    ) -> Result<VerifiedRequest, RejectedRequest>
    where
        S: Stream<Item = Result<Bytes, BodyError>>,
        T: Future<Output = ()>,
    {
        let mut context = RequestContext::begin(self, head.path());
        match self.verify(head, content_length, body.as_mut(), &timer, &mut context).await {
            Ok(event) => Ok(VerifiedRequest::new(context, event)),
            Err(rejection) => {
                #[cfg(feature = "diagnose")]
                let recorded_request =
                    super::recorded_request::record_request(self, head, body, &timer, &mut context, &rejection).await;
                let rejected = context.reject(rejection);
                #[cfg(feature = "diagnose")]
                let rejected = rejected.with_recorded_request(recorded_request);
                Err(rejected)
            }
        }
    }

    async fn verify<S, T>(
        &self,
        head: &(impl RequestHead + Sync),
        content_length: Option<u64>,
        body: Pin<&mut S>,
        timer: &impl Fn(Duration) -> T,
        context: &mut RequestContext,
    ) -> Result<WebhookEvent, Rejection>
    where
        S: Stream<Item = Result<Bytes, BodyError>>,
        T: Future<Output = ()>,
    {
        let settings = self.settings();
        if head.method() != "POST" {
            return Err(reject_method(head));
        }
        let headers = head.signature_headers();
        let (verification, lookup) = match &settings.verifier_provider {
            VerifierProvider::Fixed(verifier) => (verifier.begin(headers?)?, None),
            VerifierProvider::Shared(shared) => {
                let verifier = shared.current();
                context.set_verifier(&verifier);
                (verifier.begin(headers?)?, None)
            }
            VerifierProvider::LookedUp(lookup) => {
                let headers = headers?;
                COARSE_TOLERANCE.judge(headers.sent_at, settings.clock.now())?;
                let (verifier, key) = self.look_up(lookup, head, timer).await?;
                context.set_verifier(&verifier);
                // The verifier's tolerance is checked last: an earlier rejection would reveal that the tenant exists.
                (verifier.begin_undated(headers), Some((lookup, key)))
            }
        };
        let mut verification = verification.body_limit(settings.body_limit);
        if let Some(length) = content_length {
            verification.check_content_length(length)?;
        }
        let (deadline, read_ahead) = (settings.body_deadline, head.read_ahead());
        let reading = body::read(body, |chunk| {
            #[cfg(feature = "diagnose")]
            context.record(&chunk);
            verification.push_on(&settings.body_budget, read_ahead, chunk)
        });
        within(reading, || timer(deadline)).await.ok_or(Rejection::BodyTimeout { deadline })??;
        let delivery = verification.finish()?;
        if let Some((lookup, key)) = lookup {
            delivery.judge_age()?;
            lookup.prove(key.as_ref(), &delivery);
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
        lookup.find(&target, &self.settings().clock, timer).await.map_err(Rejection::VerifierUnavailable)
    }
}

/// Removes the port. An IPv6 address keeps its brackets.
fn without_port(host: &str) -> &str {
    let end = host.rfind(']').map_or(0, |bracket| bracket + 1);
    host[end..].find(':').map_or(host, |colon| &host[..end + colon])
}

/// With any of Twenty's headers, a redirect turned a delivery into this request. Otherwise it comes from a scanner.
fn reject_method(head: &impl RequestHead) -> Rejection {
    const PREFIX: &str = "x-twenty-webhook-";
    let is_twentys = |name: &str| name.get(..PREFIX.len()).is_some_and(|start| start.eq_ignore_ascii_case(PREFIX));
    if head.headers().any(|(name, _)| is_twentys(name)) {
        Rejection::Redirected { method: head.method().chars().take(20).collect() }
    } else {
        Rejection::MethodNotAllowed
    }
}
