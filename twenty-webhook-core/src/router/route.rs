use std::any::type_name;
use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

use super::handler::{EventHandler, HandlerFuture};
use super::items::Item;
use crate::{Action, DecodeError, EventName, EventPattern, RawJson, WebhookEvent};

/// A handler, and the condition for its items.
pub(super) struct Route<S> {
    /// `None` for the fallback.
    pub(super) pattern: Option<EventPattern>,
    /// Unless empty, one of these must have changed.
    changed: Vec<String>,
    pub(super) takes_record: bool,
    handler_name: &'static str,
    handler: Arc<dyn ErasedHandler<S>>,
}

impl<S: 'static> Route<S> {
    pub(super) fn new<H, A>(pattern: Option<EventPattern>, handler: H) -> Self
    where
        H: EventHandler<S, A>,
        A: 'static,
    {
        Self {
            pattern,
            changed: Vec::new(),
            takes_record: H::TAKES_RECORD,
            handler_name: type_name::<H>(),
            handler: Arc::new(Erased(handler, PhantomData)),
        }
    }
}

impl<S> Route<S> {
    /// The pattern as text.
    pub(super) fn name(&self) -> String {
        self.pattern.as_ref().map_or_else(|| "fallback".to_owned(), ToString::to_string)
    }

    /// The object in the pattern, in the form of [`EventName::object`](crate::EventName::object).
    pub(super) fn object(&self) -> Option<String> {
        let Pattern { metadata, object, .. } = Pattern::of(self);
        (object != "*").then(|| if metadata { format!("metadata.{object}") } else { object })
    }

    pub(super) fn matches(&self, event: &WebhookEvent, item: &Item<'_>) -> bool {
        self.pattern.as_ref().is_none_or(|pattern| pattern.matches(event))
            && (item.record.is_some() || !self.takes_record)
            && (self.changed.is_empty() || self.changed.iter().any(|field| item.updated_fields.contains(field)))
    }

    pub(super) fn call(&self, state: &S, event: WebhookEvent, item: &Item<'_>) -> Result<HandlerFuture, DecodeError> {
        self.handler.call(state, event, item.record.unwrap_or(&RawJson::EMPTY_OBJECT))
    }

    /// Restricts the route to items with a change in one of `fields`.
    ///
    /// # Errors
    /// If no item could match.
    pub(super) fn when_changed(&mut self, fields: Vec<String>) -> Result<(), String> {
        let name = self.name();
        if fields.is_empty() {
            return Err(format!("`when_changed` of the route `{name}` names no field"));
        }
        let Some(pattern) = &self.pattern else {
            return Err("`when_changed` applies to the previous route, and the fallback takes no condition".to_owned());
        };
        let parts = Pattern::from(pattern);
        if [Action::Created, Action::Destroyed].iter().any(|action| parts.action == action.as_str()) {
            return Err(format!(
                "the route `{name}` can never run: Twenty lists no changed fields on `{}`",
                parts.action
            ));
        }
        self.changed = fields;
        Ok(())
    }

    /// Why the route could never run after the `earlier` routes.
    pub(super) fn problem(&self, earlier: &[Self]) -> Option<String> {
        let (name, handler) = (self.name(), self.handler_name);
        if self.takes_record && Pattern::of(self).metadata {
            return Some(format!(
                "the route `{name}` can never run: a change of the data model has no record, and {handler} takes one"
            ));
        }
        let by = self.shadow(earlier)?;
        Some(format!(
            "the route `{name}` ({handler}) can never run: `{by:?}`, registered before it, matches all of its events"
        ))
    }

