//! How long ago the server's log came to where it is not kept here yet, as PostgreSQL reckons a standby's lag.

use std::collections::VecDeque;

use crate::postgres::Lsn;

/// How far apart, in milliseconds, places of the log are noted.
const SPACING_MS: i64 = 250;
/// How many are noted; of more every other one is left out.
const MOST: usize = 128;

/// The log's ends as they were seen, each with when it was.
#[derive(Debug, Default)]
pub(crate) struct SlotLag {
    seen: VecDeque<(Lsn, i64)>,
}

impl SlotLag {
    /// Since when (milliseconds since 1970) the log goes beyond `confirmed`, now that its end is seen; `None` if it does not.
    pub(crate) fn since(&mut self, end: Lsn, confirmed: Lsn, now_ms: i64) -> Option<i64> {
        while self.seen.front().is_some_and(|(place, _)| *place <= confirmed) {
            self.seen.pop_front();
        }
        let is_news = match self.seen.back() {
            Some((place, at)) => end > *place && now_ms - at >= SPACING_MS,
            None => end > confirmed,
        };
        if is_news {
            if self.seen.len() >= MOST {
                let mut keep = false;
                self.seen.retain(|_| {
                    keep = !keep;
                    keep
                });
            }
            self.seen.push_back((end, now_ms));
        }
        self.seen.front().map(|(_, at)| *at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lag_is_as_old_as_what_is_not_kept() {
        let mut lag = SlotLag::default();
        assert_eq!(lag.since(Lsn(100), Lsn(100), 0), None);
        assert_eq!(lag.since(Lsn(200), Lsn(100), 1_000), Some(1_000));
        assert_eq!(lag.since(Lsn(300), Lsn(100), 2_000), Some(1_000));
        assert_eq!(lag.since(Lsn(300), Lsn(200), 3_000), Some(2_000));
        assert_eq!(lag.since(Lsn(300), Lsn(300), 4_000), None);
    }

    #[test]
    fn a_long_lag_takes_no_more_memory() {
        let mut lag = SlotLag::default();
        for second in 0..100_000 {
            assert_eq!(lag.since(Lsn(second + 2), Lsn(1), second as i64 * 1_000), Some(0));
        }
        assert!(lag.seen.len() <= MOST);
        assert!(lag.since(Lsn(100_001), Lsn(90_000), 100_000_000).is_some_and(|since| since >= 85_000_000));
    }
}
