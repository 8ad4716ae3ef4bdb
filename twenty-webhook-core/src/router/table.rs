use std::collections::HashMap;
use std::fmt;

use super::items::Item;
use super::route::Route;
use crate::WebhookEvent;

/// The routes in their order, found by an event's object: with fifty of them, an event looks at few.
pub(super) struct Table<S> {
    routes: Vec<Route<S>>,
    /// For each object that a pattern names: its routes, and those of any object.
    by_object: HashMap<String, Vec<usize>>,
    /// The routes of any object.
    of_any: Vec<usize>,
}

impl<S> Table<S> {
    pub(super) fn routes(&self) -> &[Route<S>] {
        &self.routes
    }

    pub(super) fn push(&mut self, route: Route<S>) {
        let position = self.routes.len();
        if let Some(object) = route.object() {
            self.by_object.entry(object).or_insert_with(|| self.of_any.clone()).push(position);
        } else {
            let lists = self.by_object.values_mut().chain([&mut self.of_any]);
            lists.for_each(|positions| positions.push(position));
        }
        self.routes.push(route);
    }

    pub(super) fn pop(&mut self) -> Option<Route<S>> {
        let route = self.routes.pop()?;
        let position = self.routes.len();
        self.by_object
            .values_mut()
            .chain([&mut self.of_any])
            .for_each(|positions| positions.retain(|at| *at != position));
        Some(route)
    }

    /// The first route that takes an item, and its position.
    pub(super) fn find(&self, event: &WebhookEvent, item: &Item<'_>) -> Option<(usize, &Route<S>)> {
        let positions = self.by_object.get(event.name().object()).unwrap_or(&self.of_any);
        positions.iter().map(|at| (*at, &self.routes[*at])).find(|(_, route)| route.takes(event, item))
    }
}

impl<S> Default for Table<S> {
    fn default() -> Self {
        Self { routes: Vec::new(), by_object: HashMap::new(), of_any: Vec::new() }
    }
}

impl<S> Clone for Table<S> {
    fn clone(&self) -> Self {
        Self { routes: self.routes.clone(), by_object: self.by_object.clone(), of_any: self.of_any.clone() }
    }
}

impl<S> fmt::Debug for Table<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(&self.routes).finish()
    }
}
