//! Offset checkpoints: an offset of each partition in Kafka's text form: version 0, the number of lines, then
//! "topic partition offset" each.

use std::collections::BTreeMap;
use std::path::PathBuf;

use crate::disk::Dir;
use crate::error::Error;

/// Where each log begins. Only logs that do not begin at their first segment's first offset are listed.
pub(crate) const LOG_START_OFFSETS: &str = "log-start-offset-checkpoint";
/// Up to where each log is on disk for certain.
pub(crate) const RECOVERY_POINTS: &str = "recovery-point-offset-checkpoint";

/// Up to where each log is compacted.
pub(crate) const COMPACTED_UPTO: &str = "cleaner-offset-checkpoint";

/// A checkpoint file, and what it says.
#[derive(Debug)]
pub(crate) struct OffsetCheckpoint {
    dir: Dir,
    path: PathBuf,
    offsets: BTreeMap<(String, i32), i64>,
}

impl OffsetCheckpoint {
    pub(crate) fn open(data_dir: &Dir, file: &str) -> Result<Self, Error> {
        let path = data_dir.join(file);
        let offsets = match data_dir.disk.read_if_present(&path)? {
            None => BTreeMap::new(),
            Some(content) => parse(&content).ok_or_else(|| Error::Corrupt {
                path: path.clone(),
                at: 0,
                reason: "not an offset checkpoint of version 0".to_owned(),
            })?,
        };
        Ok(Self { dir: data_dir.clone(), path, offsets })
    }

    /// The partition's offset, or 0.
    pub(crate) fn of(&self, topic: &str, partition: i32) -> i64 {
        self.find(topic, partition).unwrap_or(0)
    }

    /// The partition's offset, if it is listed.
    pub(crate) fn find(&self, topic: &str, partition: i32) -> Option<i64> {
        self.offsets.get(&(topic.to_owned(), partition)).copied()
    }

    pub(crate) fn set(&mut self, topic: &str, partition: i32, offset: i64) -> Result<(), Error> {
        self.set_all([((topic.to_owned(), partition), offset)])
    }

    /// Sets many with one writing of the file.
    pub(crate) fn set_all(&mut self, offsets: impl IntoIterator<Item = ((String, i32), i64)>) -> Result<(), Error> {
        self.offsets.extend(offsets);
        self.write()
    }

    /// Forgets partitions.
    pub(crate) fn remove(&mut self, is_gone: impl Fn(&str, i32) -> bool) -> Result<(), Error> {
        let before = self.offsets.len();
        self.offsets.retain(|(topic, partition), _| !is_gone(topic, *partition));
        if self.offsets.len() < before { self.write() } else { Ok(()) }
    }

    fn write(&self) -> Result<(), Error> {
        let mut content = format!("0\n{}\n", self.offsets.len());
        for ((topic, partition), offset) in &self.offsets {
            content.push_str(&format!("{topic} {partition} {offset}\n"));
        }
        self.dir.disk.write_atomically(&self.path, content.as_bytes())
    }
}

fn parse(content: &[u8]) -> Option<BTreeMap<(String, i32), i64>> {
    let mut lines = std::str::from_utf8(content).ok()?.lines();
    if lines.next()? != "0" {
        return None;
    }
    let count: usize = lines.next()?.trim().parse().ok()?;
    let offsets: BTreeMap<_, _> = lines
        .map(|line| {
            let mut fields = line.split_whitespace();
            let topic = fields.next()?.to_owned();
            let partition = fields.next()?.parse().ok()?;
            Some(((topic, partition), fields.next()?.parse().ok()?))
        })
        .collect::<Option<_>>()?;
    (offsets.len() == count).then_some(offsets)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn offsets_are_kept_and_forgotten_with_their_topic() {
        let dir = tempfile::tempdir().unwrap();
        let mut file = OffsetCheckpoint::open(&Dir::of_system(dir.path()), LOG_START_OFFSETS).unwrap();
        file.set("a", 1, 10).unwrap();
        file.set("a", 2, 20).unwrap();
        file.set("b", 0, 30).unwrap();
        let mut again = OffsetCheckpoint::open(&Dir::of_system(dir.path()), LOG_START_OFFSETS).unwrap();
        assert_eq!((again.of("a", 1), again.of("b", 0), again.of("b", 1)), (10, 30, 0));
        again.remove(|topic, partition| topic == "a" && partition > 0).unwrap();
        let last = OffsetCheckpoint::open(&Dir::of_system(dir.path()), LOG_START_OFFSETS).unwrap();
        assert_eq!((last.of("a", 1), last.of("b", 0)), (0, 30));
    }

    #[test]
    fn kafkas_own_file_is_read_and_a_damaged_one_refused() {
        assert_eq!(parse(b"0\n1\nt 3 77\n").unwrap()[&("t".to_owned(), 3)], 77);
        for bad in [&b"1\n0\n"[..], b"0\n2\nt 3 77\n", b"0\n1\nt 3\n", b"", b"\xff"] {
            assert_eq!(parse(bad), None);
        }
    }
}
