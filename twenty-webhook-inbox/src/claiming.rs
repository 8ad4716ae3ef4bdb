//! The parts of a claim that both databases share.

use std::collections::HashMap;
use std::time::Duration;

use sqlx::{ColumnIndex, Decode, Row, Type};

use crate::sql::millis;
use crate::{ClaimedJob, Crashed};

/// A job that is due, and the job that it has to wait for.
#[derive(Debug)]
pub(crate) struct Candidate {
    pub(crate) seq: i64,
    pub(crate) crashes: i32,
    pub(crate) blocker: Option<i64>,
    /// Its lane and scope, if it is an `updated`, which may be merged with others.
    pub(crate) burst: Option<(i64, String)>,
}

/// What to do with the candidates.
#[derive(Debug, Default)]
pub(crate) struct Choice {
    pub(crate) claim: Vec<Candidate>,
    /// (job, the job that it waits for)
    pub(crate) park: Vec<(i64, i64)>,
    pub(crate) alone_is_due: bool,
}

pub(crate) fn choose(candidates: Vec<Candidate>, crashed: Crashed, limit: usize) -> Choice {
    let mut choice = Choice::default();
    for candidate in candidates {
        if let Some(blocker) = candidate.blocker {
            choice.park.push((candidate.seq, blocker));
        } else if candidate.crashes > 1 && crashed == Crashed::Alone {
            choice.claim = vec![candidate];
            break;
        } else if candidate.crashes > 1 {
            choice.alone_is_due = true;
        } else if choice.claim.len() < limit && (candidate.crashes == 0 || crashed != Crashed::No) {
            choice.claim.push(candidate);
        }
    }
    choice
}

/// How to handle an `updated` that waits for no other job.
#[derive(Debug)]
pub(crate) enum Burst {
    /// Handle it alone.
    One,
    /// Others may still arrive: look again at this time.
    NotYet(i64),
    /// Handle these in one call; the last is the newest.
    Merged(Vec<i64>),
}

/// Finds the jobs to merge with this one: those after it in its lane, up to the first that is not an `updated` of the same record.
pub(crate) fn burst<'r, R>(seq: i64, rows: &'r [R], quiet: Duration) -> Result<Burst, sqlx::Error>
where
    R: Row,
    &'static str: ColumnIndex<R>,
    i64: Decode<'r, R::Database> + Type<R::Database>,
    i32: Decode<'r, R::Database> + Type<R::Database>,
    String: Decode<'r, R::Database> + Type<R::Database>,
{
    let (mut seqs, mut record, mut now) = (Vec::new(), None, 0);
    let (mut oldest, mut newest) = (i64::MAX, i64::MIN);
    for row in rows {
        let this: i64 = row.try_get("seq")?;
        if seqs.is_empty() && this != seq {
            continue;
        }
        let of: (String, Option<String>) = (row.try_get("object")?, row.try_get("record_id")?);
        let fits = row.try_get::<String, _>("action")? == "updated" && row.try_get::<i32, _>("crashes")? == 0;
        if !fits || *record.get_or_insert_with(|| of.clone()) != of {
            break;
        }
        let stored_at: i64 = row.try_get("stored_at")?;
        (oldest, newest, now) = (oldest.min(stored_at), newest.max(stored_at), row.try_get("now")?);
        seqs.push(this);
    }
    if seqs.is_empty() {
        return Ok(Burst::One);
    }
    let quiet = millis(quiet);
    let due = newest.saturating_add(quiet).min(oldest.saturating_add(quiet.saturating_mul(10)));
    Ok(match seqs.len() {
        _ if due > now => Burst::NotYet(due),
        1 => Burst::One,
        _ => Burst::Merged(seqs),
    })
}

/// Puts jobs in the order of `ids`, and merged ones under the newest of their group.
pub(crate) fn assemble(jobs: Vec<ClaimedJob>, ids: &[i64], groups: &HashMap<i64, i64>) -> Vec<ClaimedJob> {
    let mut jobs: HashMap<_, _> = jobs.into_iter().map(|job| (job.id.number(), job)).collect();
    let mut assembled: Vec<(Option<i64>, ClaimedJob)> = Vec::new();
    for id in ids {
        let Some(job) = jobs.remove(id) else { continue };
        let group = groups.get(id).copied();
        match assembled.last_mut() {
            // `ids` is in order, so this one is newer than those before it.
            Some((last, newest)) if group.is_some() && *last == group => {
                let mut older = std::mem::replace(newest, job);
                newest.merged = std::mem::take(&mut older.merged);
                newest.merged.push(older);
            }
            _ => assembled.push((group, job)),
        }
    }
    assembled.into_iter().map(|(_, job)| job).collect()
}
