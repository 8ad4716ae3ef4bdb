use twenty_webhook_inbox::JobId;

use crate::CatchUpError;

/// The result of a run.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Report {
    /// One report for each object, in the order of [`CatchUp::objects`](crate::CatchUp::objects) or else of the data model.
    pub objects: Vec<ObjectReport>,
    /// The number of HTTP requests, including repeated ones.
    pub requests: u64,
}

impl Report {
    /// Whether no object has an error.
    pub fn is_ok(&self) -> bool {
        self.objects.iter().all(|object| object.error.is_none())
    }

    /// The number of events that were found. They are stored, unless it was a dry run.
    pub fn events(&self) -> u64 {
        self.objects.iter().map(ObjectReport::events).sum()
    }
}

/// The result of a run for one object. The counts are of this run.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct ObjectReport {
    /// The singular name of the object.
    pub object: String,
    /// Records read while looking for changes.
    pub read: u64,
    /// `created` events found.
    pub created: u64,
    /// `updated` events found.
    pub updated: u64,
    /// `deleted` events found.
    pub deleted: u64,
    /// `destroyed` events found.
    pub destroyed: u64,
    /// Changed records whose state was already handled, is waiting to be handled, or was found by the first run.
    pub known: u64,
    /// Records left to the next run, because they changed within [`CatchUp::min_age`](crate::CatchUp::min_age).
    pub too_recent: u64,
    /// The dead letters among the changed records: their handler failed for good. Retry them in the inbox.
    pub dead: Vec<JobId>,
    /// Missing records that this API key never read. They may only be hidden from it, so no event is emitted. 0 with
    /// [`CatchUp::accept_destroys`](crate::CatchUp::accept_destroys).
    pub unproven: u64,
    /// Missing records whose deletion could not be confirmed. No event is emitted.
    pub unconfirmed: u64,
    /// Whether it was the first run for this object, which stores the existing records as known and emits no events.
    pub is_first: bool,
    /// Whether Twenty left fields out: its API sends at most 200 fields of a record, and says so in the header `x-twenty-fields-capped`.
    pub is_capped: bool,
    /// Whether this run finished a [listing of all ids](crate::CatchUp::destroyed_every).
    pub compared_ids: bool,
    /// Why this object failed, if it did. The counts are of what was done before.
    pub error: Option<CatchUpError>,
}

impl ObjectReport {
    /// The number of events that were found. They are stored, unless it was a dry run.
    pub fn events(&self) -> u64 {
        self.created + self.updated + self.deleted + self.destroyed
    }

    pub(crate) fn count(&mut self, action: &str) {
        match action {
            "created" => self.created += 1,
            "updated" => self.updated += 1,
            "deleted" => self.deleted += 1,
            _ => self.destroyed += 1,
        }
    }

    pub(crate) fn log(&self) {
        let Self { object, read, created, updated, deleted, known, .. } = self;
        tracing::info!(object, read, created, updated, deleted, known, dead = self.dead.len(), "caught up");
    }
}

/// The progress of a run, for a progress bar.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Progress {
    /// The singular name of the object.
    pub object: String,
    /// What the run does now.
    pub phase: Phase,
    /// The number of records read, or confirmed, in this phase.
    pub done: u64,
    /// The number of records in this phase, if Twenty reports it.
    pub total: Option<u64>,
    /// The number of events found for this object so far.
    pub events: u64,
}

/// A part of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Phase {
    /// Reading changed records.
    Changes,
    /// Listing all ids.
    Ids,
    /// Confirming that missing records no longer exist.
    Confirming,
}
