//! Share groups (KIP-932).

use crate::config::definition::{ConfigDef, Effect::Works, config_defs};
use crate::config::effects::{LOADING, NO_PURGATORY, ONE_NODE, ONE_RUNTIME};
use crate::config::validator::Validator::{Any, AtLeast, Between, SomeOf};

pub(super) const DEFS: &[ConfigDef] = config_defs! {
    Int "group.share.assignment.interval.ms" = "1000", AtLeast(0), ClusterWide, Works,
        "time between two computed assignments of a group";
    List "group.share.assignors" = "simple", SomeOf(&[]), ReadOnly, Works,
        "server-side assignor";
    Int "group.share.delivery.count.limit" = "5", Between(2, 10), ReadOnly, Works,
        "deliveries of a record before it is given up";
    Int "group.share.heartbeat.interval.ms" = "5000", AtLeast(1), ReadOnly, Works,
        "heartbeat interval given to members";
    Int "group.share.max.assignment.interval.ms" = "15000", AtLeast(0), ReadOnly, Works,
        "upper bound of a group's assignment interval";
    Int "group.share.max.delivery.count.limit" = "10", Between(5, 25), ReadOnly, Works,
        "upper bound of a group's delivery limit";
    Int "group.share.max.heartbeat.interval.ms" = "15000", AtLeast(1), ReadOnly, Works,
        "upper bound of a group's heartbeat interval";
    Int "group.share.max.partition.max.record.locks" = "4000", Between(2000, 10000), ReadOnly, Works,
        "upper bound of a group's record locks";
    Int "group.share.max.record.lock.duration.ms" = "60000", Between(30000, 3600000), ReadOnly, Works,
        "upper bound of a group's lock duration";
    Int "group.share.max.session.timeout.ms" = "60000", AtLeast(1), ReadOnly, Works,
        "upper bound of a group's session timeout";
    Int "group.share.max.share.sessions" = "2000", AtLeast(1), ReadOnly, Works,
        "share sessions kept at once";
    Int "group.share.max.size" = "200", Between(1, 1000), ReadOnly, Works,
        "members a share group may have";
    Int "group.share.min.assignment.interval.ms" = "0", AtLeast(0), ReadOnly, Works,
        "lower bound of a group's assignment interval";
    Int "group.share.min.delivery.count.limit" = "2", Between(2, 5), ReadOnly, Works,
        "lower bound of a group's delivery limit";
    Int "group.share.min.heartbeat.interval.ms" = "5000", AtLeast(1), ReadOnly, Works,
        "lower bound of a group's heartbeat interval";
    Int "group.share.min.partition.max.record.locks" = "100", Between(100, 2000), ReadOnly, Works,
        "lower bound of a group's record locks";
    Int "group.share.min.record.lock.duration.ms" = "15000", Between(1000, 30000), ReadOnly, Works,
        "lower bound of a group's lock duration";
    Int "group.share.min.session.timeout.ms" = "45000", AtLeast(1), ReadOnly, Works,
        "lower bound of a group's session timeout";
    Int "group.share.partition.max.record.locks" = "2000", Between(100, 10000), ReadOnly, Works,
        "records of a partition locked at once";
    Int "group.share.record.lock.duration.ms" = "30000", Between(1000, 3600000), ReadOnly, Works,
        "how long a record stays locked to a member";
    Int "group.share.session.timeout.ms" = "45000", AtLeast(1), ReadOnly, Works,
        "session timeout of members";
    Int "share.coordinator.append.linger.ms" = "-1", AtLeast(-1), ReadOnly, ONE_RUNTIME,
        "wait to batch writes of the share coordinator";
    Int "share.coordinator.cached.buffer.max.bytes" = "1048588", AtLeast(524288), ClusterWide, ONE_RUNTIME,
        "write buffer the share coordinator keeps";
    Int "share.coordinator.load.buffer.size" = "5242880", AtLeast(1), ReadOnly, LOADING,
        "bytes read at a time when share state is loaded";
    Int "share.coordinator.snapshot.update.records.per.snapshot" = "500", Between(0, 500), ReadOnly, Works,
        "state updates between two snapshots";
    Int "share.coordinator.state.topic.compression.codec" = "0", Any, ReadOnly, Works,
        "codec of `__share_group_state` records";
    Short "share.coordinator.state.topic.min.isr" = "1", AtLeast(1), ReadOnly, ONE_NODE,
        "in-sync replicas of `__share_group_state`";
    Int "share.coordinator.state.topic.num.partitions" = "50", AtLeast(1), ReadOnly, Works,
        "partitions of `__share_group_state`";
    Short "share.coordinator.state.topic.replication.factor" = "1", AtLeast(1), ReadOnly, ONE_NODE,
        "replicas of `__share_group_state`";
    Int "share.coordinator.state.topic.segment.bytes" = "104857600", AtLeast(1), ReadOnly, Works,
        "segment size of `__share_group_state`";
    Int "share.coordinator.threads" = "1", AtLeast(1), ReadOnly, ONE_RUNTIME,
        "threads of the share coordinator";
    Int "share.coordinator.write.timeout.ms" = "5000", AtLeast(1), ReadOnly, ONE_NODE,
        "wait for replicas of a state write";
    Int "share.fetch.purgatory.purge.interval.requests" = "1000", Any, ReadOnly, NO_PURGATORY,
        "waiting ShareFetch requests between purges";
};
