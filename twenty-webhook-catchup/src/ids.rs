//! Finds destroyed records: lists all ids, compares them with the known ones, and confirms each missing one.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use twenty_webhook_inbox::{CatchUpStore, FoundRecord, IdCounts, MissingRecord};

use crate::changes::{self, Changes, is_old_enough, millis};
use crate::event::{destroyed, event};
use crate::look_up::{LookUp, look_up};
use crate::objects::{Model, Object};
use crate::page::Page;
use crate::session::{Pages, Session, saved};
use crate::{CatchUpError, ObjectReport, Phase};

/// A filter that matches soft-deleted records too.
pub(crate) const ALL: &str = "or(deletedAt[is]:NULL,deletedAt[is]:NOT_NULL)";

/// If more ids are missing, or more than one of `MIN_KNOWN_PER_MISSING` known ids, no event is emitted.
const MAX_MISSING: u64 = 100;
const MIN_KNOWN_PER_MISSING: u64 = 20;

/// How many missing ids are read from the store at a time.
const STORE_PAGE_SIZE: u32 = 50;

/// The saved progress of an object's passes.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Ids {
    /// The running or last pass.
    pub(crate) pass: i64,
    /// When the last pass ended, in Unix milliseconds by the server's clock.
    pub(crate) done: Option<i64>,
    /// The last pass left out missing ids that `accept_destroys` accepts: too many, or unproven ones.
    #[serde(default)]
    has_unaccepted: bool,
    pub(crate) run: Option<Run>,
}

/// The step of an unfinished pass.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) enum Run {
    /// Listing all ids, from this cursor on.
    Listing(Option<String>),
    /// Confirming missing ids, after this one.
    Confirming(String),
}

pub(crate) fn name(object: &Object) -> String {
    format!("ids {}", object.singular)
}

/// Starts or continues a pass, if one is due. Returns `false` if it paused before its end.
pub(crate) async fn run<S: CatchUpStore>(
    session: &Session<'_, S>,
    object: &Object,
    model: &Model,
    every: Duration,
    report: &mut ObjectReport,
) -> Result<bool, CatchUpError> {
    let mut ids: Ids = session.load(&name(object)).await?;
    let is_old = ids.done.is_none_or(|done| model.date.saturating_sub(done) >= millis(every) || done > model.date);
    let is_accepted = ids.has_unaccepted && session.config.accepts_destroys;
    if ids.run.is_none() && !is_old && !is_accepted {
        return Ok(true);
    }
    if ids.run.is_none() {
        session.store.add_delivered_ids(session.scope.key(), &object.singular).await?;
        // Ids that runs for changes find from here on belong to this pass too.
        ids = Ids { pass: ids.pass + 1, done: ids.done, has_unaccepted: false, run: Some(Run::Listing(None)) };
        save(session, object, &ids, report).await?;
    }
    match continue_pass(session, object, model, &mut ids, report).await {
        // The role, the object or the data model may have changed, so a record that was not listed may still exist.
        Err(error) if error.ends_pass() => {
            let has_unaccepted = matches!(error, CatchUpError::TooManyMissing { .. });
            ids = Ids { run: None, done: Some(model.date), has_unaccepted, ..ids };
            save(session, object, &ids, report).await?;
            Err(error)
        }
        ended => ended,
    }
}

async fn continue_pass<S: CatchUpStore>(
    session: &Session<'_, S>,
    object: &Object,
    model: &Model,
    ids: &mut Ids,
    report: &mut ObjectReport,
) -> Result<bool, CatchUpError> {
    if let Some(Run::Listing(cursor)) = ids.run.clone() {
        if !list(session, object, ids, cursor, report).await? {
            return Ok(false);
        }
        ids.run = Some(Run::Confirming(String::new()));
        save(session, object, ids, report).await?;
    }
    if let Some(Run::Confirming(after)) = ids.run.clone() {
        check_counts(session, object, ids, report).await?;
        if !confirm(session, object, ids, after, report).await? {
            return Ok(false);
        }
    }
    report.compared_ids = true;
    *ids = Ids { run: None, done: Some(model.date), has_unaccepted: report.unproven > 0, ..ids.clone() };
    save(session, object, ids, report).await?;
    tracing::info!(
        object = object.singular,
        destroyed = report.destroyed,
        unproven = report.unproven,
        unconfirmed = report.unconfirmed,
        "all ids were compared"
    );
    Ok(true)
}

