//! Exit statuses, for cron.

use std::process::ExitCode;

use twenty_webhook_catchup::{CatchUpError, Report};

use crate::{FAILED, NO};

const TOO_MANY_MISSING: u8 = 3;
const REFUSED: u8 = 4;
const UNREACHABLE: u8 = 5;
const BUSY: u8 = 6;
const STOPPED: u8 = 7;

pub(super) fn of_report(report: &Report) -> ExitCode {
    let errors = || report.objects.iter().filter_map(|object| object.error.as_ref());
    if errors().any(|error| matches!(error, CatchUpError::TooManyMissing { .. })) {
        return TOO_MANY_MISSING.into();
    }
    if errors().next().is_some() { NO.into() } else { ExitCode::SUCCESS }
}

/// For an error that ended the whole run.
pub(super) fn of_error(error: &CatchUpError) -> ExitCode {
    use CatchUpError as E;
    ExitCode::from(match error {
        E::Unauthorized | E::PaymentRequired | E::Forbidden(_) | E::Rejected { .. } => REFUSED,
        E::RateLimited(_)
        | E::NoResponse { .. }
        | E::InvalidResponse(_)
        | E::RepeatedCursor
        | E::ResponseTooLarge(_) => UNREACHABLE,
        E::Busy => BUSY,
        E::TooManyMissing { .. } => TOO_MANY_MISSING,
        _ => FAILED,
    })
}

pub(super) fn stopped() -> ExitCode {
    STOPPED.into()
}

/// An object's error. The library's text names its method in place of the option.
pub(super) fn object_message(error: &CatchUpError) -> String {
    let CatchUpError::TooManyMissing { object, known, missing, unproven, .. } = error else { return error.to_string() };
    format!(
        "{missing} of {known} known records of {object} are missing from Twenty's list, and {unproven} that this API key has never read: too many \
         to report them as destroyed. If they are gone, run once with --accept-destroys"
    )
}

/// The error, and what to do about it.
pub(super) fn message(error: &CatchUpError) -> String {
    use CatchUpError as E;
    // The library's text names its methods in place of the options.
    if let E::AmbiguousWorkspace { .. } = error {
        return error.to_string().replace("`.workspace_id(…)` or `.tenant(…)`", "--workspace or --tenant");
    }
    let fix = match error {
        E::Unauthorized => "Make a new API key in Twenty, in Settings → API & Webhooks.",
        E::Forbidden(_) => "Give the key's role the permission to read the data model.",
        E::InvalidResponse(_) | E::Rejected { .. } => "Is --url the address of Twenty's server, without /rest?",
        E::NoResponse { .. } => "Check the address, and whether Twenty runs.",
        E::Busy => "If its process was killed, the next run can start a minute later.",
        _ => return error.to_string(),
    };
    format!("{error}. {fix}")
}
