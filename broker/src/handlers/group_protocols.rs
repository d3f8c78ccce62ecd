//! Which of the newer group protocols are offered. A feature at level 0 (KIP-584) switches its protocol off for the whole
//! cluster; `group.coordinator.rebalance.protocols` does so for those protocols in which the group coordinator assigns.
//! What is not offered is answered UNSUPPORTED_VERSION, though ApiVersions names it: so does Kafka.

use brooklet_protocol::ErrorCode;

use crate::apis::RequestContext;
use crate::features::{GROUP_VERSION, SHARE_VERSION, STREAMS_VERSION};

/// What is said of share groups that are not, where there is room for a message.
pub(super) const SHARE_IS_OFF: &str = "share groups are switched off (share.version)";

/// Whether consumer groups (KIP-848) are.
pub(super) fn check_consumer(cx: &RequestContext) -> Result<(), ErrorCode> {
    offered(is_on(cx, GROUP_VERSION) && is_named(cx, "consumer"))
}

/// Whether streams groups (KIP-1071) are.
pub(super) fn check_streams(cx: &RequestContext) -> Result<(), ErrorCode> {
    offered(is_on(cx, STREAMS_VERSION) && is_named(cx, "streams"))
}

/// Whether share groups (KIP-932) are.
pub(super) fn check_share(cx: &RequestContext) -> Result<(), ErrorCode> {
    offered(is_on(cx, SHARE_VERSION))
}

fn is_on(cx: &RequestContext, feature: &str) -> bool {
    cx.node.topics.finalized_features().level(feature) > 0
}

fn is_named(cx: &RequestContext, protocol: &str) -> bool {
    cx.node.config().broker.group_coordinator_rebalance_protocols.iter().any(|named| named == protocol)
}

fn offered(is: bool) -> Result<(), ErrorCode> {
    if is { Ok(()) } else { Err(ErrorCode::UnsupportedVersion) }
}
