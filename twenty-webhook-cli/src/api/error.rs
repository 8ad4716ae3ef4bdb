use http::StatusCode;

/// Why Twenty's API did not do what it was asked to. `Display` says what is wrong, [`fix`](Self::fix) how to fix it.
#[derive(Clone, Debug)]
pub(crate) enum ApiError {
    /// No connection.
    Unreachable {
        host: String,
        cause: String,
    },
    /// A connection, and no whole answer.
    BrokenOff {
        cause: String,
    },
    TimedOut,
    /// An answer that is no success, with Twenty's message.
    Status {
        status: StatusCode,
        message: String,
    },
    /// A success that is not what the API answers.
    NotTheApi,
    TooLarge,
}

impl ApiError {
    /// Whether the request may have been carried out.
    pub(crate) fn is_uncertain(&self) -> bool {
        matches!(self, Self::BrokenOff { .. } | Self::TimedOut | Self::NotTheApi | Self::TooLarge)
            || matches!(self, Self::Status { status, .. } if status.is_server_error())
    }

    /// Whether Twenty may carry out the request later, because the answer is not its own.
    pub(crate) fn may_be_under_way(&self) -> bool {
        match self {
            Self::BrokenOff { .. } | Self::TimedOut => true,
            // A proxy's.
            Self::Status { status, .. } => status.is_server_error() && *status != StatusCode::INTERNAL_SERVER_ERROR,
            Self::Unreachable { .. } | Self::NotTheApi | Self::TooLarge => false,
        }
    }

    pub(crate) fn fix(&self) -> &'static str {
        match self {
            Self::Unreachable { .. } => "check the address, the name, the firewall, and whether Twenty runs",
            Self::BrokenOff { .. } | Self::TimedOut => "try again; look at Twenty's log, and at what is in front of it",
            Self::NotTheApi | Self::TooLarge => {
                "give the address of Twenty's server: the one that its pages call, without /rest"
            }
            Self::Status { status, .. } => match status.as_u16() {
                401 => "make a new API key in Twenty, in Settings → API & Webhooks, and set it in TWENTY_API_KEY",
                402 => "the workspace's allowance is spent: look at its billing in Twenty's settings",
                403 => "give the key's role the permission \"API keys & webhooks\", in Settings → Roles",
                404 => "give the address of Twenty's server, without /rest",
                429 => "wait a minute: the key's limit of requests is used up",
                _ => "look at Twenty's log",
            },
        }
    }
}

impl std::fmt::Display for ApiError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Unreachable { host, cause } => write!(f, "cannot reach {host} ({cause})"),
            Self::BrokenOff { cause } => write!(f, "Twenty's answer broke off ({cause})"),
            Self::TimedOut => f.write_str("Twenty's API did not answer within 10 seconds"),
            Self::NotTheApi => f.write_str("the response is not from Twenty's API"),
            Self::TooLarge => f.write_str("the response is too large to be from Twenty's API"),
            Self::Status { status, message } => {
                let what = match status.as_u16() {
                    401 => "Twenty does not accept the API key",
                    402 => "Twenty refuses: the allowance is spent",
                    403 => "the API key may not do this",
                    429 => "Twenty refuses: too many requests",
                    _ => "Twenty's API answered with an error",
                };
                write!(f, "{what} ({status}")?;
                if message.is_empty() { f.write_str(")") } else { write!(f, ": {message})") }
            }
        }
    }
}

impl std::error::Error for ApiError {}
