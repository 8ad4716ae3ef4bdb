use std::any::type_name;
use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

use super::handler::{EventHandler, HandlerFuture};
use super::items::Item;
use crate::{Action, DecodeError, EventName, EventPattern, RawJson, WebhookEvent};

/// A handler, and which items it gets.
pub(super) struct Route<S> {
    /// `None` for the fallback.
    pub(super) pattern: Option<EventPattern>,
    /// If it is not empty, one of these must have changed.
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

    /// The object that the pattern names, as [`EventName::object`](crate::EventName::object) has it.
    pub(super) fn object(&self) -> Option<String> {
        let Pattern { metadata, object, .. } = Pattern::of(self);
        (object != "*").then(|| if metadata { format!("metadata.{object}") } else { object })
    }

    pub(super) fn takes(&self, event: &WebhookEvent, item: &Item<'_>) -> bool {
        self.pattern.as_ref().is_none_or(|pattern| pattern.matches(event))
            && (item.record.is_some() || !self.takes_record)
            && (self.changed.is_empty() || self.changed.iter().any(|field| item.updated_fields.contains(field)))
    }

    pub(super) fn call(&self, state: &S, event: WebhookEvent, item: &Item<'_>) -> Result<HandlerFuture, DecodeError> {
        self.handler.call(state, event, item.record.unwrap_or(&RawJson::EMPTY_OBJECT))
    }

    /// Only items of which one of `fields` changed.
    ///
    /// # Errors
    /// If there can be none.
    pub(super) fn when_changed(&mut self, fields: Vec<String>) -> Result<(), String> {
        let name = self.name();
        if fields.is_empty() {
            return Err(format!("`when_changed` of the route `{name}` names no field"));
        }
        let Some(pattern) = &self.pattern else {
            return Err("`when_changed` belongs to the route before it, and the fallback has no condition".to_owned());
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

    /// Why it could never run after `earlier` routes.
    pub(super) fn mistake(&self, earlier: &[Self]) -> Option<String> {
        let (name, handler) = (self.name(), self.handler_name);
        if self.takes_record && Pattern::of(self).metadata {
            return Some(format!(
                "the route `{name}` can never run: a change of the data model has no record, and {handler} takes one"
            ));
        }
        let by = self.shadow(earlier)?;
        Some(format!(
            "the route `{name}` ({handler}) can never run: `{by:?}`, registered before it, takes all of its events"
        ))
    }

    /// The earlier route, or the last of several, that leaves it nothing.
    ///
    /// Objects and actions are open sets, so several patterns never add up to one that is wider than each of them. Fields do add up.
    fn shadow<'a>(&self, earlier: &'a [Self]) -> Option<&'a Self> {
        let mut covering = earlier.iter().filter(|route| route.covers(self));
        if self.changed.is_empty() {
            return covering.find(|route| route.changed.is_empty());
        }
        let covering: Vec<_> = covering.collect();
        let of =
            |field| covering.iter().find(|route| route.changed.is_empty() || route.changed.contains(field)).copied();
        self.changed.iter().map(of).collect::<Option<Vec<_>>>()?.pop()
    }

    /// Whether it takes every item that `other` takes, the changed fields aside.
    fn covers(&self, other: &Self) -> bool {
        let (ours, theirs) = (Pattern::of(self), Pattern::of(other));
        let data_model = !other.takes_record && (theirs.metadata || theirs.is_everything());
        if self.takes_record && data_model {
            return false;
        }
        ours.covers(&theirs)
    }

    /// The patterns of `routes`, without those that another one includes.
    pub(super) fn patterns(routes: &[Self]) -> Vec<EventPattern> {
        let mut patterns: Vec<EventPattern> = Vec::new();
        for pattern in routes.iter().filter_map(|route| route.pattern.as_ref()) {
            let includes = |wide: &EventPattern, narrow: &EventPattern| {
                let name = narrow.to_string();
                // Twenty sends some events to no wildcard.
                let sends = || name.contains('*') || wide.subscribes_to(&EventName::from(name.as_str()));
                wide == narrow || Pattern::from(wide).covers(&Pattern::from(narrow)) && sends()
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

/// A pattern taken apart, `*` as it is written.
struct Pattern {
    metadata: bool,
    object: String,
    action: String,
}

impl Pattern {
    /// The fallback takes what `*.*` takes.
    fn of<S>(route: &Route<S>) -> Self {
        let everything = || Self { metadata: false, object: "*".to_owned(), action: "*".to_owned() };
        route.pattern.as_ref().map_or_else(everything, Self::from)
    }

    fn is_everything(&self) -> bool {
        !self.metadata && self.object == "*" && self.action == "*"
    }

    fn covers(&self, other: &Self) -> bool {
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

/// A handler, and the types of its arguments.
struct Erased<H, A>(H, PhantomData<fn(A)>);

impl<S, H: EventHandler<S, A>, A> ErasedHandler<S> for Erased<H, A> {
    fn call(&self, state: &S, event: WebhookEvent, record: &RawJson) -> Result<HandlerFuture, DecodeError> {
        self.0.call(state, event, record)
    }
}
