//! The APIs that the broker answers: one list, from which dispatch, the ApiVersions answer and the table in
//! `docs/compatibility.md` all come. Each API is a file in `handlers` that names its versions.

use std::ops::RangeInclusive;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use brooklet_protocol::request::{self, RequestError, RequestHeader};
use brooklet_protocol::response::{EncodeError, ResponseFrame};
use brooklet_protocol::{Message, Request, StrBytes};
use bytes::Bytes;

use crate::handlers;
use crate::node::{Endpoint, Node};
use crate::quotas::busy_time::BusyTime;
use crate::quotas::{ANONYMOUS, ClientIdentity};

/// What a handler's file says of its API.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Api {
    pub(crate) key: i16,
    pub(crate) name: &'static str,
    /// The versions that are answered.
    pub(crate) min: i16,
    pub(crate) max: i16,
    /// The least version that ApiVersions names, where it must name one that is not answered.
    pub(crate) advertised_min: i16,
}

impl Api {
    /// An API with the versions that are answered. That the message crate carries them all is checked when this is
    /// compiled.
    pub(crate) const fn new<R: Request>(name: &'static str, versions: RangeInclusive<i16>) -> Self {
        let (min, max) = (*versions.start(), *versions.end());
        assert!(R::VERSIONS.min <= min && max <= R::VERSIONS.max, "versions beyond what the messages carry");
        assert!(
            <R::Response as Message>::VERSIONS.min <= min && max <= <R::Response as Message>::VERSIONS.max,
            "versions beyond what the messages carry"
        );
        Self { key: R::KEY, name, min, max, advertised_min: min }
    }

    /// Names a lower version than is answered.
    pub(crate) const fn advertise_from(self, version: i16) -> Self {
        Self { advertised_min: version, ..self }
    }

    pub(crate) fn answers(&self, version: i16) -> bool {
        (self.min..=self.max).contains(&version)
    }
}

/// A request's surroundings.
#[derive(Debug)]
pub(crate) struct RequestContext {
    pub(crate) node: Arc<Node>,
    /// The listener that the client came in by.
    pub(crate) endpoint: Arc<Endpoint>,
    /// Where the client is.
    pub(crate) peer: std::net::SocketAddr,
    pub(crate) version: i16,
    pub(crate) correlation_id: i32,
    pub(crate) client_id: Option<StrBytes>,
    /// How large the request is, in bytes.
    pub(crate) size: usize,
    pub(crate) throttling: Throttling,
}

/// For how long the client is to be held back after this request, and what is known of the time it takes.
#[derive(Debug, Default)]
pub(crate) struct Throttling {
    /// Runs if the time of requests is limited for anybody.
    busy: Option<BusyTime>,
    millis: AtomicU64,
}

impl RequestContext {
    /// Who sent the request, for quotas.
    pub(crate) fn client(&self) -> ClientIdentity<'_> {
        ClientIdentity { user: ANONYMOUS, client_id: self.client_id.as_deref().unwrap_or_default() }
    }

    /// Has the client held back for so many milliseconds, if nothing else holds it back for longer. It is told so in
    /// the answer, and its connection is not read for so long.
    pub(crate) fn throttle(&self, millis: u64) {
        self.throttling.millis.fetch_max(millis, Ordering::Relaxed);
    }

    /// Counts the time that the request took until now.
    pub(crate) fn throttle_for_time(&self) {
        if let Some(busy) = &self.throttling.busy {
            self.throttle(self.node.quotas.worked(self.client(), busy));
        }
    }

    /// For how many milliseconds the client is held back, as answers say it.
    pub(crate) fn throttle_time_ms(&self) -> i32 {
        i32::try_from(self.throttling.millis.load(Ordering::Relaxed)).unwrap_or(i32::MAX)
    }
}

