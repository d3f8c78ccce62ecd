//! Topic configs: their table, and the broker configs that are their defaults.

use super::broker::broker_config;
use super::definition::{ConfigDef, Effect::Works, config_defs, find, merge};
use super::effects::{ONE_LZ4_LEVEL, ONE_NODE, PREALLOCATE, TIERING};
use super::validator::Validator::{Any, AnyOf, AtLeast, Between, Fraction, GzipLevel, OneOf, ThrottledReplicas};
use super::value::Value;

/// Every topic config that a stock broker shows, sorted by name.
pub static TOPIC_CONFIGS: [&ConfigDef; 33] = merge(&[DEFS]);

/// Topic configs that Kafka accepts but shows only when they are set.
pub static INTERNAL_TOPIC_CONFIGS: [&ConfigDef; 1] = merge(&[INTERNAL]);

/// Overrides `segment.bytes`, without its lower limit.
pub(super) const INTERNAL_SEGMENT_BYTES: &str = "internal.segment.bytes";

/// The topic config of this name.
pub fn topic_config(name: &str) -> Option<&'static ConfigDef> {
    find(&TOPIC_CONFIGS, name).or_else(|| find(&INTERNAL_TOPIC_CONFIGS, name))
}

/// A broker config that is the default of a topic config.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Synonym {
    /// Name of the broker config.
    pub name: &'static str,
    /// How many of the topic config's milliseconds one of the broker config's units is; 1 if they are the same.
    pub scale: i64,
}

impl Synonym {
    /// The topic config's value for a value of the broker config.
    pub(super) fn convert(self, value: Value) -> Value {
        match value.as_i64() {
            Some(number) if self.scale != 1 => Value::Long(number.saturating_mul(self.scale)),
            _ => value,
        }
    }

    /// [`Self::convert`] for text, as it is when it needs no conversion.
    pub(super) fn convert_text(self, text: &str) -> String {
        if self.scale == 1 {
            return text.to_owned();
        }
        match broker_config(self.name).and_then(|def| def.parse(text).ok()) {
            Some(value) => self.convert(value).to_string(),
            None => text.to_owned(),
        }
    }
}

/// The broker configs that are the defaults of the topic config `name`; the first that is set counts
/// (`ServerTopicConfigSynonyms`).
pub fn topic_config_synonyms(name: &str) -> &'static [Synonym] {
    SYNONYMS.binary_search_by(|(topic_config, _)| (*topic_config).cmp(name)).map_or(&[], |at| SYNONYMS[at].1)
}

const MINUTE_MS: i64 = 60_000;
const HOUR_MS: i64 = 60 * MINUTE_MS;

const fn same(name: &'static str) -> Synonym {
    Synonym { name, scale: 1 }
}

const fn scaled(name: &'static str, scale: i64) -> Synonym {
    Synonym { name, scale }
}

static SYNONYMS: [(&str, &[Synonym]); 28] = [
    ("cleanup.policy", &[same("log.cleanup.policy")]),
    ("compression.gzip.level", &[same("compression.gzip.level")]),
    ("compression.lz4.level", &[same("compression.lz4.level")]),
    ("compression.type", &[same("compression.type")]),
    ("compression.zstd.level", &[same("compression.zstd.level")]),
    ("delete.retention.ms", &[same("log.cleaner.delete.retention.ms")]),
    ("file.delete.delay.ms", &[same("log.segment.delete.delay.ms")]),
    ("flush.messages", &[same("log.flush.interval.messages")]),
    ("flush.ms", &[same("log.flush.interval.ms"), same("log.flush.scheduler.interval.ms")]),
    ("index.interval.bytes", &[same("log.index.interval.bytes")]),
    ("local.retention.bytes", &[same("log.local.retention.bytes")]),
    ("local.retention.ms", &[same("log.local.retention.ms")]),
    ("max.compaction.lag.ms", &[same("log.cleaner.max.compaction.lag.ms")]),
    ("max.message.bytes", &[same("message.max.bytes")]),
    ("message.timestamp.after.max.ms", &[same("log.message.timestamp.after.max.ms")]),
    ("message.timestamp.before.max.ms", &[same("log.message.timestamp.before.max.ms")]),
    ("message.timestamp.type", &[same("log.message.timestamp.type")]),
    ("min.cleanable.dirty.ratio", &[same("log.cleaner.min.cleanable.ratio")]),
    ("min.compaction.lag.ms", &[same("log.cleaner.min.compaction.lag.ms")]),
    ("min.insync.replicas", &[same("min.insync.replicas")]),
    ("preallocate", &[same("log.preallocate")]),
    ("retention.bytes", &[same("log.retention.bytes")]),
    (
        "retention.ms",
        &[same("log.retention.ms"), scaled("log.retention.minutes", MINUTE_MS), scaled("log.retention.hours", HOUR_MS)],
    ),
    ("segment.bytes", &[same("log.segment.bytes")]),
    ("segment.index.bytes", &[same("log.index.size.max.bytes")]),
    ("segment.jitter.ms", &[same("log.roll.jitter.ms"), scaled("log.roll.jitter.hours", HOUR_MS)]),
    ("segment.ms", &[same("log.roll.ms"), scaled("log.roll.hours", HOUR_MS)]),
    ("unclean.leader.election.enable", &[same("unclean.leader.election.enable")]),
];

