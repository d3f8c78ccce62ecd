//! The fetch response, written straight to a frame: `FetchResponse.json`, versions 4 to 18.
//!
//! It is the one response that carries record batches, and the one that is sent most. Written here, its batches
//! stay shared with the log from the first byte to the socket; the generated encoder would copy each.

use bytes::{BufMut, Bytes, BytesMut};
use kafka_protocol::messages::FetchRequest;
use uuid::Uuid;

use crate::ErrorCode;
use crate::cursor::{put_string, put_unsigned_varint};
use crate::response::{EncodeError, ResponseFrame, put_header};

/// A fetch response.
#[derive(Debug, Clone, Default)]
pub struct FetchResponse {
    /// How long the client was held back by a quota, in milliseconds.
    pub throttle_time_ms: i32,
    /// Top-level error (v7+).
    pub error: ErrorCode,
    /// The fetch session, or 0 for none (v7+, KIP-227).
    pub session_id: i32,
    /// Topics in the order in which they are answered.
    pub topics: Vec<FetchedTopic>,
}

/// A topic in a fetch response.
#[derive(Debug, Clone)]
pub struct FetchedTopic {
    /// Its name, sent up to v12.
    pub name: String,
    /// Its id, sent from v13 (KIP-516).
    pub id: Uuid,
    /// Its partitions.
    pub partitions: Vec<FetchedPartition>,
}

/// A partition in a fetch response.
#[derive(Debug, Clone)]
pub struct FetchedPartition {
    /// Its index.
    pub index: i32,
    /// What went wrong with it, if something did.
    pub error: ErrorCode,
    /// The high watermark, or -1.
    pub high_watermark: i64,
    /// The last stable offset, or -1.
    pub last_stable_offset: i64,
    /// The log's first offset, or -1 (v5+).
    pub log_start_offset: i64,
    /// For a reader of committed records: transactions in this range that were aborted. `None` (null) for others.
    pub aborted: Option<Vec<AbortedTransaction>>,
    /// Whole batches.
    pub records: Bytes,
}

/// A producer's transaction that was aborted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AbortedTransaction {
    /// The producer.
    pub producer_id: i64,
    /// Offset of its first record.
    pub first_offset: i64,
}

/// No replica is preferred over this one.
const NO_PREFERRED_REPLICA: i32 = -1;

impl FetchResponse {
    /// Encodes the response for a request of this correlation id and version (4 to 18).
    pub fn encode(&self, correlation_id: i32, version: i16) -> Result<ResponseFrame, EncodeError> {
        let mut out = Writer::new(version >= 12);
        put_header::<FetchRequest>(&mut out.head, correlation_id, version);
        out.head.put_i32(self.throttle_time_ms);
        if version >= 7 {
            out.head.put_i16(self.error.code());
            out.head.put_i32(self.session_id);
        }
        out.count(self.topics.len());
        for topic in &self.topics {
            if version >= 13 {
                out.head.put_slice(topic.id.as_bytes());
            } else {
                out.string(&topic.name);
            }
            out.count(topic.partitions.len());
            for partition in &topic.partitions {
                out.partition(partition, version);
            }
            out.no_tags();
        }
        out.no_tags();
        out.finish()
    }
}

/// A response that is being written, with shared bytes in it.
pub(crate) struct Writer {
    pub(crate) head: BytesMut,
    /// What stands before `head`, in order.
    done: Vec<Part>,
    flexible: bool,
}

enum Part {
    Written(BytesMut),
    Shared(Bytes),
}

impl Writer {
    pub(crate) fn new(flexible: bool) -> Self {
        Self { head: BytesMut::with_capacity(256), done: Vec::new(), flexible }
    }

    fn partition(&mut self, partition: &FetchedPartition, version: i16) {
        self.head.put_i32(partition.index);
        self.head.put_i16(partition.error.code());
        self.head.put_i64(partition.high_watermark);
        self.head.put_i64(partition.last_stable_offset);
        if version >= 5 {
            self.head.put_i64(partition.log_start_offset);
        }
        match &partition.aborted {
            None => self.null_count(),
            Some(aborted) => {
                self.count(aborted.len());
                for transaction in aborted {
                    self.head.put_i64(transaction.producer_id);
                    self.head.put_i64(transaction.first_offset);
                    self.no_tags();
                }
            }
        }
        if version >= 11 {
            self.head.put_i32(NO_PREFERRED_REPLICA);
        }
        self.records(&partition.records);
        self.no_tags();
    }

    pub(crate) fn records(&mut self, records: &Bytes) {
        if self.flexible {
            put_unsigned_varint(&mut self.head, records.len() as u64 + 1);
        } else {
            // A partition's share is bounded by the request's 32-bit limit and one batch.
            self.head.put_i32(records.len() as i32);
        }
        if !records.is_empty() {
            self.done.push(Part::Written(self.head.split()));
            self.done.push(Part::Shared(records.clone()));
        }
    }

