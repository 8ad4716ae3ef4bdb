use maud::{Markup, html};

use crate::JobInfo;
use crate::dashboard::params::{Action, Params};
use crate::dashboard::text::{ago, from_now, indented, utc, visible};

/// A larger body is cut, because it would make a browser slow.
const LARGEST: usize = 512 << 10;

pub(super) fn page(job: &JobInfo, body: Option<&[u8]>, acts: bool) -> Markup {
    // As it is shown: what has become of it since is not changed.
    let shown = Params { job: job.id.to_string(), state: job.state.to_string(), ..Params::default() };
    html! {
        h1 { a href="?" { "Inbox" } " / job " (job.id) }
        dl {
            dt { "State" } dd { span class={ "state " (job.state) } { (job.state) } }
            dt { "Event" } dd { (visible(&job.name)) }
            @if let Some(record) = &job.record_id {
                dt { "Record" }
                dd {
                    (visible(record)) " "
                    @let all = Params { object: job.object.clone(), record: record.clone(), ..Params::default() };
                    a href=(all.link(|_| {})) { "all its jobs" }
                }
            }
            @if !job.scope.is_empty() { dt { "Tenant or workspace" } dd { (visible(&job.scope)) } }
            dt { "Stored" } dd { (utc(job.stored_at)) " (" (ago(job.stored_at)) " ago)" }
            dt { "Attempts" } dd { (job.attempts) @if job.crashes > 0 { ", and " (job.crashes) " crashes" } }
            @if let Some(due) = job.due_at { dt { "Next attempt" } dd { (from_now(due)) } }
            @if let Some(finished) = job.finished_at { dt { "Last attempt" } dd { (utc(finished)) } }
            dt { "Key" } dd { (job.key) }
        }
        @if let Some(error) = &job.last_error { pre.error { (visible(error)) } }
        @if acts {
            div.actions {
                @for action in [Action::Retry, Action::Rerun, Action::Delete] {
                    @if action.applies_to(job) {
                        a.button.danger[action == Action::Delete] href=(shown.link(|params| params.confirm = Some(action))) {
                            (action.label()) " …"
                        }
                    }
                }
            }
        }
        @match body {
            None => { p.quiet { "The body was erased." } }
            Some(body) => {
                @if body.len() > LARGEST { p.quiet { "The first " (LARGEST) " of " (body.len()) " bytes." } }
                pre { (visible(&indented(&String::from_utf8_lossy(&body[..body.len().min(LARGEST)])))) }
            }
        }
    }
}

pub(super) fn confirm(action: Action, params: &Params, jobs: usize) -> Markup {
    let fields = [
        ("state", &params.state),
        ("name", &params.name),
        ("object", &params.object),
        ("record", &params.record),
        ("job", &params.job),
    ];
    html! {
        h1 { (action.label()) " " (jobs) @if jobs == 1 { " job?" } @else { " jobs?" } }
        p { (action.explanation()) }
        form.actions method="post" action="?" {
            @for (name, value) in fields {
                @if !value.is_empty() { input type="hidden" name=(name) value=(value); }
            }
            input type="hidden" name="confirm" value=(action.as_str());
            button.danger[action == Action::Delete] disabled[jobs == 0] { (action.label()) }
            a.button href=(params.link(|_| {})) { "Cancel" }
        }
    }
}

impl Action {
    pub(super) fn label(self) -> &'static str {
        match self {
            Self::Retry => "Retry",
            Self::Rerun => "Rerun",
            Self::Delete => "Delete",
        }
    }

    fn explanation(self) -> &'static str {
        match self {
            Self::Retry => "They are due now, with all their attempts before them.",
            Self::Rerun => "They were handled, and will be handled again.",
            Self::Delete => "They are gone for good. A duplicate that arrives later is handled as new.",
        }
    }
}