const DEFS: &[ConfigDef] = config_defs! {
    List "cleanup.policy" = "delete", AnyOf(&["compact", "delete"]), ClusterWide, Works,
        "`delete`, `compact`, both or neither; a compacted topic refuses records without a key";
    Int "compression.gzip.level" = "-1", GzipLevel, ClusterWide, Works,
        "level of the broker's own gzip, used when `compression.type` is `gzip`";
    Int "compression.lz4.level" = "9", Between(1, 17), ClusterWide, ONE_LZ4_LEVEL,
        "level of the broker's own lz4, used when `compression.type` is `lz4`";
    String "compression.type" = "producer",
        OneOf(&["uncompressed", "zstd", "lz4", "snappy", "gzip", "producer"]), ClusterWide, Works,
        "codec batches are stored with; `producer` keeps what the producer sent";
    Int "compression.zstd.level" = "3", Between(-131072, 22), ClusterWide, Works,
        "level of the broker's own zstd, used when `compression.type` is `zstd`";
    Long "delete.retention.ms" = "86400000", AtLeast(0), ClusterWide, Works,
        "how long compaction keeps a tombstone";
    Long "file.delete.delay.ms" = "60000", AtLeast(0), ClusterWide, Works,
        "wait between dropping a segment and removing its files";
    Long "flush.messages" = "9223372036854775807", AtLeast(1), ClusterWide, Works,
        "records after which the log is flushed to disk, before the last of them is acknowledged";
    Long "flush.ms" = "9223372036854775807", AtLeast(0), ClusterWide, Works,
        "longest time from a record to the flush that has it on disk";
    List "follower.replication.throttled.replicas" = "", ThrottledReplicas, ClusterWide, ONE_NODE,
        "replicas throttled as followers: `*` or `partition:broker` pairs";
    Int "index.interval.bytes" = "4096", AtLeast(0), ClusterWide, Works,
        "bytes of records between two entries of the offset and time index";
    List "leader.replication.throttled.replicas" = "", ThrottledReplicas, ClusterWide, ONE_NODE,
        "replicas throttled as leaders: `*` or `partition:broker` pairs";
    Long "local.retention.bytes" = "-2", AtLeast(-2), ClusterWide, TIERING,
        "bytes kept on local disk of a tiered topic; -2 means `retention.bytes`";
    Long "local.retention.ms" = "-2", AtLeast(-2), ClusterWide, TIERING,
        "time kept on local disk of a tiered topic; -2 means `retention.ms`";
    Long "max.compaction.lag.ms" = "9223372036854775807", AtLeast(1), ClusterWide, Works,
        "longest time a record may wait for compaction";
    Int "max.message.bytes" = "1048588", AtLeast(0), ClusterWide, Works,
        "largest record batch accepted, as it arrives";
    Long "message.timestamp.after.max.ms" = "3600000", AtLeast(0), ClusterWide, Works,
        "how far a `CreateTime` may lie in the future before its batch is refused";
    Long "message.timestamp.before.max.ms" = "9223372036854775807", AtLeast(0), ClusterWide, Works,
        "how far a `CreateTime` may lie in the past before its batch is refused";
    String "message.timestamp.type" = "CreateTime", OneOf(&["CreateTime", "LogAppendTime"]), ClusterWide,
        Works,
        "`CreateTime` keeps the producer's time, `LogAppendTime` sets the broker's";
    Double "min.cleanable.dirty.ratio" = "0.5", Fraction(1.0), ClusterWide, Works,
        "share of uncompacted bytes that makes a log worth compacting";
    Long "min.compaction.lag.ms" = "0", AtLeast(0), ClusterWide, Works,
        "shortest age before a record may be compacted away";
    Int "min.insync.replicas" = "1", AtLeast(1), ClusterWide, Works,
        "acts as 1: it is capped by the one replica a partition has, as in Kafka";
    Boolean "preallocate" = "false", Any, ClusterWide, PREALLOCATE,
        "full-size allocation of a new segment's file";
    Boolean "remote.log.copy.disable" = "false", Any, ClusterWide, TIERING,
        "makes the tiered part of a topic read-only";
    Boolean "remote.log.delete.on.disable" = "false", Any, ClusterWide, TIERING,
        "deletes tiered data when tiering is switched off";
    Boolean "remote.storage.enable" = "false", Any, ClusterWide, TIERING,
        "tiering of a topic; only `false` is accepted";
    Long "retention.bytes" = "-1", Any, ClusterWide, Works,
        "bytes a partition may hold before old segments go; negative means no limit";
    Long "retention.ms" = "604800000", AtLeast(-1), ClusterWide, Works,
        "age after which segments go; -1 means no limit";
    Int "segment.bytes" = "1073741824", AtLeast(1048576), ClusterWide, Works,
        "size at which a segment is sealed and a new one begins";
    Int "segment.index.bytes" = "10485760", AtLeast(4), ClusterWide, Works,
        "size of an index file; a full index seals its segment";
    Long "segment.jitter.ms" = "0", AtLeast(0), ClusterWide, Works,
        "largest random time taken off `segment.ms`";
    Long "segment.ms" = "604800000", AtLeast(1), ClusterWide, Works,
        "age at which a segment is sealed even if it is not full";
    Boolean "unclean.leader.election.enable" = "false", Any, ClusterWide, ONE_NODE,
        "lets a replica that lags become leader";
};

const INTERNAL: &[ConfigDef] = config_defs! {
    Int "internal.segment.bytes" = null, AtLeast(1), ClusterWide, Works,
        "segment size that overrides `segment.bytes` without its lower limit, for tests";
};