/// Marks the listed ids as found. Emits an event for a state that is not known and is older than what runs for changes read: an import may have
/// given it an old date, it may be of a long transaction, or the key's role may read it only now. Of a record that was seen, but not its state,
/// nothing says that it changed.
async fn list<S: CatchUpStore>(
    session: &Session<'_, S>,
    object: &Object,
    ids: &mut Ids,
    cursor: Option<String>,
    report: &mut ObjectReport,
) -> Result<bool, CatchUpError> {
    let mut pages = Pages::from(object, ALL, cursor);
    let mut listed = 0;
    loop {
        let changes: Changes = session.load(&changes::name(object)).await?;
        let (Page { rows, next, total }, date) = pages.next(session).await?;
        report.is_capped |= pages.is_capped;
        listed += rows.len() as u64;
        let of_page: Vec<_> = rows.iter().map(|row| row.id.clone()).collect();
        let known = session.store.known(session.scope.key(), &object.singular, &of_page).await?;
        let mut commit = session.commit_for(object, ids);
        for (row, known) in rows.into_iter().zip(known) {
            let newest = known.state.max(known.handled).max(known.dead.map(|(_, state)| state));
            let is_new = newest.map_or(!known.is_seen, |state| row.updated_at > state);
            // Runs for changes read newer records.
            let is_old = changes
                .watermark
                .is_some_and(|watermark| row.changed_at() < watermark.date - session.config.look_back());
            let needs_event = is_new && is_old && is_old_enough(row.changed_at(), date, session.config.min_age);
            if needs_event {
                let action = match newest {
                    _ if row.is_deleted => "deleted",
                    Some(_) => "updated",
                    None => "created",
                };
                commit.events.push(event(object, action, &row.json, date, session.scope.workspace_id.as_deref())?);
            }
            // Later passes compare with it, also when the job of a delivery is deleted.
            let is_handled = needs_event || known.handled.is_some_and(|state| state >= row.updated_at);
            commit.found.push(FoundRecord { state: is_handled.then_some(row.updated_at), id: row.id });
        }
        commit.are_handled = true;
        let is_last = next.is_none();
        if !is_last {
            ids.run = Some(Run::Listing(next));
            commit.progress.push(saved(name(object), ids)?);
        }
        session.commit(commit, report).await?;
        session.show(report, Phase::Ids, listed, total);
        if is_last {
            return Ok(true);
        }
        // After a page, not before it: each run continues the pass, even if reading the changes took longer than the interval.
        if session.must_pause() {
            return Ok(false);
        }
    }
}

/// Fails if too many of the ids that this key has read are missing.
fn check_missing(object: &Object, counts: IdCounts) -> Result<(), CatchUpError> {
    let IdCounts { known, missing, unproven } = counts;
    let known = known.saturating_sub(unproven);
    if missing <= MAX_MISSING && missing * MIN_KNOWN_PER_MISSING <= known {
        return Ok(());
    }
    Err(CatchUpError::TooManyMissing { object: object.singular.clone(), known, missing, unproven })
}

async fn check_counts<S: CatchUpStore>(
    session: &Session<'_, S>,
    object: &Object,
    ids: &Ids,
    report: &mut ObjectReport,
) -> Result<(), CatchUpError> {
    let tag = session.config.api_key.tag();
    let counts = session.store.count_ids(session.scope.key(), &object.singular, ids.pass, tag).await?;
    if session.config.accepts_destroys {
        return Ok(());
    }
    report.unproven = counts.unproven;
    // Also when a pass continues: the run that began it may have accepted all, or had another key.
    check_missing(object, counts)?;
    if counts.unproven > 0 {
        tracing::warn!(
            object = object.singular,
            records = counts.unproven,
            "missing records are known only from deliveries or from another API key, and may be hidden from this key: no event is emitted \
             (unless `accept_destroys` is set)"
        );
    }
    Ok(())
}

async fn confirm<S: CatchUpStore>(
    session: &Session<'_, S>,
    object: &Object,
    ids: &mut Ids,
    mut after: String,
    report: &mut ObjectReport,
) -> Result<bool, CatchUpError> {
    let tag = (!session.config.accepts_destroys).then(|| session.config.api_key.tag());
    let mut control = None;
    let mut asked = 0;
    loop {
        let (scope, pass) = (session.scope.key(), ids.pass);
        let missing = session.store.missing(scope, &object.singular, pass, tag, &after, STORE_PAGE_SIZE).await?;
        if missing.is_empty() {
            return Ok(true);
        }
        for MissingRecord { id, state } in missing {
            let found = look_up(session, object, &id, &mut control).await?;
            let mut commit = session.commit_for(object, ids);
            match found {
                LookUp::Gone(date) => {
                    let workspace_id = session.scope.workspace_id.as_deref();
                    commit.events.push(destroyed(object, &id, state, date, workspace_id)?);
                    commit.gone.push(id.clone());
                }
                LookUp::Exists => commit.found.push(FoundRecord { id: id.clone(), state: None }),
                LookUp::Unknown => report.unconfirmed += 1,
            }
            after.clone_from(&id);
            ids.run = Some(Run::Confirming(id));
            commit.progress.push(saved(name(object), ids)?);
            session.commit(commit, report).await?;
            asked += 1;
            session.show(report, Phase::Confirming, asked, None);
            if session.must_pause() {
                return Ok(false);
            }
        }
    }
}

async fn save<S: CatchUpStore>(
    session: &Session<'_, S>,
    object: &Object,
    ids: &Ids,
    report: &mut ObjectReport,
) -> Result<(), CatchUpError> {
    let mut commit = session.commit_for(object, ids);
    commit.progress.push(saved(name(object), ids)?);
    session.commit(commit, report).await
}
