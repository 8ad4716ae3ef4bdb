use twenty_webhook_inbox::JobId;

use crate::CatchUpError;

/// What a run did.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Report {
    /// Object by object, in the order in which they were asked for.
    pub objects: Vec<ObjectReport>,
    /// How many requests were made, repeated ones too.
    pub requests: u64,
}

impl Report {
    /// Whether nothing went wrong.
    pub fn is_ok(&self) -> bool {
        self.objects.iter().all(|object| object.error.is_none())
    }

    /// How many events were found, and stored unless it was a dry run.
    pub fn events(&self) -> u64 {
        self.objects.iter().map(ObjectReport::events).sum()
    }
}

/// What a run did about one object.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct ObjectReport {
    /// Its singular name.
    pub object: String,
    /// How many records were read.
    pub read: u64,
    /// `created` events.
    pub created: u64,
    /// `updated` events.
    pub updated: u64,
    /// `deleted` events.
    pub deleted: u64,
    /// `destroyed` events.
    pub destroyed: u64,
    /// Changed records whose state was known.
    pub known: u64,
    /// Changed records that are left to the next run, because they changed in the last seconds.
    pub too_recent: u64,
    /// Changed records whose state is a dead letter.
    pub dead: Vec<JobId>,
    /// Missing records that this API key never read, so that nothing is said about them.
    pub unproven: u64,
    /// Missing records that could not be confirmed to be gone.
    pub unconfirmed: u64,
    /// Whether it was the first run, which only remembers what there is.
    pub is_first: bool,
    /// Whether Twenty left fields out: its API sends at most 200 fields of a record.
    pub is_capped: bool,
    /// Whether all ids were compared.
    pub compared_ids: bool,
    /// What went wrong. The counts are true nevertheless.
    pub error: Option<CatchUpError>,
}

impl ObjectReport {
    /// How many events were found, and stored unless it was a dry run.
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

/// How far a run is: for a progress bar.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Progress {
    /// The object, by its singular name.
    pub object: String,
    /// What is done about it.
    pub phase: Phase,
    /// How many records were read, or confirmed, in this phase.
    pub done: u64,
    /// How many there are, as far as Twenty says.
    pub total: Option<u64>,
    /// How many events were found for this object so far.
    pub events: u64,
}

/// A part of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Phase {
    /// Reading what changed.
    Changes,
    /// Listing all ids.
    Ids,
    /// Confirming that missing records are gone.
    Confirming,
}
