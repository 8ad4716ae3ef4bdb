use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};
use twenty_webhook_inbox::{CatchUpStore, FoundRecord, KnownRecord};

use crate::dates::iso;
use crate::event::event;
use crate::ids::{self, Ids};
use crate::objects::{Model, Object};
use crate::page::Row;
use crate::session::{Pages, Session, saved};
use crate::{CatchUpError, ObjectReport, Phase};

/// The largest difference between the clocks of Twenty's servers, in milliseconds.
const MAX_CLOCK_SKEW: i64 = 60_000;

/// A smaller difference between two clocks is none: HTTP dates have whole seconds, and an answer takes time. `look_back` covers it.
const MIN_SET_BACK: i64 = 2_000;

/// The largest correction for a clock that was set back, in milliseconds. A larger difference is an error of the local clock.
const MAX_SET_BACK: i64 = 60 * 60 * 1000;

/// The saved progress of reading an object's changes.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Changes {
    pub(crate) watermark: Option<Watermark>,
    /// An unfinished run.
    run: Option<Run>,
}

/// All records dated before this, less the overlap, were read.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct Watermark {
    /// By the server's clock, in Unix milliseconds.
    pub(crate) date: i64,
    /// The same time by the local clock, in Unix milliseconds.
    local: i64,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Run {
    /// Records written at this time or later are read; `None` for all.
    since: Option<i64>,
    /// Records written at this time or later get an event; `None` for no events.
    handles_since: Option<i64>,
    /// Records written at this time or later get an event even if a first run saw them before and emitted none. The user asked for them.
    #[serde(default)]
    asked_since: Option<i64>,
    /// The watermark after the run.
    watermark: Option<Watermark>,
    cursor: Option<String>,
}

pub(crate) fn name(object: &Object) -> String {
    format!("changes {}", object.singular)
}

/// Reads changed records, and stores an event for each unknown state.
pub(crate) async fn run<S: CatchUpStore>(
    session: &Session<'_, S>,
    object: &Object,
    model: &Model,
    report: &mut ObjectReport,
) -> Result<(), CatchUpError> {
    let mut state: Changes = session.load(&name(object)).await?;
    let mut ids: Ids = session.load(&ids::name(object)).await?;
    #[cfg(feature = "metrics")]
    crate::metrics::lag(&object.singular, state.watermark.map(|watermark| model.date - watermark.date));
    let due = due_run(session, object, state.watermark, model);
    let mut run = match state.run.take() {
        Some(run) if run.covers(&due) => run,
        _ => due,
    };
    report.is_first = state.watermark.is_none();
    let filter = filter(run.since);
    let mut pages = Pages::from(object, &filter, run.cursor.take());
    loop {
        let (page, date) = pages.next(session).await?;
        report.is_capped |= pages.is_capped;
        let watermark = *run.watermark.get_or_insert(Watermark { date, local: local_now() });
        let mut commit = session.commit_for(object, &ids);
        let (candidates, others): (Vec<_>, Vec<_>) = page.rows.into_iter().partition(|row| run.handles(row));
        report.read += (candidates.len() + others.len()) as u64;
        let candidate_ids: Vec<_> = candidates.iter().map(|row| row.id.clone()).collect();
        let known = if candidates.is_empty() {
            Vec::new()
        } else {
            session.store.known(session.scope.key(), &object.singular, &candidate_ids).await?
        };
        for (row, known) in candidates.into_iter().zip(known) {
            let judgement = if is_old_enough(row.changed_at(), date, session.config.min_age) {
                judge(&row, &known, &run)
            } else {
                Judgement::TooRecent
            };
            let state = match judgement {
                Judgement::Known { is_handled } => {
                    report.known += 1;
                    // What a first run found stays a state without an event.
                    is_handled.then_some(row.updated_at)
                }
                Judgement::Dead(job) => {
                    report.dead.push(job);
                    None
                }
                Judgement::TooRecent => {
                    report.too_recent += 1;
                    None
                }
                Judgement::New(action) => {
                    commit.events.push(event(object, action, &row.json, date, session.scope.workspace_id.as_deref())?);
                    Some(row.updated_at)
                }
            };
            commit.found.push(FoundRecord { id: row.id, state });
        }
        commit.are_handled = run.handles_since.is_some();
        // The records of a first run count as known, except those that the next run must read again.
        let before = watermark.date - millis(session.config.min_age);
        commit.found.extend(others.into_iter().map(|row| FoundRecord {
            state: (!commit.are_handled && row.changed_at() <= before).then_some(row.updated_at),
            id: row.id,
        }));
        let is_last = page.next.is_none();
        if is_last {
            if run.since.is_none() && ids.done.is_none() && ids.run.is_none() {
                // All ids were seen just now.
                ids.done = Some(watermark.date);
                commit.progress.push(saved(ids::name(object), &ids)?);
            }
            state = Changes { watermark: Some(watermark), run: None };
        } else {
            run.cursor = page.next;
            state.run = Some(run.clone());
        }
        commit.progress.push(saved(name(object), &state)?);
        session.commit(commit, report).await?;
        session.show(report, Phase::Changes, report.read, page.total);
        if is_last {
            session.backfill.end(&object.singular);
            #[cfg(feature = "metrics")]
            {
                crate::metrics::lag(&object.singular, Some(date - watermark.date));
                crate::metrics::success(&object.singular, local_now());
            }
            return Ok(());
        }
    }
}

