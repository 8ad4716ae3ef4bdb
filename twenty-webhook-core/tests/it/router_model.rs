//! Random tables of routes, compared with a model that tries each route in turn: the same route runs, and exactly the routes that no event
//! can reach are rejected.

use std::future::{Ready, ready};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};

use proptest::prelude::*;
use serde_json::{Value, json};
use twenty_webhook_core::{EventRouter, WebhookEvent};

const OBJECTS: [&str; 3] = ["a", "b", "*"];
const ACTIONS: [&str; 3] = ["created", "updated", "*"];
const FIELDS: [&str; 2] = ["x", "y"];

#[derive(Clone, Debug)]
struct Route {
    is_metadata: bool,
    object: &'static str,
    action: &'static str,
    takes_record: bool,
    changed: Vec<&'static str>,
}

impl Route {
    fn pattern(&self) -> String {
        format!("{}{}.{}", if self.is_metadata { "metadata." } else { "" }, self.object, self.action)
    }

    fn matches(&self, item: &Item) -> bool {
        let is_everything = !self.is_metadata && self.object == "*" && self.action == "*";
        let matches_kind = match item.kind {
            Kind::Record => !self.is_metadata,
            Kind::DataModel => self.is_metadata || is_everything,
            Kind::Later => is_everything,
        };
        matches_kind
            && (self.object == "*" || self.object == item.object)
            && (self.action == "*" || self.action == item.action)
            && (!self.takes_record || item.kind == Kind::Record)
            && (self.changed.is_empty() || self.changed.iter().any(|field| item.changed.contains(field)))
    }

    /// `None` if the router rejects it.
    fn add_to(&self, router: &EventRouter, number: usize, called: &Called) -> Option<EventRouter> {
        let (router, pattern, called) = (router.clone(), self.pattern(), called.clone());
        let build = move || {
            let router = if self.takes_record {
                router.on(&pattern, move |_: WebhookEvent, _: Value| called.push(number))
            } else {
                router.on(&pattern, move |_: WebhookEvent| called.push(number))
            };
            if self.changed.is_empty() { router } else { router.when_changed(self.changed.clone()) }
        };
        catch_unwind(AssertUnwindSafe(build)).ok()
    }
}

fn routes() -> impl Strategy<Value = Vec<Route>> {
    let changed = prop::sample::subsequence(FIELDS.to_vec(), 0..=FIELDS.len());
    let route = (any::<bool>(), prop::sample::select(&OBJECTS), prop::sample::select(&ACTIONS), any::<bool>(), changed);
    let route = route.prop_map(|(is_metadata, object, action, takes_record, changed)| Route {
        is_metadata,
        object,
        action,
        takes_record,
        changed,
    });
    prop::collection::vec(route, 1..8)
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Kind {
    Record,
    DataModel,
    /// Neither: only a later version of Twenty could send one. A route for it is no mistake.
    Later,
}

/// An item that may arrive. Its object, action and fields may also be ones that no route names.
#[derive(Debug)]
struct Item {
    kind: Kind,
    object: &'static str,
    action: &'static str,
    changed: Vec<&'static str>,
}

impl Item {
    fn all() -> Vec<Self> {
        let mut items = Vec::new();
        for kind in [Kind::Record, Kind::DataModel, Kind::Later] {
            for object in ["a", "b", "other"] {
                items.push(Self { kind, object, action: "created", changed: vec![] });
                for action in ["updated", "other"] {
                    for changed in [vec![], vec!["x"], vec!["y"], vec!["x", "y"], vec!["other"], vec!["other", "y"]] {
                        items.push(Self { kind, object, action, changed });
                    }
                }
            }
        }
        items
    }

    fn event(&self) -> WebhookEvent {
        let (object, action, changed) = (self.object, self.action, &self.changed);
        let body = if self.kind == Kind::DataModel {
            json!({ "eventName": format!("metadata.{object}.{action}"), "event": { "properties": { "updatedFields": changed } } })
        } else {
            json!({ "eventName": format!("{object}.{action}"), "record": {}, "updatedFields": changed })
        };
        WebhookEvent::from_stored(body.to_string()).unwrap()
    }
}

#[derive(Clone, Default)]
struct Called(Arc<Mutex<Vec<usize>>>);

impl Called {
    /// The body of each handler.
    fn push(&self, number: usize) -> Ready<()> {
        self.0.lock().unwrap().push(number);
        ready(())
    }

    /// The routes that ran for an event. Their futures are ready at once.
    fn by(&self, router: &EventRouter, event: WebhookEvent) -> Vec<usize> {
        let polled = pin!(router.handle(event)).poll(&mut Context::from_waker(Waker::noop()));
        assert!(matches!(polled, Poll::Ready(Ok(()))));
        std::mem::take(&mut self.0.lock().unwrap())
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_same_route_runs_and_only_unreachable_ones_are_rejected(routes in routes()) {
        let (called, items) = (Called::default(), Item::all());
        let mut router = EventRouter::new();
        let mut accepted: Vec<Route> = Vec::new();
        for route in routes {
            let added = route.add_to(&router, accepted.len(), &called);
            let is_reachable = items.iter().any(|item| route.matches(item) && !accepted.iter().any(|earlier| earlier.matches(item)));
            prop_assert_eq!(added.is_some(), is_reachable, "{:?} after {:?}", route, accepted);
            if let Some(added) = added {
                router = added;
                accepted.push(route);
            }
        }
        for item in items.iter().filter(|item| item.kind != Kind::Later) {
            let expected: Vec<_> = accepted.iter().position(|route| route.matches(item)).into_iter().collect();
            prop_assert_eq!(called.by(&router, item.event()), expected, "{:?} in {:?}", item, router);
        }
    }
}
