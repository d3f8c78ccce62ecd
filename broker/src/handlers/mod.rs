//! One file for each API that the broker answers. Each begins with a card: the versions, what is done, and where it
//! differs from Apache Kafka. `crate::apis` has the list.

pub(crate) mod add_offsets_to_txn;
pub(crate) mod add_partitions_to_txn;
pub(crate) mod add_raft_voter;
pub(crate) mod alter_client_quotas;
pub(crate) mod alter_configs;
pub(crate) mod alter_partition_reassignments;
pub(crate) mod alter_replica_log_dirs;
pub(crate) mod alter_share_group_offsets;
pub(crate) mod alter_user_scram_credentials;
pub(crate) mod api_versions;
pub(crate) mod consumer_group_describe;
pub(crate) mod consumer_group_heartbeat;
pub(crate) mod create_acls;
pub(crate) mod create_delegation_token;
pub(crate) mod create_partitions;
pub(crate) mod create_topics;
pub(crate) mod delete_acls;
pub(crate) mod delete_groups;
pub(crate) mod delete_records;
pub(crate) mod delete_share_group_offsets;
pub(crate) mod delete_share_group_state;
pub(crate) mod delete_topics;
pub(crate) mod describe_acls;
pub(crate) mod describe_client_quotas;
pub(crate) mod describe_cluster;
pub(crate) mod describe_configs;
pub(crate) mod describe_delegation_token;
pub(crate) mod describe_groups;
pub(crate) mod describe_log_dirs;
pub(crate) mod describe_producers;
pub(crate) mod describe_quorum;
pub(crate) mod describe_share_group_offsets;
pub(crate) mod describe_topic_partitions;
pub(crate) mod describe_transactions;
pub(crate) mod describe_user_scram_credentials;
pub(crate) mod elect_leaders;
pub(crate) mod end_txn;
pub(crate) mod expire_delegation_token;
pub(crate) mod fetch;
pub(crate) mod find_coordinator;
mod group_protocols;
pub(crate) mod heartbeat;
pub(crate) mod incremental_alter_configs;
pub(crate) mod init_producer_id;
pub(crate) mod initialize_share_group_state;
pub(crate) mod join_group;
pub(crate) mod leave_group;
pub(crate) mod list_config_resources;
pub(crate) mod list_groups;
pub(crate) mod list_offsets;
pub(crate) mod list_partition_reassignments;
pub(crate) mod list_transactions;
pub(crate) mod metadata;
pub(crate) mod offset_commit;
pub(crate) mod offset_delete;
pub(crate) mod offset_fetch;
pub(crate) mod offset_for_leader_epoch;
pub(crate) mod produce;
pub(crate) mod read_share_group_state;
pub(crate) mod read_share_group_state_summary;
pub(crate) mod remove_raft_voter;
pub(crate) mod renew_delegation_token;
pub(crate) mod sasl_authenticate;
pub(crate) mod sasl_handshake;
pub(crate) mod share_acknowledge;
pub(crate) mod share_fetch;
pub(crate) mod share_group_describe;
pub(crate) mod share_group_heartbeat;
pub(crate) mod streams_group_describe;
pub(crate) mod streams_group_heartbeat;
pub(crate) mod sync_group;
pub(crate) mod txn_offset_commit;
pub(crate) mod unregister_broker;
pub(crate) mod update_features;
pub(crate) mod write_share_group_state;
pub(crate) mod write_txn_markers;

mod config_resources;
mod operations;
mod quorum;
mod share_acknowledgements;
mod share_group_state;
mod transactional_produce;

use brooklet_protocol::messages::TopicName;
use brooklet_protocol::{ErrorCode, StrBytes};

use crate::error::ToErrorCode;

fn text(value: impl Into<String>) -> StrBytes {
    StrBytes::from_string(value.into())
}

/// Gives each offset that was handed to a group its outcome, or all of them one. Those that were refused before keep theirs.
fn settle_commits(outcomes: &mut [ErrorCode], committed: Result<Vec<ErrorCode>, ErrorCode>) {
    let pending = outcomes.iter_mut().filter(|outcome| **outcome == ErrorCode::None);
    match committed {
        Ok(committed) => pending.zip(committed).for_each(|(outcome, committed)| *outcome = committed),
        Err(error) => pending.for_each(|outcome| *outcome = error),
    }
}

fn topic_name(name: &str) -> TopicName {
    TopicName(text(name))
}

/// Why nothing can be asked or changed of ACLs.
const NO_AUTHORIZER: &str = "no authorizer is configured";
/// Why a connection ends that asks for ACLs of an unknown kind.
const UNKNOWN_IN_ACL: &str = "a resource type, pattern type, operation or permission type is UNKNOWN (0)";

/// An error's code and message.
type Refused = (ErrorCode, Option<StrBytes>);

/// An error's code and what a person should read of it.
fn refusal(error: &(impl ToErrorCode + std::fmt::Display)) -> Refused {
    (error.error_code(), Some(text(error.to_string())))
}
