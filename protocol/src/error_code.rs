//! Kafka's error codes, as every response carries them: `org.apache.kafka.common.protocol.Errors` of Kafka
//! 4.3.1, and the three codes that 4.4.0 adds (134 to 136), which a newer broker may send. Numbers, names and
//! retriability are Kafka's; the messages are ours.

use std::fmt;

macro_rules! error_codes {
    ($($(#[$attribute:meta])? $code:literal $variant:ident $name:literal $retry:ident $message:literal;)*) => {
        /// What a response says became of a request or a part of it.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
        #[repr(i16)]
        pub enum ErrorCode {
            $(
                #[doc = concat!("`", $name, "`: ", $message, ".")]
                $(#[$attribute])?
                $variant = $code,
            )*
        }

        impl ErrorCode {
            /// Every code, in ascending order.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// The error with this number, if there is one.
            pub const fn from_code(code: i16) -> Option<Self> {
                match code {
                    $($code => Some(Self::$variant),)*
                    _ => None,
                }
            }

            /// Kafka's name, such as `NOT_COORDINATOR`.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)*
                }
            }

            /// Whether a client may expect the same request to succeed later.
            pub const fn is_retriable(self) -> bool {
                match self {
                    $(Self::$variant => error_codes!(@retry $retry),)*
                }
            }

            /// What went wrong, in a sentence without capital and full stop.
            pub const fn message(self) -> &'static str {
                match self {
                    $(Self::$variant => $message,)*
                }
            }
        }
    };
    (@retry retriable) => { true };
    (@retry fatal) => { false };
}

