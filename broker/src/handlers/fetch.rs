//! Fetch: v4-18
//!
//! v7 sessions (KIP-227) · v9 leader epochs (KIP-320) · v12 flexible · v13 topic ids (KIP-516). Long poll by minimum
//! bytes and wait; limits by partition and in all, of which the first batch may exceed both (KIP-74). Whole batches
//! are returned, from the one that holds the offset on. Who reads committed records gets those below the last stable
//! offset, and is told which transactions among them were aborted (KIP-98).
//!
//! Differs from Kafka: an answer never ends in the middle of a batch, which clients would throw away.

use std::sync::Arc;
use std::time::Duration;

use brooklet_protocol::ErrorCode;
use brooklet_protocol::fetch_response::{AbortedTransaction, FetchResponse, FetchedPartition, FetchedTopic};
use brooklet_protocol::messages::{self, FetchRequest};
use brooklet_storage::{Error as StorageError, LogSlice, LogView};
use bytes::Bytes;
use uuid::Uuid;

use crate::apis::{Answer, Api, RequestContext};
use crate::error::ToErrorCode;
use crate::fetch_session::{FetchContext, NO_SESSION, SessionRequest, Told, TopicKey, WantedPartition};
use crate::fetch_wait::FetchWaiter;
use crate::partition::Partition;
use crate::topics::Topic;

pub(crate) const API: Api = Api::new::<FetchRequest>("Fetch", 4..=18);

const UNKNOWN_OFFSET: i64 = -1;
const READ_COMMITTED: i8 = 1;

pub(crate) async fn handle(cx: &RequestContext, request: FetchRequest) -> Answer<messages::FetchResponse> {
    let limits = Limits::of(&request, cx);
    let context =
        match cx.node.fetch_sessions.lock().begin(session_request(request, cx.version), cx.node.clock.monotonic()) {
            Ok(context) => context,
            Err(error) => {
                return encode(cx, &FetchResponse { error, ..FetchResponse::default() });
            }
        };
    let sources: Vec<Source> = context.partitions.iter().map(|wanted| Source::find(cx, wanted)).collect();
    let mut read = read_all(&context, &sources, &limits);
    if read.bytes < limits.min_bytes && !read.failed && read.readable > 0 && !limits.max_wait.is_zero() {
        wait(cx, &context, &sources, &limits, &read).await;
        read = read_all(&context, &sources, &limits);
    }
    if is_throttled(cx, &context, &sources, &read) {
        let session_id = if context.incremental { context.session_id } else { NO_SESSION };
        let throttle_time_ms = cx.throttle_time_ms();
        return encode(cx, &FetchResponse { throttle_time_ms, session_id, ..FetchResponse::default() });
    }
    let metrics = &cx.node.metrics.topics;
    metrics.bytes_out.add(read.bytes as u64);
    if read.failed || read.readable < sources.len() {
        let failed = read.partitions.iter().filter(|partition| partition.error != ErrorCode::None).count();
        metrics.failed_fetch_requests.add(failed as u64);
    }
    encode(cx, &respond(cx, &context, sources, read.partitions))
}

/// Whether a quota holds the client back: then it gets nothing now, and what was read does not count as sent.
fn is_throttled(cx: &RequestContext, context: &FetchContext, sources: &[Source], read: &ReadAll) -> bool {
    cx.throttle_for_time();
    let bytes = response_bytes(cx.version, context, sources, read);
    let exceeded_ms = cx.node.quotas.fetched(cx.client(), bytes);
    let over_time = cx.throttle_time_ms() > 0;
    if over_time && exceeded_ms == 0 {
        cx.node.quotas.not_fetched(cx.client(), bytes);
    }
    cx.throttle(exceeded_ms);
    over_time || exceeded_ms > 0
}

/// About how long the response is: what its head, its topics and its partitions take beside their records.
fn response_bytes(version: i16, context: &FetchContext, sources: &[Source], read: &ReadAll) -> usize {
    const HEAD: usize = 20;
    const PARTITION: usize = 48;
    // What an incremental answer leaves out counts only with records.
    let told =
        read.partitions.iter().zip(sources).filter(|(answer, _)| !context.incremental || !answer.records.is_empty());
    let names = told.map(|(_, source)| match &source.topic {
        Some(topic) if version < 13 => PARTITION + topic.name().len(),
        _ => PARTITION + 16,
    });
    HEAD + read.bytes + names.sum::<usize>()
}

/// How much, and for how long.
struct Limits {
    max_wait: Duration,
    min_bytes: usize,
    max_bytes: usize,
    committed_only: bool,
}

