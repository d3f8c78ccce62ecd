//! The one place that asks the system for the time.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

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

    /// Waits until a time on [`Clock::monotonic`], or for ever if there is none.
    pub(crate) async fn sleep_until(self, at: Option<Millis>) {
        let Some(at) = at else { return std::future::pending().await };
        // A step beyond the millisecond, so that what is due then is due when the timer fires.
        let end = self.started + Duration::from_millis(at.saturating_add(1));
        tokio::time::sleep_until(end.into()).await;
    }

    pub(crate) fn now(&self) -> Now {
        Now { monotonic: self.monotonic(), wall_ms: self.wall_ms() }
    }
}
