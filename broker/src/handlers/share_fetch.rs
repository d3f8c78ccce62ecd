//! ShareFetch: v1-2 (KIP-932)
//!
//! Gives a member records that nobody else has, for as long as their locks last, and takes acknowledgements along.
//! Share sessions; long poll by minimum bytes and wait; limits by records and bytes. v2: strict record limit (KIP-1206),
//! renewal of locks (KIP-1222).
//!
//! Differs from Kafka: a member that a quota holds back is given its records all the same, since they are locked to it
//! by then; it waits before its next request.

use std::sync::Arc;
use std::time::Duration;

use brooklet_protocol::ErrorCode;
use brooklet_protocol::coordinator::share_state::SharePartitionKey;
use brooklet_protocol::messages::{self, ShareFetchRequest};
use brooklet_protocol::share_fetch_response::{
    AcquiredRecords, ShareFetchResponse, ShareFetchedPartition, ShareFetchedTopic,
};
use tokio::time::Instant;
use uuid::Uuid;

use super::group_protocols::check_share;
use super::share_acknowledgements::{Acknowledged, Acknowledgements, acknowledge, session_key};
use crate::apis::{Answer, Api, RequestContext};
use crate::config::ShareGroupConfig;
use crate::fetch_wait::FetchWaiter;
use crate::share::delivery::{DeliveredPartition, Delivery};
use crate::share::partition::{AcknowledgementBatch, AcquireMode, AcquireRequest};
use crate::share::session::{FINAL_EPOCH, Found, SessionFetch, SessionKey, ShareFetchContext};

pub(crate) const API: Api = Api::new::<ShareFetchRequest>("ShareFetch", 1..=2);

type Fetched = Vec<((Uuid, i32), ShareFetchedPartition)>;

pub(crate) async fn handle(cx: &RequestContext, request: ShareFetchRequest) -> Answer<messages::ShareFetchResponse> {
    let mut response = match serve(cx, request).await {
        Ok(response) => response,
        Err(error) => ShareFetchResponse { error, ..ShareFetchResponse::default() },
    };
    cx.throttle_for_time();
    response.throttle_time_ms = cx.throttle_time_ms();
    match response.encode(cx.correlation_id, cx.version) {
        Ok(frame) => Answer::Encoded(frame),
        Err(error) => {
            tracing::error!(%error, "share fetch response not encoded");
            Answer::Close("a share fetch response could not be encoded")
        }
    }
}

async fn serve(cx: &RequestContext, request: ShareFetchRequest) -> Result<ShareFetchResponse, ErrorCode> {
    check_share(cx)?;
    let member = session_key(request.group_id.as_ref().map(|id| &***id), request.member_id.as_deref())?;
    let limits = Limits::of(&request, cx)?;
    let (epoch, renews) = (request.share_session_epoch, request.is_renew_ack);
    let (session, acknowledgements) = taken_apart(request, cx);
    let begun = cx.node.share.sessions().lock().fetch(&member, session);
    let context = match begun {
        Err(ErrorCode::ShareSessionLimitReached) => {
            // Otherwise the client would ask again at once, and again.
            sleep(cx, limits.max_wait).await;
            return Err(ErrorCode::ShareSessionLimitReached);
        }
        begun => begun?,
    };
    let acknowledged = acknowledge(cx, &member, acknowledgements, renews).await;
    let config = cx.node.share.config(&member.group_id);
    let mut fetched = match renews {
        true => Fetched::new(),
        false => fetch(cx, &member, &context, &limits, &config).await,
    };
    tell(cx, &member, &context, &mut fetched);
    let bytes = fetched.iter().map(|(_, partition)| partition.records.len()).sum();
    cx.node.metrics.topics.bytes_out.add(bytes as u64);
    cx.throttle(cx.node.quotas.fetched(cx.client(), bytes));
    if epoch == FINAL_EPOCH {
        cx.node.share.end_session(&member);
    }
    let lock_ms = i32::try_from(config.record_lock_duration.as_millis()).unwrap_or(i32::MAX);
    Ok(ShareFetchResponse {
        error: ErrorCode::None,
        acquisition_lock_timeout_ms: lock_ms,
        topics: by_topic(fetched, acknowledged),
        ..ShareFetchResponse::default()
    })
}

/// How much, and for how long.
struct Limits {
    max_wait: Duration,
    min_bytes: usize,
    max_bytes: usize,
    max_records: i64,
    batch_size: i64,
    mode: AcquireMode,
}

