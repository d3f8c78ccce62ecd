//! Consumer groups and the topic that keeps their offsets.

use crate::config::definition::{ConfigDef, Effect::Works, config_defs};
use crate::config::effects::{LOADING, ONE_NODE, ONE_RUNTIME};
use crate::config::validator::Validator::{Any, AtLeast, OneOfIgnoringCase, SomeOf};

pub(super) const DEFS: &[ConfigDef] = config_defs! {
    Int "group.consumer.assignment.interval.ms" = "1000", AtLeast(0), ClusterWide, Works,
        "time between two computed assignments of a group";
    List "group.consumer.assignors" = "uniform,range", SomeOf(&["uniform", "range"]), ReadOnly, Works,
        "server-side assignors, the first is the default; Kafka also takes classes of the Java platform";
    Int "group.consumer.heartbeat.interval.ms" = "5000", AtLeast(1), ReadOnly, Works,
        "heartbeat interval given to members";
    Int "group.consumer.max.assignment.interval.ms" = "15000", AtLeast(0), ReadOnly, Works,
        "upper bound of a group's assignment interval";
    Int "group.consumer.max.heartbeat.interval.ms" = "15000", AtLeast(1), ReadOnly, Works,
        "upper bound of a group's heartbeat interval";
    Int "group.consumer.max.session.timeout.ms" = "60000", AtLeast(1), ReadOnly, Works,
        "upper bound of a group's session timeout";
    Int "group.consumer.max.size" = "2147483647", AtLeast(1), ReadOnly, Works,
        "members a group may have";
    String "group.consumer.migration.policy" = "bidirectional",
        OneOfIgnoringCase(&["disabled", "downgrade", "upgrade", "bidirectional"]), ReadOnly,
        Works,
        "which changes between classic and consumer groups are allowed";
    Int "group.consumer.min.assignment.interval.ms" = "0", AtLeast(0), ReadOnly, Works,
        "lower bound of a group's assignment interval";
    Int "group.consumer.min.heartbeat.interval.ms" = "5000", AtLeast(1), ReadOnly, Works,
        "lower bound of a group's heartbeat interval";
    Int "group.consumer.min.session.timeout.ms" = "45000", AtLeast(1), ReadOnly, Works,
        "lower bound of a group's session timeout";
    Int "group.consumer.session.timeout.ms" = "45000", AtLeast(1), ReadOnly, Works,
        "session timeout of members";
    Int "group.coordinator.append.linger.ms" = "-1", AtLeast(-1), ReadOnly, ONE_RUNTIME,
        "wait to batch writes of the group coordinator";
    Int "group.coordinator.background.threads" = "2", AtLeast(1), ReadOnly, ONE_RUNTIME,
        "background threads of the group coordinator";
    Int "group.coordinator.cached.buffer.max.bytes" = "1048588", AtLeast(524288), ClusterWide, ONE_RUNTIME,
        "write buffer the group coordinator keeps";
    List "group.coordinator.rebalance.protocols" = "classic,consumer,streams",
        SomeOf(&["consumer", "classic", "share", "streams"]), ReadOnly, Works,
        "group protocols offered";
    Int "group.coordinator.threads" = "4", AtLeast(1), ReadOnly, ONE_RUNTIME,
        "threads of the group coordinator";
    Int "group.initial.rebalance.delay.ms" = "0", Any, ReadOnly, Works,
        "wait for more members before the first rebalance of an empty group";
    Int "group.max.session.timeout.ms" = "1800000", Any, ReadOnly, Works,
        "longest session timeout a member may ask for";
    Int "group.max.size" = "2147483647", AtLeast(1), ReadOnly, Works,
        "members a classic group may have";
    Int "group.min.session.timeout.ms" = "6000", Any, ReadOnly, Works,
        "shortest session timeout a member may ask for";
    Int "offset.metadata.max.bytes" = "4096", Any, ReadOnly, Works,
        "longest metadata text of a committed offset";
    Int "offsets.commit.timeout.ms" = "5000", AtLeast(1), ReadOnly, ONE_NODE,
        "wait for replicas of a commit";
    Int "offsets.load.buffer.size" = "5242880", AtLeast(1), ReadOnly, LOADING,
        "bytes read at a time when group state is loaded";
    Long "offsets.retention.check.interval.ms" = "600000", AtLeast(1), ReadOnly, Works,
        "time between looks for expired offsets";
    Int "offsets.retention.minutes" = "10080", AtLeast(1), ReadOnly, Works,
        "how long offsets of a group without members are kept";
    Int "offsets.topic.compression.codec" = "0", Any, ReadOnly, Works,
        "codec of `__consumer_offsets` records: 0 none, 1 gzip, 2 snappy, 3 lz4, 4 zstd";
    Int "offsets.topic.num.partitions" = "50", AtLeast(1), ReadOnly, Works,
        "partitions of `__consumer_offsets`; fixed once it exists";
    Short "offsets.topic.replication.factor" = "1", AtLeast(1), ReadOnly, Works,
        "stored and checked; `__consumer_offsets` has one replica";
    Int "offsets.topic.segment.bytes" = "104857600", AtLeast(1), ReadOnly, Works,
        "segment size of `__consumer_offsets`";
};
