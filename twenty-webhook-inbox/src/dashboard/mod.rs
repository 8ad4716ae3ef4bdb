mod assets;
mod list;
mod one;
mod page;
mod params;
mod text;

use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Request, State};
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, HOST, HeaderName, HeaderValue, LOCATION, ORIGIN, REFERRER_POLICY,
    X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use axum::http::uri::Authority;
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use axum::response::{Html, IntoResponse, Response};
use maud::Markup;
use tokio::time::timeout;

use crate::dashboard::params::{Action, Params};
use crate::{Inbox, InboxError, Store};

impl<S: Store> Inbox<S> {
    /// A read-only web page that shows the jobs, their payloads and their errors. To change jobs, use
    /// [`dashboard_with_actions`](Self::dashboard_with_actions).
    ///
    /// *It shows customers' data, and has no login.* Put it behind your own login, at any path:
    ///
    /// ```no_run
    /// use axum::Router;
    /// use axum::extract::Request;
    /// use axum::http::{StatusCode, header::AUTHORIZATION};
    /// use axum::middleware::{Next, from_fn};
    /// use axum::response::Response;
    /// use twenty_webhook_inbox::{Inbox, Store};
    ///
    /// /// Yours: a session, a proxy's header, …
    /// async fn logged_in(request: Request, next: Next) -> Result<Response, StatusCode> {
    ///     let token = request.headers().get(AUTHORIZATION).ok_or(StatusCode::UNAUTHORIZED)?;
    /// #   fn is_valid(_: &[u8]) -> bool { false }
    ///     if is_valid(token.as_bytes()) { Ok(next.run(request).await) } else { Err(StatusCode::UNAUTHORIZED) }
    /// }
    ///
    /// fn app(inbox: &Inbox<impl Store>) -> Router {
    ///     Router::new().nest_service("/admin/inbox", inbox.dashboard().layer(from_fn(logged_in)))
    /// }
    /// ```
    pub fn dashboard(&self) -> Router {
        router(self.clone(), false)
    }

    /// The [`dashboard`](Self::dashboard), with buttons to retry, rerun and delete jobs. Each asks for a confirmation, and a request that
    /// another site made the browser send is rejected.
    pub fn dashboard_with_actions(&self) -> Router {
        router(self.clone(), true)
    }
}

/// All pages have the same path and differ in the query, so links do not depend on where the dashboard is mounted.
fn router<S: Store>(inbox: Inbox<S>, acts: bool) -> Router {
    Router::new().fallback(answer::<S>).with_state(Dashboard { inbox, acts })
}

#[derive(Clone, Debug)]
struct Dashboard<S> {
    inbox: Inbox<S>,
    acts: bool,
}

/// Stops a filter that matches nothing from reading a million jobs.
const DEADLINE: Duration = Duration::from_secs(10);
const MAX_FORM_BYTES: usize = 16 << 10;

async fn answer<S: Store>(State(dashboard): State<Dashboard<S>>, request: Request) -> Response {
    let answered = timeout(DEADLINE, dashboard.answer(request)).await;
    let mut response = match answered {
        Ok(Ok(response)) => response,
        Ok(Err(error)) => error.into_response(),
        Err(_) => (StatusCode::SERVICE_UNAVAILABLE, "It took too long. Narrow the filter.\n").into_response(),
    };
    response.headers_mut().extend(HEADERS.map(|(name, value)| (name, HeaderValue::from_static(value))));
    response
}

/// They allow the page's own style and script, and no frame or cache.
const HEADERS: [(HeaderName, &str); 5] = [
    (
        CONTENT_SECURITY_POLICY,
        "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; form-action 'self'; \
         frame-ancestors 'none'; base-uri 'none'",
    ),
    (X_FRAME_OPTIONS, "DENY"),
    (X_CONTENT_TYPE_OPTIONS, "nosniff"),
    // `no-referrer` would hide the origin of its own forms.
    (REFERRER_POLICY, "same-origin"),
    (CACHE_CONTROL, "no-store"),
];

