//! Produce: v3-13, advertised from 0
//!
//! v3 headers and transactional id · v7 zstd · v8 which records were at fault (KIP-467) · v9 flexible · v11
//! TRANSACTION_ABORTABLE · v12 adds the partition to the producer's transaction by itself (KIP-890) · v13 topic ids
//! (KIP-516). On one node acks 1 and all are the same thing, unless `brooklet.flush.before.ack` lets all wait for the disk.
//!
//! What is written in a transaction must be part of it: for clients of before v12 the coordinator is asked whether the
//! partition was added (`transaction.partition.verification.enable`). All such batches of a request are one producer's.
//!
//! ApiVersions must say that v0 to v2 are there, since librdkafka otherwise takes the broker for one that knows no
//! compression (KAFKA-18659); a request of those versions ends the connection, as with Kafka.

use std::sync::Arc;

use brooklet_protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use brooklet_protocol::messages::produce_response::{
    BatchIndexAndErrorMessage, PartitionProduceResponse, TopicProduceResponse,
};
use brooklet_protocol::messages::{ProduceRequest, ProduceResponse};
use brooklet_protocol::records::validate::{self, InvalidBatch, RecordError, ValidBatch};
use brooklet_protocol::records::{CompressionType, TimestampType};
use brooklet_protocol::{ErrorCode, StrBytes};
use brooklet_storage::AppendOrigin;
use tokio::task::JoinSet;

use super::{refusal, text, transactional_produce};
use crate::apis::{Answer, Api, RequestContext};
use crate::partition::Partition;
use crate::topics::Topic;

pub(crate) const API: Api = Api::new::<ProduceRequest>("Produce", 3..=13).advertise_from(0);

const NO_OFFSET: i64 = -1;
/// `acks` of a producer that wants all replicas to have its records.
const ALL: i16 = -1;

pub(crate) async fn handle(cx: &RequestContext, request: ProduceRequest) -> Answer<ProduceResponse> {
    let refused = transactional_produce::refusal_of_all(&request);
    let acks_known = matches!(request.acks, -1..=1);
    let mut topics = Vec::with_capacity(request.topic_data.len());
    for data in request.topic_data {
        topics.push(TopicAppends::of(cx, data, refused, acks_known));
    }
    if let Some(transactional_id) = request.transactional_id {
        transactional_produce::admit(cx, &transactional_id, &mut topics).await;
    }
    let mut failed = false;
    let mut flushing = Vec::new();
    let responses = topics.into_iter().enumerate().map(|(topic_at, topic)| {
        let partitions = topic.partitions.into_iter().enumerate().map(|(at, (index, append))| {
            let outcome = append.and_then(|append| {
                let partition = Arc::clone(&append.partition);
                let stored = append.carry_out()?;
                if partition.must_flush(request.acks == ALL) {
                    flushing.push((topic_at, at, partition));
                }
                Ok(stored)
            });
            if outcome.is_err() {
                failed = true;
                cx.node.metrics.topics.failed_produce_requests.add(1);
            }
            respond(cx.version, index, outcome)
        });
        TopicProduceResponse::default()
            .with_partition_responses(partitions.collect())
            .with_name(topic.response.name)
            .with_topic_id(topic.response.topic_id)
    });
    let mut response = ProduceResponse::default().with_responses(responses.collect());
    if !flushing.is_empty() {
        failed |= flush(cx.version, &mut response, flushing).await;
    }
    cx.throttle(cx.node.quotas.produced(cx.client(), cx.size));
    match (request.acks, failed) {
        (0, false) => Answer::Nothing,
        (0, true) => Answer::Close("a batch sent with acks=0 was refused, and the client waits for no answer"),
        _ => Answer::Message(response),
    }
}

/// Waits until partitions are on disk, all at the same time. Those that are not are refused after all. Returns whether
/// there are any.
async fn flush(version: i16, response: &mut ProduceResponse, flushing: Vec<(usize, usize, Arc<Partition>)>) -> bool {
    let mut tasks = JoinSet::new();
    for (topic_at, at, partition) in flushing {
        tasks.spawn(async move { (topic_at, at, partition.flushed().await) });
    }
    let mut failed = false;
    while let Some(flushed) = tasks.join_next().await {
        let (topic_at, at, outcome) = flushed.expect("waiting for a flush neither panics nor is aborted");
        if let Err(error) = outcome {
            failed = true;
            let place = &mut response.responses[topic_at].partition_responses[at];
            *place = respond(version, place.index, Err(Refusal::from(refusal(&error))));
        }
    }
    failed
}

/// What is to be appended to a topic's partitions.
pub(super) struct TopicAppends {
    response: TopicProduceResponse,
    pub(super) topic: Option<Arc<Topic>>,
    /// By partition; what cannot be appended is refused already.
    pub(super) partitions: Vec<(i32, Result<Append, Refusal>)>,
}

impl TopicAppends {
    fn of(cx: &RequestContext, data: TopicProduceData, refused: Option<ErrorCode>, acks_known: bool) -> Self {
        let TopicProduceData { name, topic_id, partition_data, .. } = data;
        let found = match cx.version >= 13 {
            true => cx.node.topics.by_id(topic_id).ok_or(ErrorCode::UnknownTopicId),
            false => cx.node.topics.by_name(&name).ok_or(ErrorCode::UnknownTopicOrPartition),
        };
        let partitions = partition_data.into_iter().map(|data| {
            let index = data.index;
            let append = match (refused, &found) {
                (Some(code), _) => Err(Refusal::code(code)),
                (None, Ok(topic)) => Append::of(cx, topic, data, acks_known),
                (None, Err(code)) => Err(Refusal::code(*code)),
            };
            (index, append)
        });
        let partitions = partitions.collect();
        let response = TopicProduceResponse::default().with_name(name).with_topic_id(topic_id);
        Self { response, topic: found.ok(), partitions }
    }
}