impl Limits {
    fn of(request: &ShareFetchRequest, cx: &RequestContext) -> Result<Self, ErrorCode> {
        let asked = [request.max_bytes, request.min_bytes, request.max_records, request.max_wait_ms];
        if request.is_renew_ack && asked != [0; 4] {
            return Err(ErrorCode::InvalidRequest);
        }
        let size = |bytes: i32| usize::try_from(bytes).unwrap_or(0);
        let most = cx.node.quotas.most_fetched(cx.client()).unwrap_or(usize::MAX);
        let max_bytes = size(request.max_bytes).min(cx.node.config().broker.fetch_max_bytes as usize).min(most);
        Ok(Self {
            max_wait: Duration::from_millis(u64::try_from(request.max_wait_ms).unwrap_or(0)),
            min_bytes: size(request.min_bytes).min(max_bytes),
            max_bytes,
            max_records: request.max_records.into(),
            batch_size: request.batch_size.into(),
            mode: AcquireMode::from_id(request.share_acquire_mode).ok_or(ErrorCode::InvalidRequest)?,
        })
    }
}

fn taken_apart(request: ShareFetchRequest, cx: &RequestContext) -> (SessionFetch, Acknowledgements) {
    let mut added = Vec::new();
    let mut acknowledgements = Acknowledgements::new();
    for topic in request.topics {
        for partition in topic.partitions {
            let id = (topic.topic_id, partition.partition_index);
            added.push(id);
            let batches: Vec<_> = partition
                .acknowledgement_batches
                .into_iter()
                .map(|batch| AcknowledgementBatch {
                    first: batch.first_offset,
                    last: batch.last_offset,
                    types: batch.acknowledge_types,
                })
                .collect();
            if !batches.is_empty() {
                acknowledgements.push((id, batches));
            }
        }
    }
    let forgotten = request.forgotten_topics_data.into_iter();
    let session = SessionFetch {
        epoch: request.share_session_epoch,
        added,
        forgotten: forgotten
            .flat_map(|topic| topic.partitions.into_iter().map(move |partition| (topic.topic_id, partition)))
            .collect(),
        acknowledges: !acknowledgements.is_empty(),
        peer: cx.peer,
    };
    (session, acknowledgements)
}

/// A partition that the member fetches.
struct Source {
    id: (Uuid, i32),
    delivered: Arc<DeliveredPartition>,
}

async fn fetch(
    cx: &RequestContext,
    member: &SessionKey,
    context: &ShareFetchContext,
    limits: &Limits,
    config: &ShareGroupConfig,
) -> Fetched {
    let mut fetched = Fetched::new();
    let mut sources = Vec::new();
    for id in &context.partitions {
        let key = SharePartitionKey { group_id: member.group_id.clone(), topic_id: id.0, partition: id.1 };
        match cx.node.share.find_or_load(&key, config) {
            Ok(delivered) => sources.push(Source { id: *id, delivered }),
            Err(error) => fetched.push((*id, refused(id.1, error))),
        }
    }
    if !sources.is_empty() && limits.max_records > 0 && limits.max_bytes > 0 {
        fetched.extend(wait_and_acquire(cx, member, &sources, limits, config).await);
    }
    fetched
}

/// Acquires once enough is there, or the time is over.
async fn wait_and_acquire(
    cx: &RequestContext,
    member: &SessionKey,
    sources: &[Source],
    limits: &Limits,
    config: &ShareGroupConfig,
) -> Fetched {
    let deadline = Instant::now() + limits.max_wait;
    let mut over = limits.max_wait.is_zero();
    loop {
        // Registered before the look, so that nothing comes unseen between the look and the wait.
        let waiter = FetchWaiter::new(1, config.committed_only);
        let _registrations: Vec<_> = sources
            .iter()
            .flat_map(|source| [source.delivered.partition().waiters(), source.delivered.waiters()])
            .map(|waiters| waiters.register(&waiter))
            .collect();
        let enough = limits.min_bytes <= 1 || available(sources, limits, config) >= limits.min_bytes;
        if over || enough {
            let fetched = acquire_all(cx, member, sources, limits, config);
            let told =
                |partition: &ShareFetchedPartition| !partition.records.is_empty() || partition.error != ErrorCode::None;
            if over || fetched.iter().any(|(_, partition)| told(partition)) {
                return fetched;
            }
        }
        if sources.iter().any(|source| source.delivered.is_fenced()) {
            return Fetched::new();
        }
        tokio::select! {
            () = waiter.woken() => {}
            () = tokio::time::sleep_until(deadline) => over = true,
            () = cx.node.stop.cancelled() => return Fetched::new(),
        }
    }
}

