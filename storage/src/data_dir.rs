//! The data directory: one broker at a time, who it belongs to, and how it was left.
//!
//! `.lock` is held as long as the broker runs. `meta.properties` names cluster and node as Apache Kafka's does.
//! `.kafka_cleanshutdown` is there while no broker runs and the last one stopped in order.

use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use brooklet_protocol::kafka_uuid;
use uuid::Uuid;

use crate::checkpoint::{COMPACTED_UPTO, LOG_START_OFFSETS, OffsetCheckpoint, RECOVERY_POINTS};
use crate::compaction::Cleanable;
use crate::disk::{Dir, DiskFile};
use crate::error::{Error, SYNC};
use crate::kafka_directory::METADATA_LOG;
use crate::leader_epochs::LeaderEpochs;
use crate::log::{LogConfig, LogId, LogOrigin, PartitionLog};
use crate::partition_dir::{self, partition_of};

const LOCK: &str = ".lock";
const META: &str = "meta.properties";
const CLEAN_SHUTDOWN: &str = ".kafka_cleanshutdown";
/// `version` in `meta.properties`: 1 is what Kafka writes since KRaft.
const META_VERSION: u32 = 1;

/// How the directory was left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PreviousStop {
    /// In order, or nobody was here before.
    Clean,
    /// The process died; the machine has been up since, so whatever the process stored is there.
    ProcessDied,
    /// The machine may have gone down since: only what was flushed to disk is there for certain.
    MachineStopped,
}

/// The size of a file system.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Space {
    /// All of it, in bytes.
    pub total_bytes: i64,
    /// What is left to us, in bytes.
    pub usable_bytes: i64,
}

/// An open data directory.
#[derive(Debug)]
pub struct DataDir {
    dir: Dir,
    /// Locked until it is dropped.
    lock: Box<dyn DiskFile>,
    cluster_id: String,
    directory_id: Uuid,
    previous_stop: PreviousStop,
    /// The machine has stopped, and there may be logs that nobody has checked since.
    unchecked: AtomicBool,
    /// See [`DataDir::distrust`].
    distrusted: AtomicBool,
    log_start_offsets: Mutex<OffsetCheckpoint>,
    recovery_points: Mutex<OffsetCheckpoint>,
    compacted_upto: Mutex<OffsetCheckpoint>,
}

impl DataDir {
    /// Opens the directory, or makes it, and takes its lock. `node_id` goes into a new one's `meta.properties`.
    pub fn open(path: &Path, node_id: i32) -> Result<Self, Error> {
        fs::create_dir_all(path).map_err(Error::io("create", path))?;
        let path = path.canonicalize().map_err(Error::io("find", path))?;
        Self::open_in(&Dir::of_system(path), node_id)
    }

    pub(crate) fn open_in(dir: &Dir, node_id: i32) -> Result<Self, Error> {
        let dir = dir.clone();
        let lock = take_lock(&dir)?;
        let previous_stop = previous_stop(&dir, &*lock)?;
        let Identity { cluster_id, directory_id } = identity(&dir, node_id)?;
        remove_deleted_logs(&dir)?;
        let log_start_offsets = Mutex::new(OffsetCheckpoint::open(&dir, LOG_START_OFFSETS)?);
        let recovery_points = Mutex::new(OffsetCheckpoint::open(&dir, RECOVERY_POINTS)?);
        let compacted_upto = Mutex::new(OffsetCheckpoint::open(&dir, COMPACTED_UPTO)?);
        let data_dir = Self {
            dir,
            lock,
            cluster_id,
            directory_id,
            previous_stop,
            unchecked: AtomicBool::new(previous_stop == PreviousStop::MachineStopped),
            distrusted: AtomicBool::new(false),
            log_start_offsets,
            recovery_points,
            compacted_upto,
        };
        data_dir.note("running")?;
        data_dir.dir.disk.remove_if_present(&data_dir.dir.join(CLEAN_SHUTDOWN))?;
        Ok(data_dir)
    }

    /// Where it is, as an absolute path.
    pub fn path(&self) -> &Path {
        &self.dir
    }

