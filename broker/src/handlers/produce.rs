//! Produce: v3-13, advertised from 0
//!
//! v3 headers and transactional id · v7 zstd · v8 which records were at fault (KIP-467) · v9 flexible ·
//! v13 topic ids (KIP-516). On one node acks 1 and all are the same thing.
//!
//! ApiVersions must say that v0 to v2 are there, since librdkafka otherwise takes the broker for one that knows no
//! compression (KAFKA-18659); a request of those versions ends the connection, as with Kafka.

use brooklet_protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use brooklet_protocol::messages::produce_response::{
    BatchIndexAndErrorMessage, PartitionProduceResponse, TopicProduceResponse,
};
use brooklet_protocol::messages::{ProduceRequest, ProduceResponse};
use brooklet_protocol::records::validate::{self, InvalidBatch, RecordError};
use brooklet_protocol::records::{CompressionType, TimestampType};
use brooklet_protocol::{ErrorCode, StrBytes};
use brooklet_storage::AppendOrigin;

use super::{refusal, text};
use crate::apis::{Answer, Api, RequestContext};
use crate::topics::Topic;

pub(crate) const API: Api = Api::new::<ProduceRequest>("Produce", 3..=13).advertise_from(0);

const NO_OFFSET: i64 = -1;

#[allow(clippy::unused_async, reason = "handlers have one shape")]
pub(crate) async fn handle(cx: &RequestContext, request: ProduceRequest) -> Answer<ProduceResponse> {
    let acks_known = matches!(request.acks, -1..=1);
    let mut failed = false;
    let responses = request.topic_data.into_iter().map(|data| {
        let TopicProduceData { name, topic_id, partition_data, .. } = data;
        let by_id = cx.version >= 13;
        let topic = match by_id {
            true => cx.node.topics.by_id(topic_id).ok_or(ErrorCode::UnknownTopicId),
            false => cx.node.topics.by_name(&name).ok_or(ErrorCode::UnknownTopicOrPartition),
        };
        let partitions = partition_data.into_iter().map(|data| {
            let index = data.index;
            let outcome = match &topic {
                _ if !acks_known => Err(Refusal::code(ErrorCode::InvalidRequiredAcks)),
                Ok(topic) => append(cx, topic, data),
                Err(code) => Err(Refusal::code(*code)),
            };
            failed |= outcome.is_err();
            respond(cx.version, index, outcome)
        });
        TopicProduceResponse::default()
            .with_name(name)
            .with_topic_id(topic_id)
            .with_partition_responses(partitions.collect())
    });
    let response = ProduceResponse::default().with_responses(responses.collect());
    cx.throttle(cx.node.quotas.produced(cx.client(), cx.size));
    match (request.acks, failed) {
        (0, false) => Answer::Nothing,
        (0, true) => Answer::Close("a batch sent with acks=0 was refused, and the client waits for no answer"),
        _ => Answer::Message(response),
    }
}

/// Where a batch stands now.
struct Stored {
    base_offset: i64,
    log_append_time_ms: i64,
    log_start_offset: i64,
}

struct Refusal {
    code: ErrorCode,
    message: Option<StrBytes>,
    records: Vec<RecordError>,
}

impl Refusal {
    fn code(code: ErrorCode) -> Self {
        Self { code, message: None, records: Vec::new() }
    }

    fn batch(error: InvalidBatch) -> Self {
        let (code, message) = refusal(&error);
        let records = match error {
            InvalidBatch::MissingKeys(records) | InvalidBatch::Timestamps(records) => records,
            _ => Vec::new(),
        };
        Self { code, message, records }
    }
}

impl From<(ErrorCode, Option<StrBytes>)> for Refusal {
    fn from((code, message): (ErrorCode, Option<StrBytes>)) -> Self {
        Self { code, message, records: Vec::new() }
    }
}

fn append(cx: &RequestContext, topic: &Topic, data: PartitionProduceData) -> Result<Stored, Refusal> {
    let unknown = ErrorCode::UnknownTopicOrPartition;
    let partition = topic.partition(data.index).ok_or_else(|| Refusal::code(unknown))?;
    if topic.is_internal() {
        let message = Some(text(format!("{} is written by the broker alone", topic.name())));
        return Err((ErrorCode::InvalidTopicException, message).into());
    }
    let settings = topic.settings();
    let now_ms = cx.node.clock.wall_ms();
    let records = data.records.unwrap_or_default();
    let batch = validate::validate(&records, &settings.rules, now_ms).map_err(Refusal::batch)?;
    if batch.header.attributes.compression() == Ok(CompressionType::Zstd) && cx.version < 7 {
        let message = Some(text("zstd needs Produce v7"));
        return Err((ErrorCode::UnsupportedCompressionType, message).into());
    }
    if batch.header.attributes.is_transactional() {
        let message = Some(text("no transaction of this producer is open"));
        return Err((ErrorCode::InvalidTxnState, message).into());
    }
    let appended = partition.append(&batch, AppendOrigin::Client).map_err(|error| Refusal::from(refusal(&error)))?;
    let log_append_time_ms = match settings.rules.timestamp_type {
        TimestampType::CreateTime => -1,
        TimestampType::LogAppendTime => batch.header.max_timestamp,
    };
    let log_start_offset = partition.view().map_or(NO_OFFSET, |view| view.log_start_offset());
    Ok(Stored { base_offset: appended.base_offset, log_append_time_ms, log_start_offset })
}

fn respond(version: i16, index: i32, outcome: Result<Stored, Refusal>) -> PartitionProduceResponse {
    let response = PartitionProduceResponse::default().with_index(index);
    match outcome {
        Ok(stored) => response
            .with_base_offset(stored.base_offset)
            .with_log_append_time_ms(stored.log_append_time_ms)
            .with_log_start_offset(stored.log_start_offset),
        Err(refused) => {
            let response = response.with_error_code(refused.code.code()).with_base_offset(NO_OFFSET);
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
