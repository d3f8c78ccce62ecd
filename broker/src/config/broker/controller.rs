//! The controller quorum and its metadata log, which one node does without.

use crate::config::definition::{ConfigDef, Effect::Works, config_defs};
use crate::config::effects::NO_QUORUM;
use crate::config::validator::Validator::{Any, AtLeast, HostPorts, QuorumVoters, SomeOf};

pub(super) const DEFS: &[ConfigDef] = config_defs! {
    List "controller.listener.names" = null, SomeOf(&[]), ReadOnly, Works,
        "listeners of `listeners` that belong to the controller; they are not opened";
    Int "controller.quorum.append.linger.ms" = "25", AtLeast(0), ReadOnly, NO_QUORUM,
        "wait to batch writes of the metadata log";
    Boolean "controller.quorum.auto.join.enable" = "false", Any, ReadOnly, NO_QUORUM,
        "let a new controller join the voters by itself";
    List "controller.quorum.bootstrap.servers" = "", HostPorts, ReadOnly, NO_QUORUM,
        "addresses to find the controllers by";
    Int "controller.quorum.election.backoff.max.ms" = "1000", AtLeast(0), ReadOnly, NO_QUORUM,
        "longest wait between elections";
    Int "controller.quorum.election.timeout.ms" = "1000", AtLeast(0), ReadOnly, NO_QUORUM,
        "wait before a new election";
    Int "controller.quorum.fetch.max.bytes" = "1048576", AtLeast(1), ReadOnly, NO_QUORUM,
        "bytes of one fetch of the metadata log";
    Int "controller.quorum.fetch.snapshot.max.bytes" = "1048576", AtLeast(1), ReadOnly, NO_QUORUM,
        "bytes of one fetch of a metadata snapshot";
    Int "controller.quorum.fetch.timeout.ms" = "2000", AtLeast(0), ReadOnly, NO_QUORUM,
        "silence after which a voter calls an election";
    Int "controller.quorum.request.timeout.ms" = "2000", AtLeast(0), ReadOnly, NO_QUORUM,
        "wait for an answer of another controller";
    Int "controller.quorum.retry.backoff.ms" = "20", AtLeast(0), ReadOnly, NO_QUORUM,
        "wait before a quorum request is tried again";
    List "controller.quorum.voters" = "", QuorumVoters, ReadOnly, NO_QUORUM,
        "static voters, `id@host:port`";
    Int "controller.quota.window.num" = "11", AtLeast(1), ReadOnly, Works,
        "samples kept for quotas on topic and partition changes";
    Int "controller.quota.window.size.seconds" = "1", AtLeast(1), ReadOnly, Works,
        "length of such a sample";
    String "metadata.log.dir" = null, Any, ReadOnly, NO_QUORUM,
        "directory of the metadata log";
    Long "metadata.log.max.record.bytes.between.snapshots" = "20971520", AtLeast(1), ReadOnly, NO_QUORUM,
        "bytes of metadata records between snapshots";
    Long "metadata.log.max.snapshot.interval.ms" = "3600000", AtLeast(0), ReadOnly, NO_QUORUM,
        "longest time between metadata snapshots";
    Int "metadata.log.segment.bytes" = "1073741824", AtLeast(8388608), ReadOnly, NO_QUORUM,
        "segment size of the metadata log";
    Long "metadata.log.segment.ms" = "604800000", Any, ReadOnly, NO_QUORUM,
        "segment age of the metadata log";
    Int "metadata.max.idle.interval.ms" = "500", AtLeast(0), ReadOnly, NO_QUORUM,
        "time between no-op records of an idle metadata log";
    Long "metadata.max.retention.bytes" = "104857600", Any, ReadOnly, NO_QUORUM,
        "bytes of metadata log and snapshots kept";
    Long "metadata.max.retention.ms" = "604800000", Any, ReadOnly, NO_QUORUM,
        "age of metadata log and snapshots kept";
    String "sasl.mechanism.controller.protocol" = "GSSAPI", Any, ReadOnly, NO_QUORUM,
        "SASL mechanism between broker and controller";
};
