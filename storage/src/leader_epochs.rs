//! The leader epochs of a log that Apache Kafka wrote (`leader-epoch-checkpoint`; Kafka's `LeaderEpochFileCache`).
//!
//! A log of our own has had one leader: epoch 0, and no file. One that comes from Kafka has had several, and the last goes on
//! here: its batches carry on with that epoch, so that neither clients nor a Kafka that takes the directory back see an epoch
//! go down.

use std::path::Path;

use crate::error::Error;
use crate::files::read_if_present;

const FILE: &str = "leader-epoch-checkpoint";

/// See the module.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeaderEpochs {
    /// Epochs with the offset at which each began, both ascending; at least one.
    entries: Vec<(i32, i64)>,
}

impl LeaderEpochs {
    /// Reads the checkpoint in a partition's directory.
    pub(crate) fn read(dir: &Path) -> Result<Self, Error> {
        let path = dir.join(FILE);
        let Some(content) = read_if_present(&path)? else {
            return Ok(Self::default());
        };
        parse(&content).ok_or_else(|| Error::Corrupt {
            path,
            at: 0,
            reason: "not a checkpoint of leader epochs of version 0".to_owned(),
        })
    }

    /// The epoch of what is written now.
    pub fn latest(&self) -> i32 {
        self.entries.last().map_or(0, |(epoch, _)| *epoch)
    }

    /// The greatest epoch that is not above `epoch`, and where its records end in a log that ends at `next_offset`. An epoch
    /// before the first ends where that begins; a later one than the last is not known.
    pub fn end_offset_for(&self, epoch: i32, next_offset: i64) -> Option<(i32, i64)> {
        if epoch < 0 || epoch > self.latest() {
            return None;
        }
        let after = self.entries.partition_point(|(known, _)| *known <= epoch);
        let found = after.checked_sub(1).and_then(|at| self.entries.get(at)).map_or(epoch, |(known, _)| *known);
        Some((found, self.entries.get(after).map_or(next_offset, |(_, start)| *start)))
    }

    /// The epoch in which the record at an offset was written; `None` before the first.
    pub fn at(&self, offset: i64) -> Option<i32> {
        let after = self.entries.partition_point(|(_, start)| *start <= offset);
        after.checked_sub(1).map(|index| self.entries[index].0)
    }
}

impl Default for LeaderEpochs {
    fn default() -> Self {
        Self { entries: vec![(0, 0)] }
    }
}

/// Version 0, the number of lines, then "epoch offset" each.
fn parse(content: &[u8]) -> Option<LeaderEpochs> {
    let mut lines = std::str::from_utf8(content).ok()?.lines();
    if lines.next()?.trim() != "0" {
        return None;
    }
    let count: usize = lines.next()?.trim().parse().ok()?;
    let entries: Vec<(i32, i64)> = lines
        .map(|line| {
            let (epoch, start) = line.trim().split_once(' ')?;
            Some((epoch.parse().ok()?, start.parse().ok()?))
        })
        .collect::<Option<_>>()?;
    let ascends = entries.is_sorted_by(|a, b| a.0 < b.0 && a.1 <= b.1);
    if entries.len() != count || !ascends {
        return None;
    }
    // Kafka writes an empty one for a log that has had no leader yet.
    Some(if entries.is_empty() { LeaderEpochs::default() } else { LeaderEpochs { entries } })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn epochs_end_where_the_next_begins() {
        let epochs = parse(b"0\n2\n1 0\n4 10\n").unwrap();
        assert_eq!(epochs.latest(), 4);
        assert_eq!(epochs.end_offset_for(-1, 25), None);
        assert_eq!(epochs.end_offset_for(0, 25), Some((0, 0)));
        assert_eq!(epochs.end_offset_for(1, 25), Some((1, 10)));
        assert_eq!(epochs.end_offset_for(3, 25), Some((1, 10)));
        assert_eq!(epochs.end_offset_for(4, 25), Some((4, 25)));
        assert_eq!(epochs.end_offset_for(5, 25), None);
        assert_eq!((epochs.at(9), epochs.at(10)), (Some(1), Some(4)));
    }

    #[test]
    fn a_log_of_our_own_has_epoch_0() {
        let epochs = LeaderEpochs::default();
        assert_eq!((epochs.latest(), epochs.at(7), epochs.end_offset_for(0, 8)), (0, Some(0), Some((0, 8))));
        assert_eq!(parse(b"0\n0\n"), Some(epochs));
    }

    #[test]
    fn anything_else_is_no_checkpoint() {
        for content in [&b""[..], b"1\n0\n", b"0\n2\n1 0\n", b"0\n2\n4 10\n1 0\n", b"0\n1\nx 0\n", b"\xff"] {
            assert_eq!(parse(content), None);
        }
    }
}