/// The run that is due.
fn due_run<S>(session: &Session<'_, S>, object: &Object, watermark: Option<Watermark>, model: &Model) -> Run {
    let config = session.config;
    let asked_since = config.since.map(|age| model.date.saturating_sub(millis(age)));
    let run =
        |since, handles_since, asked_since| Run { since, handles_since, asked_since, watermark: None, cursor: None };
    if session.backfill.is_due(&object.singular) {
        return run(None, Some(i64::MIN), Some(i64::MIN));
    }
    let Some(watermark) = watermark else {
        // An object that the last run could not know, because it is new or was renamed since.
        let new_since = model.new_since(object).map(|date| date.saturating_sub(config.look_back()));
        let handles_since = [asked_since, new_since].into_iter().flatten().min();
        return run(None, handles_since, asked_since);
    };
    let since = watermark.date.saturating_sub(config.look_back()).saturating_sub(set_back(watermark, model));
    let since = asked_since.map_or(since, |asked| asked.min(since));
    run(Some(since), Some(since), asked_since)
}

/// How far the server's clock was set back since the watermark, in milliseconds. Later changes may be dated before the watermark.
fn set_back(watermark: Watermark, model: &Model) -> i64 {
    let set_back = (watermark.date - watermark.local) - (model.date - model.local);
    if set_back > MIN_SET_BACK { set_back.min(MAX_SET_BACK) } else { 0 }
}

impl Run {
    /// Whether this interrupted run reads and handles all that the due run would.
    fn covers(&self, due: &Self) -> bool {
        let covers = |own: Option<i64>, due: Option<i64>| match (own, due) {
            (Some(own), Some(due)) => own <= due,
            (own, due) => own.is_some() || due.is_none(),
        };
        let handles = covers(self.handles_since, due.handles_since) && covers(self.asked_since, due.asked_since);
        let reads = match (self.since, due.since) {
            (Some(own), Some(due)) => own <= due,
            (own, _) => own.is_none(),
        };
        handles && reads
    }

    fn handles(&self, row: &Row) -> bool {
        self.handles_since.is_some_and(|since| row.changed_at() >= since)
    }
}

enum Judgement {
    Known {
        /// Whether there is an event for this state, or for a newer one.
        is_handled: bool,
    },
    Dead(twenty_webhook_inbox::JobId),
    TooRecent,
    New(&'static str),
}

fn judge(row: &Row, known: &KnownRecord, run: &Run) -> Judgement {
    let is_as_new = |state: i64| state >= row.updated_at;
    if known.handled.is_some_and(is_as_new) {
        return Judgement::Known { is_handled: true };
    }
    if let Some((job, state)) = known.dead
        && is_as_new(state)
    {
        return Judgement::Dead(job);
    }
    let is_asked_for = run.asked_since.is_some_and(|since| row.changed_at() >= since);
    if known.state.is_some_and(is_as_new) && (known.is_handled || !is_asked_for) {
        return Judgement::Known { is_handled: known.is_handled };
    }
    Judgement::New(action(row, known, run.handles_since))
}

/// The action of an event for an unknown state.
fn action(row: &Row, known: &KnownRecord, since: Option<i64>) -> &'static str {
    let is_new = row.created_at.is_some_and(|created_at| since.is_some_and(|since| created_at >= since));
    // That its id was seen is not enough: a pass may have listed it, or it was too recent.
    let is_known = known.state.is_some() || known.handled.is_some() || known.dead.is_some();
    if row.is_deleted {
        "deleted"
    } else if is_new && !is_known {
        "created"
    } else {
        "updated"
    }
}

/// Whether a change is old enough to be read. A younger record may change again in the same millisecond, and its delivery may still arrive.
pub(crate) fn is_old_enough(changed_at: i64, date: i64, min_age: Duration) -> bool {
    // An import may give records future dates.
    changed_at <= date - millis(min_age) || changed_at > date + MAX_CLOCK_SKEW
}

/// Both dates, because an import may give `updatedAt` an old date. The condition on `deletedAt` includes the trash.
fn filter(since: Option<i64>) -> String {
    const WITH_DELETED: &str = "or(deletedAt[is]:NULL,deletedAt[is]:NOT_NULL)";
    match since {
        Some(since) => {
            let since = iso(since);
            format!("and(or(updatedAt[gte]:\"{since}\",createdAt[gte]:\"{since}\"),{WITH_DELETED})")
        }
        None => WITH_DELETED.to_owned(),
    }
}

pub(crate) fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX / 4).min(i64::MAX / 4)
}

pub(crate) fn local_now() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, millis)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Or an interrupted run would not continue: each time another difference is found.
    #[test]
    fn whole_seconds_are_no_clock_that_was_set_back() {
        let watermark = Watermark { date: 10_000, local: 10_999 };
        let set_back = |date, local| set_back(watermark, &Model::at(date, local));
        assert_eq!(set_back(20_000, 20_000), 0, "ahead of before");
        assert_eq!(set_back(20_000, 22_999), 0, "the answer took two seconds");
        assert_eq!(set_back(20_000, 80_999), 60_000);
        assert_eq!(set_back(20_000, 100_000_000), MAX_SET_BACK);
    }
}
