use serde::Deserialize;

use crate::CatchUpError;
use crate::page::read_list;
use crate::session::Session;

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
    pub(crate) date: i64,
}

impl Model {
    pub(crate) async fn read<S>(session: &Session<'_, S>) -> Result<Self, CatchUpError> {
        let (mut objects, mut cursor, mut date) = (Vec::new(), None::<String>, None);
        for _ in 0..MAX_PAGES {
            let mut query = vec![("limit", "200")];
            query.extend(cursor.as_deref().map(|cursor| ("starting_after", cursor)));
            let answer = session.get(&["metadata", "objects"], &query).await?;
            let (items, next, _) = read_list(&answer.body, "objects")?;
            for item in items {
                let object: Object = serde_json::from_str(item.get()).map_err(|_| {
                    CatchUpError::InvalidResponse("an object of the data model has no names".to_owned())
                })?;
                objects.push(object);
            }
            let date = *date.get_or_insert(answer.date);
            match next {
                None => return Ok(Self { objects, date }),
                Some(next) if cursor.as_ref() == Some(&next) => return Err(CatchUpError::RepeatedCursor),
                next => cursor = next,
            }
        }
        Err(CatchUpError::RepeatedCursor)
    }

    /// Finds an active object by its singular name.
    pub(crate) fn find(&self, singular: &str) -> Result<Object, CatchUpError> {
        let found = self.objects.iter().find(|object| object.singular == singular && object.is_active);
        found.cloned().ok_or_else(|| CatchUpError::NoSuchObject(singular.to_owned()))
    }

    /// The singular names of all objects, except deactivated and system objects.
    pub(crate) fn names(&self) -> Vec<String> {
        let shown = self.objects.iter().filter(|object| object.is_active && !object.is_system);
        shown.map(|object| object.singular.clone()).collect()
    }
}
