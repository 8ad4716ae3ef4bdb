use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;

use super::cache::{Answer, Cache, CacheLookup, Key};
use super::source::ErasedSource;
use super::{SourceError, Target, VerifierSource};
use crate::pipeline::within;
use crate::{Clock, Delivery, Secret, Verifier};

/// A [`VerifierSource`] with a cache, a deadline and limits on concurrent look-ups. Clones share the cache.
#[derive(Clone)]
pub(crate) struct Lookup {
    source: Arc<dyn ErasedSource>,
    shared: Arc<Shared>,
    ttl: Duration,
}

struct Shared {
    cache: Cache,
    /// Limits concurrent look-ups, separately for proven targets and all others: invented targets do not delay proven ones.
    proven: Semaphore,
    others: Semaphore,
    /// Rejects requests to a target without a verifier. Its key is random and never revealed.
    decoy: Verifier,
}

impl Lookup {
    /// For a look-up, including the wait for a permit. Twenty gives up after 5 seconds.
    pub(crate) const DEADLINE: Duration = Duration::from_secs(3);
    pub(crate) const DEFAULT_TTL: Duration = Duration::from_secs(5);
    /// Concurrent look-ups of proven targets, and of other targets.
    const MAX_CONCURRENT: usize = 32;

    pub(crate) fn new(source: impl VerifierSource) -> Self {
        let (proven, others) = (Semaphore::new(Self::MAX_CONCURRENT), Semaphore::new(Self::MAX_CONCURRENT));
        let shared = Shared { cache: Cache::default(), proven, others, decoy: decoy() };
        Self { source: Arc::new(source), shared: Arc::new(shared), ttl: Self::DEFAULT_TTL }
    }

    pub(crate) fn set_ttl(&mut self, ttl: Duration) {
        self.ttl = ttl;
    }

    /// The verifier for a target, and the cache key to [prove](Self::prove) if a delivery is verified with it. `timer` makes a future that is
    /// ready after the given time.
    pub(crate) async fn find<T: Future<Output = ()>>(
        &self,
        target: &Target<'_>,
        clock: &Clock,
        timer: impl Fn(Duration) -> T,
    ) -> Result<(Verifier, Option<Key>), SourceError> {
        let key = Key::of(target).filter(|_| self.ttl > Duration::ZERO);
        let cached = key.as_ref().map(|key| self.shared.cache.get(key, clock.now(), self.ttl));
        let stale = match cached {
            Some(CacheLookup::Fresh(answer)) => return Ok(self.found(answer, key)),
            Some(CacheLookup::Stale(answer)) => Some(answer),
            Some(CacheLookup::Miss) | None => None,
        };
        let looked_up = within(self.look_up(target, key.as_ref(), stale.as_ref(), clock), || timer(Self::DEADLINE));
        let too_late = || Err(SourceError::new(format!("the look-up took longer than {:?}", Self::DEADLINE)));
        // Other requests use the stale answer meanwhile, so this one can too.
        let answer = looked_up.await.unwrap_or_else(too_late).or_else(|error| stale.ok_or(error))?;
        Ok(self.found(answer, key))
    }

    fn found(&self, answer: Answer, key: Option<Key>) -> (Verifier, Option<Key>) {
        match answer {
            Answer::Verifier(verifier) => (verifier, key),
            Answer::NoTenant => (self.shared.decoy.clone(), None),
        }
    }

    /// One request asks the source. The others use the stale answer of a proven target, or wait.
    async fn look_up(
        &self,
        target: &Target<'_>,
        key: Option<&Key>,
        stale: Option<&Answer>,
        clock: &Clock,
    ) -> Result<Answer, SourceError> {
        let Shared { cache, proven, others, .. } = &*self.shared;
        let Some(key) = key else {
            let _permit = others.acquire().await?;
            return self.ask(target).await;
        };
        let look_up = cache.look_up(key);
        let _look_up = match (look_up.try_acquire(), stale) {
            (Ok(permit), _) => permit,
            (Err(_), Some(stale)) => return Ok(stale.clone()),
            (Err(_), None) => look_up.acquire().await?,
        };
        if let CacheLookup::Fresh(answer) = cache.get(key, clock.now(), self.ttl) {
            return Ok(answer);
        }
        let _permit = if cache.is_proven(key) { proven.acquire().await? } else { others.acquire().await? };
        // The age counts from here: the answer may lack a change that is made while the source answers.
        let asked = clock.now();
        let answer = self.ask(target).await?;
        cache.put(key, answer.clone(), asked);
        Ok(answer)
    }

    async fn ask(&self, target: &Target<'_>) -> Result<Answer, SourceError> {
        Ok(self.source.verifier(target).await?.map_or(Answer::NoTenant, Answer::Verifier))
    }

    /// Marks the answer as proven: this delivery was verified with it.
    pub(crate) fn prove(&self, key: Option<&Key>, delivery: &Delivery) {
        if let Some(key) = key {
            self.shared.cache.prove(key, || delivery.replay_key());
        }
    }
}

fn decoy() -> Verifier {
    let mut key = [0; 32];
    getrandom::fill(&mut key).expect("the system's random number generator works");
    Secret::new(hex::encode(key)).expect("hex digits are not blank").into()
}
