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
pub(crate) enum AnyReplayGuard {
    Off,
    Memory(Arc<MemoryReplayGuard>),
    Erased(Arc<dyn ErasedGuard>),
}

impl AnyReplayGuard {
    pub(crate) fn new<G: ReplayGuard>(guard: G) -> Self {
        let mut guard = Some(guard);
        match (&mut guard as &mut dyn Any).downcast_mut::<Option<MemoryReplayGuard>>().and_then(Option::take) {
            Some(memory) => Self::Memory(Arc::new(memory)),
            None => guard.map_or(Self::Off, |guard| Self::Erased(Arc::new(guard))),
        }
    }

    /// Identifies the guard: the same for all clones, and unique among live guards. `None` without a guard.
    pub(crate) fn identity(&self) -> Option<usize> {
        match self {
            Self::Off => None,
            Self::Memory(guard) => Some(guard.identity()),
            Self::Erased(guard) => Some(guard.erased_identity()),
        }
    }

    pub(crate) async fn claim(&self, delivery: &Delivery) -> Result<Claim<AnyLease>, GuardError> {
        match self {
            Self::Off => Ok(Claim::New(AnyLease::NONE)),
            Self::Memory(guard) => {
                Ok(guard.claim_now(delivery).map(|lease| AnyLease(Some(LeaseKind::Memory(Arc::clone(guard), lease)))))
            }
            Self::Erased(guard) => {
                Ok(Arc::clone(guard).claim(delivery).await?.map(|lease| AnyLease(Some(LeaseKind::Erased(lease)))))
            }
        }
    }
}

impl fmt::Debug for AnyReplayGuard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Off => "off",
            Self::Memory(_) => "in memory",
            Self::Erased(_) => "on",
        })
    }
}

/// A lease with its guard, or nothing without a guard. Dropping it [abandons](ReplayGuard::abandon) the lease.
pub(crate) struct AnyLease(Option<LeaseKind>);

enum LeaseKind {
    Memory(Arc<MemoryReplayGuard>, MemoryLease),
    Erased(Box<dyn ErasedLease>),
}

impl AnyLease {
    /// No lease: there is no guard, or an outer layer holds the lease.
    pub(crate) const NONE: Self = Self(None);

    pub(crate) async fn complete(mut self) -> Result<(), GuardError> {
        match self.0.take() {
            None => Ok(()),
            Some(LeaseKind::Memory(guard, lease)) => guard.complete_now(&lease),
            Some(LeaseKind::Erased(lease)) => lease.complete().await,
        }
    }

    pub(crate) async fn release(mut self) -> Result<(), GuardError> {
        match self.0.take() {
            None => Ok(()),
            Some(LeaseKind::Memory(guard, lease)) => {
                guard.release_now(&lease);
                Ok(())
            }
            Some(LeaseKind::Erased(lease)) => lease.release().await,
        }
    }
}

impl Drop for AnyLease {
    fn drop(&mut self) {
        match self.0.take() {
            None => {}
            Some(LeaseKind::Memory(guard, lease)) => guard.release_now(&lease),
            Some(LeaseKind::Erased(lease)) => lease.abandon(),
        }
    }
}

/// [`ReplayGuard`] behind a pointer.
pub(crate) trait ErasedGuard: Send + Sync {
    fn claim(self: Arc<Self>, delivery: &Delivery) -> BoxFuture<'_, Claim<Box<dyn ErasedLease>>>;
    fn erased_identity(&self) -> usize;
}

/// A lease with its guard.
pub(crate) trait ErasedLease: Send {
    fn complete(self: Box<Self>) -> BoxFuture<'static, ()>;
    fn release(self: Box<Self>) -> BoxFuture<'static, ()>;
    fn abandon(self: Box<Self>);
}

type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = Result<T, GuardError>> + Send + 'a>>;

impl<G: ReplayGuard> ErasedGuard for G {
    fn claim(self: Arc<Self>, delivery: &Delivery) -> BoxFuture<'_, Claim<Box<dyn ErasedLease>>> {
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
    fn complete(self: Box<Self>) -> BoxFuture<'static, ()> {
        let (guard, lease) = *self;
        Box::pin(async move { G::complete(&guard, lease).await })
    }

    fn release(self: Box<Self>) -> BoxFuture<'static, ()> {
        let (guard, lease) = *self;
        Box::pin(async move { G::release(&guard, lease).await })
    }

    fn abandon(self: Box<Self>) {
        let (guard, lease) = *self;
        guard.abandon(lease);
    }
}
