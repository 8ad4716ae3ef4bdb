use http::{HeaderMap, Method, Request, Uri, header};

use crate::{Rejection, SignatureHeaders};

/// What a receiver asks of a request before it reads the body: the bridge from a web framework's request to
/// [`WebhookConfig::receive`](crate::WebhookConfig::receive). [`HttpHead`] is one for all that is built on the `http` crate.
pub trait RequestHead {
    /// The method, in upper case as HTTP has it.
    fn method(&self) -> &str;

    /// The path of the URL, without the query.
    fn path(&self) -> &str;

    /// The host that the request is for, with or without a port: of the URL, else the `Host` header.
    fn host(&self) -> Option<&str>;

    /// All headers: names in any case, and values. A header that is repeated comes as often.
    fn headers(&self) -> impl Iterator<Item = (&str, &[u8])>;

    /// Twenty's headers.
    ///
    /// # Errors
    /// As [`SignatureHeaders::read`].
    fn signature_headers(&self) -> Result<SignatureHeaders, Rejection> {
        SignatureHeaders::read(self.headers())
    }

    /// How many bytes the framework may hold for a connection while its body is read, beside what it has handed on. A body that pays out of
    /// the [budget](crate::WebhookConfig::body_budget) pays for these too.
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

    /// Comparing `HeaderName`s is quicker than comparing texts.
    fn signature_headers(&self) -> Result<SignatureHeaders, Rejection> {
        SignatureHeaders::from_map(self.headers)
    }
}
