use std::collections::HashMap;
use std::fmt;

use super::items::Item;
use super::route::Route;
use crate::WebhookEvent;

/// The routes in order, indexed by object, so that an event is compared with few of them.
pub(super) struct Table<S> {
    routes: Vec<Route<S>>,
    /// For each object in a pattern: its routes, and the routes for any object.
    by_object: HashMap<String, Vec<usize>>,
    /// The routes for any object.
    any_object: Vec<usize>,
}

impl<S> Table<S> {
    pub(super) fn routes(&self) -> &[Route<S>] {
        &self.routes
    }

    pub(super) fn push(&mut self, route: Route<S>) {
        let position = self.routes.len();
        if let Some(object) = route.object() {
            self.by_object.entry(object).or_insert_with(|| self.any_object.clone()).push(position);
        } else {
            let lists = self.by_object.values_mut().chain([&mut self.any_object]);
            lists.for_each(|positions| positions.push(position));
        }
        self.routes.push(route);
    }

    pub(super) fn pop(&mut self) -> Option<Route<S>> {
        let route = self.routes.pop()?;
        let position = self.routes.len();
        self.by_object
            .values_mut()
            .chain([&mut self.any_object])
            .for_each(|positions| positions.retain(|at| *at != position));
        Some(route)
    }

    /// The first route that matches the item, and its position.
    pub(super) fn find(&self, event: &WebhookEvent, item: &Item<'_>) -> Option<(usize, &Route<S>)> {
        let positions = self.by_object.get(event.name().object()).unwrap_or(&self.any_object);
        positions.iter().map(|at| (*at, &self.routes[*at])).find(|(_, route)| route.matches(event, item))
    }
}

impl<S> Default for Table<S> {
    fn default() -> Self {
        Self { routes: Vec::new(), by_object: HashMap::new(), any_object: Vec::new() }
    }
}

impl<S> Clone for Table<S> {
    fn clone(&self) -> Self {
        Self { routes: self.routes.clone(), by_object: self.by_object.clone(), any_object: self.any_object.clone() }
    }
}

impl<S> fmt::Debug for Table<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(&self.routes).finish()
    }
}
