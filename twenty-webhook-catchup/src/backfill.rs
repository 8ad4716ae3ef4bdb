use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

/// The objects that are read whole, each until that has succeeded.
#[derive(Debug)]
pub(crate) struct Backfill {
    is_wanted: bool,
    ended: Mutex<BTreeSet<String>>,
}

impl Backfill {
    pub(crate) fn new(is_wanted: bool) -> Self {
        Self { is_wanted, ended: Mutex::default() }
    }

    pub(crate) fn is_due(&self, object: &str) -> bool {
        self.is_wanted && !self.ended.lock().unwrap_or_else(PoisonError::into_inner).contains(object)
    }

    pub(crate) fn end(&self, object: &str) {
        if self.is_wanted {
            self.ended.lock().unwrap_or_else(PoisonError::into_inner).insert(object.to_owned());
        }
    }
}
