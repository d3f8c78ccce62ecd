//! Which leader wrote from which offset on (`leader-epoch-checkpoint` in each partition's directory; Kafka's
//! `LeaderEpochFileCache`, KIP-101).
//!
//! Text: version 0, the number of lines, then "epoch start-offset" each, both ascending. A log of ours has one epoch, 0, and
//! the file says so from its first record on, so that Kafka can open it. A log that Kafka has written may have more: what it
//! says of them is kept, and we go on in the last.

use crate::disk::Dir;
use crate::error::Error;

const FILE: &str = "leader-epoch-checkpoint";
const VERSION: &str = "0";

/// The epochs of a log, and where each begins. There is at least one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeaderEpochs(Vec<(i32, i64)>);

impl LeaderEpochs {
    /// Of a log that one leader has written.
    pub(crate) fn first(start_offset: i64) -> Self {
        Self(vec![(0, start_offset)])
    }

    /// Made from the epochs of batches and where these begin, in order.
    pub(crate) fn of_batches(batches: impl IntoIterator<Item = (i32, i64)>) -> Option<Self> {
        let mut entries: Vec<(i32, i64)> = Vec::new();
        for (epoch, base_offset) in batches {
            if epoch >= 0 && entries.last().is_none_or(|(last, _)| epoch > *last) {
                entries.push((epoch, base_offset));
            }
        }
        (!entries.is_empty()).then_some(Self(entries))
    }

    /// What the file in a partition's directory says; `None` if there is none, or one that says nothing.
    pub(crate) fn read(dir: &Dir) -> Result<Option<Self>, Error> {
        let path = dir.join(FILE);
        let Some(content) = dir.disk.read_if_present(&path)? else {
            return Ok(None);
        };
        let epochs = parse(&content);
        if epochs.is_none() {
            tracing::warn!(path = %path.display(), "no leader epochs in it; they are taken from the batches");
        }
        Ok(epochs)
    }

    pub(crate) fn write(&self, dir: &Dir) -> Result<(), Error> {
        let mut content = format!("{VERSION}\n{}\n", self.0.len());
        for (epoch, start_offset) in &self.0 {
            content.push_str(&format!("{epoch} {start_offset}\n"));
        }
        // It is made anew from the batches where it is damaged.
        dir.disk.write_whole(&dir.join(FILE), content.as_bytes())
    }

    /// Fits them to where the log begins and ends, as Kafka does when it opens one.
    pub(crate) fn within(self, start_offset: i64, end_offset: i64) -> Self {
        let begun = self.0.partition_point(|(_, start)| *start <= start_offset);
        let mut entries = self.0[begun.saturating_sub(1)..].to_vec();
        entries[0].1 = entries[0].1.max(start_offset);
        while entries.len() > 1 && entries.last().is_some_and(|(_, start)| *start > end_offset) {
            entries.pop();
        }
        Self(entries)
    }

    /// The epoch that records are written in now.
    pub fn latest(&self) -> i32 {
        self.0[self.0.len() - 1].0
    }

    /// The epoch in which the record at an offset was written; `None` before the first.
    pub fn at(&self, offset: i64) -> Option<i32> {
        let after = self.0.partition_point(|(_, start)| *start <= offset);
        after.checked_sub(1).map(|index| self.0[index].0)
    }

    /// The last epoch up to the one asked for, and where its records end (`OffsetForLeaderEpoch`); `None` for one that has
    /// not begun. `log_end_offset` is where the latest ends.
    pub fn end_offset_for(&self, epoch: i32, log_end_offset: i64) -> Option<(i32, i64)> {
        if epoch == self.latest() {
            return Some((epoch, log_end_offset));
        }
        let later = self.0.partition_point(|(known, _)| *known <= epoch);
        let (_, end_offset) = *self.0.get(later)?;
        let known = later.checked_sub(1).map_or(epoch, |index| self.0[index].0);
        (epoch >= 0).then_some((known, end_offset))
    }
}

/// Hands the file in a partition's directory to the disk, if it is there.
pub(crate) fn sync(dir: &Dir) -> Result<(), Error> {
    dir.disk.sync_if_present(&dir.join(FILE))
}

fn parse(content: &[u8]) -> Option<LeaderEpochs> {
    let mut lines = std::str::from_utf8(content).ok()?.lines();
    if lines.next()?.trim() != VERSION {
        return None;
    }
    let count: usize = lines.next()?.trim().parse().ok()?;
    let entries: Vec<(i32, i64)> = lines
        .map(|line| {
            let (epoch, start_offset) = line.trim().split_once(char::is_whitespace)?;
            Some((epoch.parse().ok()?, start_offset.trim().parse().ok()?))
        })
        .collect::<Option<_>>()?;
    let ascend = entries.windows(2).all(|pair| pair[0].0 < pair[1].0 && pair[0].1 <= pair[1].1);
    (count > 0 && entries.len() == count && ascend && entries[0].0 >= 0).then_some(LeaderEpochs(entries))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn epochs() -> LeaderEpochs {
        parse(b"0\n3\n0 0\n2 57\n5 60\n").unwrap()
    }

    #[test]
    fn what_is_written_is_read_and_damage_is_nothing() {
        let temporary = tempfile::tempdir().unwrap();
        let dir = Dir::of_system(temporary.path());
        assert_eq!(LeaderEpochs::read(&dir).unwrap(), None);
        epochs().write(&dir).unwrap();
        assert_eq!(LeaderEpochs::read(&dir).unwrap(), Some(epochs()));
        assert_eq!(dir.disk.read(&dir.join(FILE)).unwrap(), b"0\n3\n0 0\n2 57\n5 60\n");
        for damaged in ["", "0\n", "0\n0\n", "1\n1\n0 0\n", "0\n2\n0 0\n", "0\n1\n0\n", "0\n2\n2 0\n1 5\n"] {
            assert_eq!(parse(damaged.as_bytes()), None, "{damaged:?}");
        }
    }

    #[test]
    fn an_epoch_ends_where_the_next_begins() {
        let end = |epoch| epochs().end_offset_for(epoch, 100);
        assert_eq!((end(0), end(1), end(2)), (Some((0, 57)), Some((0, 57)), Some((2, 60))));
        assert_eq!((end(4), end(5), end(6), end(-1)), (Some((2, 60)), Some((5, 100)), None, None));
        let at = |offset| epochs().at(offset);
        assert_eq!((at(0), at(56), at(57), at(99)), (Some(0), Some(0), Some(2), Some(5)));
    }

    #[test]
    fn what_is_deleted_and_what_was_never_written_goes() {
        assert_eq!(epochs().within(58, 100), LeaderEpochs(vec![(2, 58), (5, 60)]));
        assert_eq!(epochs().within(0, 59), LeaderEpochs(vec![(0, 0), (2, 57)]));
        assert_eq!(epochs().within(60, 60), LeaderEpochs(vec![(5, 60)]));
        let before = epochs().within(58, 100);
        assert_eq!(before.end_offset_for(1, 100), Some((1, 58)), "the first that is known is the best answer");
    }
}
