//! The one place that asks the system for the time.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

use crate::coordinator::timer::Millis;
use crate::groups::shard::Now;

/// Both clocks of the broker: one for what is stored, one for timeouts.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Clock {
    started: Instant,
}

impl Clock {
    pub(crate) fn start() -> Self {
        Self { started: Instant::now() }
    }

    /// Milliseconds since 1970.
    pub(crate) fn wall_ms(&self) -> i64 {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
    }

    /// Milliseconds since the broker started.
    pub(crate) fn monotonic(&self) -> Millis {
        u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// Nanoseconds since the broker started.
    pub(crate) fn nanos(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }

    /// Where a time on [`Clock::monotonic`] lies on the runtime's clock.
    pub(crate) fn instant_at(&self, at: Millis) -> tokio::time::Instant {
        // A step beyond the millisecond, so that what is due then is due when the timer fires.
        (self.started + std::time::Duration::from_millis(at.saturating_add(1))).into()
    }

    pub(crate) fn now(&self) -> Now {
        Now { monotonic: self.monotonic(), wall_ms: self.wall_ms() }
    }
}
