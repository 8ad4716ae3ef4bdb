use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use twenty_webhook_inbox::CatchUpStore;

use crate::CatchUpError;
use crate::changes::local_now;
use crate::page::read_list;
use crate::session::{Session, saved};

/// An object of the data model.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Object {
    pub(crate) id: Option<String>,
    #[serde(rename = "nameSingular")]
    pub(crate) singular: String,
    #[serde(rename = "namePlural")]
    pub(crate) plural: String,
    #[serde(rename = "isActive", default = "default_true")]
    is_active: bool,
    #[serde(rename = "isSystem", default)]
    is_system: bool,
}

fn default_true() -> bool {
    true
}

/// More pages mean that Twenty repeats them.
const MAX_PAGES: usize = 100;

/// The data model, and the date of its first response.
pub(crate) struct Model {
    objects: Vec<Object>,
    /// By the server's clock, in Unix milliseconds.
    pub(crate) date: i64,
    /// The same time by the local clock.
    pub(crate) local: i64,
    last: Option<LastModel>,
}

/// The data model of the last run.
#[derive(Serialize, Deserialize)]
struct LastModel {
    date: i64,
    objects: BTreeSet<String>,
}

/// The name of the saved [`LastModel`].
const PROGRESS: &str = "model";

/// Whether Twenty answers a request for the data model.
pub(crate) async fn model_is_answered<S>(session: &Session<'_, S>) -> bool {
    session.get(&["metadata", "objects"], &[("limit", "1")]).await.is_ok()
}

impl Model {
    pub(crate) async fn read<S: CatchUpStore>(session: &Session<'_, S>) -> Result<Self, CatchUpError> {
        let last = session.load(PROGRESS).await?;
        let (mut objects, mut cursor, mut times) = (Vec::new(), None::<String>, None);
        for _ in 0..MAX_PAGES {
            let mut query = vec![("limit", "200")];
            query.extend(cursor.as_deref().map(|cursor| ("starting_after", cursor)));
            let answer = session.get(&["metadata", "objects"], &query).await?;
            let local = local_now();
            let (items, next, _) = read_list(&answer.body, "objects")?;
            for item in items {
                let object: Object = serde_json::from_str(item.get()).map_err(|_| {
                    CatchUpError::InvalidResponse("an object of the data model has no names".to_owned())
                })?;
                objects.push(object);
            }
            let (date, local) = *times.get_or_insert((answer.date, local));
            match next {
                None => return Ok(Self { objects, date, local, last }),
                Some(next) if cursor.as_ref() == Some(&next) => return Err(CatchUpError::RepeatedCursor),
                next => cursor = next,
            }
        }
        Err(CatchUpError::RepeatedCursor)
    }

    /// Finds an active object by its singular name.
    pub(crate) fn find(&self, singular: &str) -> Result<Object, CatchUpError> {
        let found = self.active().find(|object| object.singular == singular);
        found.cloned().ok_or_else(|| CatchUpError::NoSuchObject(singular.to_owned()))
    }

    /// The date of the last run, if that run could not know this object: it is new, or has another name since.
    pub(crate) fn new_since(&self, object: &Object) -> Option<i64> {
        self.last.as_ref().filter(|last| !last.objects.contains(&object.singular)).map(|last| last.date)
    }

    pub(crate) fn is_new(&self, singular: &str) -> bool {
        self.find(singular).is_ok_and(|object| self.new_since(&object).is_some())
    }

    /// What to save for the next run.
    pub(crate) fn progress(&self) -> Result<(String, String), CatchUpError> {
        let objects = self.active().map(|object| object.singular.clone()).collect();
        saved(PROGRESS.to_owned(), &LastModel { date: self.date, objects })
    }

    #[cfg(test)]
    pub(crate) fn at(date: i64, local: i64) -> Self {
        Self { objects: Vec::new(), date, local, last: None }
    }

    fn active(&self) -> impl Iterator<Item = &Object> {
        self.objects.iter().filter(|object| object.is_active)
    }

    /// The singular names of all objects, except deactivated and system objects.
    pub(crate) fn names(&self) -> Vec<String> {
        self.active().filter(|object| !object.is_system).map(|object| object.singular.clone()).collect()
    }
}
