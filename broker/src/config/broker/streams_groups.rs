//! Streams groups (KIP-1071).

use crate::config::definition::{ConfigDef, Effect::Works, config_defs};
use crate::config::validator::Validator::AtLeast;

pub(super) const DEFS: &[ConfigDef] = config_defs! {
    Int "group.streams.assignment.interval.ms" = "1000", AtLeast(0), ClusterWide, Works,
        "time between two computed assignments of a group";
    Int "group.streams.heartbeat.interval.ms" = "5000", AtLeast(1), ReadOnly, Works,
        "heartbeat interval given to members";
    Int "group.streams.initial.rebalance.delay.ms" = "0", AtLeast(0), ReadOnly, Works,
        "wait for more members before the first assignment";
    Int "group.streams.max.assignment.interval.ms" = "15000", AtLeast(0), ReadOnly, Works,
        "upper bound of a group's assignment interval";
    Int "group.streams.max.heartbeat.interval.ms" = "15000", AtLeast(1), ReadOnly, Works,
        "upper bound of a group's heartbeat interval";
    Int "group.streams.max.session.timeout.ms" = "60000", AtLeast(1), ReadOnly, Works,
        "upper bound of a group's session timeout";
    Int "group.streams.max.size" = "2147483647", AtLeast(1), ReadOnly, Works,
        "members a streams group may have";
    Int "group.streams.max.standby.replicas" = "2", AtLeast(0), ReadOnly, Works,
        "upper bound of a group's standby replicas";
    Int "group.streams.min.assignment.interval.ms" = "0", AtLeast(0), ReadOnly, Works,
        "lower bound of a group's assignment interval";
    Int "group.streams.min.heartbeat.interval.ms" = "5000", AtLeast(1), ReadOnly, Works,
        "lower bound of a group's heartbeat interval";
    Int "group.streams.min.session.timeout.ms" = "45000", AtLeast(1), ReadOnly, Works,
        "lower bound of a group's session timeout";
    Int "group.streams.num.standby.replicas" = "0", AtLeast(0), ReadOnly, Works,
        "standby replicas of each task";
    Int "group.streams.session.timeout.ms" = "45000", AtLeast(1), ReadOnly, Works,
        "session timeout of members";
};