    /// The earlier route that shadows this one, or the last of several that do so together.
    ///
    /// Objects, actions and kinds of items are open sets, so patterns never add up to a wider pattern: after a route for all records and one for
    /// the data model, there may be events for `*.*` one day. Conditions on fields do add up.
    fn shadow<'a>(&self, earlier: &'a [Self]) -> Option<&'a Self> {
        let mut wider = earlier.iter().filter(|route| route.includes(self));
        if self.changed.is_empty() {
            return wider.find(|route| route.changed.is_empty());
        }
        let wider: Vec<_> = wider.collect();
        let of = |field| wider.iter().find(|route| route.changed.is_empty() || route.changed.contains(field)).copied();
        self.changed.iter().map(of).collect::<Option<Vec<_>>>()?.pop()
    }

    /// Whether it matches each item that `other` matches, without regard to changed fields.
    fn includes(&self, other: &Self) -> bool {
        let (ours, theirs) = (Pattern::of(self), Pattern::of(other));
        let data_model = !other.takes_record && (theirs.metadata || theirs.is_everything());
        if self.takes_record && data_model {
            return false;
        }
        ours.includes(&theirs)
    }

    /// The patterns of `routes`, without those that another pattern includes.
    pub(super) fn patterns(routes: &[Self]) -> Vec<EventPattern> {
        let mut patterns: Vec<EventPattern> = Vec::new();
        for pattern in routes.iter().filter_map(|route| route.pattern.as_ref()) {
            let includes = |wide: &EventPattern, narrow: &EventPattern| {
                let name = narrow.to_string();
                // Twenty sends some events to no wildcard.
                let sends = || name.contains('*') || wide.subscribes_to(&EventName::from(name.as_str()));
                wide == narrow || Pattern::from(wide).includes(&Pattern::from(narrow)) && sends()
            };
            if !patterns.iter().any(|other| includes(other, pattern)) {
                patterns.retain(|other| !includes(pattern, other));
                patterns.push(pattern.clone());
            }
        }
        patterns
    }
}

impl<S> Clone for Route<S> {
    fn clone(&self) -> Self {
        Self {
            pattern: self.pattern.clone(),
            changed: self.changed.clone(),
            handler: Arc::clone(&self.handler),
            ..*self
        }
    }
}

/// As `opportunity.updated (stage) -> crm::won`.
impl<S> fmt::Debug for Route<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name())?;
        if !self.changed.is_empty() {
            write!(f, " ({})", self.changed.join(", "))?;
        }
        write!(f, " -> {}", self.handler_name)
    }
}

/// The parts of a pattern, with `*` as text.
struct Pattern {
    metadata: bool,
    object: String,
    action: String,
}

impl Pattern {
    /// The fallback matches like `*.*`.
    fn of<S>(route: &Route<S>) -> Self {
        let everything = || Self { metadata: false, object: "*".to_owned(), action: "*".to_owned() };
        route.pattern.as_ref().map_or_else(everything, Self::from)
    }

    fn is_everything(&self) -> bool {
        !self.metadata && self.object == "*" && self.action == "*"
    }

    fn includes(&self, other: &Self) -> bool {
        let parts = [(&self.object, &other.object), (&self.action, &other.action)];
        let same_kind = self.metadata == other.metadata && !other.is_everything();
        self.is_everything() || same_kind && parts.iter().all(|(ours, theirs)| *ours == "*" || ours == theirs)
    }
}

impl From<&EventPattern> for Pattern {
    fn from(pattern: &EventPattern) -> Self {
        let text = pattern.to_string();
        let (metadata, rest) = match text.strip_prefix("metadata.") {
            Some(rest) => (true, rest),
            None => (false, text.as_str()),
        };
        let (object, action) = rest.split_once('.').unwrap_or((rest, "*"));
        Self { metadata, object: object.to_owned(), action: action.to_owned() }
    }
}

trait ErasedHandler<S>: Send + Sync {
    fn call(&self, state: &S, event: WebhookEvent, record: &RawJson) -> Result<HandlerFuture, DecodeError>;
}

/// A handler with the types of its arguments.
struct Erased<H, A>(H, PhantomData<fn(A)>);

impl<S, H: EventHandler<S, A>, A> ErasedHandler<S> for Erased<H, A> {
    fn call(&self, state: &S, event: WebhookEvent, record: &RawJson) -> Result<HandlerFuture, DecodeError> {
        self.0.call(state, event, record)
    }
}