    /// The cluster's id, made when the directory was: 22 characters.
    pub fn cluster_id(&self) -> &str {
        &self.cluster_id
    }

    /// The directory's own id (KIP-858), made when the directory was.
    pub fn directory_id(&self) -> Uuid {
        self.directory_id
    }

    /// How the broker before this one stopped.
    pub fn previous_stop(&self) -> PreviousStop {
        self.previous_stop
    }

    /// Opens a partition's log. What another topic of the same name has left in its place is put aside: it is not this
    /// topic's. So is what may be another's: where the machine stopped and nothing of a log was ever flushed, its
    /// `partition.metadata` may be missing.
    pub fn open_log(&self, id: LogId, config: &LogConfig) -> Result<PartitionLog, Error> {
        let dir = self.dir.child(id.dir_name());
        if dir.is_there() {
            let is_ours = match partition_dir::topic_id(&*dir.disk, &dir)? {
                Some(found) => found == id.topic_id,
                None => {
                    self.previous_stop != PreviousStop::MachineStopped
                        || locked(&self.recovery_points).of(&id.topic, id.partition) > 0
                }
            };
            if !is_ours {
                self.forget(|topic, partition| topic == id.topic && partition == id.partition)?;
                let aside = partition_dir::put_aside(&*dir.disk, &dir, partition_dir::STRAY)?;
                let topic_id = kafka_uuid::to_text(id.topic_id);
                tracing::error!(dir = %dir.display(), topic_id, aside = %aside.display(), "not this topic's; put aside");
            }
        }
        let origin = LogOrigin {
            log_start_offset: locked(&self.log_start_offsets).of(&id.topic, id.partition),
            recovery_point: locked(&self.recovery_points).of(&id.topic, id.partition),
            machine_stopped: self.previous_stop == PreviousStop::MachineStopped,
        };
        let log = PartitionLog::open_in(&self.dir, id, config, origin)?;
        self.settle_offsets(&log)?;
        Ok(log)
    }

    /// What was kept of a log that has lost its end, or all it had, is not for what will be appended in its place.
    fn settle_offsets(&self, log: &PartitionLog) -> Result<(), Error> {
        let id = log.id();
        let (start, end) = (log.view().log_start_offset(), log.view().next_offset());
        let lower = |checkpoint: &Mutex<OffsetCheckpoint>, to: i64| {
            let mut checkpoint = locked(checkpoint);
            match checkpoint.find(&id.topic, id.partition) {
                Some(offset) if offset > end => checkpoint.set(&id.topic, id.partition, to),
                _ => Ok(()),
            }
        };
        lower(&self.recovery_points, log.recovery_point())?;
        lower(&self.compacted_upto, start)
    }

    /// The epoch of a log's leader, without opening the log.
    pub fn leader_epoch(&self, id: &LogId) -> Result<i32, Error> {
        Ok(LeaderEpochs::read(&self.dir.child(id.dir_name()))?.map_or(0, |epochs| epochs.latest()))
    }

    /// Keeps where a log begins, so that deleted records stay deleted.
    pub fn set_log_start_offset(&self, topic: &str, partition: i32, offset: i64) -> Result<(), Error> {
        locked(&self.log_start_offsets).set(topic, partition, offset)
    }

    /// Whether a log that is not open has segments that are to go by age or size. It is told from the files' sizes and the
    /// time index of the oldest: the log need not be opened for it.
    pub fn has_expired(&self, id: &LogId, config: &LogConfig, now_ms: i64) -> Result<bool, Error> {
        crate::log::has_expired(&self.dir.child(id.dir_name()), config, now_ms)
    }

    /// Whether a round of compaction may be worth its while on a log that is not open. It is told from the names, the sizes
    /// and the indexes of its segments: the log need not be opened for it, and may say otherwise when it is.
    pub fn may_be_due(&self, id: &LogId, config: &LogConfig, now_ms: i64) -> Result<bool, Error> {
        let upto = self.compacted_upto(&id.topic, id.partition);
        let cleanable = Cleanable::unopened(&self.dir.child(id.dir_name()), upto, config, now_ms)?;
        Ok(cleanable.is_some_and(|cleanable| cleanable.is_due(config)))
    }

