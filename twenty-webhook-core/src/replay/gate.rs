use std::any::Any;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use super::memory::MemoryLease;
use crate::{Claim, Delivery, GuardError, MemoryReplayGuard, ReplayGuard};

/// A [`ReplayGuard`] of any type, or none. Cheap to clone; clones share the guard.
///
/// The memory guard never waits, so calling it needs no boxed future.
#[derive(Clone)]
pub(crate) enum ReplayGate {
    Off,
    Memory(Arc<MemoryReplayGuard>),
    Other(Arc<dyn ErasedGuard>),
}

impl ReplayGate {
    pub(crate) fn new<G: ReplayGuard>(guard: G) -> Self {
        let mut guard = Some(guard);
        match (&mut guard as &mut dyn Any).downcast_mut::<Option<MemoryReplayGuard>>().and_then(Option::take) {
            Some(memory) => Self::Memory(Arc::new(memory)),
            None => guard.map_or(Self::Off, |guard| Self::Other(Arc::new(guard))),
        }
    }

    /// Identifies the guard: the same for all clones, and unique among live guards. `None` without a guard.
    pub(crate) fn identity(&self) -> Option<usize> {
        match self {
            Self::Off => None,
            Self::Memory(guard) => Some(guard.identity()),
            Self::Other(guard) => Some(guard.erased_identity()),
        }
    }

    pub(crate) async fn claim(&self, delivery: &Delivery) -> Result<Claim<HeldLease>, GuardError> {
        match self {
            Self::Off => Ok(Claim::New(HeldLease::NONE)),
            Self::Memory(guard) => {
                Ok(guard.claim_now(delivery).map(|lease| HeldLease(Some(Held::Memory(Arc::clone(guard), lease)))))
            }
            Self::Other(guard) => {
                Ok(Arc::clone(guard).claim(delivery).await?.map(|lease| HeldLease(Some(Held::Other(lease)))))
            }
        }
    }
}

impl fmt::Debug for ReplayGate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Off => "off",
            Self::Memory(_) => "in memory",
            Self::Other(_) => "on",
        })
    }
}

/// A lease with its guard, or nothing without a guard. Dropping it [abandons](ReplayGuard::abandon) the lease.
pub(crate) struct HeldLease(Option<Held>);

enum Held {
    Memory(Arc<MemoryReplayGuard>, MemoryLease),
    Other(Box<dyn ErasedLease>),
}

impl HeldLease {
    /// No lease: there is no guard, or an outer layer holds the lease.
    pub(crate) const NONE: Self = Self(None);

    pub(crate) async fn complete(mut self) -> Result<(), GuardError> {
        match self.0.take() {
            None => Ok(()),
            Some(Held::Memory(guard, lease)) => guard.complete_now(&lease),
            Some(Held::Other(lease)) => lease.complete().await,
        }
    }

    pub(crate) async fn release(mut self) -> Result<(), GuardError> {
        match self.0.take() {
            None => Ok(()),
            Some(Held::Memory(guard, lease)) => {
                guard.release_now(&lease);
                Ok(())
            }
            Some(Held::Other(lease)) => lease.release().await,
        }
    }
}

impl Drop for HeldLease {
    fn drop(&mut self) {
        match self.0.take() {
            None => {}
            Some(Held::Memory(guard, lease)) => guard.release_now(&lease),
            Some(Held::Other(lease)) => lease.abandon(),
        }
    }
}

/// [`ReplayGuard`] behind a pointer.
pub(crate) trait ErasedGuard: Send + Sync {
    fn claim(self: Arc<Self>, delivery: &Delivery) -> Answer<'_, Claim<Box<dyn ErasedLease>>>;
    fn erased_identity(&self) -> usize;
}

/// A lease with its guard.
pub(crate) trait ErasedLease: Send {
    fn complete(self: Box<Self>) -> Answer<'static, ()>;
    fn release(self: Box<Self>) -> Answer<'static, ()>;
    fn abandon(self: Box<Self>);
}

type Answer<'a, T> = Pin<Box<dyn Future<Output = Result<T, GuardError>> + Send + 'a>>;

impl<G: ReplayGuard> ErasedGuard for G {
    fn claim(self: Arc<Self>, delivery: &Delivery) -> Answer<'_, Claim<Box<dyn ErasedLease>>> {
        Box::pin(async move {
            let claim = ReplayGuard::claim(&*self, delivery).await?;
            Ok(claim.map(|lease| -> Box<dyn ErasedLease> { Box::new((self, lease)) }))
        })
    }

    fn erased_identity(&self) -> usize {
        self.identity()
    }
}

impl<G: ReplayGuard> ErasedLease for (Arc<G>, G::Lease) {
    fn complete(self: Box<Self>) -> Answer<'static, ()> {
        let (guard, lease) = *self;
        Box::pin(async move { G::complete(&guard, lease).await })
    }

    fn release(self: Box<Self>) -> Answer<'static, ()> {
        let (guard, lease) = *self;
        Box::pin(async move { G::release(&guard, lease).await })
    }

    fn abandon(self: Box<Self>) {
        let (guard, lease) = *self;
        guard.abandon(lease);
    }
}
