use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;

use super::cache::{Answer, Cache, Key};
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
    /// Look-ups under way for targets that a delivery was verified for, and for all others. A flood of made-up targets waits for itself.
    proven: Semaphore,
    others: Semaphore,
    /// Judges requests to a target that has no verifier: nobody has its key.
    decoy: Verifier,
}

/// What came of a look-up, and the entry to prove when a delivery is verified with it.
pub(crate) struct Found {
    pub(crate) verifier: Verifier,
    key: Option<Key>,
}

impl Lookup {
    /// As [`VerifierSource`] says.
    pub(crate) const DEADLINE: Duration = Duration::from_secs(2);
    pub(crate) const DEFAULT_TTL: Duration = Duration::from_secs(5);
    const AT_A_TIME: usize = 4;

    pub(crate) fn new(source: impl VerifierSource) -> Self {
        let (proven, others) = (Semaphore::new(Self::AT_A_TIME), Semaphore::new(Self::AT_A_TIME));
        let shared = Shared { cache: Cache::default(), proven, others, decoy: decoy() };
        Self { source: Arc::new(source), shared: Arc::new(shared), ttl: Self::DEFAULT_TTL }
    }

    pub(crate) fn set_ttl(&mut self, ttl: Duration) {
        self.ttl = ttl;
    }

    pub(crate) async fn find(&self, target: &Target<'_>, clock: &Clock) -> Result<Found, SourceError> {
        let Shared { cache, proven, others, decoy } = &*self.shared;
        let now = clock.now();
        let found = |answer: Answer, key: Option<Key>| match answer {
            Answer::Verifier(verifier) => Found { verifier, key },
            Answer::NoTenant => Found { verifier: decoy.clone().clock(clock.clone()), key: None },
        };
        let Some(key) = Key::of(target) else {
            let _permit = others.acquire().await?;
            return Ok(found(self.ask(target).await?, None));
        };
        if let Some(answer) = cache.get(&key, now, self.ttl) {
            return Ok(found(answer, Some(key)));
        }
        let _permit = if cache.is_proven(&key) { proven.acquire().await? } else { others.acquire().await? };
        // Another request may have looked it up while this one waited.
        if let Some(answer) = cache.get(&key, now, self.ttl) {
            return Ok(found(answer, Some(key)));
        }
        let answer = self.ask(target).await?;
        cache.put(key.clone(), answer.clone(), now);
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

impl Found {
    pub(crate) fn into_parts(self) -> (Verifier, Option<Key>) {
        (self.verifier, self.key)
    }
}

fn decoy() -> Verifier {
    let mut key = [0; 32];
    getrandom::fill(&mut key).expect("the system has randomness");
    Secret::new(hex::encode(key)).expect("hex digits are not blank").into()
}