    /// Up to where a log is compacted.
    pub fn compacted_upto(&self, topic: &str, partition: i32) -> Option<i64> {
        locked(&self.compacted_upto).find(topic, partition)
    }

    /// Keeps up to where a log is compacted.
    pub fn set_compacted_upto(&self, topic: &str, partition: i32, offset: i64) -> Result<(), Error> {
        locked(&self.compacted_upto).set(topic, partition, offset)
    }

    /// Keeps up to where logs are on disk, by topic and partition.
    pub fn set_recovery_points(&self, offsets: impl IntoIterator<Item = ((String, i32), i64)>) -> Result<(), Error> {
        locked(&self.recovery_points).set_all(offsets)
    }

    /// Forgets what was kept of a deleted topic's logs. To be called before another topic can have its name.
    pub fn forget_topic(&self, topic: &str) -> Result<(), Error> {
        self.forget(|known, _| known == topic)
    }

    fn forget(&self, is_gone: impl Fn(&str, i32) -> bool) -> Result<(), Error> {
        [&self.log_start_offsets, &self.recovery_points, &self.compacted_upto]
            .into_iter()
            .try_for_each(|checkpoint| locked(checkpoint).remove(&is_gone))
    }

    /// Sees to the directories of partitions that are not live. Those whose topic was deleted, as told by its id, go: a
    /// broker was killed while it deleted them. Of a topic that nobody knows, since the machine stopped before its record was
    /// on disk, they are left to the user, and no topic of that name will take them for its own.
    pub fn settle_directories(
        &self,
        is_live: impl Fn(&str, i32) -> bool,
        is_deleted: impl Fn(Uuid) -> bool,
    ) -> Result<(), Error> {
        // What was kept of them is not for a topic that will have the name.
        self.forget(|topic, partition| !is_live(topic, partition))?;
        let disk = &*self.dir.disk;
        for path in disk.list(&self.dir).map_err(Error::io("list", &self.dir))? {
            let name = path.file_name().and_then(|name| name.to_str()).filter(|name| *name != METADATA_LOG);
            let Some((topic, partition)) = name.and_then(partition_of) else {
                continue;
            };
            if is_live(&topic, partition) {
                continue;
            }
            match partition_dir::topic_id(disk, &path)? {
                Some(id) if is_deleted(id) => {
                    let aside = partition_dir::put_aside(disk, &path, partition_dir::DELETED)?;
                    disk.remove_tree(&aside).map_err(Error::io("remove", &aside))?;
                    tracing::info!(dir = %path.display(), "the rest of a deleted topic is removed");
                }
                // Opening a log of that name will tell it by its id.
                Some(_) => tracing::warn!(dir = %path.display(), "it is of a topic that nobody knows; left alone"),
                None if self.previous_stop == PreviousStop::MachineStopped => {
                    let aside = partition_dir::put_aside(disk, &path, partition_dir::STRAY)?;
                    tracing::warn!(dir = %path.display(), aside = %aside.display(), "nothing says whose it is; put aside");
                }
                None => {}
            }
        }
        Ok(())
    }

    /// How much its file system holds.
    pub fn space(&self) -> Result<Space, Error> {
        let stat = rustix::fs::statvfs(self.path()).map_err(|error| Error::io("examine", &self.dir)(error.into()))?;
        let bytes = |blocks: u64| i64::try_from(blocks.saturating_mul(stat.f_frsize)).unwrap_or(i64::MAX);
        Ok(Space { total_bytes: bytes(stat.f_blocks), usable_bytes: bytes(stat.f_bavail) })
    }

    /// Lets the next start believe no more than what was flushed, as if the machine had stopped: a flush has failed, so
    /// that what the system shows of a file need not be what it has written.
    pub fn distrust(&self) -> Result<(), Error> {
        self.distrusted.store(true, Ordering::Relaxed);
        self.note("running")
    }

