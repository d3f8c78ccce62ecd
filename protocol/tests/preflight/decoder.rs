//! The messages' decoders by API key.

use std::str::Utf8Error;

use brooklet_protocol::messages::*;
use brooklet_protocol::{Decodable, Message, Request};
use bytes::Bytes;
use kafka_protocol::protocol::VersionRange;

/// Why a decoder refused a body.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    NotUtf8,
    Malformed,
}

/// The decoder of one request.
pub(crate) struct Decoder {
    pub(crate) api_key: i16,
    pub(crate) versions: VersionRange,
    decode: fn(&mut Bytes, i16) -> Result<(), Refusal>,
}

impl Decoder {
    /// The decoder of requests with this API key, if there is the message.
    pub(crate) fn of(api_key: i16) -> Option<&'static Decoder> {
        DECODERS.iter().find(|decoder| decoder.api_key == api_key)
    }

    /// Decodes a request from the beginning of `body` and drops it.
    pub(crate) fn decode(&self, body: &mut Bytes, version: i16) -> Result<(), Refusal> {
        (self.decode)(body, version)
    }
}

macro_rules! decoders {
    ($($request:ident)*) => {
        pub(crate) static DECODERS: &[Decoder] = &[$(Decoder {
            api_key: <$request as Request>::KEY,
            versions: <$request as Message>::VERSIONS,
            decode: |body, version| match $request::decode(body, version) {
                Ok(_) => Ok(()),
                Err(error) if error.is::<Utf8Error>() => Err(Refusal::NotUtf8),
                Err(_) => Err(Refusal::Malformed),
            },
        }),*];
    };
}

decoders! {
    ProduceRequest
    FetchRequest
    ListOffsetsRequest
    MetadataRequest
    OffsetCommitRequest
    OffsetFetchRequest
    FindCoordinatorRequest
    JoinGroupRequest
    HeartbeatRequest
    LeaveGroupRequest
    SyncGroupRequest
    DescribeGroupsRequest
    ListGroupsRequest
    SaslHandshakeRequest
    ApiVersionsRequest
    CreateTopicsRequest
    DeleteTopicsRequest
    DeleteRecordsRequest
    InitProducerIdRequest
    OffsetForLeaderEpochRequest
    AddPartitionsToTxnRequest
    AddOffsetsToTxnRequest
    EndTxnRequest
    WriteTxnMarkersRequest
    TxnOffsetCommitRequest
    DescribeAclsRequest
    CreateAclsRequest
    DeleteAclsRequest
    DescribeConfigsRequest
    AlterConfigsRequest
    AlterReplicaLogDirsRequest
    DescribeLogDirsRequest
    SaslAuthenticateRequest
    CreatePartitionsRequest
    CreateDelegationTokenRequest
    RenewDelegationTokenRequest
    ExpireDelegationTokenRequest
    DescribeDelegationTokenRequest
    DeleteGroupsRequest
    ElectLeadersRequest
    IncrementalAlterConfigsRequest
    AlterPartitionReassignmentsRequest
    ListPartitionReassignmentsRequest
    OffsetDeleteRequest
    DescribeClientQuotasRequest
    AlterClientQuotasRequest
    DescribeUserScramCredentialsRequest
    AlterUserScramCredentialsRequest
    DescribeQuorumRequest
    UpdateFeaturesRequest
    DescribeClusterRequest
    DescribeProducersRequest
    UnregisterBrokerRequest
    DescribeTransactionsRequest
    ListTransactionsRequest
    ConsumerGroupHeartbeatRequest
    ConsumerGroupDescribeRequest
    GetTelemetrySubscriptionsRequest
    PushTelemetryRequest
    ListConfigResourcesRequest
    DescribeTopicPartitionsRequest
    ShareGroupHeartbeatRequest
    ShareGroupDescribeRequest
    ShareFetchRequest
    ShareAcknowledgeRequest
    AddRaftVoterRequest
    RemoveRaftVoterRequest
    InitializeShareGroupStateRequest
    ReadShareGroupStateRequest
    WriteShareGroupStateRequest
    DeleteShareGroupStateRequest
    ReadShareGroupStateSummaryRequest
    StreamsGroupHeartbeatRequest
    StreamsGroupDescribeRequest
    DescribeShareGroupOffsetsRequest
    AlterShareGroupOffsetsRequest
    DeleteShareGroupOffsetsRequest
}
