//! A data directory that Apache Kafka wrote: which topics are in it.
//!
//! Kafka's partitions lie in directories like ours, each with its topic's id in `partition.metadata`. What their topics'
//! configs are, and which producer ids have been given out, stands in the metadata log (`__cluster_metadata-0`), if this
//! node was a controller too: the newest snapshot of it (`.checkpoint`), then the log from there on. Without that log a
//! topic is known by its directories alone, and has the configs that the broker gives it.
//!
//! Nothing is written here, and nothing that Kafka needs is taken away: it can have the directory back.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use brooklet_protocol::metadata_log::MetadataRecord;
use brooklet_protocol::records::batches;
use bytes::Bytes;
use uuid::Uuid;

use crate::disk::{Disk, SystemDisk};
use crate::error::Error;
use crate::files::LOG;
use crate::partition_dir::{partition_of, topic_id};

pub(crate) const METADATA_LOG: &str = "__cluster_metadata-0";
const SNAPSHOT: &str = "checkpoint";
/// What a batch of metadata may become when it is read. Kafka writes at most 8 MiB at a time.
const MAX_BATCH_BYTES: usize = 64 << 20;
const TOPIC: i8 = 2;
const BROKER: i8 = 4;
const GROUP: i8 = 32;

/// See the module.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct KafkaDirectory {
    /// The topics that have partitions here.
    pub topics: Vec<KafkaTopic>,
    /// Dynamic configs of brokers, by the broker's id as text; the empty name is the default of all.
    pub broker_configs: BTreeMap<String, BTreeMap<String, String>>,
    /// Configs of groups, by group.
    pub group_configs: BTreeMap<String, BTreeMap<String, String>>,
    /// Producer ids below this one may have been given out.
    pub next_producer_id: i64,
    /// There is a metadata log, so that configs are known.
    pub has_metadata_log: bool,
}

/// A topic of which partitions were found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KafkaTopic {
    /// Its name.
    pub name: String,
    /// Its id.
    pub id: Uuid,
    /// How many partitions it has.
    pub partitions: i32,
    /// The configs that were set.
    pub configs: BTreeMap<String, String>,
}

impl KafkaDirectory {
    /// Looks for partitions that Kafka wrote.
    ///
    /// # Errors
    /// A file cannot be read, or is not what its name says.
    pub fn read(data_dir: &Path) -> Result<Self, Error> {
        let mut topics: BTreeMap<Uuid, KafkaTopic> = BTreeMap::new();
        for dir in directories(data_dir)? {
            let Some((name, partition)) = dir.file_name().and_then(|name| partition_of(name.to_str()?)) else {
                continue;
            };
            let Some(id) = topic_id(&SystemDisk, &dir)? else {
                tracing::warn!(dir = %dir.display(), "passed over: there is no partition.metadata that names its topic");
                continue;
            };
            let configs = BTreeMap::new();
            let topic = topics.entry(id).or_insert(KafkaTopic { name, id, partitions: 0, configs });
            topic.partitions = topic.partitions.max(partition + 1);
        }
        let mut found = Self { topics: topics.into_values().collect(), ..Self::default() };
        if !found.topics.is_empty() {
            found.take_in_metadata(&data_dir.join(METADATA_LOG))?;
        }
        Ok(found)
    }

    fn take_in_metadata(&mut self, dir: &Path) -> Result<(), Error> {
        let mut known = Metadata::default();
        for file in metadata_files(dir)? {
            self.has_metadata_log = true;
            known.take_in(&file)?;
        }
        for topic in &mut self.topics {
            topic.configs = known.configs.remove(&(TOPIC, topic.name.clone())).unwrap_or_default();
            topic.partitions = topic.partitions.max(known.partitions.get(&topic.id).copied().unwrap_or(0));
        }
        // A topic that was deleted, of which directories are left.
        self.topics.retain(|topic| !known.removed.contains(&topic.id));
        for ((kind, name), configs) in known.configs {
            match kind {
                BROKER => self.broker_configs.insert(name, configs),
                GROUP => self.group_configs.insert(name, configs),
                _ => None,
            };
        }
        self.next_producer_id = known.next_producer_id;
        Ok(())
    }
}

/// What the metadata log says.
#[derive(Debug, Default)]
struct Metadata {
    configs: BTreeMap<(i8, String), BTreeMap<String, String>>,
    partitions: BTreeMap<Uuid, i32>,
    removed: Vec<Uuid>,
    next_producer_id: i64,
}

impl Metadata {
    /// Takes in a file of the log. What follows the last whole batch was never committed.
    fn take_in(&mut self, path: &Path) -> Result<(), Error> {
        let content = Bytes::from((&SystemDisk as &dyn Disk).read_if_present(path)?.unwrap_or_default());
        let corrupt = |at: u64, reason: String| Error::Corrupt { path: path.to_owned(), at, reason };
        let mut at = 0;
        for batch in batches(content).map_while(Result::ok).take_while(|batch| batch.verify_crc().is_ok()) {
            if !batch.header().attributes.is_control() {
                let records = batch.records(MAX_BATCH_BYTES).map_err(|error| corrupt(at, error.to_string()))?;
                for record in records {
                    let record = record.map_err(|error| corrupt(at, error.to_string()))?;
                    let value = record.value.unwrap_or_default();
                    self.replay(MetadataRecord::decode(value).map_err(|error| corrupt(at, error.to_string()))?);
                }
            }
            at += batch.header().size() as u64;
        }
        Ok(())
    }