    /// Every log has been opened since the machine stopped, so that what it holds has been checked. Until this is said, the
    /// next start takes none on trust either, however this one ends.
    pub fn all_checked(&self) -> Result<(), Error> {
        match self.unchecked.swap(false, Ordering::Relaxed) {
            true => self.note("running"),
            false => Ok(()),
        }
    }

    /// Marks the directory as left in order; all logs must be closed.
    pub fn mark_clean(&self) -> Result<(), Error> {
        self.note("stopped")?;
        self.dir.disk.write_atomically(&self.dir.join(CLEAN_SHUTDOWN), br#"{"version":0,"brokerEpoch":-1}"#)
    }

    /// Hands the directory's own files (not those of the logs) to the disk, and waits for it.
    pub fn flush(&self) -> Result<(), Error> {
        for path in self.dir.disk.list(&self.dir).map_err(Error::io("list", &self.dir))? {
            if !self.dir.disk.status(&path).map_err(Error::io("examine", &path))?.is_dir {
                self.dir.disk.sync_file(&path)?;
            }
        }
        self.dir.disk.sync_file(&self.dir)
    }

    /// What the next one to open the directory needs to know: who has it, since which boot, and how it was left.
    fn note(&self, state: &str) -> Result<(), Error> {
        let path = self.dir.join(LOCK);
        let in_doubt = self.unchecked.load(Ordering::Relaxed) || self.distrusted.load(Ordering::Relaxed);
        // One that no kernel has.
        let boot = if in_doubt { "in doubt".to_owned() } else { self.dir.disk.boot_id() };
        let content = format!("pid={}\nboot={boot}\nstate={state}\n", std::process::id());
        // At no moment is it empty: that would say that nobody was here. What is left behind it of a longer one says
        // nothing, since the first line of a kind counts.
        self.lock
            .write_all_at(&[content.as_bytes()], 0)
            .and_then(|()| self.lock.set_len(content.len() as u64))
            .map_err(Error::io("write", &path))?;
        self.lock.sync().map_err(Error::io(SYNC, &path))
    }
}

fn locked(checkpoint: &Mutex<OffsetCheckpoint>) -> MutexGuard<'_, OffsetCheckpoint> {
    // Whoever panicked while holding it left a map and a file that both are whole.
    checkpoint.lock().unwrap_or_else(PoisonError::into_inner)
}

fn take_lock(dir: &Dir) -> Result<Box<dyn DiskFile>, Error> {
    let path = dir.join(LOCK);
    let (lock, locked) = dir.disk.lock(&path).map_err(Error::io("lock", &path))?;
    if locked {
        return Ok(lock);
    }
    let content = read_all(&*lock).map_err(Error::io("read", &path))?;
    let pid = property(&content, "pid").and_then(|pid| pid.parse().ok());
    Err(Error::InUse { path: dir.to_path_buf(), pid })
}

fn previous_stop(dir: &Dir, lock: &dyn DiskFile) -> Result<PreviousStop, Error> {
    let content = read_all(lock).map_err(Error::io("read", &dir.join(LOCK)))?;
    let is_there = |file| dir.disk.exists(&dir.join(file));
    let clean = is_there(CLEAN_SHUTDOWN);
    if content.is_empty() {
        // Nobody was here before, or Apache Kafka, which says nothing of the machine, or the machine stopped before it had
        // written a word.
        let used = is_there(META) || is_there(RECOVERY_POINTS);
        return Ok(if used && !clean { PreviousStop::MachineStopped } else { PreviousStop::Clean });
    }
    let boot = dir.disk.boot_id();
    let same_boot = !boot.is_empty() && property(&content, "boot") == Some(&boot);
    Ok(match (same_boot, clean) {
        (true, true) => PreviousStop::Clean,
        (true, false) => PreviousStop::ProcessDied,
        (false, _) => PreviousStop::MachineStopped,
    })
}

/// Who the directory belongs to, as `meta.properties` says.
struct Identity {
    cluster_id: String,
    directory_id: Uuid,
}

