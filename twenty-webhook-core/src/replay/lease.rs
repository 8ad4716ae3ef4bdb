use crate::{DeliveryId, UnixMillis};

/// The right to handle one delivery, for as long as the guard's lease lasts.
///
/// It is given back with [`complete`](crate::ReplayGuard::complete) or [`release`](crate::ReplayGuard::release), once: it is not
/// `Clone`. A receiver that dies never gives it back; then it runs out, and the next copy of the delivery is handled.
#[derive(Debug)]
pub struct Lease {
    id: DeliveryId,
    until: UnixMillis,
    token: u64,
    /// What a guard made of two guards holds of the second: one for every such guard that it came through.
    beside: Vec<Option<Lease>>,
}

impl Lease {
    /// For implementations of [`ReplayGuard`](crate::ReplayGuard).
    ///
    /// No two claims of an id may get the same `token`: by it, a holder whose lease has run out is told from the next holder.
    pub fn new(id: DeliveryId, until: UnixMillis, token: u64) -> Self {
        Self { id, until, token, beside: Vec::new() }
    }

    /// The delivery that was claimed.
    pub fn id(&self) -> DeliveryId {
        self.id
    }

    /// The `until` of the claim.
    pub fn until(&self) -> UnixMillis {
        self.until
    }

    /// What tells this claim of the id from every other.
    pub fn token(&self) -> u64 {
        self.token
    }

    pub(super) fn with(mut self, beside: Option<Lease>) -> Self {
        self.beside.push(beside);
        self
    }

    pub(super) fn split(mut self) -> (Self, Option<Lease>) {
        let beside = self.beside.pop().flatten();
        (self, beside)
    }
}