impl Limits {
    fn of(request: &FetchRequest, cx: &RequestContext) -> Self {
        let size = |bytes: i32| usize::try_from(bytes).unwrap_or(0);
        // More would be held back for certain, and the client would never get on.
        let most = cx.node.quotas.most_fetched(cx.client()).unwrap_or(usize::MAX);
        let max_bytes = size(request.max_bytes).min(cx.node.config().broker.fetch_max_bytes as usize).min(most);
        Self {
            max_wait: Duration::from_millis(u64::try_from(request.max_wait_ms).unwrap_or(0)),
            min_bytes: size(request.min_bytes).min(max_bytes),
            max_bytes,
            committed_only: request.isolation_level == READ_COMMITTED,
        }
    }
}

fn session_request(request: FetchRequest, version: i16) -> SessionRequest {
    let uses_topic_ids = version >= 13;
    let key = |name: &str, id: Uuid| match uses_topic_ids {
        true => TopicKey::Id(id),
        false => TopicKey::Name(name.to_owned()),
    };
    let mut partitions = Vec::new();
    for topic in request.topics {
        let topic_key = key(&topic.topic, topic.topic_id);
        partitions.extend(topic.partitions.into_iter().map(|partition| WantedPartition {
            topic: topic_key.clone(),
            partition: partition.partition,
            current_leader_epoch: partition.current_leader_epoch,
            fetch_offset: partition.fetch_offset,
            max_bytes: partition.partition_max_bytes,
        }));
    }
    let forgotten = request.forgotten_topics_data.into_iter().flat_map(|topic| {
        let topic_key = key(&topic.topic, topic.topic_id);
        topic.partitions.into_iter().map(move |partition| (topic_key.clone(), partition))
    });
    SessionRequest {
        session_id: request.session_id,
        // Before v7 there were no sessions.
        session_epoch: if version >= 7 { request.session_epoch } else { crate::fetch_session::FINAL_EPOCH },
        uses_topic_ids,
        forgotten: forgotten.collect(),
        partitions,
    }
}

/// Where a wanted partition's records are, or why they are not.
struct Source {
    topic: Option<Arc<Topic>>,
    partition: Result<(Arc<Partition>, Arc<LogView>), ErrorCode>,
}

impl Source {
    fn find(cx: &RequestContext, wanted: &WantedPartition) -> Self {
        let (topic, unknown) = match &wanted.topic {
            TopicKey::Name(name) => (cx.node.topics.by_name(name), ErrorCode::UnknownTopicOrPartition),
            TopicKey::Id(id) => (cx.node.topics.by_id(*id), ErrorCode::UnknownTopicId),
        };
        let partition = match &topic {
            None => Err(unknown),
            Some(topic) => match topic.partition(wanted.partition) {
                None => Err(ErrorCode::UnknownTopicOrPartition),
                Some(partition) => match partition.view() {
                    Ok(view) => partition
                        .check_leader_epoch(wanted.current_leader_epoch)
                        .map(|()| (Arc::clone(&partition), Arc::clone(view))),
                    Err(error) => {
                        tracing::error!(%error, topic = topic.name(), partition = wanted.partition, "log not opened");
                        Err(error.error_code())
                    }
                },
            },
        };
        Self { topic, partition }
    }
}

/// What one pass over the partitions found.
struct ReadAll {
    partitions: Vec<FetchedPartition>,
    bytes: usize,
    /// Reading a partition failed: the client should know without waiting.
    failed: bool,
    /// Partitions that can have something later.
    readable: usize,
}

fn read_all(context: &FetchContext, sources: &[Source], limits: &Limits) -> ReadAll {
    let mut all = ReadAll { partitions: Vec::with_capacity(sources.len()), bytes: 0, failed: false, readable: 0 };
    for (wanted, source) in context.partitions.iter().zip(sources) {
        let partition = match &source.partition {
            Err(error) => refused(wanted.partition, *error),
            Ok((_, view)) => {
                let left = limits.max_bytes.saturating_sub(all.bytes);
                let partition = read(wanted, view, limits, left, all.bytes == 0);
                all.failed |= partition.error != ErrorCode::None;
                all.readable += 1;
                partition
            }
        };
        all.bytes += partition.records.len();
        all.partitions.push(partition);
    }
    all
}