fn identity(dir: &Dir, node_id: i32) -> Result<Identity, Error> {
    let path = &dir.join(META);
    let Some(content) = dir.disk.read_if_present(path)? else {
        let identity = Identity { cluster_id: kafka_uuid::to_text(Uuid::new_v4()), directory_id: Uuid::new_v4() };
        let content = format!(
            "version={META_VERSION}\ncluster.id={}\nnode.id={node_id}\ndirectory.id={}\n",
            identity.cluster_id,
            kafka_uuid::to_text(identity.directory_id)
        );
        dir.disk.write_atomically(path, content.as_bytes())?;
        return Ok(identity);
    };
    let corrupt = |reason: &str| Error::Corrupt { path: path.to_owned(), at: 0, reason: reason.to_owned() };
    let content = String::from_utf8(content).map_err(|_| corrupt("not text"))?;
    let version = property(&content, "version").and_then(|text| text.parse().ok());
    match version {
        None => return Err(corrupt("no version")),
        Some(found) if found > META_VERSION => {
            return Err(Error::NewerFormat { path: path.to_owned(), found, known: META_VERSION });
        }
        Some(_) => {}
    }
    let cluster_id = property(&content, "cluster.id").ok_or_else(|| corrupt("no cluster.id"))?.to_owned();
    // Directories of before KIP-858 have no id of their own.
    let directory_id = property(&content, "directory.id").and_then(kafka_uuid::parse).unwrap_or_default();
    Ok(Identity { cluster_id, directory_id })
}

/// Removes what a broker that stopped in the middle of deleting a topic has left.
fn remove_deleted_logs(dir: &Dir) -> Result<(), Error> {
    for path in dir.disk.list(dir).map_err(Error::io("list", dir))? {
        let deleted = path.file_name().is_some_and(|name| name.to_string_lossy().ends_with(partition_dir::DELETED));
        if deleted && dir.disk.status(&path).map_err(Error::io("examine", &path))?.is_dir {
            dir.disk.remove_tree(&path).map_err(Error::io("remove", &path))?;
        }
    }
    Ok(())
}

fn read_all(file: &dyn DiskFile) -> std::io::Result<String> {
    // Nobody writes more into it than this.
    let mut content = vec![0; 4096];
    let len = file.read_at(&mut content, 0)?;
    Ok(String::from_utf8_lossy(&content[..len]).into_owned())
}

