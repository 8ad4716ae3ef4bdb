use std::collections::BTreeSet;

/// The permissions of an API key. The default has all of them.
///
/// ```no_run
/// use twenty_webhook_testing::{ApiFailure, FakeTwenty, Role};
///
/// let twenty = FakeTwenty::start();
/// let key = twenty.add_api_key(Role::default().forbid("opportunity"));
/// twenty.fail_next([ApiFailure::Status(502), ApiFailure::Hang]);
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Role {
    forbidden: BTreeSet<String>,
    hidden: BTreeSet<String>,
    hidden_records: BTreeSet<String>,
    no_webhooks: bool,
}

impl Role {
    /// Answers 403 to requests for this object, by its singular name.
    #[must_use]
    pub fn forbid(mut self, object: impl Into<String>) -> Self {
        self.forbidden.insert(object.into());
        self
    }

    /// Answers 404 to requests for this object, by its singular name, and leaves it out of the data model.
    #[must_use]
    pub fn hide(mut self, object: impl Into<String>) -> Self {
        self.hidden.insert(object.into());
        self
    }

    /// Leaves the record with this id out of lists, and answers 404 to requests for it.
    #[must_use]
    pub fn hide_record(mut self, id: impl Into<String>) -> Self {
        self.hidden_records.insert(id.into());
        self
    }

    /// Answers 403 to requests for webhooks: the key lacks the permission "API keys & webhooks".
    #[must_use]
    pub fn without_webhooks(mut self) -> Self {
        self.no_webhooks = true;
        self
    }

    pub(super) fn is_forbidden(&self, object: &str) -> bool {
        self.forbidden.contains(object)
    }

    pub(super) fn is_hidden(&self, object: &str) -> bool {
        self.hidden.contains(object)
    }

    pub(super) fn sees(&self, id: &str) -> bool {
        !self.hidden_records.contains(id)
    }

    pub(super) fn may_see_webhooks(&self) -> bool {
        !self.no_webhooks
    }
}
