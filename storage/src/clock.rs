//! What the engine asks a clock for by itself: whether there is time left. All other times come in with the calls that are
//! about them, so that nothing else here depends on when it runs.

use std::fmt::Debug;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// A clock that never goes back. Tests put one in its place that steps each time it is looked at.
pub(crate) trait Clock: Debug + Send + Sync {
    fn now(&self) -> Instant;
}

/// The operating system's.
#[derive(Debug, Clone, Copy)]
struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Instant {
        Instant::now()
    }
}

/// How long something may take that can be left half done.
#[derive(Debug, Clone)]
pub struct Deadline(Option<(Arc<dyn Clock>, Instant)>);

impl Deadline {
    /// As long as it takes.
    pub fn never() -> Self {
        Self(None)
    }

    /// Until so much time from now has passed.
    pub fn after(time: Duration) -> Self {
        Self::on(Arc::new(SystemClock), time)
    }

    /// The same on another clock.
    pub(crate) fn on(clock: Arc<dyn Clock>, time: Duration) -> Self {
        let at = clock.now() + time;
        Self(Some((clock, at)))
    }

    /// Whether the time is over.
    pub(crate) fn has_passed(&self) -> bool {
        self.0.as_ref().is_some_and(|(clock, at)| clock.now() >= *at)
    }
}