fn property<'a>(content: &'a str, name: &str) -> Option<&'a str> {
    content.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('=')).map(str::trim)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_broker_is_refused_and_told_who_has_the_directory() {
        let dir = tempfile::tempdir().unwrap();
        let first = DataDir::open(dir.path(), 1).unwrap();
        let error = DataDir::open(dir.path(), 1).unwrap_err().to_string();
        assert!(error.contains(&format!("process {}", std::process::id())), "{error}");
        drop(first);
        DataDir::open(dir.path(), 1).unwrap();
    }

    #[test]
    fn how_it_was_left_is_known_to_the_next_one() {
        let dir = tempfile::tempdir().unwrap();
        let first = DataDir::open(dir.path(), 1).unwrap();
        assert_eq!(first.previous_stop(), PreviousStop::Clean);
        let id = (first.cluster_id().to_owned(), first.directory_id());
        assert_eq!(id.0.len(), 22);
        drop(first);
        let second = DataDir::open(dir.path(), 1).unwrap();
        assert_eq!(second.previous_stop(), PreviousStop::ProcessDied);
        assert_eq!((second.cluster_id(), second.directory_id()), (&*id.0, id.1));
        second.mark_clean().unwrap();
        second.flush().unwrap();
        drop(second);
        assert_eq!(DataDir::open(dir.path(), 1).unwrap().previous_stop(), PreviousStop::Clean);

        // Another boot: even an orderly stop says nothing of what the disk got.
        let third = DataDir::open(dir.path(), 1).unwrap();
        third.mark_clean().unwrap();
        drop(third);
        fs::write(dir.path().join(LOCK), "pid=1\nboot=other\nstate=stopped\n").unwrap();
        assert_eq!(DataDir::open(dir.path(), 1).unwrap().previous_stop(), PreviousStop::MachineStopped);
    }

    #[test]
    fn until_every_log_was_checked_or_after_a_failed_flush_nothing_is_taken_on_trust() {
        let dir = tempfile::tempdir().unwrap();
        let open = || DataDir::open(dir.path(), 1).unwrap();
        drop(open());
        fs::write(dir.path().join(LOCK), "pid=1\nboot=other\nstate=running\n").unwrap();
        for stop_in_order in [true, false] {
            let unchecked = open();
            assert_eq!(unchecked.previous_stop(), PreviousStop::MachineStopped);
            if stop_in_order {
                unchecked.mark_clean().unwrap();
            }
        }
        let checked = open();
        assert_eq!(checked.previous_stop(), PreviousStop::MachineStopped);
        checked.all_checked().unwrap();
        drop(checked);
        let next = open();
        assert_eq!(next.previous_stop(), PreviousStop::ProcessDied);
        next.distrust().unwrap();
        next.mark_clean().unwrap();
        drop(next);
        assert_eq!(open().previous_stop(), PreviousStop::MachineStopped);
    }

    #[test]
    fn a_directory_that_was_moved_or_copied_is_the_same_one() {
        let parent = tempfile::tempdir().unwrap();
        let (first, moved, copied) = (parent.path().join("a"), parent.path().join("b"), parent.path().join("c"));
        let dir = DataDir::open(&first, 1).unwrap();
        dir.set_log_start_offset("t", 0, 5).unwrap();
        let id = dir.directory_id();
        dir.mark_clean().unwrap();
        drop(dir);
        fs::rename(&first, &moved).unwrap();
        fs::create_dir(&copied).unwrap();
        for entry in fs::read_dir(&moved).unwrap() {
            let path = entry.unwrap().path();
            fs::copy(&path, copied.join(path.file_name().unwrap())).unwrap();
        }
        let (moved, copied) = (DataDir::open(&moved, 1).unwrap(), DataDir::open(&copied, 1).unwrap());
        for dir in [moved, copied] {
            assert_eq!((dir.directory_id(), dir.previous_stop()), (id, PreviousStop::Clean));
            let log = LogId { topic: "t".into(), topic_id: Uuid::from_u128(1), partition: 0 };
            assert_eq!(dir.open_log(log, &LogConfig::DEFAULT).unwrap().view().log_start_offset(), 5);
        }
    }

    #[test]
    fn what_was_kept_of_a_log_that_is_lost_is_not_for_the_records_in_its_place() {
        let parent = tempfile::tempdir().unwrap();
        let dir = DataDir::open(parent.path(), 1).unwrap();
        dir.set_log_start_offset("t", 0, 15).unwrap();
        dir.set_recovery_points([(("t".to_owned(), 0), 40)]).unwrap();
        dir.set_compacted_upto("t", 0, 30).unwrap();
        let log = LogId { topic: "t".into(), topic_id: Uuid::from_u128(1), partition: 0 };
        assert_eq!(dir.open_log(log, &LogConfig::DEFAULT).unwrap().view().next_offset(), 15);
        let kept = |file| OffsetCheckpoint::open(&Dir::of_system(parent.path()), file).unwrap().of("t", 0);
        assert_eq!((kept(RECOVERY_POINTS), kept(COMPACTED_UPTO), kept(LOG_START_OFFSETS)), (15, 15, 15));
    }

    #[test]
    fn a_directory_of_a_newer_version_is_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join(META), "version=2\ncluster.id=x\n").unwrap();
        let error = DataDir::open(dir.path(), 1).unwrap_err();
        assert!(matches!(error, Error::NewerFormat { found: 2, known: 1, .. }), "{error}");
    }

    #[test]
    fn half_deleted_logs_are_removed() {
        let dir = tempfile::tempdir().unwrap();
        let half = dir.path().join("t-0.0123-delete");
        fs::create_dir_all(half.join("x")).unwrap();
        DataDir::open(dir.path(), 1).unwrap();
        assert!(!half.exists());
    }
}
