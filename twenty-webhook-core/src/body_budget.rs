use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Memory, in bytes, that all unverified bodies of one configuration share. Clones share it.
#[derive(Clone)]
pub(crate) struct BodyBudget(Arc<AtomicUsize>);

impl BodyBudget {
    /// The first bytes of each body need no budget, so large bodies cannot keep small deliveries out.
    pub(crate) const FREE: usize = 64 * 1024;

    pub(crate) fn new(bytes: usize) -> Self {
        Self(Arc::new(AtomicUsize::new(bytes)))
    }

    /// Reserves memory for a body of `bytes`, beyond what it has reserved before. A body larger than [`FREE`](Self::FREE) also reserves the
    /// `read_ahead` bytes that the framework holds for it. `false` if the budget is too small.
    #[must_use]
    #[inline]
    pub(crate) fn cover(&self, share: &mut Option<BudgetShare>, bytes: usize, read_ahead: usize) -> bool {
        if bytes <= Self::FREE {
            return true;
        }
        let share = share.get_or_insert_with(|| BudgetShare { budget: self.clone(), reserved: 0 });
        share.cover((bytes - Self::FREE).saturating_add(read_ahead))
    }

    /// Bytes that are not reserved.
    pub(crate) fn left(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

impl fmt::Debug for BodyBudget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BodyBudget").field("left", &self.left()).finish()
    }
}

/// The memory that one body has reserved. Dropping it returns the memory to the budget.
#[derive(Debug)]
pub(crate) struct BudgetShare {
    budget: BodyBudget,
    reserved: usize,
}

impl BudgetShare {
    fn cover(&mut self, wanted: usize) -> bool {
        let more = wanted.saturating_sub(self.reserved);
        if more == 0 {
            return true;
        }
        let reserve = |left: usize| left.checked_sub(more);
        let covered = self.budget.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, reserve).is_ok();
        if covered {
            self.reserved = wanted;
        }
        covered
    }
}

impl Drop for BudgetShare {
    fn drop(&mut self) {
        if self.reserved > 0 {
            self.budget.0.fetch_add(self.reserved, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::BodyBudget;

    const KIB: usize = 1024;

    #[test]
    fn the_first_64_kib_are_free() {
        let (budget, mut share) = (BodyBudget::new(0), None);
        assert!(budget.cover(&mut share, BodyBudget::FREE, 0));
        assert!(share.is_none());
        assert!(!budget.cover(&mut share, BodyBudget::FREE + 1, 0));
    }

    #[test]
    fn a_body_that_pays_also_pays_for_what_is_read_ahead() {
        let (budget, mut share) = (BodyBudget::new(100 * KIB), None);
        for (held, left) in [(0, 100), (10, 58), (20, 48)] {
            assert!(budget.cover(&mut share, BodyBudget::FREE + held * KIB, 32 * KIB));
            assert_eq!(budget.left(), left * KIB);
        }
    }

    /// A buffer of 320 KiB doubles to at most 640. 512 KiB is what actix reads ahead.
    #[test]
    fn the_default_holds_as_many_bodies_as_its_documentation_says() {
        const LARGEST: usize = crate::WebhookConfig::DEFAULT_BODY_LIMIT;
        for (held, read_ahead, bodies) in
            [(LARGEST, 0, 8), (640 * KIB, 0, 450), (LARGEST, 512 * KIB, 7), (640 * KIB, 512 * KIB, 240)]
        {
            let budget = BodyBudget::new(crate::WebhookConfig::DEFAULT_BODY_BUDGET);
            let mut shares: Vec<_> = (0..bodies).map(|_| None).collect();
            assert!(shares.iter_mut().all(|share| budget.cover(share, held, read_ahead)), "{bodies} of {held}");
        }
    }

    #[test]
    fn a_body_pays_for_what_it_holds_and_no_more() {
        let budget = BodyBudget::new(100 * KIB);
        let (mut one, mut other) = (None, None);
        assert!(budget.cover(&mut one, BodyBudget::FREE + 60 * KIB, 0));
        assert!(budget.cover(&mut one, BodyBudget::FREE + 50 * KIB, 0), "what it has is enough");
        assert_eq!(budget.left(), 40 * KIB);
        assert!(!budget.cover(&mut other, BodyBudget::FREE + 41 * KIB, 0));
        assert_eq!(budget.left(), 40 * KIB, "a rejected reservation takes nothing");
        assert!(budget.cover(&mut other, BodyBudget::FREE + 40 * KIB, 0));
        drop(one);
        assert_eq!(budget.left(), 60 * KIB);
        drop(other);
        assert_eq!(budget.left(), 100 * KIB);
    }
}
