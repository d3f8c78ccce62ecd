//! How many sealed segments are mapped at a time.
//!
//! A process may have so many maps (`vm.max_map_count`, 65,530 by default) and a segment takes up to four, so a broker that
//! once read all of a large directory must not keep all of it mapped. Segments that are mapped stand in one queue of the
//! process. When it is full, the first that was not used since it was last looked at is unmapped; one that was goes to the
//! end (second chance). Whoever is reading an unmapped segment keeps what they hold until they are done.
//!
//! The segment that is written to has its maps for itself, and so have segments whose files have lost their names: they
//! could not be mapped again.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};

/// How many sealed segments are mapped before one is unmapped for another. To map a segment again costs three calls of a few
/// microseconds each.
const LIMIT: usize = 1024;

/// Something mapped that can be mapped again.
pub(crate) trait Mapped: Send + Sync {
    /// What the queue knows of it.
    fn turn(&self) -> &Turn;

    /// Gives the maps up.
    fn unmap(&self);
}

/// What the queue knows of something mapped.
#[derive(Debug, Default)]
pub(crate) struct Turn {
    /// It stands in the queue.
    queued: AtomicBool,
    /// It was used since it was last looked at.
    used: AtomicBool,
    /// It is not to be unmapped.
    kept: AtomicBool,
}

impl Turn {
    /// Of something that is not to be unmapped.
    pub(crate) fn kept() -> Self {
        Self { kept: AtomicBool::new(true), ..Self::default() }
    }

    /// Takes note that it was used.
    pub(crate) fn used(&self) {
        // Most often it is known, and to look is cheaper than to write.
        if !self.used.load(Ordering::Relaxed) {
            self.used.store(true, Ordering::Relaxed);
        }
    }

    /// From now on it may be unmapped.
    pub(crate) fn release(&self) {
        self.kept.store(false, Ordering::Release);
    }

    fn is_kept(&self) -> bool {
        self.kept.load(Ordering::Acquire)
    }
}

static QUEUE: Mutex<VecDeque<Weak<dyn Mapped>>> = Mutex::new(VecDeque::new());

/// Takes something that was just mapped into the queue, unless it is to be kept, and unmaps what must make room for it.
pub(crate) fn admit<M: Mapped + 'static>(mapped: &Arc<M>) {
    let turn = mapped.turn();
    turn.used();
    if turn.is_kept() || turn.queued.swap(true, Ordering::AcqRel) {
        return;
    }
    let entry: Weak<dyn Mapped> = Arc::downgrade(&(Arc::clone(mapped) as Arc<dyn Mapped>));
    let mut queue = QUEUE.lock().unwrap_or_else(PoisonError::into_inner);
    make_room(&mut queue, LIMIT);
    queue.push_back(entry);
}

/// From now on this is not to be unmapped: whoever maps it after this call finds it mapped from then on.
pub(crate) fn keep(mapped: &impl Mapped) {
    let _nobody_unmaps = QUEUE.lock().unwrap_or_else(PoisonError::into_inner);
    mapped.turn().kept.store(true, Ordering::Release);
}

/// Unmaps until fewer than `limit` are in the queue.
fn make_room(queue: &mut VecDeque<Weak<dyn Mapped>>, limit: usize) {
    while queue.len() >= limit
        && let Some(first) = queue.pop_front()
    {
        let Some(mapped) = first.upgrade() else {
            continue;
        };
        if mapped.turn().used.swap(false, Ordering::Relaxed) && !mapped.turn().is_kept() {
            queue.push_back(first);
            continue;
        }
        mapped.turn().queued.store(false, Ordering::Release);
        if !mapped.turn().is_kept() {
            mapped.unmap();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Default)]
    struct Page {
        turn: Turn,
        mapped: AtomicBool,
    }

    impl Mapped for Page {
        fn turn(&self) -> &Turn {
            &self.turn
        }

        fn unmap(&self) {
            self.mapped.store(false, Ordering::Relaxed);
        }
    }

    fn map(queue: &mut VecDeque<Weak<dyn Mapped>>, page: &Arc<Page>) {
        page.mapped.store(true, Ordering::Relaxed);
        make_room(queue, 3);
        queue.push_back(Arc::downgrade(&(Arc::clone(page) as Arc<dyn Mapped>)));
    }

    fn mapped(pages: &[Arc<Page>]) -> Vec<bool> {
        pages.iter().map(|page| page.mapped.load(Ordering::Relaxed)).collect()
    }

    #[test]
    fn what_was_used_stays_longer_and_what_is_kept_stays() {
        let pages: Vec<Arc<Page>> = (0..6).map(|_| Arc::default()).collect();
        let mut queue = VecDeque::new();
        pages[..3].iter().for_each(|page| map(&mut queue, page));
        pages[0].turn.used();
        keep(&*pages[1]);
        // The first has a second chance, the second leaves the queue but stays mapped.
        map(&mut queue, &pages[3]);
        assert_eq!(mapped(&pages), [true, true, true, true, false, false]);
        map(&mut queue, &pages[4]);
        assert_eq!(mapped(&pages), [true, true, false, true, true, false]);
        // What nobody shares any more makes room by itself.
        let rest: Vec<_> = pages.into_iter().enumerate().filter(|(at, _)| *at != 0).map(|(_, page)| page).collect();
        map(&mut queue, &rest[4]);
        assert_eq!(mapped(&rest), [true, false, true, true, true]);
    }
}
