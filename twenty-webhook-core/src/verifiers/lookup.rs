use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;

use super::cache::{Answer, Cache, Key, Known};
use super::source::ErasedSource;
use super::{SourceError, Target, VerifierSource};
use crate::{Clock, Secret, Verifier};

/// A [`VerifierSource`], asked within bounds. Clones share its cache.
#[derive(Clone)]
pub(crate) struct Lookup {
    source: Arc<dyn ErasedSource>,
    shared: Arc<Shared>,
    ttl: Duration,
}

struct Shared {
    cache: Cache,
    /// Places for look-ups of targets that a delivery was verified for, and for all others: made-up targets wait for each other.
    proven: Semaphore,
    others: Semaphore,
    /// Judges requests to a target that has no verifier. Its key is random and is never shown.
    decoy: Verifier,
}

impl Lookup {
    /// For a look-up, with the time that it waits for a place. Twenty gives up after 5 seconds.
    pub(crate) const DEADLINE: Duration = Duration::from_secs(3);
    pub(crate) const DEFAULT_TTL: Duration = Duration::from_secs(5);
    /// For each of the two kinds of targets.
    const AT_A_TIME: usize = 32;

    pub(crate) fn new(source: impl VerifierSource) -> Self {
        let (proven, others) = (Semaphore::new(Self::AT_A_TIME), Semaphore::new(Self::AT_A_TIME));
        let shared = Shared { cache: Cache::default(), proven, others, decoy: decoy() };
        Self { source: Arc::new(source), shared: Arc::new(shared), ttl: Self::DEFAULT_TTL }
    }

    pub(crate) fn set_ttl(&mut self, ttl: Duration) {
        self.ttl = ttl;
    }

    /// The verifier for a target, and the entry to [prove](Self::prove) if a delivery is verified with it.
    pub(crate) async fn find(
        &self,
        target: &Target<'_>,
        clock: &Clock,
    ) -> Result<(Verifier, Option<Key>), SourceError> {
        let Shared { cache, proven, others, decoy } = &*self.shared;
        let found = |answer: Answer, key: Option<Key>| match answer {
            Answer::Verifier(verifier) => (verifier, key),
            Answer::NoTenant => (decoy.clone(), None),
        };
        let Some(key) = Key::of(target).filter(|_| self.ttl > Duration::ZERO) else {
            let _place = others.acquire().await?;
            return Ok(found(self.ask(target).await?, None));
        };
        let known = cache.get(&key, clock.now(), self.ttl);
        if let Known::Fresh(answer) = known {
            return Ok(found(answer, Some(key)));
        }
        // One request looks it up. The others go on with what is known of a proven target, or wait.
        let look_up = cache.look_up(&key);
        let _look_up = match (look_up.try_acquire(), known) {
            (Ok(permit), _) => permit,
            (Err(_), Known::Stale(answer)) => return Ok(found(answer, Some(key))),
            (Err(_), _) => look_up.acquire().await?,
        };
        if let Known::Fresh(answer) = cache.get(&key, clock.now(), self.ttl) {
            return Ok(found(answer, Some(key)));
        }
        let _place = if cache.is_proven(&key) { proven.acquire().await? } else { others.acquire().await? };
        // As old as the question: what changes while the source answers may not be in the answer.
        let asked = clock.now();
        let answer = self.ask(target).await?;
        cache.put(&key, answer.clone(), asked);
        Ok(found(answer, Some(key)))
    }

    async fn ask(&self, target: &Target<'_>) -> Result<Answer, SourceError> {
        Ok(self.source.verifier(target).await?.map_or(Answer::NoTenant, Answer::Verifier))
    }

    /// A delivery was verified with what was found.
    pub(crate) fn prove(&self, key: Option<&Key>) {
        if let Some(key) = key {
            self.shared.cache.prove(key);
        }
    }
}

fn decoy() -> Verifier {
    let mut key = [0; 32];
    getrandom::fill(&mut key).expect("the system has randomness");
    Secret::new(hex::encode(key)).expect("hex digits are not blank").into()
}
