//! Finds what was destroyed, and saves nothing.

use std::collections::HashSet;

use twenty_webhook_inbox::{CatchUpStore, Census, Missing};

use crate::event::destroyed;
use crate::ids::{self, Ids, believe};
use crate::look_up::{LookUp, look_for};
use crate::objects::Object;
use crate::session::{PAGE, Session};
use crate::{CatchUpError, ObjectReport, Phase};

/// No pass has this number, so all known ids are missing from it.
const NO_PASS: i64 = -1;

/// Makes a pass in memory. Returns false if it had to give way.
pub(crate) async fn compare<S: CatchUpStore>(
    session: &Session<'_, S>,
    object: &Object,
    ids: &mut Ids,
    report: &mut ObjectReport,
) -> Result<bool, CatchUpError> {
    let mut listed = HashSet::new();
    let show = |id: &str| {
        listed.insert(id.to_owned());
    };
    if !ids::list(session, object, ids, None, report, show).await? {
        return Ok(false);
    }
    let accepts = session.config.accepts_destroys;
    let (known, all) = not_listed(session, object, &listed, None).await?;
    let (_, proven) = not_listed(session, object, &listed, Some(session.config.api_key.tag())).await?;
    let census = Census { known, missing: proven.len() as u64, unproven: (all.len() - proven.len()) as u64 };
    if !accepts {
        report.unproven = census.unproven;
        believe(object, census)?;
    }
    let (mut control, mut asked) = (None, 0);
    for Missing { id, state } in if accepts { all } else { proven } {
        match look_for(session, object, &id, &mut control).await? {
            LookUp::Gone(date) => {
                let mut commit = session.commit_of(object, ids);
                commit.events.push(destroyed(object, &id, state, date, session.scope.workspace_id.as_deref())?);
                session.commit(commit, report).await?;
            }
            LookUp::There => {}
            LookUp::Unknown => report.unconfirmed += 1,
        }
        asked += 1;
        session.show(report, Phase::Confirming, asked, None);
    }
    report.compared_ids = true;
    Ok(true)
}

/// How many ids are known, and those that were not listed and that no delivery says are destroyed. With a tag, of one API key.
async fn not_listed<S: CatchUpStore>(
    session: &Session<'_, S>,
    object: &Object,
    listed: &HashSet<String>,
    key_tag: Option<&str>,
) -> Result<(u64, Vec<Missing>), CatchUpError> {
    let (scope, mut after) = (session.scope.key(), String::new());
    let (mut known, mut missing) = (0, Vec::new());
    loop {
        let page = session.store.missing(scope, &object.singular, NO_PASS, key_tag, &after, PAGE).await?;
        let Some(last) = page.last() else { return Ok((known, missing)) };
        after.clone_from(&last.id);
        known += page.len() as u64;
        let page: Vec<_> = page.into_iter().filter(|one| !listed.contains(&one.id)).collect();
        let ids: Vec<_> = page.iter().map(|one| one.id.clone()).collect();
        let states = session.store.known(scope, &object.singular, &ids).await?;
        let is_told = |handled| handled == Some(i64::MAX);
        missing.extend(page.into_iter().zip(states).filter(|(_, known)| !is_told(known.handled)).map(|(one, _)| one));
    }
}
