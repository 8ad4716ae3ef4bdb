use maud::{Markup, html};

use crate::dashboard::page;
use crate::dashboard::params::{Action, Params};
use crate::dashboard::text::{ago, from_now, visible};
use crate::{JobInfo, State};

/// How many rows a page has.
pub(super) const ROWS: usize = 50;

pub(super) fn page(counts: &Markup, params: &Params, jobs: &[JobInfo], acts: bool) -> Markup {
    html! {
        h1 { a href="?" { "Inbox" } }
        (page::live(counts))
        (filter(params))
        @if acts { (actions(params)) }
        div.table { table {
            thead { tr {
                th { "Job" } th { "State" } th { "Event" } th { "Record" } th { "Age" } th { "Attempts" } th { "Next attempt" }
                th { "Last error" }
            } }
            tbody {
                @for job in jobs { (row(params, job)) }
                @if jobs.is_empty() { tr { td.quiet colspan="8" { "No jobs." } } }
            }
        } }
        nav {
            @if !params.before.is_empty() { a href=(params.link(|_| {})) { "Newest" } }
            @if let (ROWS, Some(last)) = (jobs.len(), jobs.last()) {
                a href=(params.link(|params| params.before = last.id.to_string())) { "Older" }
            }
        }
    }
}

fn row(params: &Params, job: &JobInfo) -> Markup {
    html! {
        tr {
            td { a href=(params.link(|params| params.job = job.id.to_string())) { (job.id) } }
            td { span class={ "state " (job.state) } { (job.state) } }
            td { (visible(&job.name)) }
            td.record { (job.record_id.as_deref().map(visible).unwrap_or_default()) }
            td { (ago(job.stored_at)) }
            td.number {
                (job.attempts)
                @if job.crashes > 0 { span.dead title="How often its process ended" { " +" (job.crashes) } }
            }
            td { (job.due_at.map(from_now).unwrap_or_default()) }
            td.error {
                @if let Some(error) = job.last_error.as_deref().filter(|_| job.state != State::Done) { (visible(error)) }
            }
        }
    }
}

fn filter(params: &Params) -> Markup {
    html! {
        form.filter method="get" {
            label { "State"
                select name="state" {
                    option value="" { "any" }
                    @for state in State::ALL {
                        option value=(state) selected[params.state == state.as_str()] { (state) }
                    }
                }
            }
            label { "Event" input name="name" placeholder="person.*" value=(params.name); }
            label { "Object" input name="object" placeholder="person" value=(params.object); }
            label { "Record" input name="record" placeholder="id" value=(params.record) size="36"; }
            button { "Filter" }
        }
    }
}

/// Actions on all jobs that the filter matches, also those on other pages.
fn actions(params: &Params) -> Markup {
    let actions: &[Action] = match params.state.as_str() {
        "dead" | "retrying" => &[Action::Retry, Action::Delete],
        "done" => &[Action::Rerun, Action::Delete],
        _ => &[],
    };
    html! {
        @if !actions.is_empty() {
            div.actions {
                @for action in actions {
                    a.button.danger[*action == Action::Delete] href=(params.link(|params| params.confirm = Some(*action))) {
                        (action.label()) " all of these …"
                    }
                }
            }
        }
    }
}
