//! Logs: the defaults of the topic configs, the data directory and the work on it.

use crate::config::definition::{ConfigDef, Effect::Works, config_defs};
use crate::config::effects::{
    KEPT_AT_ONCE, ONE_CLEANER, ONE_DIRECTORY, ONE_LZ4_LEVEL, ONE_RUNTIME, PREALLOCATE, TIERING,
};
use crate::config::validator::Validator::{Any, AnyOf, AtLeast, Between, Fraction, GzipLevel, OneOf, SomeOf};

pub(super) const DEFS: &[ConfigDef] = config_defs! {
    Int "compression.gzip.level" = "-1", GzipLevel, ClusterWide, Works,
        "default of the topic config `compression.gzip.level`";
    Int "compression.lz4.level" = "9", Between(1, 17), ClusterWide, ONE_LZ4_LEVEL,
        "default of the topic config `compression.lz4.level`";
    String "compression.type" = "producer",
        OneOf(&["uncompressed", "zstd", "lz4", "snappy", "gzip", "producer"]), ClusterWide, Works,
        "default of the topic config `compression.type`";
    Int "compression.zstd.level" = "3", Between(-131072, 22), ClusterWide, Works,
        "default of the topic config `compression.zstd.level`";
    List "cordoned.log.dirs" = "", AnyOf(&[]), PerBroker, ONE_DIRECTORY,
        "data directories that take no new partitions";
    Long "log.cleaner.backoff.ms" = "15000", AtLeast(0), ClusterWide, Works,
        "sleep of the cleaner when nothing needs cleaning";
    Long "log.cleaner.dedupe.buffer.size" = "134217728", Any, ClusterWide, Works,
        "memory for the cleaner's key map";
    Long "log.cleaner.delete.retention.ms" = "86400000", AtLeast(0), ClusterWide, Works,
        "default of the topic config `delete.retention.ms`";
    Boolean "log.cleaner.enable" = "true", Any, ReadOnly, Works,
        "whether compacted topics are compacted";
    Double "log.cleaner.io.buffer.load.factor" = "0.9", Any, ClusterWide, Works,
        "how full the cleaner's key map may get";
    Int "log.cleaner.io.buffer.size" = "524288", AtLeast(0), ClusterWide, ONE_CLEANER,
        "memory for the cleaner's reads and writes";
    Double "log.cleaner.io.max.bytes.per.second" = "1.7976931348623157E308", Any, ClusterWide, ONE_CLEANER,
        "rate limit of the cleaner";
    Long "log.cleaner.max.compaction.lag.ms" = "9223372036854775807", AtLeast(1), ClusterWide, Works,
        "default of the topic config `max.compaction.lag.ms`";
    Double "log.cleaner.min.cleanable.ratio" = "0.5", Fraction(1.0), ClusterWide, Works,
        "default of the topic config `min.cleanable.dirty.ratio`";
    Long "log.cleaner.min.compaction.lag.ms" = "0", AtLeast(0), ClusterWide, Works,
        "default of the topic config `min.compaction.lag.ms`";
    Int "log.cleaner.threads" = "1", AtLeast(0), ClusterWide, ONE_CLEANER,
        "threads that clean";
    List "log.cleanup.policy" = "delete", AnyOf(&["compact", "delete"]), ClusterWide, Works,
        "default of the topic config `cleanup.policy`";
    List "log.dir" = "./brooklet-data", SomeOf(&[]), ReadOnly, Works,
        "data directory when `log.dirs` is not set";
    Long "log.dir.failure.timeout.ms" = "30000", AtLeast(1), ReadOnly, ONE_DIRECTORY,
        "wait before a broker with a failed directory stops";
    List "log.dirs" = null, SomeOf(&[]), ReadOnly, Works,
        "data directory; exactly one is supported";
    Long "log.flush.interval.messages" = "9223372036854775807", AtLeast(1), ClusterWide, Works,
        "default of the topic config `flush.messages`";
    Long "log.flush.interval.ms" = null, Any, ClusterWide, Works,
        "default of the topic config `flush.ms`";
    Int "log.flush.offset.checkpoint.interval.ms" = "60000", AtLeast(0), ReadOnly, Works,
        "time between writes of the recovery point";
    Long "log.flush.scheduler.interval.ms" = "9223372036854775807", Any, ReadOnly, Works,
        "`flush.ms` when `log.flush.interval.ms` is not set; there is no schedule: each log is flushed when its time has come";
    Int "log.flush.start.offset.checkpoint.interval.ms" = "60000", AtLeast(0), ReadOnly, KEPT_AT_ONCE,
        "time between writes of the log start offsets";
    Int "log.index.interval.bytes" = "4096", AtLeast(0), ClusterWide, Works,
        "default of the topic config `index.interval.bytes`";
    Int "log.index.size.max.bytes" = "10485760", AtLeast(4), ClusterWide, Works,
        "default of the topic config `segment.index.bytes`";
    Long "log.local.retention.bytes" = "-2", AtLeast(-2), ClusterWide, TIERING,
        "default of the topic config `local.retention.bytes`";
    Long "log.local.retention.ms" = "-2", AtLeast(-2), ClusterWide, TIERING,
        "default of the topic config `local.retention.ms`";
    Long "log.message.timestamp.after.max.ms" = "3600000", AtLeast(0), ClusterWide, Works,
        "default of the topic config `message.timestamp.after.max.ms`";
    Long "log.message.timestamp.before.max.ms" = "9223372036854775807", AtLeast(0), ClusterWide, Works,
        "default of the topic config `message.timestamp.before.max.ms`";
    String "log.message.timestamp.type" = "CreateTime", OneOf(&["CreateTime", "LogAppendTime"]), ClusterWide,
        Works,
        "default of the topic config `message.timestamp.type`";
    Boolean "log.preallocate" = "false", Any, ClusterWide, PREALLOCATE,
        "default of the topic config `preallocate`";
    Long "log.retention.bytes" = "-1", Any, ClusterWide, Works,
        "default of the topic config `retention.bytes`";
    Long "log.retention.check.interval.ms" = "300000", AtLeast(1), ReadOnly, Works,
        "time between looks for segments to delete";
    Int "log.retention.hours" = "168", Any, ReadOnly, Works,
        "`log.retention.ms` in hours, when neither ms nor minutes are set";
    Int "log.retention.minutes" = null, Any, ReadOnly, Works,
        "`log.retention.ms` in minutes, when ms is not set";
    Long "log.retention.ms" = null, Any, ClusterWide, Works,
        "default of the topic config `retention.ms`";
    Int "log.roll.hours" = "168", AtLeast(1), ReadOnly, Works,
        "`log.roll.ms` in hours, when ms is not set";
    Int "log.roll.jitter.hours" = "0", AtLeast(0), ReadOnly, Works,
        "`log.roll.jitter.ms` in hours, when ms is not set";
    Long "log.roll.jitter.ms" = null, Any, ClusterWide, Works,
        "default of the topic config `segment.jitter.ms`";
    Long "log.roll.ms" = null, Any, ClusterWide, Works,
        "default of the topic config `segment.ms`";
    Int "log.segment.bytes" = "1073741824", AtLeast(1048576), ClusterWide, Works,
        "default of the topic config `segment.bytes`";
    Long "log.segment.delete.delay.ms" = "60000", AtLeast(0), ClusterWide, Works,
        "default of the topic config `file.delete.delay.ms`";
    Int "num.recovery.threads.per.data.dir" = "2", AtLeast(1), ClusterWide, ONE_RUNTIME,
        "threads that recover logs at start";
};
