//! Tiered storage (KIP-405), which this broker does not have.

use crate::config::definition::{ConfigDef, config_defs};
use crate::config::effects::TIERING;
use crate::config::validator::Validator::{Any, AtLeast, NonEmpty};

pub(super) const DEFS: &[ConfigDef] = config_defs! {
    Int "remote.fetch.max.wait.ms" = "500", AtLeast(1), ClusterWide, TIERING,
        "longest wait of a fetch for remote data";
    Long "remote.list.offsets.request.timeout.ms" = "30000", AtLeast(1), ClusterWide, TIERING,
        "wait for remote data of ListOffsets";
    Long "remote.log.index.file.cache.total.size.bytes" = "1073741824", AtLeast(1), ClusterWide, TIERING,
        "cache of remote index files";
    Int "remote.log.manager.copier.thread.pool.size" = "10", AtLeast(1), ClusterWide, TIERING,
        "threads that copy segments out";
    Long "remote.log.manager.copy.max.bytes.per.second" = "9223372036854775807", AtLeast(1), ClusterWide,
        TIERING,
        "rate limit of copying out";
    Int "remote.log.manager.copy.quota.window.num" = "11", AtLeast(1), ReadOnly, TIERING,
        "samples kept for that limit";
    Int "remote.log.manager.copy.quota.window.size.seconds" = "1", AtLeast(1), ReadOnly, TIERING,
        "length of such a sample";
    Int "remote.log.manager.expiration.thread.pool.size" = "10", AtLeast(1), ClusterWide, TIERING,
        "threads that delete remote segments";
    Long "remote.log.manager.fetch.max.bytes.per.second" = "9223372036854775807", AtLeast(1), ClusterWide,
        TIERING,
        "rate limit of reading back";
    Int "remote.log.manager.fetch.quota.window.num" = "11", AtLeast(1), ReadOnly, TIERING,
        "samples kept for that limit";
    Int "remote.log.manager.fetch.quota.window.size.seconds" = "1", AtLeast(1), ReadOnly, TIERING,
        "length of such a sample";
    Int "remote.log.manager.follower.thread.pool.size" = "2", AtLeast(1), ClusterWide, TIERING,
        "threads that serve followers";
    Long "remote.log.manager.task.interval.ms" = "30000", AtLeast(1), ReadOnly, TIERING,
        "time between rounds of copying and deleting";
    Int "remote.log.manager.thread.pool.size" = "2", AtLeast(1), ReadOnly, TIERING,
        "threads of tiering as a whole";
    Int "remote.log.metadata.custom.metadata.max.bytes" = "128", AtLeast(0), ReadOnly, TIERING,
        "longest custom metadata of a remote segment";
    String "remote.log.metadata.manager.class.name" =
        "org.apache.kafka.server.log.remote.metadata.storage.TopicBasedRemoteLogMetadataManager", NonEmpty,
        ReadOnly, TIERING,
        "plugin that keeps remote metadata";
    String "remote.log.metadata.manager.class.path" = null, Any, ReadOnly, TIERING,
        "class path of that plugin";
    String "remote.log.metadata.manager.impl.prefix" = "rlmm.config.", NonEmpty, ReadOnly, TIERING,
        "prefix of that plugin's own configs";
    String "remote.log.metadata.manager.listener.name" = null, NonEmpty, ReadOnly, TIERING,
        "listener that plugin connects to";
    Int "remote.log.reader.max.pending.tasks" = "100", AtLeast(1), ReadOnly, TIERING,
        "remote reads queued at once";
    Int "remote.log.reader.threads" = "10", AtLeast(1), ClusterWide, TIERING,
        "threads that read remote data";
    String "remote.log.storage.manager.class.name" = null, NonEmpty, ReadOnly, TIERING,
        "plugin that stores segments";
    String "remote.log.storage.manager.class.path" = null, Any, ReadOnly, TIERING,
        "class path of that plugin";
    String "remote.log.storage.manager.impl.prefix" = "rsm.config.", NonEmpty, ReadOnly, TIERING,
        "prefix of that plugin's own configs";
    Boolean "remote.log.storage.system.enable" = "false", Any, ReadOnly, TIERING,
        "tiered storage for the whole node";
};
