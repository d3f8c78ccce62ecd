//! How topics are made and read, and what limits hold for all of them.

use crate::config::definition::{ConfigDef, Effect::Works, config_defs};
use crate::config::effects::{NO_JVM, PARTITION_LIMIT};
use crate::config::validator::Validator::{Any, AtLeast};

pub(super) const DEFS: &[ConfigDef] = config_defs! {
    Class "alter.config.policy.class.name" = null, Any, ReadOnly, NO_JVM,
        "plugin asked before a config changes";
    Boolean "auto.create.topics.enable" = "true", Any, ReadOnly, Works,
        "create a topic that does not exist when Metadata asks for it and allows it";
    Class "create.topic.policy.class.name" = null, Any, ReadOnly, NO_JVM,
        "plugin asked before a topic is created";
    Int "default.replication.factor" = "1", Any, ReadOnly, Works,
        "stored and checked; every topic has one replica";
    Boolean "delete.topic.enable" = "true", Any, ReadOnly, Works,
        "whether DeleteTopics is allowed";
    Int "fetch.max.bytes" = "57671680", AtLeast(1024), ReadOnly, Works,
        "most bytes of one Fetch answer, whatever the client asks for";
    Int "max.incremental.fetch.session.cache.slots" = "1000", AtLeast(0), ReadOnly, Works,
        "incremental fetch sessions (KIP-227) kept at once";
    Int "max.request.partition.size.limit" = "2000", AtLeast(1), ReadOnly, PARTITION_LIMIT,
        "partitions in one answer to DescribeTopicPartitions";
    Int "message.max.bytes" = "1048588", AtLeast(0), ClusterWide, Works,
        "default of the topic config `max.message.bytes`";
    Int "min.insync.replicas" = "1", AtLeast(1), ClusterWide, Works,
        "default of the topic config `min.insync.replicas`; acts as 1";
    Int "num.partitions" = "1", AtLeast(1), ReadOnly, Works,
        "partitions of a topic created without a count";
};
