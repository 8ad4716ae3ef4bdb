use std::collections::{BTreeSet, HashSet};

use serde_json::json;
use twenty_webhook_testing::FakeTwenty;

use super::OBJECTS;

/// The records that there are, to change them.
pub(super) struct Records {
    /// Of each object.
    ids: [Vec<String>; OBJECTS.len()],
    trash: BTreeSet<String>,
}

impl Records {
    /// More than a page of each object.
    pub(super) fn create(twenty: &FakeTwenty) -> Self {
        let ids = OBJECTS.map(|object| twenty.create_many(object, (0..250).map(|_| json!({}))));
        Self { ids, trash: BTreeSet::new() }
    }

    /// Makes one call that changes one or several records of an object.
    pub(super) fn change(&mut self, twenty: &FakeTwenty, random: &mut fastrand::Rng) {
        let at = random.usize(..OBJECTS.len());
        let (object, ids) = (OBJECTS[at], &mut self.ids[at]);
        let mut some = |most: usize| -> Vec<String> {
            let some: HashSet<_> = (0..random.usize(1..=most)).map(|_| &ids[random.usize(..ids.len())]).collect();
            some.into_iter().cloned().collect()
        };
        let (many, one) = (some(12), some(1));
        let city = json!({ "city": random.u64(..).to_string() });
        match random.u8(0..100) {
            0..20 => ids.extend(twenty.create_many(object, (0..random.usize(1..4)).map(|_| json!({})))),
            20..30 => {
                twenty.delete(object, &one);
                self.trash.extend(one);
            }
            30..36 => {
                let restored: Vec<_> = many.into_iter().filter(|id| self.trash.remove(id)).collect();
                twenty.restore(object, &restored);
            }
            36..39 if ids.len() > 40 => {
                twenty.destroy(object, &many);
                ids.retain(|id| !many.contains(id));
            }
            39..50 => twenty.update(object, &many, city),
            _ => twenty.update(object, &one, city),
        }
    }

    /// Changes all records of an object in one call.
    pub(super) fn import(&self, twenty: &FakeTwenty, random: &mut fastrand::Rng) {
        let at = random.usize(..OBJECTS.len());
        twenty.update(OBJECTS[at], &self.ids[at], json!({ "city": random.u64(..).to_string() }));
    }
}