/// Why a request gets no page.
#[derive(Debug)]
enum DashboardError {
    Bad(String),
    NotFound,
    Forbidden(&'static str),
    MethodNotAllowed,
    Database(InboxError),
}

impl From<InboxError> for DashboardError {
    fn from(error: InboxError) -> Self {
        Self::Database(error)
    }
}

impl IntoResponse for DashboardError {
    fn into_response(self) -> Response {
        let (status, title, text) = match self {
            Self::Bad(why) => (StatusCode::BAD_REQUEST, "Bad request", why),
            Self::NotFound => (StatusCode::NOT_FOUND, "No such job", "It may have been deleted.".to_owned()),
            Self::Forbidden(why) => (StatusCode::FORBIDDEN, "Forbidden", why.to_owned()),
            Self::MethodNotAllowed => {
                (StatusCode::METHOD_NOT_ALLOWED, "Method not allowed", "This dashboard is read-only.".to_owned())
            }
            Self::Database(error) => {
                tracing::error!(%error, "the dashboard cannot reach the inbox");
                (StatusCode::SERVICE_UNAVAILABLE, "The database does not answer", "See the log.".to_owned())
            }
        };
        (status, Html(page::message(title, &text).into_string())).into_response()
    }
}

impl<S: Store> Dashboard<S> {
    async fn answer(&self, request: Request) -> Result<Response, DashboardError> {
        let (parts, body) = request.into_parts();
        let query = parts.uri.query().unwrap_or_default();
        match parts.method {
            Method::GET | Method::HEAD if query == assets::STYLE_QUERY => Ok(assets::style()),
            Method::GET | Method::HEAD if query == assets::SCRIPT_QUERY => Ok(assets::script()),
            Method::GET | Method::HEAD => {
                let page = self.show(&Params::read(query.as_bytes())?).await?;
                Ok(Html(page.into_string()).into_response())
            }
            Method::POST if !self.acts => Err(DashboardError::MethodNotAllowed),
            Method::POST => {
                check_origin(&parts.headers, &parts.uri)?;
                let form: Bytes = axum::body::to_bytes(body, MAX_FORM_BYTES)
                    .await
                    .map_err(|_| DashboardError::Bad("The form is too large.".to_owned()))?;
                self.act(&Params::read(&form)?).await
            }
            _ => Err(DashboardError::MethodNotAllowed),
        }
    }

    async fn show(&self, params: &Params) -> Result<Markup, DashboardError> {
        if params.counts.is_some() {
            return Ok(page::counts(&self.inbox.counts().await?, self.inbox.is_paused().await?));
        }
        if let Some(action) = params.confirm {
            return self.confirm(action, params).await;
        }
        if let Some(id) = params.job()? {
            let (job, body) = self.inbox.store.find(id).await?.ok_or(DashboardError::NotFound)?;
            return Ok(page::page(&format!("Job {id}"), &one::page(&job, body.as_deref(), self.acts)));
        }
        let filter = params.filter()?.limit(list::ROWS);
        let jobs = self.inbox.jobs_before(&filter, params.before()?).await?;
        let counts = page::counts(&self.inbox.counts().await?, self.inbox.is_paused().await?);
        Ok(page::page("Inbox", &list::page(&counts, params, &jobs, self.acts)))
    }

    /// How many jobs a change would affect.
    async fn confirm(&self, action: Action, params: &Params) -> Result<Markup, DashboardError> {
        if !self.acts {
            return Err(DashboardError::Forbidden("This dashboard is read-only."));
        }
        let jobs = self.inbox.jobs(&params.filter_to_change()?).await?;
        let jobs = jobs.iter().filter(|job| action.applies_to(job)).count();
        Ok(page::page("Confirm", &one::confirm(action, params, jobs)))
    }

    async fn act(&self, params: &Params) -> Result<Response, DashboardError> {
        let action = params.confirm.ok_or_else(|| DashboardError::Bad("Which action?".to_owned()))?;
        let filter = params.filter_to_change()?;
        let changed = match action {
            Action::Retry => self.inbox.retry(&filter).await?,
            Action::Rerun => self.inbox.rerun(&filter).await?,
            Action::Delete => self.inbox.delete(&filter).await?,
        };
        tracing::info!(action = action.as_str(), jobs = changed, "changed by the dashboard");
        let back = params.back_to_list();
        Ok((StatusCode::SEE_OTHER, [(LOCATION, back)]).into_response())
    }
}

/// Another site can make a browser send a form with the user's cookies. The browser's `Origin` names that site.
fn check_origin(headers: &HeaderMap, uri: &Uri) -> Result<(), DashboardError> {
    let origin = headers.get(ORIGIN).and_then(|origin| origin.to_str().ok());
    let origin = origin.ok_or(DashboardError::Forbidden("The request has no Origin."))?;
    let authority = origin.split_once("://").map(|(_, authority)| authority);
    let host = headers.get(HOST).and_then(|host| host.to_str().ok()).or(uri.authority().map(Authority::as_str));
    if authority.is_some() && authority == host {
        Ok(())
    } else {
        Err(DashboardError::Forbidden("The request comes from another site."))
    }
}
