/// Why a request has no answer.
#[derive(Clone, Debug)]
pub(crate) enum NoAnswer {
    /// No connection was opened in time.
    NoConnection,
    /// A connection cannot be opened. With the cause.
    Unreachable(String),
    /// A connection was opened, and no answer came in time.
    TimedOut,
    /// A connection was opened, and the answer is not complete. With the cause.
    BrokenOff(String),
}

impl NoAnswer {
    pub(crate) fn of(error: &reqwest::Error) -> Self {
        match (error.is_connect(), error.is_timeout()) {
            (true, true) => Self::NoConnection,
            (true, false) => Self::Unreachable(last_cause(error)),
            (false, true) => Self::TimedOut,
            (false, false) => Self::BrokenOff(last_cause(error)),
        }
    }

    /// Whether the receiver may have got the request.
    pub(crate) fn may_be_sent(&self) -> bool {
        matches!(self, Self::TimedOut | Self::BrokenOff(_))
    }
}

/// The innermost cause, which is the most specific.
fn last_cause(error: &dyn std::error::Error) -> String {
    let mut cause = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    cause.to_string()
}
