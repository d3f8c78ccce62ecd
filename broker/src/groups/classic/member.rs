//! A member of a classic group.

use brooklet_protocol::coordinator::group_metadata::MemberMetadata;
use bytes::Bytes;

use crate::groups::requests::{JoinRequest, Protocol, Token};

/// A member, and what it waits for.
#[derive(Debug)]
pub(crate) struct Member {
    pub(crate) id: String,
    pub(crate) group_instance_id: Option<String>,
    pub(crate) client_id: String,
    pub(crate) client_host: String,
    pub(crate) rebalance_timeout_ms: i32,
    pub(crate) session_timeout_ms: i32,
    pub(crate) protocol_type: String,
    /// In its order of preference.
    pub(crate) protocols: Vec<Protocol>,
    pub(crate) assignment: Bytes,
    /// Its join, while that waits.
    pub(crate) awaiting_join: Option<Token>,
    /// Its sync, while that waits.
    pub(crate) awaiting_sync: Option<Token>,
    /// It has not been in a generation yet.
    pub(crate) is_new: bool,
}

impl Member {
    pub(crate) fn new(id: String, request: &JoinRequest) -> Self {
        Self {
            id,
            group_instance_id: request.group_instance_id.clone(),
            client_id: request.client_id.clone(),
            client_host: request.client_host.clone(),
            rebalance_timeout_ms: request.rebalance_timeout_ms,
            session_timeout_ms: request.session_timeout_ms,
            protocol_type: request.protocol_type.clone(),
            protocols: request.protocols.clone(),
            assignment: Bytes::new(),
            awaiting_join: None,
            awaiting_sync: None,
            is_new: true,
        }
    }

    pub(crate) fn restore(stored: MemberMetadata, protocol_type: String, protocol: String) -> Self {
        Self {
            id: stored.member_id,
            group_instance_id: stored.group_instance_id,
            client_id: stored.client_id,
            client_host: stored.client_host,
            rebalance_timeout_ms: if stored.rebalance_timeout_ms < 0 {
                stored.session_timeout_ms
            } else {
                stored.rebalance_timeout_ms
            },
            session_timeout_ms: stored.session_timeout_ms,
            protocol_type,
            protocols: vec![Protocol { name: protocol, metadata: stored.subscription }],
            assignment: stored.assignment,
            awaiting_join: None,
            awaiting_sync: None,
            is_new: false,
        }
    }

    pub(crate) fn is_static(&self) -> bool {
        self.group_instance_id.is_some()
    }

    pub(crate) fn supports(&self, protocol: &str) -> bool {
        self.protocols.iter().any(|known| known.name == protocol)
    }

    /// Its metadata for a protocol; empty for one it does not know.
    pub(crate) fn metadata(&self, protocol: &str) -> Bytes {
        let known = self.protocols.iter().find(|known| known.name == protocol);
        known.map(|known| known.metadata.clone()).unwrap_or_default()
    }

    /// The one it likes best of `candidates`.
    pub(crate) fn vote<'a>(&'a self, candidates: &[&str]) -> Option<&'a str> {
        self.protocols.iter().map(|known| known.name.as_str()).find(|name| candidates.contains(name))
    }
}