    pub(crate) fn count(&mut self, count: usize) {
        if self.flexible {
            put_unsigned_varint(&mut self.head, count as u64 + 1);
        } else {
            self.head.put_i32(count as i32);
        }
    }

    fn null_count(&mut self) {
        if self.flexible {
            self.head.put_u8(0);
        } else {
            self.head.put_i32(-1);
        }
    }

    fn string(&mut self, value: &str) {
        if self.flexible {
            put_unsigned_varint(&mut self.head, value.len() as u64 + 1);
            self.head.put_slice(value.as_bytes());
        } else {
            put_string(&mut self.head, value);
        }
    }

    pub(crate) fn no_tags(&mut self) {
        if self.flexible {
            self.head.put_u8(0);
        }
    }

    pub(crate) fn finish(mut self) -> Result<ResponseFrame, EncodeError> {
        if !self.head.is_empty() {
            self.done.push(Part::Written(self.head));
        }
        let mut parts = self.done.into_iter();
        let Some(Part::Written(first)) = parts.next() else {
            unreachable!("a response begins with its header");
        };
        let rest = parts.map(|part| match part {
            Part::Written(bytes) => bytes.freeze(),
            Part::Shared(bytes) => bytes,
        });
        ResponseFrame::new(first, rest.collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use kafka_protocol::messages::fetch_response as generated;
    use kafka_protocol::messages::{ProducerId, TopicName};
    use kafka_protocol::protocol::StrBytes;
    use proptest::prelude::*;

    fn partitions() -> impl Strategy<Value = FetchedPartition> {
        let aborted = prop::collection::vec((0i64..9, 0i64..9), 0..3).prop_map(|list| {
            list.into_iter()
                .map(|(producer_id, first_offset)| AbortedTransaction { producer_id, first_offset })
                .collect()
        });
        (any::<i32>(), any::<i64>(), prop::option::of(aborted), prop::collection::vec(any::<u8>(), 0..300)).prop_map(
            |(index, offset, aborted, records)| FetchedPartition {
                index,
                error: ErrorCode::None,
                high_watermark: offset,
                last_stable_offset: offset.wrapping_sub(1),
                log_start_offset: 3,
                aborted,
                records: Bytes::from(records),
            },
        )
    }

    fn responses() -> impl Strategy<Value = FetchResponse> {
        let topic = ("[a-z]{1,20}", any::<u128>(), prop::collection::vec(partitions(), 0..4))
            .prop_map(|(name, id, partitions)| FetchedTopic { name, id: Uuid::from_u128(id), partitions });
        (any::<i32>(), any::<i32>(), prop::collection::vec(topic, 0..4)).prop_map(
            |(throttle_time_ms, session_id, topics)| FetchResponse {
                throttle_time_ms,
                error: ErrorCode::None,
                session_id,
                topics,
            },
        )
    }

    fn as_generated(response: &FetchResponse, version: i16) -> generated::FetchResponse {
        let partition = |p: &FetchedPartition| {
            generated::PartitionData::default()
                .with_partition_index(p.index)
                .with_error_code(p.error.code())
                .with_high_watermark(p.high_watermark)
                .with_last_stable_offset(p.last_stable_offset)
                .with_log_start_offset(if version >= 5 { p.log_start_offset } else { -1 })
                .with_aborted_transactions(p.aborted.as_ref().map(|list| {
                    list.iter()
                        .map(|a| {
                            generated::AbortedTransaction::default()
                                .with_producer_id(ProducerId(a.producer_id))
                                .with_first_offset(a.first_offset)
                        })
                        .collect()
                }))
                .with_records(Some(p.records.clone()))
        };
        let topic = |t: &FetchedTopic| {
            let mut out = generated::FetchableTopicResponse::default()
                .with_partitions(t.partitions.iter().map(partition).collect());
            if version >= 13 {
                out.topic_id = t.id;
            } else {
                out.topic = TopicName(StrBytes::from_string(t.name.clone()));
            }
            out
        };
        generated::FetchResponse::default()
            .with_throttle_time_ms(response.throttle_time_ms)
            .with_session_id(if version >= 7 { response.session_id } else { 0 })
            .with_responses(response.topics.iter().map(topic).collect())
    }

    proptest! {
        #[test]
        fn the_bytes_are_those_of_the_generated_encoder(response in responses()) {
            for version in 4..=18 {
                let ours = response.encode(9, version).unwrap().into_parts().concat();
                let theirs =
                    ResponseFrame::encode::<FetchRequest>(9, version, &as_generated(&response, version)).unwrap();
                prop_assert_eq!(ours, theirs.into_parts().concat(), "version {}", version);
            }
        }

        #[test]
        fn records_are_shared_with_the_log(response in responses()) {
            let frame = response.encode(9, 17).unwrap();
            let parts = frame.into_parts();
            for partition in response.topics.iter().flat_map(|t| &t.partitions) {
                let records = &partition.records;
                prop_assert!(records.is_empty() || parts.iter().any(|part| part.as_ptr() == records.as_ptr()));
            }
        }
    }
}
