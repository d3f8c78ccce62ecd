//! What went wrong, as Kafka's error codes say it: the one mapping from our errors to the wire.
//!
//! Every match is exhaustive, so that a new error must find its code here.

use brooklet_protocol::ErrorCode;
use brooklet_protocol::records::BatchError;
use brooklet_protocol::records::validate::InvalidBatch;
use brooklet_storage::{AppendError, Error as StorageError, ProducerError, ReadError};

use crate::config::ConfigError;
use crate::features::FeatureError;
use crate::groups::share::requests::ShareGroupError;
use crate::quotas::alteration::QuotaError;
use crate::scram::ScramError;
use crate::share::delivery::DeliveryError;
use crate::share::partition::InvalidAcknowledgement;
use crate::share::state::shard::ShareStateError;
use crate::topics::TopicError;

/// The code by which a client knows an error.
pub(crate) trait ToErrorCode {
    fn error_code(&self) -> ErrorCode;
}

impl ToErrorCode for InvalidBatch {
    fn error_code(&self) -> ErrorCode {
        match self {
            // A batch that is cut short is none, and a request must bring one.
            Self::Corrupt(BatchError::Truncated { .. }) => ErrorCode::InvalidRecord,
            Self::Corrupt(_) => ErrorCode::CorruptMessage,
            Self::TooLarge { .. } => ErrorCode::MessageTooLarge,
            Self::Codec(_) => ErrorCode::UnsupportedCompressionType,
            Self::Timestamps(_) => ErrorCode::InvalidTimestamp,
            Self::Empty
            | Self::MoreThanOne
            | Self::Magic(_)
            | Self::Inconsistent(_)
            | Self::Control
            | Self::Sequence { .. }
            | Self::Records(_)
            | Self::MissingKeys(_) => ErrorCode::InvalidRecord,
        }
    }
}

impl ToErrorCode for ProducerError {
    fn error_code(&self) -> ErrorCode {
        match self {
            Self::InvalidEpoch { .. } => ErrorCode::InvalidProducerEpoch,
            Self::OutOfOrderSequence { .. } => ErrorCode::OutOfOrderSequenceNumber,
            Self::CoordinatorFenced { .. } => ErrorCode::TransactionCoordinatorFenced,
            Self::Unverified { .. } | Self::NotInTransaction { .. } => ErrorCode::InvalidTxnState,
        }
    }
}

impl ToErrorCode for AppendError {
    fn error_code(&self) -> ErrorCode {
        match self {
            Self::Producer(error) => error.error_code(),
            Self::LargerThanSegment { .. } => ErrorCode::RecordListTooLarge,
            Self::Deleted => ErrorCode::UnknownTopicOrPartition,
            Self::Storage(error) => error.error_code(),
        }
    }
}

impl ToErrorCode for ReadError {
    fn error_code(&self) -> ErrorCode {
        match self {
            Self::OutOfRange { .. } => ErrorCode::OffsetOutOfRange,
            Self::Storage(error) => error.error_code(),
        }
    }
}

impl ToErrorCode for StorageError {
    fn error_code(&self) -> ErrorCode {
        match self {
            Self::Io { .. }
            | Self::InUse { .. }
            | Self::NewerFormat { .. }
            | Self::Poisoned { .. }
            | Self::Corrupt { .. } => ErrorCode::KafkaStorageError,
        }
    }
}

impl ToErrorCode for TopicError {
    fn error_code(&self) -> ErrorCode {
        match self {
            Self::Exists(_) => ErrorCode::TopicAlreadyExists,
            Self::Unknown(_) => ErrorCode::UnknownTopicOrPartition,
            Self::InvalidName(_) => ErrorCode::InvalidTopicException,
            Self::InvalidPartitions(_) => ErrorCode::InvalidPartitions,
            Self::InvalidReplicationFactor(_) => ErrorCode::InvalidReplicationFactor,
            Self::Config(error) => error.error_code(),
            Self::Feature(error) => error.error_code(),
            Self::Storage(error) => error.error_code(),
        }
    }
}

impl ToErrorCode for QuotaError {
    fn error_code(&self) -> ErrorCode {
        match self {
            Self::Invalid(_) => ErrorCode::InvalidRequest,
            Self::Record(error) => error.error_code(),
        }
    }
}

impl ToErrorCode for FeatureError {
    fn error_code(&self) -> ErrorCode {
        ErrorCode::InvalidUpdateVersion
    }
}

impl ToErrorCode for ScramError {
    fn error_code(&self) -> ErrorCode {
        match self {
            Self::AlteredTwice | Self::DescribedTwice => ErrorCode::DuplicateResource,
            Self::Unknown => ErrorCode::ResourceNotFound,
            Self::NoUser | Self::Iterations => ErrorCode::UnacceptableCredential,
            Self::UnknownMechanism => ErrorCode::UnsupportedSaslMechanism,
            // Kafka fails to make a key of nothing, and has no better word for it.
            Self::NoPassword => ErrorCode::UnknownServerError,
        }
    }
}

impl ToErrorCode for ConfigError {
    fn error_code(&self) -> ErrorCode {
        ErrorCode::InvalidConfig
    }
}

impl ToErrorCode for ShareGroupError {
    fn error_code(&self) -> ErrorCode {
        match self {
            Self::UnknownGroup(_) | Self::OtherKind(_) => ErrorCode::GroupIdNotFound,
            Self::UnknownMember { .. } => ErrorCode::UnknownMemberId,
            Self::Full(_) => ErrorCode::GroupMaxSizeReached,
            Self::FencedEpoch { .. } => ErrorCode::FencedMemberEpoch,
            Self::NotEmpty => ErrorCode::NonEmptyGroup,
            Self::Invalid(_) => ErrorCode::InvalidRequest,
            Self::NotKept(error) => *error,
        }
    }
}

impl ToErrorCode for InvalidAcknowledgement {
    fn error_code(&self) -> ErrorCode {
        match self {
            Self::Malformed | Self::Beyond => ErrorCode::InvalidRequest,
            Self::NotAcquired | Self::NotOwner | Self::RenewDisabled => ErrorCode::InvalidRecordState,
        }
    }
}

impl ToErrorCode for ShareStateError {
    fn error_code(&self) -> ErrorCode {
        match self {
            Self::Uninitialized | Self::NegativePartition => ErrorCode::InvalidRequest,
            Self::FencedLeaderEpoch => ErrorCode::FencedLeaderEpoch,
            Self::FencedStateEpoch => ErrorCode::FencedStateEpoch,
            Self::UnknownPartition => ErrorCode::UnknownTopicOrPartition,
            Self::NotKept => ErrorCode::CoordinatorNotAvailable,
            Self::Loading => ErrorCode::CoordinatorLoadInProgress,
        }
    }
}

impl ToErrorCode for DeliveryError {
    fn error_code(&self) -> ErrorCode {
        match self {
            Self::Acknowledgement(error) => error.error_code(),
            Self::State(error) => error.seen_by_member(),
            Self::Fenced => ErrorCode::NotLeaderOrFollower,
        }
    }
}

impl ShareStateError {
    /// The code by which a member that fetches or acknowledges knows it: it has never heard of share state.
    pub(crate) fn seen_by_member(self) -> ErrorCode {
        match self {
            Self::Uninitialized | Self::NegativePartition => ErrorCode::UnknownServerError,
            Self::FencedLeaderEpoch | Self::FencedStateEpoch => ErrorCode::NotLeaderOrFollower,
            Self::UnknownPartition => ErrorCode::UnknownTopicOrPartition,
            Self::NotKept | Self::Loading => ErrorCode::CoordinatorNotAvailable,
        }
    }
}
