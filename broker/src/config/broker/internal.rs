//! Configs that Kafka knows but shows only when they are set.

use crate::config::definition::{ConfigDef, Effect::Works, config_defs};
use crate::config::effects::{
    NO_JVM, NO_QUORUM, ONE_DIRECTORY, ONE_NODE, PRODUCER_ID_CHECK, REGEX_AT_ONCE, RELEASED_ONLY, SHARE_STATE, TIERING,
};
use crate::config::validator::Validator::{Any, AtLeast, Fraction};

pub(super) const DEFS: &[ConfigDef] = config_defs! {
    List "brooklet.declare" = "", Any, ReadOnly, Works,
        "files and directories with manifests of topics and connectors, brought about at start and whenever they change; what the \
         binary's `--declare` says (not one of Kafka's)";
    Boolean "brooklet.declare.prune" = "false", Any, ReadOnly, Works,
        "whether what was declared once and is declared no more is deleted (not one of Kafka's)";
    Boolean "brooklet.flush.before.ack" = "false", Any, ReadOnly, Works,
        "whether records wait for the disk before they are acknowledged to a producer with acks=all, and what coordinators \
         keep before it is answered; one flush serves all that wait (not one of Kafka's)";
    Boolean "brooklet.strict.replication" = "false", Any, ReadOnly, Works,
        "whether a replication factor that one broker cannot meet is refused, as Kafka does; otherwise it is kept, shown and acts \
         as one (not one of Kafka's)";
    Long "controller.performance.always.log.threshold.ms" = "2000", AtLeast(0), ReadOnly, NO_QUORUM,
        "controller events slower than this are logged";
    Long "controller.performance.sample.period.ms" = "60000", AtLeast(100), ReadOnly, NO_QUORUM,
        "time between reports of slow controller events";
    Long "follower.replication.throttled.rate" = null, AtLeast(0), ClusterWide, ONE_NODE,
        "bytes a second throttled followers may read; set at run time only";
    Int "group.consumer.regex.refresh.interval.ms" = "600000", AtLeast(10000), ReadOnly, REGEX_AT_ONCE,
        "time between refreshes of a regular expression subscription";
    Int "group.share.initialize.retry.interval.ms" = "30000", AtLeast(1), ReadOnly, ONE_NODE,
        "wait before share state is initialised again";
    String "group.share.persister.class.name" =
        "org.apache.kafka.server.share.persister.DefaultStatePersister", Any, ReadOnly, NO_JVM,
        "plugin that keeps share state";
    Long "internal.metadata.delete.delay.millis" = "60000", Any, ReadOnly, NO_QUORUM,
        "wait before old metadata files are removed";
    Int "internal.metadata.log.segment.bytes" = null, Any, ReadOnly, NO_QUORUM,
        "segment size of the metadata log, without its lower limit";
    Int "internal.metadata.max.batch.size.in.bytes" = "8388608", Any, ReadOnly, NO_QUORUM,
        "largest batch of the metadata log";
    Long "leader.replication.throttled.rate" = null, AtLeast(0), ClusterWide, ONE_NODE,
        "bytes a second throttled leaders may send; set at run time only";
    Long "log.initial.task.delay.ms" = "30000", AtLeast(0), ReadOnly, Works,
        "wait before the first background work on logs";
    Int "producer.id.expiration.check.interval.ms" = "600000", AtLeast(1), ReadOnly, PRODUCER_ID_CHECK,
        "time between looks for expired producer ids";
    Long "remote.log.index.file.cache.ttl.ms" = "900000", AtLeast(-1), ReadOnly, TIERING,
        "age at which a cached remote index goes";
    Long "remote.log.manager.task.retry.backoff.max.ms" = "30000", AtLeast(1), ReadOnly, TIERING,
        "longest wait between tries of a tiering task";
    Long "remote.log.manager.task.retry.backoff.ms" = "500", AtLeast(1), ReadOnly, TIERING,
        "first wait between tries of a tiering task";
    Double "remote.log.manager.task.retry.jitter" = "0.2", Fraction(0.5), ReadOnly, TIERING,
        "random part of that wait";
    Long "replica.alter.log.dirs.io.max.bytes.per.second" = null, AtLeast(0), ClusterWide, ONE_DIRECTORY,
        "rate limit of moves between directories; set at run time only";
    Long "server.max.startup.time.ms" = "9223372036854775807", AtLeast(0), ReadOnly, NO_QUORUM,
        "longest time a start may take";
    Int "share.coordinator.cold.partition.snapshot.interval.ms" = "300000", AtLeast(1), ReadOnly,
        Works,
        "time between snapshots of idle share partitions";
    Int "share.coordinator.state.topic.prune.interval.ms" = "300000", AtLeast(1), ReadOnly, SHARE_STATE,
        "time between prunes of `__share_group_state`";
    Long "unclean.leader.election.interval.ms" = "300000", AtLeast(1), ReadOnly, ONE_NODE,
        "time between looks for unclean elections";
    Boolean "unstable.api.versions.enable" = "false", Any, ReadOnly, RELEASED_ONLY,
        "offer API versions that are not final";
    Boolean "unstable.feature.versions.enable" = "false", Any, ReadOnly, RELEASED_ONLY,
        "offer feature levels that are not final";
};
