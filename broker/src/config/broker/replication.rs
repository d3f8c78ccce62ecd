//! Copies on other nodes, of which there are none.

use crate::config::definition::{ConfigDef, config_defs};
use crate::config::effects::{NO_JVM, NO_PURGATORY, ONE_DIRECTORY, ONE_NODE, TIERING};
use crate::config::validator::Validator::{Any, AtLeast};

pub(super) const DEFS: &[ConfigDef] = config_defs! {
    Int "alter.log.dirs.replication.quota.window.num" = "11", AtLeast(1), ReadOnly, ONE_DIRECTORY,
        "samples kept for quotas on moves between directories";
    Int "alter.log.dirs.replication.quota.window.size.seconds" = "1", AtLeast(1), ReadOnly, ONE_DIRECTORY,
        "length of such a sample";
    Boolean "auto.leader.rebalance.enable" = "true", Any, ReadOnly, ONE_NODE,
        "give leadership back to preferred replicas";
    Int "delete.records.purgatory.purge.interval.requests" = "1", Any, ReadOnly, NO_PURGATORY,
        "waiting DeleteRecords requests between purges";
    Int "fetch.purgatory.purge.interval.requests" = "1000", Any, ReadOnly, NO_PURGATORY,
        "waiting Fetch requests between purges";
    Boolean "follower.fetch.last.tiered.offset.enable" = "false", Any, ClusterWide, TIERING,
        "lets a follower start at the last tiered offset";
    Long "leader.imbalance.check.interval.seconds" = "300", AtLeast(1), ReadOnly, ONE_NODE,
        "time between looks for leaders to move";
    Int "num.replica.alter.log.dirs.threads" = null, Any, ReadOnly, ONE_DIRECTORY,
        "threads that move replicas between directories";
    Int "num.replica.fetchers" = "1", AtLeast(1), ClusterWide, ONE_NODE,
        "threads that copy from leaders";
    Int "producer.purgatory.purge.interval.requests" = "1000", Any, ReadOnly, NO_PURGATORY,
        "waiting Produce requests between purges";
    Int "replica.fetch.backoff.ms" = "1000", AtLeast(0), ReadOnly, ONE_NODE,
        "wait after a failed replica fetch";
    Int "replica.fetch.max.bytes" = "1048576", AtLeast(0), ReadOnly, ONE_NODE,
        "bytes of a partition in one replica fetch";
    Int "replica.fetch.min.bytes" = "1", Any, ReadOnly, ONE_NODE,
        "bytes a replica fetch waits for";
    Int "replica.fetch.response.max.bytes" = "10485760", AtLeast(0), ReadOnly, ONE_NODE,
        "bytes of one replica fetch";
    Int "replica.fetch.wait.max.ms" = "500", Any, ReadOnly, ONE_NODE,
        "longest wait of a replica fetch";
    Long "replica.high.watermark.checkpoint.interval.ms" = "5000", Any, ReadOnly, ONE_NODE,
        "time between writes of the high watermarks";
    Long "replica.lag.time.max.ms" = "30000", Any, ReadOnly, ONE_NODE,
        "lag after which a replica leaves the in-sync set";
    String "replica.selector.class" = null, Any, ReadOnly, NO_JVM,
        "plugin that chooses the replica a consumer reads from";
    Int "replica.socket.receive.buffer.bytes" = "65536", Any, ReadOnly, ONE_NODE,
        "socket buffer of replica fetches";
    Int "replica.socket.timeout.ms" = "30000", Any, ReadOnly, ONE_NODE,
        "socket timeout of replica fetches";
    Int "replication.quota.window.num" = "11", AtLeast(1), ReadOnly, ONE_NODE,
        "samples kept for replication quotas";
    Int "replication.quota.window.size.seconds" = "1", AtLeast(1), ReadOnly, ONE_NODE,
        "length of such a sample";
    Boolean "unclean.leader.election.enable" = "false", Any, ClusterWide, ONE_NODE,
        "default of the topic config `unclean.leader.election.enable`";
};