/// A batch that may be appended, as far as the batch itself goes.
pub(super) struct Append {
    pub(super) partition: Arc<Partition>,
    pub(super) batch: ValidBatch,
    timestamp_type: TimestampType,
    pub(super) origin: AppendOrigin,
}

impl Append {
    fn of(cx: &RequestContext, topic: &Topic, data: PartitionProduceData, acks_known: bool) -> Result<Self, Refusal> {
        let unknown = ErrorCode::UnknownTopicOrPartition;
        let partition = topic.partition(data.index).ok_or_else(|| Refusal::code(unknown))?;
        if topic.is_internal() {
            let message = format!("{} is written by the broker alone", topic.name());
            return Err(Refusal::because(ErrorCode::InvalidTopicException, message));
        }
        let settings = topic.settings();
        let now_ms = cx.node.clock.wall_ms();
        let records = data.records.unwrap_or_default();
        let malformed = |error| Refusal::from(refusal(&error));
        let first = validate::first_batch(&records).map_err(malformed)?;
        if first.header().attributes.compression() == Ok(CompressionType::Zstd) && cx.version < 7 {
            return Err(Refusal::because(ErrorCode::UnsupportedCompressionType, "zstd needs Produce v7"));
        }
        validate::only_batch(&first, &records).map_err(malformed)?;
        if !acks_known {
            return Err(Refusal::code(ErrorCode::InvalidRequiredAcks));
        }
        let batch = validate::validate(&records, &settings.rules, now_ms)
            .map_err(|error| Refusal::batch(error).in_log(&partition))?;
        Ok(Self { partition, batch, timestamp_type: settings.rules.timestamp_type, origin: AppendOrigin::Client })
    }

    fn carry_out(self) -> Result<Stored, Refusal> {
        let Self { partition, batch, timestamp_type, origin } = self;
        let appended =
            partition.append(&batch, origin).map_err(|error| Refusal::from(refusal(&error)).in_log(&partition))?;
        let log_append_time_ms = match timestamp_type {
            TimestampType::CreateTime => -1,
            TimestampType::LogAppendTime => batch.header.max_timestamp,
        };
        let log_start_offset = partition.view().map_or(NO_OFFSET, |view| view.log_start_offset());
        Ok(Stored { base_offset: appended.base_offset, log_append_time_ms, log_start_offset })
    }
}

/// Where a batch stands now.
struct Stored {
    base_offset: i64,
    log_append_time_ms: i64,
    log_start_offset: i64,
}

pub(super) struct Refusal {
    code: ErrorCode,
    message: Option<StrBytes>,
    records: Vec<RecordError>,
    log_start_offset: i64,
}

impl Refusal {
    fn code(code: ErrorCode) -> Self {
        Self { code, message: None, records: Vec::new(), log_start_offset: NO_OFFSET }
    }

    /// Of a batch that was looked at: then the answer says where the log begins. Kafka's does not for errors that it knows
    /// by name.
    fn in_log(self, partition: &Partition) -> Self {
        let known = [
            ErrorCode::UnknownTopicOrPartition,
            ErrorCode::MessageTooLarge,
            ErrorCode::RecordListTooLarge,
            ErrorCode::CorruptMessage,
            ErrorCode::KafkaStorageError,
        ];
        if known.contains(&self.code) {
            return self;
        }
        let log_start_offset = partition.view().map_or(NO_OFFSET, |view| view.log_start_offset());
        Self { log_start_offset, ..self }
    }

    pub(super) fn because(code: ErrorCode, message: impl Into<String>) -> Self {
        Self { message: Some(text(message)), ..Self::code(code) }
    }

    fn batch(error: InvalidBatch) -> Self {
        let (code, message) = refusal(&error);
        let records = match error {
            InvalidBatch::MissingKeys(records) | InvalidBatch::Timestamps(records) => records,
            _ => Vec::new(),
        };
        Self { code, message, records, log_start_offset: NO_OFFSET }
    }
}

impl From<(ErrorCode, Option<StrBytes>)> for Refusal {
    fn from((code, message): (ErrorCode, Option<StrBytes>)) -> Self {
        Self { message, ..Self::code(code) }
    }
}

fn respond(version: i16, index: i32, outcome: Result<Stored, Refusal>) -> PartitionProduceResponse {
    let response = PartitionProduceResponse::default().with_index(index);
    match outcome {
        Ok(stored) => response
            .with_base_offset(stored.base_offset)
            .with_log_append_time_ms(stored.log_append_time_ms)
            .with_log_start_offset(stored.log_start_offset),
        Err(refused) => {
            let response = response
                .with_error_code(refused.code.code())
                .with_base_offset(NO_OFFSET)
                .with_log_start_offset(refused.log_start_offset);
            if version < 8 {
                return response;
            }
            let records = refused.records.into_iter().map(|record| {
                BatchIndexAndErrorMessage::default()
                    .with_batch_index(record.index)
                    .with_batch_index_error_message(Some(text(record.message)))
            });
            response.with_record_errors(records.collect()).with_error_message(refused.message)
        }
    }
}
