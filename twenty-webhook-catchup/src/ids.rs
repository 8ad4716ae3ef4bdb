//! Finds what was destroyed: lists all ids, compares, and confirms.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use twenty_webhook_inbox::{CatchUpStore, Census, Found, Missing};

use crate::changes::{self, Changes, is_settled, millis};
use crate::event::{destroyed, event};
use crate::look_up::{LookUp, look_for};
use crate::objects::{Model, Object};
use crate::page::Page;
use crate::session::{Pages, Session, saved};
use crate::{CatchUpError, ObjectReport, Phase};

/// Soft-deleted records are there, too.
pub(crate) const ALL: &str = "or(deletedAt[is]:NULL,deletedAt[is]:NOT_NULL)";

/// More than this, or than one of so many known ids, is not believed.
const MOST_MISSING: u64 = 100;
const ONE_OF: u64 = 20;

/// How many missing ids are read from the store at a time.
const AT_A_TIME: u32 = 50;

/// How far the passes of an object are.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Ids {
    /// The running or last pass.
    pub(crate) pass: i64,
    /// When the last one ended, by the server's clock.
    pub(crate) done: Option<i64>,
    /// It found more missing than is believed.
    #[serde(default)]
    is_refused: bool,
    pub(crate) run: Option<Run>,
}

/// A pass that did not end yet.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) enum Run {
    /// From this cursor on.
    Listing(Option<String>),
    /// What is missing, after this id.
    Confirming(String),
}

pub(crate) fn name(object: &Object) -> String {
    format!("ids {}", object.singular)
}

/// Goes on with the pass, if one is due, until it has ended or must give way. Returns whether there is none any more.
pub(crate) async fn run<S: CatchUpStore>(
    session: &Session<'_, S>,
    object: &Object,
    model: &Model,
    every: Duration,
    report: &mut ObjectReport,
) -> Result<bool, CatchUpError> {
    let mut ids: Ids = session.load(&name(object)).await?;
    let is_old = ids.done.is_none_or(|done| model.date.saturating_sub(done) >= millis(every) || done > model.date);
    let is_accepted = ids.is_refused && session.config.accepts_destroys;
    if ids.run.is_none() && !is_old && !is_accepted {
        return Ok(true);
    }
    if ids.run.is_none() {
        session.store.learn(session.scope.key(), &object.singular).await?;
        // What is found from here on is of this pass, also by runs that look for changes.
        ids = Ids { pass: ids.pass + 1, done: ids.done, is_refused: false, run: Some(Run::Listing(None)) };
        save(session, object, &ids, report).await?;
    }
    match go_on(session, object, model, &mut ids, report).await {
        // The role, the object or the data model is not what it was: what was not listed need not be gone.
        Err(error) if error.is_of_one_object() => {
            let is_refused = matches!(error, CatchUpError::TooManyMissing { .. });
            ids = Ids { run: None, done: Some(model.date), is_refused, ..ids };
            save(session, object, &ids, report).await?;
            Err(error)
        }
        ended => ended,
    }
}

async fn go_on<S: CatchUpStore>(
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
        judge(session, object, ids, &after, report).await?;
        if !confirm(session, object, ids, after, report).await? {
            return Ok(false);
        }
    }
    report.compared_ids = true;
    *ids = Ids { run: None, done: Some(model.date), is_refused: false, ..ids.clone() };
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

/// Marks what is there. A record that was never seen, though it is older than what runs look at, is news: one that an import dated back, or
/// that the key may read from now on.
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
        if session.must_give_way() {
            return Ok(false);
        }
        let changes: Changes = session.load(&changes::name(object)).await?;
        let (Page { rows, next, total }, date) = pages.next(session).await?;
        report.is_capped |= pages.is_capped;
        listed += rows.len() as u64;
        let of_page: Vec<_> = rows.iter().map(|row| row.id.clone()).collect();
        let known = session.store.known(session.scope.key(), &object.singular, &of_page).await?;
        let mut commit = session.commit_of(object, ids);
        for (row, known) in rows.into_iter().zip(known) {
            let is_news = !known.is_seen && known.handled.is_none() && known.dead.is_none();
            // Runs look at what is newer.
            let is_old = changes
                .watermark
                .is_some_and(|watermark| row.changed_at() < watermark.date - session.config.look_back());
            let is_news = is_news && is_old && is_settled(row.changed_at(), date, session.config.settle);
            if is_news {
                let action = if row.is_deleted { "deleted" } else { "created" };
                commit.events.push(event(object, action, &row.json, date, session.scope.workspace_id.as_deref())?);
            }
            commit.found.push(Found { state: is_news.then_some(row.updated_at), id: row.id });
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
    }
}

/// What is missing, if it is little enough to be believed.
fn believe(object: &Object, census: Census) -> Result<(), CatchUpError> {
    let Census { known, missing, unproven } = census;
    if missing <= MOST_MISSING && missing * ONE_OF <= known {
        return Ok(());
    }
    Err(CatchUpError::TooManyMissing { object: object.singular.clone(), known, missing, unproven })
}

async fn judge<S: CatchUpStore>(
    session: &Session<'_, S>,
    object: &Object,
    ids: &Ids,
    after: &str,
    report: &mut ObjectReport,
) -> Result<(), CatchUpError> {
    let tag = session.config.api_key.tag();
    let census = session.store.census(session.scope.key(), &object.singular, ids.pass, tag).await?;
    if session.config.accepts_destroys {
        return Ok(());
    }
    report.unproven = census.unproven;
    // One that goes on was judged when it began.
    if after.is_empty() {
        believe(object, census)?;
    }
    if census.unproven > 0 {
        tracing::warn!(
            object = object.singular,
            records = census.unproven,
            "records that only deliveries or another API key told of are missing, and may be hidden from this key: nothing is said about them \
             (`accept_destroys` believes that they are gone)"
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
        let missing = session.store.missing(scope, &object.singular, pass, tag, &after, AT_A_TIME).await?;
        if missing.is_empty() {
            return Ok(true);
        }
        for Missing { id, state } in missing {
            if session.must_give_way() {
                return Ok(false);
            }
            let found = look_for(session, object, &id, &mut control).await?;
            let mut commit = session.commit_of(object, ids);
            match found {
                LookUp::Gone(date) => {
                    let workspace_id = session.scope.workspace_id.as_deref();
                    commit.events.push(destroyed(object, &id, state, date, workspace_id)?);
                    commit.gone.push(id.clone());
                }
                LookUp::There => commit.found.push(Found { id: id.clone(), state: None }),
                LookUp::Unknown => report.unconfirmed += 1,
            }
            after.clone_from(&id);
            ids.run = Some(Run::Confirming(id));
            commit.progress.push(saved(name(object), ids)?);
            session.commit(commit, report).await?;
            asked += 1;
            session.show(report, Phase::Confirming, asked, None);
        }
    }
}

async fn save<S: CatchUpStore>(
    session: &Session<'_, S>,
    object: &Object,
    ids: &Ids,
    report: &mut ObjectReport,
) -> Result<(), CatchUpError> {
    let mut commit = session.commit_of(object, ids);
    commit.progress.push(saved(name(object), ids)?);
    session.commit(commit, report).await
}