fn read(wanted: &WantedPartition, view: &LogView, limits: &Limits, left: usize, first: bool) -> FetchedPartition {
    let last_stable_offset = view.last_stable_offset();
    let high_watermark = view.next_offset();
    let upto = if limits.committed_only { last_stable_offset } else { high_watermark };
    let max_bytes = usize::try_from(wanted.max_bytes).unwrap_or(0).min(left);
    let read = view.read(wanted.fetch_offset, upto, max_bytes, first).and_then(|slice| {
        let aborted = limits.committed_only.then(|| aborted(view, wanted.fetch_offset, &slice)).transpose()?;
        Ok((slice.records, aborted))
    });
    let (records, aborted) = match read {
        Ok(read) => read,
        Err(error) => {
            let code = error.error_code();
            if code == ErrorCode::KafkaStorageError {
                tracing::error!(%error, partition = wanted.partition, "log not read");
            }
            return refused(wanted.partition, code);
        }
    };
    FetchedPartition {
        index: wanted.partition,
        error: ErrorCode::None,
        high_watermark,
        last_stable_offset,
        log_start_offset: view.log_start_offset(),
        aborted,
        records,
    }
}

fn aborted(view: &LogView, from: i64, slice: &LogSlice) -> Result<Vec<AbortedTransaction>, StorageError> {
    let found = view.aborted_in(from, slice)?.into_iter();
    Ok(found
        .map(|found| AbortedTransaction { producer_id: found.producer_id, first_offset: found.first_offset })
        .collect())
}

/// What is not there has no aborted transactions, of what cannot be read they are not told, as Kafka has it.
fn refused(index: i32, error: ErrorCode) -> FetchedPartition {
    let is_missing = matches!(error, ErrorCode::UnknownTopicOrPartition | ErrorCode::UnknownTopicId);
    FetchedPartition {
        index,
        error,
        high_watermark: UNKNOWN_OFFSET,
        last_stable_offset: UNKNOWN_OFFSET,
        log_start_offset: UNKNOWN_OFFSET,
        aborted: is_missing.then(Vec::new),
        records: Bytes::new(),
    }
}

/// Waits until enough has come since `read`, the time is over or the broker stops.
async fn wait(cx: &RequestContext, context: &FetchContext, sources: &[Source], limits: &Limits, read: &ReadAll) {
    let bytes = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
    let waiter = FetchWaiter::new(bytes(limits.min_bytes - read.bytes), limits.committed_only);
    let readable = || sources.iter().filter_map(|source| source.partition.as_ref().ok());
    let _registrations: Vec<_> = readable().map(|(partition, _)| partition.waiters().register(&waiter)).collect();
    // What was appended between the read and the registration has told nobody.
    let known = read.partitions.iter().filter(|partition| partition.high_watermark != UNKNOWN_OFFSET);
    let grown = readable().zip(known).any(|((_, view), known)| {
        view.next_offset() != known.high_watermark || view.last_stable_offset() != known.last_stable_offset
    });
    if grown {
        let now = read_all(context, sources, limits);
        waiter.credit(bytes(now.bytes.saturating_sub(read.bytes)));
    }
    tokio::select! {
        () = waiter.woken() => {}
        () = tokio::time::sleep(limits.max_wait) => {}
        () = cx.node.stop.cancelled() => {}
    }
}

fn respond(
    cx: &RequestContext,
    context: &FetchContext,
    sources: Vec<Source>,
    partitions: Vec<FetchedPartition>,
) -> FetchResponse {
    let answers: Vec<_> = partitions
        .iter()
        .map(|partition| {
            let told = Told { high_watermark: partition.high_watermark, log_start_offset: partition.log_start_offset };
            (told, !partition.records.is_empty(), partition.error != ErrorCode::None)
        })
        .collect();
    let news = cx.node.fetch_sessions.lock().finish(context, &answers);
    let mut topics: Vec<FetchedTopic> = Vec::new();
    let all = context.partitions.iter().zip(sources).zip(partitions).zip(news);
    for (((wanted, source), partition), _) in all.filter(|(_, new)| *new) {
        let (name, id) = match (&wanted.topic, &source.topic) {
            (_, Some(topic)) => (topic.name().to_owned(), topic.id()),
            (TopicKey::Name(name), None) => (name.clone(), Uuid::nil()),
            (TopicKey::Id(id), None) => (String::new(), *id),
        };
        match topics.last_mut().filter(|last| last.id == id && last.name == name) {
            Some(last) => last.partitions.push(partition),
            None => topics.push(FetchedTopic { name, id, partitions: vec![partition] }),
        }
    }
    FetchResponse { session_id: context.session_id, topics, ..FetchResponse::default() }
}

fn encode(cx: &RequestContext, response: &FetchResponse) -> Answer<messages::FetchResponse> {
    match response.encode(cx.correlation_id, cx.version) {
        Ok(frame) => Answer::Encoded(frame),
        Err(error) => {
            tracing::error!(%error, "fetch response not encoded");
            Answer::Close("a fetch response could not be encoded")
        }
    }
}