error_codes! {
    -1 UnknownServerError "UNKNOWN_SERVER_ERROR" fatal
        "the broker failed in a way it has no code for";
    #[default] 0 None "NONE" fatal
        "no error";
    1 OffsetOutOfRange "OFFSET_OUT_OF_RANGE" fatal
        "the offset is before the log's start or past its end";
    2 CorruptMessage "CORRUPT_MESSAGE" retriable
        "a record batch is damaged: its checksum, size or contents do not fit together";
    3 UnknownTopicOrPartition "UNKNOWN_TOPIC_OR_PARTITION" retriable
        "this broker has no such topic or partition";
    4 InvalidFetchSize "INVALID_FETCH_SIZE" fatal
        "the fetch asks for an impossible number of bytes";
    5 LeaderNotAvailable "LEADER_NOT_AVAILABLE" retriable
        "the partition has no leader yet";
    6 NotLeaderOrFollower "NOT_LEADER_OR_FOLLOWER" retriable
        "this broker is not the partition's leader, or holds no replica of it";
    7 RequestTimedOut "REQUEST_TIMED_OUT" retriable
        "the request took longer than its timeout";
    8 BrokerNotAvailable "BROKER_NOT_AVAILABLE" fatal
        "the broker is not available";
    9 ReplicaNotAvailable "REPLICA_NOT_AVAILABLE" retriable
        "the partition has no replica here";
    10 MessageTooLarge "MESSAGE_TOO_LARGE" fatal
        "a record batch is larger than the topic's max.message.bytes";
    11 StaleControllerEpoch "STALE_CONTROLLER_EPOCH" fatal
        "a newer controller has taken over";
    12 OffsetMetadataTooLarge "OFFSET_METADATA_TOO_LARGE" fatal
        "the metadata text of a committed offset is longer than offset.metadata.max.bytes";
    13 NetworkException "NETWORK_EXCEPTION" retriable
        "the connection broke before the answer came";
    14 CoordinatorLoadInProgress "COORDINATOR_LOAD_IN_PROGRESS" retriable
        "the coordinator is still reading its log";
    15 CoordinatorNotAvailable "COORDINATOR_NOT_AVAILABLE" retriable
        "the group or transaction has no coordinator yet";
    16 NotCoordinator "NOT_COORDINATOR" retriable
        "another broker coordinates this group or transaction";
    17 InvalidTopicException "INVALID_TOPIC_EXCEPTION" fatal
        "the topic's name is not allowed, or the topic may not be used so";
    18 RecordListTooLarge "RECORD_LIST_TOO_LARGE" fatal
        "a record batch is larger than the topic's segment.bytes";
    19 NotEnoughReplicas "NOT_ENOUGH_REPLICAS" retriable
        "fewer replicas are in sync than min.insync.replicas asks for";
    20 NotEnoughReplicasAfterAppend "NOT_ENOUGH_REPLICAS_AFTER_APPEND" retriable
        "the records were appended, but to fewer replicas than min.insync.replicas asks for";
    21 InvalidRequiredAcks "INVALID_REQUIRED_ACKS" fatal
        "acks must be 0, 1 or -1";
    22 IllegalGeneration "ILLEGAL_GENERATION" fatal
        "the generation is not the group's current one";
    23 InconsistentGroupProtocol "INCONSISTENT_GROUP_PROTOCOL" fatal
        "the member shares no protocol with the rest of the group, or names none";
    24 InvalidGroupId "INVALID_GROUP_ID" fatal
        "the group id is empty or not allowed";
    25 UnknownMemberId "UNKNOWN_MEMBER_ID" fatal
        "the group has no member with this id";
    26 InvalidSessionTimeout "INVALID_SESSION_TIMEOUT" fatal
        "the session timeout is outside the limits set for groups";
    27 RebalanceInProgress "REBALANCE_IN_PROGRESS" fatal
        "the group is rebalancing: join it again";
    28 InvalidCommitOffsetSize "INVALID_COMMIT_OFFSET_SIZE" fatal
        "the committed offsets do not fit into a record";
    29 TopicAuthorizationFailed "TOPIC_AUTHORIZATION_FAILED" fatal
        "the principal may not do this to the topic";
    30 GroupAuthorizationFailed "GROUP_AUTHORIZATION_FAILED" fatal
        "the principal may not do this to the group";
    31 ClusterAuthorizationFailed "CLUSTER_AUTHORIZATION_FAILED" fatal
        "the principal may not do this to the cluster";
    32 InvalidTimestamp "INVALID_TIMESTAMP" fatal
        "a record's timestamp is too far from the broker's clock";
    33 UnsupportedSaslMechanism "UNSUPPORTED_SASL_MECHANISM" fatal
        "the listener does not offer this SASL mechanism";
    34 IllegalSaslState "ILLEGAL_SASL_STATE" fatal
        "the request does not fit the state of the SASL handshake";
    35 UnsupportedVersion "UNSUPPORTED_VERSION" fatal
        "the broker does not support this version of the request";
    36 TopicAlreadyExists "TOPIC_ALREADY_EXISTS" fatal
        "a topic of this name exists";
    37 InvalidPartitions "INVALID_PARTITIONS" fatal
        "the number of partitions is too low";
    38 InvalidReplicationFactor "INVALID_REPLICATION_FACTOR" fatal
        "the replication factor is below 1 or above the number of brokers";
    39 InvalidReplicaAssignment "INVALID_REPLICA_ASSIGNMENT" fatal
        "the replica assignment does not describe possible replicas";
    40 InvalidConfig "INVALID_CONFIG" fatal
        "a configuration value is not allowed";
    41 NotController "NOT_CONTROLLER" retriable
        "another node is the cluster's controller";
    42 InvalidRequest "INVALID_REQUEST" fatal
        "the request is malformed or contradicts itself";
    43 UnsupportedForMessageFormat "UNSUPPORTED_FOR_MESSAGE_FORMAT" fatal
        "the log's message format cannot serve this request";
    44 PolicyViolation "POLICY_VIOLATION" fatal
        "a policy of the cluster forbids the request";
    45 OutOfOrderSequenceNumber "OUT_OF_ORDER_SEQUENCE_NUMBER" fatal
        "the sequence number leaves a gap after the producer's last batch";
    46 DuplicateSequenceNumber "DUPLICATE_SEQUENCE_NUMBER" fatal
        "the batch was appended before, too long ago to say where";
    47 InvalidProducerEpoch "INVALID_PRODUCER_EPOCH" fatal
        "the producer's epoch is older than its id's current one";
    48 InvalidTxnState "INVALID_TXN_STATE" fatal
        "the transaction's state does not allow this step";
    49 InvalidProducerIdMapping "INVALID_PRODUCER_ID_MAPPING" fatal
        "the producer id does not belong to this transactional id";
    50 InvalidTransactionTimeout "INVALID_TRANSACTION_TIMEOUT" fatal
        "the transaction timeout is above transaction.max.timeout.ms";
    51 ConcurrentTransactions "CONCURRENT_TRANSACTIONS" retriable
        "an earlier step of this transaction is still under way";
    52 TransactionCoordinatorFenced "TRANSACTION_COORDINATOR_FENCED" fatal
        "the transaction's coordinator has been replaced by a newer one";
    53 TransactionalIdAuthorizationFailed "TRANSACTIONAL_ID_AUTHORIZATION_FAILED" fatal
        "the principal may not use this transactional id";
    54 SecurityDisabled "SECURITY_DISABLED" fatal
        "the broker runs without an authorizer";
    55 OperationNotAttempted "OPERATION_NOT_ATTEMPTED" fatal
        "the operation was not tried because another one in the request failed";
    56 KafkaStorageError "KAFKA_STORAGE_ERROR" retriable
        "the broker could not read or write its log directory";
    57 LogDirNotFound "LOG_DIR_NOT_FOUND" fatal
        "the broker has no such log directory";
    58 SaslAuthenticationFailed "SASL_AUTHENTICATION_FAILED" fatal
        "the SASL credentials are wrong";
    59 UnknownProducerId "UNKNOWN_PRODUCER_ID" fatal
        "the broker no longer knows this producer id";
    60 ReassignmentInProgress "REASSIGNMENT_IN_PROGRESS" fatal
        "the partition is being reassigned";
    61 DelegationTokenAuthDisabled "DELEGATION_TOKEN_AUTH_DISABLED" fatal
        "delegation tokens are turned off";
    62 DelegationTokenNotFound "DELEGATION_TOKEN_NOT_FOUND" fatal
        "there is no such delegation token";
    63 DelegationTokenOwnerMismatch "DELEGATION_TOKEN_OWNER_MISMATCH" fatal
        "the principal neither owns nor may renew the delegation token";
    64 DelegationTokenRequestNotAllowed "DELEGATION_TOKEN_REQUEST_NOT_ALLOWED" fatal
        "delegation tokens cannot be had over this kind of connection";
    65 DelegationTokenAuthorizationFailed "DELEGATION_TOKEN_AUTHORIZATION_FAILED" fatal
        "the principal may not do this to the delegation token";
    66 DelegationTokenExpired "DELEGATION_TOKEN_EXPIRED" fatal
        "the delegation token has expired";
    67 InvalidPrincipalType "INVALID_PRINCIPAL_TYPE" fatal
        "the principal's type is not supported";
    68 NonEmptyGroup "NON_EMPTY_GROUP" fatal
        "the group still has members";
    69 GroupIdNotFound "GROUP_ID_NOT_FOUND" fatal
        "there is no such group";
    70 FetchSessionIdNotFound "FETCH_SESSION_ID_NOT_FOUND" retriable
        "the broker has no fetch session of this id";
    71 InvalidFetchSessionEpoch "INVALID_FETCH_SESSION_EPOCH" retriable
        "the fetch session expected another epoch";
    72 ListenerNotFound "LISTENER_NOT_FOUND" retriable
        "the partition's leader has no listener of this name";
    73 TopicDeletionDisabled "TOPIC_DELETION_DISABLED" fatal
        "delete.topic.enable is off";
    74 FencedLeaderEpoch "FENCED_LEADER_EPOCH" retriable
        "the client's leader epoch is older than the partition's";
    75 UnknownLeaderEpoch "UNKNOWN_LEADER_EPOCH" retriable
        "the client's leader epoch is newer than the broker knows";
    76 UnsupportedCompressionType "UNSUPPORTED_COMPRESSION_TYPE" fatal
        "the client cannot read the partition's compression type";
    77 StaleBrokerEpoch "STALE_BROKER_EPOCH" fatal
        "the broker has registered again since";
    78 OffsetNotAvailable "OFFSET_NOT_AVAILABLE" retriable
        "the new leader does not know its high watermark yet";
    79 MemberIdRequired "MEMBER_ID_REQUIRED" fatal
        "join again with the member id that came with this error";
    80 PreferredLeaderNotAvailable "PREFERRED_LEADER_NOT_AVAILABLE" retriable
        "the preferred leader is not available";
    81 GroupMaxSizeReached "GROUP_MAX_SIZE_REACHED" fatal
        "the group has as many members as it may";
    82 FencedInstanceId "FENCED_INSTANCE_ID" fatal
        "another member has taken over this group.instance.id";
    83 EligibleLeadersNotAvailable "ELIGIBLE_LEADERS_NOT_AVAILABLE" retriable
        "no replica of the partition may become its leader";
    84 ElectionNotNeeded "ELECTION_NOT_NEEDED" retriable
        "the partition has the leader the election would choose";
    85 NoReassignmentInProgress "NO_REASSIGNMENT_IN_PROGRESS" fatal
        "the partition is not being reassigned";
    86 GroupSubscribedToTopic "GROUP_SUBSCRIBED_TO_TOPIC" fatal
        "the group still subscribes to the topic";
    87 InvalidRecord "INVALID_RECORD" fatal
        "a record breaks a rule of the topic";
    88 UnstableOffsetCommit "UNSTABLE_OFFSET_COMMIT" retriable
        "a transaction has yet to settle the group's offsets";
    89 ThrottlingQuotaExceeded "THROTTLING_QUOTA_EXCEEDED" retriable
        "the quota for such requests is used up for now";
    90 ProducerFenced "PRODUCER_FENCED" fatal
        "a newer producer uses this transactional id";
    91 ResourceNotFound "RESOURCE_NOT_FOUND" fatal
        "the request names something that does not exist";
    92 DuplicateResource "DUPLICATE_RESOURCE" fatal
        "the request names the same thing twice";
    93 UnacceptableCredential "UNACCEPTABLE_CREDENTIAL" fatal
        "the credential does not meet the broker's demands";
    94 InconsistentVoterSet "INCONSISTENT_VOTER_SET" fatal
        "sender or receiver is not one of the voters";
    95 InvalidUpdateVersion "INVALID_UPDATE_VERSION" fatal
        "the feature cannot be set to this version";
    96 FeatureUpdateFailed "FEATURE_UPDATE_FAILED" fatal
        "the features could not be updated";
    97 PrincipalDeserializationFailure "PRINCIPAL_DESERIALIZATION_FAILURE" fatal
        "the forwarded principal could not be read";
    98 SnapshotNotFound "SNAPSHOT_NOT_FOUND" fatal
        "there is no such snapshot";
    99 PositionOutOfRange "POSITION_OUT_OF_RANGE" fatal
        "the position lies outside the snapshot";
    100 UnknownTopicId "UNKNOWN_TOPIC_ID" retriable
        "this broker has no topic of this id";
    101 DuplicateBrokerRegistration "DUPLICATE_BROKER_REGISTRATION" fatal
        "another broker has registered this broker id";
    102 BrokerIdNotRegistered "BROKER_ID_NOT_REGISTERED" fatal
        "no broker has registered this id";
    103 InconsistentTopicId "INCONSISTENT_TOPIC_ID" retriable
        "the partition's log belongs to a topic of another id";
    104 InconsistentClusterId "INCONSISTENT_CLUSTER_ID" fatal
        "the request is for another cluster";
    105 TransactionalIdNotFound "TRANSACTIONAL_ID_NOT_FOUND" fatal
        "there is no such transactional id";
    106 FetchSessionTopicIdError "FETCH_SESSION_TOPIC_ID_ERROR" retriable
        "the fetch session mixes requests with and without topic ids";
    107 IneligibleReplica "INELIGIBLE_REPLICA" fatal
        "a replica in the new ISR may not be in it";
    108 NewLeaderElected "NEW_LEADER_ELECTED" fatal
        "the ISR was changed, and with it the leader";
    109 OffsetMovedToTieredStorage "OFFSET_MOVED_TO_TIERED_STORAGE" fatal
        "the offset is in tiered storage only";
    110 FencedMemberEpoch "FENCED_MEMBER_EPOCH" fatal
        "the member's epoch is fenced: give up all partitions and join again";
    111 UnreleasedInstanceId "UNRELEASED_INSTANCE_ID" fatal
        "the former member of this group.instance.id has not left yet";
    112 UnsupportedAssignor "UNSUPPORTED_ASSIGNOR" fatal
        "the group coordinator has no such assignor";
    113 StaleMemberEpoch "STALE_MEMBER_EPOCH" fatal
        "the member's epoch is behind: take the new one from the next heartbeat";
    114 MismatchedEndpointType "MISMATCHED_ENDPOINT_TYPE" fatal
        "the endpoint is for brokers and the request for controllers, or the reverse";
    115 UnsupportedEndpointType "UNSUPPORTED_ENDPOINT_TYPE" fatal
        "the endpoint type is not supported";
    116 UnknownControllerId "UNKNOWN_CONTROLLER_ID" fatal
        "there is no controller of this id";
    117 UnknownSubscriptionId "UNKNOWN_SUBSCRIPTION_ID" fatal
        "the telemetry subscription is not the current one";
    118 TelemetryTooLarge "TELEMETRY_TOO_LARGE" fatal
        "the telemetry is larger than telemetry.max.bytes";
    119 InvalidRegistration "INVALID_REGISTRATION" fatal
        "the controller refuses the broker's registration";
    120 TransactionAbortable "TRANSACTION_ABORTABLE" fatal
        "the transaction cannot go on, but can be aborted";
    121 InvalidRecordState "INVALID_RECORD_STATE" fatal
        "the record is not in a state that allows this acknowledgement";
    122 ShareSessionNotFound "SHARE_SESSION_NOT_FOUND" retriable
        "the broker has no share session of this id";
    123 InvalidShareSessionEpoch "INVALID_SHARE_SESSION_EPOCH" retriable
        "the share session expected another epoch";
    124 FencedStateEpoch "FENCED_STATE_EPOCH" fatal
        "the share group's state has a newer epoch";
    125 InvalidVoterKey "INVALID_VOTER_KEY" fatal
        "the voter's directory id is not the receiver's";
    126 DuplicateVoter "DUPLICATE_VOTER" fatal
        "the voter is in the set already";
    127 VoterNotFound "VOTER_NOT_FOUND" fatal
        "there is no such voter";
    128 InvalidRegularExpression "INVALID_REGULAR_EXPRESSION" fatal
        "the subscription's pattern is not a valid regular expression";
    129 RebootstrapRequired "REBOOTSTRAP_REQUIRED" fatal
        "the metadata is out of date: start again from the bootstrap servers";
    130 StreamsInvalidTopology "STREAMS_INVALID_TOPOLOGY" fatal
        "the topology contradicts itself or that of other members";
    131 StreamsInvalidTopologyEpoch "STREAMS_INVALID_TOPOLOGY_EPOCH" fatal
        "the topology's epoch is not a valid one";
    132 StreamsTopologyFenced "STREAMS_TOPOLOGY_FENCED" fatal
        "the group has a newer topology";
    133 ShareSessionLimitReached "SHARE_SESSION_LIMIT_REACHED" retriable
        "the broker has as many share sessions as it may";
    134 GroupDeletionFailed "GROUP_DELETION_FAILED" fatal
        "the group could not be deleted";
    135 StreamsTopologyDescriptionUpdateFailed "STREAMS_TOPOLOGY_DESCRIPTION_UPDATE_FAILED" fatal
        "the topology description could not be processed";
    136 ControllerIdNotRegistered "CONTROLLER_ID_NOT_REGISTERED" fatal
        "no controller has registered this id";
}

