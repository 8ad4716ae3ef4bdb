use axum::extract::Query;
use axum::http::Uri;
use serde::{Deserialize, Serialize};

use crate::dashboard::DashboardError;
use crate::{JobFilter, JobId, JobInfo, State};

/// The fields of a query or a form, as a browser sent them.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(default)]
pub(super) struct Params {
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(super) state: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(super) name: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(super) object: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(super) record: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(super) job: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(super) before: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) confirm: Option<Action>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) counts: Option<String>,
}

/// What the page can do with jobs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Action {
    Retry,
    Rerun,
    Delete,
}

impl Action {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Retry => "retry",
            Self::Rerun => "rerun",
            Self::Delete => "delete",
        }
    }

    /// The same rule as the inbox's.
    pub(super) fn applies_to(self, job: &JobInfo) -> bool {
        let is_erased = job.len.is_none();
        match self {
            Self::Retry if job.state == State::Pending => job.crashes > 0 && !is_erased,
            Self::Retry => matches!(job.state, State::Dead | State::Retrying) && !is_erased,
            Self::Rerun => job.state == State::Done && !is_erased,
            Self::Delete => job.state != State::Running,
        }
    }
}

impl Params {
    pub(super) fn read(encoded: &[u8]) -> Result<Self, DashboardError> {
        let encoded = str::from_utf8(encoded).map_err(|_| DashboardError::Bad("It is not UTF-8.".to_owned()))?;
        let uri = Uri::builder().path_and_query(format!("/?{encoded}")).build();
        let uri = uri.map_err(|_| DashboardError::Bad("It is no query.".to_owned()))?;
        let Query(params) = Query::try_from_uri(&uri).map_err(|error| DashboardError::Bad(error.body_text()))?;
        Ok(params)
    }

    pub(super) fn job(&self) -> Result<Option<JobId>, DashboardError> {
        id(&self.job)
    }

    pub(super) fn before(&self) -> Result<Option<JobId>, DashboardError> {
        id(&self.before)
    }

    pub(super) fn filter(&self) -> Result<JobFilter, DashboardError> {
        let mut filter = self.job()?.map_or_else(JobFilter::all, JobFilter::id);
        filter = match State::ALL.into_iter().find(|state| state.as_str() == self.state) {
            Some(state) => filter.state(state),
            None if self.state.is_empty() => filter,
            None => return Err(DashboardError::Bad("There is no such state.".to_owned())),
        };
        if !self.job.is_empty() {
            return Ok(filter);
        }
        let name = self.name.trim();
        if !name.is_empty() {
            filter = filter.named(name.parse().map_err(|error| DashboardError::Bad(format!("The name: {error}")))?);
        }
        let (object, record) = (self.object.trim(), self.record.trim());
        match (object, record) {
            ("", "") => {}
            ("", _) | (_, "") => return Err(DashboardError::Bad("A record is an object and an id.".to_owned())),
            _ => filter = filter.record(object, record),
        }
        Ok(filter)
    }

    /// One job, or jobs in one state: a form that lacks fields must not change all jobs.
    pub(super) fn filter_to_change(&self) -> Result<JobFilter, DashboardError> {
        if self.job.is_empty() && self.state.is_empty() {
            return Err(DashboardError::Bad("Of which jobs? Say a job, or a state.".to_owned()));
        }
        self.filter()
    }

    /// A link to the same list, with a change.
    pub(super) fn link(&self, change: impl FnOnce(&mut Self)) -> String {
        let mut params = Self { before: String::new(), confirm: None, counts: None, ..self.clone() };
        change(&mut params);
        params.encoded()
    }

    /// A link to the list that an action was chosen in.
    pub(super) fn back_to_list(&self) -> String {
        if self.job.is_empty() { self.link(|_| {}) } else { Self::default().encoded() }
    }

    fn encoded(&self) -> String {
        let fields = serde_json::to_value(self).unwrap_or_default();
        let fields = fields.as_object().into_iter().flatten();
        let fields = fields.filter_map(|(name, value)| Some(format!("{name}={}", percent_encoded(value.as_str()?))));
        format!("?{}", fields.collect::<Vec<_>>().join("&"))
    }
}

fn id(text: &str) -> Result<Option<JobId>, DashboardError> {
    if text.is_empty() {
        return Ok(None);
    }
    text.parse().map(Some).map_err(|_| DashboardError::Bad("An id is a number.".to_owned()))
}

fn percent_encoded(text: &str) -> String {
    text.bytes()
        .map(|byte| match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => char::from(byte).to_string(),
            _ => format!("%{byte:02X}"),
        })
        .collect()
}