/// What a handler answers with.
#[derive(Debug)]
pub(crate) enum Answer<T> {
    /// A message, yet to be encoded.
    Message(T),
    /// A response that is encoded already.
    Encoded(ResponseFrame),
    /// No response: the client asked for none.
    Nothing,
    /// No response, and the end of the connection: the only way to tell a client that asked for none of an error.
    Close(&'static str),
}

impl<T> From<T> for Answer<T> {
    fn from(message: T) -> Self {
        Self::Message(message)
    }
}

/// What goes back to the client.
#[derive(Debug)]
pub(crate) struct Reply {
    /// `None` if the client asked for no answer.
    pub(crate) frame: Option<ResponseFrame>,
    /// For how long nothing more is read from it.
    pub(crate) mute: Duration,
}

impl Reply {
    fn new(frame: Option<ResponseFrame>, cx: &RequestContext) -> Self {
        let millis = u64::try_from(cx.throttle_time_ms()).unwrap_or(0);
        Self { frame, mute: Duration::from_millis(millis) }
    }
}

/// Why a connection cannot go on.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RequestFailure {
    #[error("{api} v{version}: {source}")]
    Request { api: &'static str, version: i16, source: RequestError },
    #[error("request header: {0}")]
    Header(RequestError),
    #[error("api key {0} is not answered here")]
    UnknownApi(i16),
    #[error("{api} v{version} is not answered here, only {min} to {max}")]
    UnsupportedVersion { api: &'static str, version: i16, min: i16, max: i16 },
    #[error("{api} v{version}: {source}")]
    Response { api: &'static str, version: i16, source: EncodeError },
    #[error("{0}")]
    Closed(&'static str),
}

macro_rules! apis {
    // `exempt`: no quota on time counts the API, and its answer cannot say how long a client is held back.
    (@throttle $response:ident, $cx:ident, exempt) => {
        let _ = $response;
    };
    (@throttle $response:ident, $cx:ident,) => {
        $cx.throttle_for_time();
        $response.throttle_time_ms = $cx.throttle_time_ms();
    };
    ($($module:ident: $request:ident $($exempt:ident)?,)*) => {
        /// Every API that is answered, by key.
        pub(crate) static APIS: &[Api] = &[$(handlers::$module::API),*];

        /// Whether an API has tagged fields at a version (KIP-482). Those that are not answered have none that matter.
        fn is_flexible(key: i16, version: i16) -> bool {
            use brooklet_protocol::messages::*;
            match key {
                $(<$request as Request>::KEY => request::is_flexible::<$request>(version),)*
                _ => false,
            }
        }

        async fn dispatch(cx: RequestContext, api: &Api, body: Bytes) -> Result<Reply, RequestFailure> {
            use brooklet_protocol::messages::*;
            match api.key {
                $(<$request as Request>::KEY => {
                    let request = decode::<$request>(&cx, api, body)?;
                    let mut answer: Answer<<$request as Request>::Response> = handlers::$module::handle(&cx, request).await.into();
                    if let Answer::Message(response) = &mut answer {
                        apis!(@throttle response, cx, $($exempt)?);
                    }
                    encode::<$request>(&cx, api, answer)
                })*
                key => Err(RequestFailure::UnknownApi(key)),
            }
        }
    };
}

apis! {
    produce: ProduceRequest,
    fetch: FetchRequest,
    list_offsets: ListOffsetsRequest,
    metadata: MetadataRequest,
    offset_commit: OffsetCommitRequest,
    offset_fetch: OffsetFetchRequest,
    find_coordinator: FindCoordinatorRequest,
    join_group: JoinGroupRequest,
    heartbeat: HeartbeatRequest,
    leave_group: LeaveGroupRequest,
    sync_group: SyncGroupRequest,
    describe_groups: DescribeGroupsRequest,
    list_groups: ListGroupsRequest,
    sasl_handshake: SaslHandshakeRequest exempt,
    api_versions: ApiVersionsRequest,
    create_topics: CreateTopicsRequest,
    delete_topics: DeleteTopicsRequest,
    delete_records: DeleteRecordsRequest,
    init_producer_id: InitProducerIdRequest,
    offset_for_leader_epoch: OffsetForLeaderEpochRequest,
    add_partitions_to_txn: AddPartitionsToTxnRequest,
    add_offsets_to_txn: AddOffsetsToTxnRequest,
    end_txn: EndTxnRequest,
    write_txn_markers: WriteTxnMarkersRequest exempt,
    txn_offset_commit: TxnOffsetCommitRequest,
    describe_acls: DescribeAclsRequest,
    create_acls: CreateAclsRequest,
    delete_acls: DeleteAclsRequest,
    describe_configs: DescribeConfigsRequest,
    alter_configs: AlterConfigsRequest,
    alter_replica_log_dirs: AlterReplicaLogDirsRequest,
    describe_log_dirs: DescribeLogDirsRequest,
    sasl_authenticate: SaslAuthenticateRequest exempt,
    create_partitions: CreatePartitionsRequest,
    create_delegation_token: CreateDelegationTokenRequest,
    renew_delegation_token: RenewDelegationTokenRequest,
    expire_delegation_token: ExpireDelegationTokenRequest,
    describe_delegation_token: DescribeDelegationTokenRequest,
    delete_groups: DeleteGroupsRequest,
    elect_leaders: ElectLeadersRequest,
    incremental_alter_configs: IncrementalAlterConfigsRequest,
    alter_partition_reassignments: AlterPartitionReassignmentsRequest,
    list_partition_reassignments: ListPartitionReassignmentsRequest,
    offset_delete: OffsetDeleteRequest,
    describe_client_quotas: DescribeClientQuotasRequest,
    alter_client_quotas: AlterClientQuotasRequest,
    describe_user_scram_credentials: DescribeUserScramCredentialsRequest,
    alter_user_scram_credentials: AlterUserScramCredentialsRequest,
    describe_quorum: DescribeQuorumRequest exempt,
    update_features: UpdateFeaturesRequest,
    describe_cluster: DescribeClusterRequest,
    describe_producers: DescribeProducersRequest,
    unregister_broker: UnregisterBrokerRequest,
    describe_transactions: DescribeTransactionsRequest,
    list_transactions: ListTransactionsRequest,
    consumer_group_heartbeat: ConsumerGroupHeartbeatRequest,
    consumer_group_describe: ConsumerGroupDescribeRequest,
    list_config_resources: ListConfigResourcesRequest,
    describe_topic_partitions: DescribeTopicPartitionsRequest,
    streams_group_heartbeat: StreamsGroupHeartbeatRequest,
    streams_group_describe: StreamsGroupDescribeRequest,
    share_group_heartbeat: ShareGroupHeartbeatRequest,
    share_group_describe: ShareGroupDescribeRequest,
    share_fetch: ShareFetchRequest,
    share_acknowledge: ShareAcknowledgeRequest,
    initialize_share_group_state: InitializeShareGroupStateRequest exempt,
    read_share_group_state: ReadShareGroupStateRequest exempt,
    write_share_group_state: WriteShareGroupStateRequest exempt,
    delete_share_group_state: DeleteShareGroupStateRequest exempt,
    read_share_group_state_summary: ReadShareGroupStateSummaryRequest exempt,
    describe_share_group_offsets: DescribeShareGroupOffsetsRequest,
    alter_share_group_offsets: AlterShareGroupOffsetsRequest,
    delete_share_group_offsets: DeleteShareGroupOffsetsRequest,
    add_raft_voter: AddRaftVoterRequest,
    remove_raft_voter: RemoveRaftVoterRequest,
}

/// APIs whose answers do not speak of what coordinators have written. (Produce waits for what it has appended itself.)
const READS_AND_APPENDS: [i16; 5] = [
    handlers::produce::API.key,
    handlers::fetch::API.key,
    handlers::list_offsets::API.key,
    handlers::metadata::API.key,
    handlers::api_versions::API.key,
];

/// The API with this key.
pub(crate) fn api(key: i16) -> Option<&'static Api> {
    APIS.iter().find(|api| api.key == key)
}

/// Answers one request frame. The error is the end of the connection.
pub(crate) async fn answer(
    node: Arc<Node>,
    endpoint: Arc<Endpoint>,
    peer: std::net::SocketAddr,
    frame: Bytes,
) -> Result<Reply, RequestFailure> {
    let size = frame.len();
    let (header, body) = RequestHeader::parse(frame, is_flexible).map_err(RequestFailure::Header)?;
    let api = api(header.api_key).ok_or(RequestFailure::UnknownApi(header.api_key))?;
    let RequestHeader { api_version: version, correlation_id, client_id, .. } = header;
    let throttling = Throttling { busy: node.quotas.busy_time(), millis: AtomicU64::new(0) };
    let cx = RequestContext { node, endpoint, peer, version, correlation_id, client_id, size, throttling };
    tracing::trace!(api = api.name, version, correlation_id, %peer, "request");
    if !api.answers(version) {
        if api.key == handlers::api_versions::API.key {
            return handlers::api_versions::fall_back(correlation_id)
                .map(|frame| Reply { frame: Some(frame), mute: Duration::ZERO })
                .map_err(|source| RequestFailure::Response { api: api.name, version, source });
        }
        return Err(RequestFailure::UnsupportedVersion { api: api.name, version, min: api.min, max: api.max });
    }
    let begun = Instant::now();
    let node = Arc::clone(&cx.node);
    let flusher = node.topics.flusher();
    let seen = flusher.failures_seen();
    let reply = match cx.throttling.busy.clone() {
        None => dispatch(cx, api, body).await,
        Some(busy) => busy.watch(dispatch(cx, api, body)).await,
    };
    // What an answer says must be as durable as somebody has asked for.
    if !READS_AND_APPENDS.contains(&api.key) && !flusher.coordinators_flushed(seen).await {
        return Err(RequestFailure::Closed("what the answer says may not be on disk, since a flush has failed"));
    }
    node.metrics.answered(api.key, begun.elapsed());
    tracing::trace!(api = api.name, version, correlation_id, %peer, "answer");
    reply
}

fn decode<R: Request>(cx: &RequestContext, api: &Api, body: Bytes) -> Result<R, RequestFailure> {
    request::decode_body(body, cx.version).map_err(|source| RequestFailure::Request {
        api: api.name,
        version: cx.version,
        source,
    })
}

fn encode<R: Request>(cx: &RequestContext, api: &Api, answer: Answer<R::Response>) -> Result<Reply, RequestFailure> {
    match answer {
        Answer::Message(message) => ResponseFrame::encode::<R>(cx.correlation_id, cx.version, &message)
            .map(|frame| Reply::new(Some(frame), cx))
            .map_err(|source| RequestFailure::Response { api: api.name, version: cx.version, source }),
        Answer::Encoded(frame) => Ok(Reply::new(Some(frame), cx)),
        Answer::Nothing => Ok(Reply::new(None, cx)),
        Answer::Close(reason) => Err(RequestFailure::Closed(reason)),
    }
}

#[cfg(test)]
mod compatibility;