impl ErrorCode {
    /// The number on the wire.
    pub const fn code(self) -> i16 {
        self as i16
    }
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.name(), self.code())
    }
}

impl From<ErrorCode> for i16 {
    fn from(error: ErrorCode) -> Self {
        error.code()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use kafka_protocol::error::ResponseError;

    #[test]
    fn codes_and_retriability_are_those_of_kafka_protocol() {
        let mut compared = 0;
        for &error in ErrorCode::ALL {
            match ResponseError::try_from_code(error.code()) {
                None => assert_eq!(error, ErrorCode::None),
                Some(ResponseError::Unknown(code)) => assert!(code > 133, "{error} is new to kafka-protocol"),
                Some(theirs) => {
                    assert_eq!(format!("{error:?}"), format!("{theirs:?}"));
                    // Kafka's ConcurrentTransactionsException is retriable; the crate's table says it is not.
                    let agree = error != ErrorCode::ConcurrentTransactions;
                    assert_eq!(error.is_retriable() == theirs.is_retriable(), agree, "{error}");
                    compared += 1;
                }
            }
        }
        assert_eq!(compared, 134);
    }

    #[test]
    fn codes_run_from_minus_one_to_136_without_a_gap() {
        let codes = ErrorCode::ALL.iter().map(|error| error.code());
        assert!(codes.eq(-1..=136));
        for code in i16::MIN..=i16::MAX {
            let error = ErrorCode::from_code(code);
            assert_eq!(error.is_some(), (-1..=136).contains(&code));
            assert!(error.is_none_or(|error| error.code() == code));
        }
    }

    #[test]
    fn names_and_variants_are_the_same_words() {
        for error in ErrorCode::ALL {
            let camel_case: String = error.name().split('_').map(capitalised).collect();
            assert_eq!(camel_case, format!("{error:?}"));
        }
    }

    #[test]
    fn it_shows_name_and_number() {
        assert_eq!(ErrorCode::NotCoordinator.to_string(), "NOT_COORDINATOR (16)");
        assert_eq!(ErrorCode::UnknownServerError.to_string(), "UNKNOWN_SERVER_ERROR (-1)");
    }

    #[test]
    fn messages_differ_and_read_as_part_of_a_sentence() {
        for (index, error) in ErrorCode::ALL.iter().enumerate() {
            let message = error.message();
            assert!(message.starts_with(|first: char| first.is_ascii_lowercase()), "{error}: {message}");
            assert!(message.ends_with(|last: char| last.is_ascii_alphanumeric()), "{error}: {message}");
            assert!(ErrorCode::ALL[..index].iter().all(|earlier| earlier.message() != message), "{error}: {message}");
        }
    }

    fn capitalised(word: &str) -> String {
        word[..1].to_owned() + &word[1..].to_lowercase()
    }
}