/// What can be acquired from, and how many bytes of each.
fn acquirable<'a>(sources: &'a [Source], limits: &Limits, config: &ShareGroupConfig) -> (Vec<&'a Source>, usize) {
    let sources: Vec<_> = sources.iter().filter(|source| source.delivered.can_acquire(config)).collect();
    let share = limits.max_bytes / sources.len().max(1);
    (sources, share)
}

fn available(sources: &[Source], limits: &Limits, config: &ShareGroupConfig) -> usize {
    let (sources, share) = acquirable(sources, limits, config);
    sources.iter().map(|source| source.delivered.available_bytes(share, config)).sum()
}

fn acquire_all(
    cx: &RequestContext,
    member: &SessionKey,
    sources: &[Source],
    limits: &Limits,
    config: &ShareGroupConfig,
) -> Fetched {
    let (sources, share) = acquirable(sources, limits, config);
    let now = cx.node.clock.monotonic();
    let member: Arc<str> = member.member_id.as_str().into();
    let (mut records, mut bytes) = (0, 0);
    let mut fetched = Fetched::with_capacity(sources.len());
    for source in sources {
        let request = AcquireRequest {
            member: Arc::clone(&member),
            mode: limits.mode,
            max_records: limits.max_records - records,
            batch_size: limits.batch_size,
        };
        let partition = match source.delivered.acquire(&request, share, bytes == 0, config, now) {
            Ok(delivery) => {
                records += delivery.acquired.iter().map(crate::share::partition::AcquiredRecords::len).sum::<i64>();
                bytes += delivery.records.len();
                delivered(source.id.1, delivery)
            }
            Err(error) => refused(source.id.1, error),
        };
        fetched.push((source.id, partition));
    }
    if records > 0 {
        let lock_ms = u64::try_from(config.record_lock_duration.as_millis()).unwrap_or(u64::MAX);
        cx.node.share.locked_until(now.saturating_add(lock_ms));
    }
    fetched
}

fn delivered(index: i32, delivery: Delivery) -> ShareFetchedPartition {
    let acquired = delivery.acquired.into_iter().map(|records| AcquiredRecords {
        first_offset: records.first,
        last_offset: records.last,
        delivery_count: records.delivery_count,
    });
    ShareFetchedPartition {
        index,
        acquired: acquired.collect(),
        records: delivery.records,
        ..ShareFetchedPartition::default()
    }
}

fn refused(index: i32, error: ErrorCode) -> ShareFetchedPartition {
    ShareFetchedPartition { index, error, ..ShareFetchedPartition::default() }
}

/// Leaves out what the session has nothing new to say of.
fn tell(cx: &RequestContext, member: &SessionKey, context: &ShareFetchContext, fetched: &mut Fetched) {
    let found = |partition: &ShareFetchedPartition| match partition {
        partition if partition.error != ErrorCode::None => Found::Error,
        partition if partition.records.is_empty() => Found::Nothing,
        _ => Found::Records,
    };
    let found: Vec<_> = fetched.iter().map(|(id, partition)| (*id, found(partition))).collect();
    let mut told = cx.node.share.sessions().lock().tell(member, context, &found).into_iter();
    fetched.retain(|_| told.next().unwrap_or(true));
}

/// What was fetched and how it went with acknowledgements, of each partition together.
fn by_topic(fetched: Fetched, mut acknowledged: Acknowledged) -> Vec<ShareFetchedTopic> {
    let mut topics: Vec<ShareFetchedTopic> = Vec::new();
    let mut push = |id: Uuid, partition: ShareFetchedPartition| match topics.iter_mut().find(|topic| topic.id == id) {
        Some(topic) => topic.partitions.push(partition),
        None => topics.push(ShareFetchedTopic { id, partitions: vec![partition] }),
    };
    for (id, mut partition) in fetched {
        if let Some((error, message)) = acknowledged.remove(&id) {
            partition.acknowledge_error = error;
            partition.acknowledge_error_message = message;
        }
        push(id.0, partition);
    }
    for (id, (acknowledge_error, acknowledge_error_message)) in acknowledged {
        let partition = ShareFetchedPartition {
            index: id.1,
            acknowledge_error,
            acknowledge_error_message,
            ..ShareFetchedPartition::default()
        };
        push(id.0, partition);
    }
    topics
}

async fn sleep(cx: &RequestContext, time: Duration) {
    tokio::select! {
        () = tokio::time::sleep(time) => {}
        () = cx.node.stop.cancelled() => {}
    }
}