    fn replay(&mut self, record: MetadataRecord) {
        match record {
            MetadataRecord::Topic { .. } | MetadataRecord::Other(_) => {}
            MetadataRecord::Partition { topic_id, partition } => {
                let count = self.partitions.entry(topic_id).or_default();
                *count = (*count).max(partition.saturating_add(1));
            }
            MetadataRecord::Config { resource_type, resource_name, name, value } => {
                let configs = self.configs.entry((resource_type, resource_name)).or_default();
                match value {
                    Some(value) => configs.insert(name, value),
                    None => configs.remove(&name),
                };
            }
            MetadataRecord::RemoveTopic { topic_id } => self.removed.push(topic_id),
            MetadataRecord::ProducerIds { next_producer_id } => self.next_producer_id = next_producer_id,
        }
    }
}

/// The newest snapshot, then the segments that reach beyond it. Kafka keeps all of the log that no snapshot covers.
fn metadata_files(dir: &Path) -> Result<Vec<PathBuf>, Error> {
    if !dir.is_dir() {
        return Ok(Vec::new());
    }
    let mut snapshots = Vec::new();
    let mut segments = Vec::new();
    for entry in fs::read_dir(dir).map_err(Error::io("list", dir))? {
        let path = entry.map_err(Error::io("list", dir))?.path();
        let stem = path.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
        let extension = path.extension().and_then(|extension| extension.to_str()).unwrap_or_default();
        // "offset-epoch.checkpoint", and "offset.log" as everywhere.
        match (extension, stem.split('-').next().unwrap_or_default().parse::<i64>()) {
            (SNAPSHOT, Ok(offset)) => snapshots.push((offset, path)),
            (LOG, Ok(offset)) => segments.push((offset, path)),
            _ => {}
        }
    }
    snapshots.sort_unstable();
    segments.sort_unstable();
    let snapshot = snapshots.pop();
    let covered = snapshot.as_ref().map_or(0, |(offset, _)| *offset);
    // The last that begins at or before the snapshot's end may reach beyond it; to replay what it covers again is harmless,
    // since all that is replayed sets what stands at its end.
    let first = segments.partition_point(|(offset, _)| *offset <= covered).saturating_sub(1);
    Ok(snapshot.into_iter().chain(segments.into_iter().skip(first)).map(|(_, path)| path).collect())
}

fn directories(data_dir: &Path) -> Result<Vec<PathBuf>, Error> {
    let mut found = Vec::new();
    for entry in fs::read_dir(data_dir).map_err(Error::io("list", data_dir))? {
        let path = entry.map_err(Error::io("list", data_dir))?.path();
        if path.is_dir() && !path.ends_with(METADATA_LOG) {
            found.push(path);
        }
    }
    found.sort_unstable();
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use brooklet_protocol::records::BatchBuilder;

    fn partition(data_dir: &Path, name: &str, id: &str) {
        let dir = data_dir.join(name);
        fs::create_dir(&dir).unwrap();
        fs::write(dir.join("partition.metadata"), format!("version: 0\ntopic_id: {id}")).unwrap();
    }

    fn log(path: &Path, records: &[Vec<u8>]) {
        let mut builder = BatchBuilder::new();
        records.iter().for_each(|record| builder.push(0, None, Some(record), &[]));
        fs::write(path, builder.build().unwrap()).unwrap();
    }

    fn config(kind: u8, resource: &str, name: &str, value: &str) -> Vec<u8> {
        let text = |text: &str| [&[text.len() as u8 + 1], text.as_bytes()].concat();
        [vec![1, 4, 0, kind], text(resource), text(name), text(value), vec![0]].concat()
    }

    #[test]
    fn topics_are_found_by_their_directories_and_configured_by_the_metadata_log() {
        let dir = tempfile::tempdir().unwrap();
        let id = "AAAAAAAAAAAAAAAAAAAABw";
        partition(dir.path(), "with-dash-0", id);
        partition(dir.path(), "with-dash-2", id);
        partition(dir.path(), "gone-0.0123-delete", "AAAAAAAAAAAAAAAAAAAACA");
        fs::create_dir(dir.path().join("unnamed-0")).unwrap();
        let metadata = dir.path().join(METADATA_LOG);
        fs::create_dir(&metadata).unwrap();
        log(&metadata.join("00000000000000000000.log"), &[config(2, "with-dash", "retention.ms", "1")]);
        log(
            &metadata.join("00000000000000000100-0000000003.checkpoint"),
            &[config(2, "with-dash", "retention.ms", "2"), config(2, "with-dash", "cleanup.policy", "compact")],
        );
        log(&metadata.join("00000000000000000090.log"), &[config(2, "with-dash", "retention.ms", "3")]);
        log(
            &metadata.join("00000000000000000200.log"),
            &[config(4, "", "log.cleaner.threads", "2"), config(32, "g", "consumer.session.timeout.ms", "50000")],
        );
        let found = KafkaDirectory::read(dir.path()).unwrap();
        let configs = [("cleanup.policy", "compact"), ("retention.ms", "3")];
        let of = |pairs: &[(&str, &str)]| -> BTreeMap<String, String> {
            pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
        };
        let topic =
            KafkaTopic { name: "with-dash".to_owned(), id: Uuid::from_u128(7), partitions: 3, configs: of(&configs) };
        assert_eq!(found.topics, [topic]);
        assert_eq!(found.broker_configs, BTreeMap::from([(String::new(), of(&[("log.cleaner.threads", "2")]))]));
        assert_eq!(found.group_configs["g"], of(&[("consumer.session.timeout.ms", "50000")]));
        assert!(found.has_metadata_log);
    }

    #[test]
    fn an_empty_directory_has_nothing_of_kafka() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(KafkaDirectory::read(dir.path()).unwrap(), KafkaDirectory::default());
    }
}
