//! The quorum of controllers that clients are told of: this node alone, as voter and leader. Shared by the handlers that
//! describe it and refuse to change it. There is no metadata log behind it; the catalog needs no agreement.

use brooklet_protocol::{ErrorCode, StrBytes};

use super::text;
use crate::apis::RequestContext;

/// The log that a quorum of Kafka's keeps.
pub(super) const METADATA_TOPIC: &str = "__cluster_metadata";
/// The listener by which controllers would reach each other.
pub(super) const LISTENER: &str = "CONTROLLER";
/// The one leader was elected once.
pub(super) const LEADER_EPOCH: i32 = 1;
/// Kafka writes an empty record this often, if there is nothing else to write (`metadata.max.idle.interval.ms`).
const IDLE_INTERVAL_MS: i64 = 500;

/// Where the metadata log would end: it grows as that of an idle cluster does, and does not go back at a restart.
pub(super) fn end_offset(wall_ms: i64) -> i64 {
    wall_ms / IDLE_INTERVAL_MS
}

/// Refuses a request that is meant for another cluster.
pub(super) fn check_cluster_id(cx: &RequestContext, named: Option<&StrBytes>) -> Result<(), (ErrorCode, String)> {
    let own = cx.node.data_dir.cluster_id();
    match named {
        Some(named) if **named != *own => {
            Err((ErrorCode::InconsistentClusterId, format!("this is cluster {own}, not {}", &**named)))
        }
        _ => Ok(()),
    }
}

/// An outcome's code and message.
pub(super) fn outcome(outcome: Result<(), (ErrorCode, String)>) -> (i16, Option<StrBytes>) {
    match outcome {
        Ok(()) => (ErrorCode::None.code(), None),
        Err((error, message)) => (error.code(), Some(text(message))),
    }
}
