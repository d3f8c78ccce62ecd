//! The directory of a partition: whose it is, as its name and `partition.metadata` say, and what it is called when it is
//! put aside.
//!
//! Names alone do not tell: a topic that was deleted and one that was made after it have the same. So a directory belongs to
//! a log only if it has the id of the log's topic (KIP-516).

use std::path::{Path, PathBuf};

use brooklet_protocol::kafka_uuid;
use uuid::Uuid;

use crate::disk::{Dir, Disk};
use crate::error::Error;

const PARTITION_METADATA: &str = "partition.metadata";
/// What a deleted partition's directory ends in until its files are gone.
pub(crate) const DELETED: &str = "-delete";
/// What a directory ends in that stood where another topic's partition was to be. It is left to the user.
pub(crate) const STRAY: &str = "-stray";
/// The longest name that file systems have, in bytes.
const MAX_NAME_LEN: usize = 255;

/// The topic and the partition of a directory's name. Those that are put aside, or that Kafka is about to move, have other
/// names.
pub(crate) fn partition_of(name: &str) -> Option<(String, i32)> {
    let (topic, partition) = name.rsplit_once('-')?;
    let partition: i32 = partition.parse().ok().filter(|partition| (0..i32::MAX).contains(partition))?;
    (!topic.is_empty()).then(|| (topic.to_owned(), partition))
}

/// The topic's id; `None` where nothing says it, or what says it is not whole.
pub(crate) fn topic_id(disk: &(dyn Disk + 'static), dir: &Path) -> Result<Option<Uuid>, Error> {
    let content = disk.read_if_present(&dir.join(PARTITION_METADATA))?.unwrap_or_default();
    let content = String::from_utf8_lossy(&content);
    let id = content.lines().find_map(|line| line.strip_prefix("topic_id:"));
    Ok(id.and_then(|id| kafka_uuid::parse(id.trim())).filter(|id| !id.is_nil()))
}

/// Writes the topic's id, unless it is there.
pub(crate) fn claim(dir: &Dir, id: Uuid) -> Result<(), Error> {
    if topic_id(&*dir.disk, dir)?.is_some() {
        return Ok(());
    }
    let content = format!("version: 0\ntopic_id: {}", kafka_uuid::to_text(id));
    dir.disk.write_whole(&dir.join(PARTITION_METADATA), content.as_bytes())
}

/// Hands the topic's id to the disk, if it is there.
pub(crate) fn sync_claim(dir: &Dir) -> Result<(), Error> {
    dir.disk.sync_if_present(&dir.join(PARTITION_METADATA))
}

/// Renames a partition's directory, so that its name is free at once, and for good: it does not come back when the machine
/// stops. Returns what it is called now.
pub(crate) fn put_aside(disk: &(dyn Disk + 'static), dir: &Path, suffix: &str) -> Result<PathBuf, Error> {
    let name = dir.file_name().unwrap_or_default().to_string_lossy();
    let aside = dir.with_file_name(aside_name(&name, &Uuid::new_v4().simple().to_string(), suffix));
    disk.rename(dir, &aside).map_err(Error::io("rename", dir))?;
    dir.parent().map_or(Ok(()), |parent| disk.sync_file(parent))?;
    Ok(aside)
}

/// `name.unique-suffix`, of which the name is cut short where it must be (names of topics are ASCII), as Kafka does.
fn aside_name(name: &str, unique: &str, suffix: &str) -> String {
    let room = MAX_NAME_LEN - unique.len() - suffix.len() - 1;
    format!("{name:.room$}.{unique}{suffix}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_topic_can_be_put_aside() {
        assert_eq!(aside_name("t-0", "0123", DELETED), "t-0.0123-delete");
        let parent = tempfile::tempdir().unwrap();
        let dir = parent.path().join(format!("{}-0", "t".repeat(249)));
        std::fs::create_dir(&dir).unwrap();
        let aside = put_aside(&crate::disk::SystemDisk, &dir, STRAY).unwrap();
        assert!(aside.is_dir() && !dir.exists());
        assert_eq!(partition_of(aside.file_name().unwrap().to_str().unwrap()), None);
    }
}
