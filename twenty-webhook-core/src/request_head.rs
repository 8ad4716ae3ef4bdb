use http::{HeaderMap, Method, Request, Uri, header};

use crate::{Rejection, SignatureHeaders};

/// What a receiver needs from a request before it reads the body. It adapts a web framework's request to
/// [`WebhookConfig::receive`](crate::WebhookConfig::receive). [`HttpHead`] implements it for every framework that uses the `http` crate.
///
/// ```
/// use twenty_webhook_core::{Rejection, RequestHead};
///
/// /// A request of some framework.
/// struct Request { headers: Vec<(String, Vec<u8>)> }
///
/// impl RequestHead for Request {
///     fn method(&self) -> &str { "POST" }
///     fn path(&self) -> &str { "/webhooks/twenty" }
///     fn host(&self) -> Option<&str> { None }
///     fn headers(&self) -> impl Iterator<Item = (&str, &[u8])> {
///         self.headers.iter().map(|(name, value)| (name.as_str(), value.as_slice()))
///     }
/// }
///
/// let request = Request { headers: vec![] };
/// assert_eq!(request.signature_headers().unwrap_err(), Rejection::Unsigned);
/// ```
pub trait RequestHead {
    /// The method, in upper case.
    fn method(&self) -> &str;

    /// The path of the URL, without the query.
    fn path(&self) -> &str;

    /// The host of the URL, else of the `Host` header, with or without a port.
    fn host(&self) -> Option<&str>;

    /// The name, in any case, and the value of each header. A repeated header appears repeatedly.
    fn headers(&self) -> impl Iterator<Item = (&str, &[u8])>;

    /// Twenty's headers.
    ///
    /// # Errors
    /// As [`SignatureHeaders::read`].
    fn signature_headers(&self) -> Result<SignatureHeaders, Rejection> {
        SignatureHeaders::read(self.headers())
    }

    /// How many bytes of the body the framework may buffer in addition to those it has passed on. They count towards the
    /// [budget](crate::WebhookConfig::body_budget) of a body larger than 64 KiB.
    fn read_ahead(&self) -> usize {
        0
    }
}

/// The head of a request of the `http` crate (axum, hyper, warp, poem, tonic, …).
#[derive(Clone, Copy, Debug)]
pub struct HttpHead<'a> {
    method: &'a Method,
    uri: &'a Uri,
    headers: &'a HeaderMap,
}

impl<'a> HttpHead<'a> {
    /// The head of `request`.
    pub fn of<B>(request: &'a Request<B>) -> Self {
        Self::new(request.method(), request.uri(), request.headers())
    }

    /// A head of these parts.
    pub fn new(method: &'a Method, uri: &'a Uri, headers: &'a HeaderMap) -> Self {
        Self { method, uri, headers }
    }
}

impl RequestHead for HttpHead<'_> {
    fn method(&self) -> &str {
        self.method.as_str()
    }

    fn path(&self) -> &str {
        self.uri.path()
    }

    fn host(&self) -> Option<&str> {
        self.uri.host().or_else(|| self.headers.get(header::HOST)?.to_str().ok())
    }

    fn headers(&self) -> impl Iterator<Item = (&str, &[u8])> {
        self.headers.iter().map(|(name, value)| (name.as_str(), value.as_bytes()))
    }

    /// Comparing `HeaderName`s is faster than comparing text.
    fn signature_headers(&self) -> Result<SignatureHeaders, Rejection> {
        SignatureHeaders::from_map(self.headers)
    }
}
